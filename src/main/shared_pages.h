/* Shared pages: the shop's pages over a database that another process of this machine writes: the
 * app of `stoa serve --shared` while it stands by, and of a worker (`stoa worker`). It answers what
 * only reads, with a response cache of its own, and passes all else on to the writer (web/pass.h).
 * It has neither log nor order, and no engine: who opens it runs its app.
 *
 * Thread: main, or whichever opened it; what web/ asks, any.
 */
#ifndef STOA_MAIN_SHARED_PAGES_H
#define STOA_MAIN_SHARED_PAGES_H

#include "engine/app.h"
#include "main/settings.h"
#include "main/shared_writer.h"
#include "tier/queue.h"

struct shared_pages_config {
    const struct settings *settings; /* lent, as all here */
    const struct log *log;
    struct shared_writer *writer;
    /* May be NULL. Whether the writer that was found cannot be asked now. Any thread. */
    bool (*waits)(void *context);
    void *context;
};

struct shared_pages;
/* ERR_NOTFOUND: there is no writer that is ready yet. ERR_STATE: it tells nobody of its changes. */
int shared_pages_open(const struct shared_pages_config *config, struct shared_pages **pages,
                      struct failure *failure);
struct app *shared_pages_app(struct shared_pages *pages);
/* Who waits for the writer waits no more. Any thread. */
void shared_pages_stop(struct shared_pages *pages);
/* After its app has come to its end. NULL is fine. */
void shared_pages_close(struct shared_pages *pages);

/* What its cache counts, as a worker's seat at the queue has it (admin/worker_cache.h). One thread.
 */
void shared_pages_count(struct shared_pages *pages, uint64_t counts[static QUEUE_COUNTS]);

/* Whether the database that it has open is still the directory's. */
bool shared_pages_is_current(const struct shared_pages *pages);

#endif
