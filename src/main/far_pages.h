/* Far pages: the shop's pages on a machine that has none of its servers: the app of a worker with
 * --server (web/far.h), its settings and its figures.
 *
 * Thread: main; the figures any.
 */
#ifndef STOA_MAIN_FAR_PAGES_H
#define STOA_MAIN_FAR_PAGES_H

#include "engine/app.h"
#include "main/option.h"
#include "main/secret_file.h"
#include "tier/queue.h"
#include "web/far.h"

struct far_pages_config {
    const struct option_list *servers; /* each one URL, or several with commas between. Lent */
    const char *token_file;            /* the operator's token is in it */
    const char *authority;             /* of who certifies the servers; empty: the system's */
    uint64_t cache_bytes, late_ms;
    const struct log *log; /* lent */
};

/* Of a command line: whether they are addresses of servers, and certificates. */
int far_pages_check(const struct option_list *servers, const char *authority,
                    struct failure *failure);

struct far_pages;
int far_pages_open(const struct far_pages_config *config, struct far_pages **pages,
                   struct failure *failure);
struct app *far_pages_app(struct far_pages *pages);
/* What its cache has found and holds, for the worker's seat (admin/worker_cache.h). Any thread. */
void far_pages_count(struct far_pages *pages, uint64_t counts[static QUEUE_COUNTS]);
/* Who waits for a server waits no more. Any thread. */
void far_pages_stop(struct far_pages *pages);
/* After its app has come to its end. NULL is fine. */
void far_pages_close(struct far_pages *pages);

#endif
