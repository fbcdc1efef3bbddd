/* Worker cache: the figures of a worker's response cache on their way to whoever shows the tiers: a
 * worker puts them into its seat at the queue (queue_report), as counts of fixed size that anybody
 * reads without a lock; the status door of a front (tiers.h) gets them from there. Pure.
 *
 * Thread: any.
 */
#ifndef STOA_ADMIN_WORKER_CACHE_H
#define STOA_ADMIN_WORKER_CACHE_H

#include "tier/queue.h"
#include "web/cache.h"

/* As struct cache_stats has them. All of it zero: the worker has no cache. */
struct worker_cache {
    uint64_t hits, misses, outdated, evicted, refused, ghosts;
    uint64_t bytes, limit, entries;
    uint64_t lag; /* cache_lag */
    uint64_t behind_ns;
};

/* DATABASE_INDEX as for cache_lag. */
void worker_cache_tell(const struct cache_stats *stats, uint64_t database_index,
                       uint64_t counts[static QUEUE_COUNTS]);
void worker_cache_read(const struct queue_report *report, struct worker_cache *cache);

/* The share of look-ups that found something, of those between BEFORE and NOW; NAN: there were
 * none. */
double worker_cache_hit_ratio(const struct worker_cache *now, const struct worker_cache *before);

#endif
