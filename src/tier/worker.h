/* Worker: a process of the middle tier: pulls requests out of the central queue (queue.h), runs an
 * app on them, and puts the answers into the slots' pipes, for the fronts that hold the
 * connections.
 *
 * To the app it is an engine: accept, handle and work are called as app.h says, on one loop's
 * thread and its helpers. In place of a socket each request has a slot; to the connection core
 * (http/conn.h) a slot is a connection with one request.
 *
 *            ┌──────────(nothing is left in the queue)── IDLE ◀──┐
 *            ▼                                            │      │
 *   PULLING: one after the other, as long as no request ◀─┘(bell)│
 *            waits for a helper, and at most in_flight are open ─┘
 *
 * It takes no more than it can begin: what waits, waits in the queue, where the others see it. So a
 * worker is a unit of work: one thread that renders, and so many helpers.
 *
 * When it dies its requests are given to others (queue.h); the app must bear to see one twice.
 *
 * Thread: worker_start and worker_stop main's; the app's are its own.
 */
#ifndef STOA_TIER_WORKER_H
#define STOA_TIER_WORKER_H

#include "engine/engine.h"
#include "tier/queue.h"

enum { WORKER_DESERTED_MS = 10000 };

struct worker_config {
    struct queue *queue; /* lent, as all here */
    struct app *app;
    unsigned helpers;   /* threads for work(); 0: 2 */
    unsigned in_flight; /* most requests that are open at once; 0: 64 */
    unsigned number;    /* what the fleet calls it; 0: it is not the fleet's */
    /* May be NULL. On the worker's thread, once: no front has led for WORKER_DESERTED_MS. */
    void (*deserted)(void);
    /* May be NULL. Fills in what the app counts, for the seat's report (queue.h). On the worker's
     * thread, every few hundredths of a second. */
    void (*count)(void *context, uint64_t counts[static QUEUE_COUNTS]);
    void *context;
    uint64_t stop_grace_ms;
    struct http_limits limits;
    const struct log *log;
};

struct worker;
int worker_start(const struct worker_config *config, struct worker **worker,
                 struct failure *failure);
/* Pulls no more and finishes what it has, at most stop_grace_ms; what is left then others do.
 * False: as engine_kind.stop. */
bool worker_stop(struct worker *worker);

struct worker_stats {
    uint64_t handled, given_back, abandoned;
    uint64_t busy_ns; /* of the loop's thread and the helpers */
    unsigned open;
};
/* Any thread. */
void worker_look(const struct worker *worker, struct worker_stats *stats);

#endif
