/* Metrics of the response cache, under the same names wherever one is: in a server, in a reader of
 * its database, in a worker. Thread: any.
 */
#ifndef STOA_ADMIN_METRICS_CACHE_H
#define STOA_ADMIN_METRICS_CACHE_H

#include "base/buf.h"
#include "web/cache.h"

/* Appends to OUT in Prometheus' text format. DATABASE_INDEX: the entry that the database which
 * pages are rendered from had, read before STATS were, so that no lag is shown which was none; 0:
 * not known. */
void metrics_put_cache(struct buf *out, const struct cache_stats *stats, uint64_t database_index);

#endif
