/* Front: an app that works on nothing: it puts each request into the central queue (queue.h), and
 * hands on what a worker answers. It holds the client's connection all the while.
 *
 *   handle ──(no room)──▶ 503
 *     └──(pushed)──▶ WAITING ──(answer complete)─────────────▶ answered
 *                      │ ▲ │ └─(it is long)─▶ STREAMING ─────▶ answered, piece by piece
 *                      │ │ ├─(deadline over before a worker took it)─▶ 503
 *                      └─┘ └─(QUEUE_ATTEMPTS workers died with it)───▶ 503
 *              (worker died: pushed again)
 *
 * In place of 503, which says that nothing was done, it is 502 when a worker that may have changed
 * something died with it.
 *
 * A request that may change something carries an operation id from here on, the same at each
 * attempt, so that it is done once though the worker may have died after it had done it. Nothing of
 * an answer goes to the client before it is complete, or longer than FRONT_WHOLE bytes; a worker
 * that dies before that is not noticed. One that dies in the middle of a longer answer to GET is
 * gone on with: the rest is asked for by Range (RFC 9110 §14), under the same ETag (If-Range);
 * where that cannot be, the client's connection is reset.
 *
 * Runs on the engine event alone (it has a bell in each of its loops). Thread: the engine's.
 */
#ifndef STOA_TIER_FRONT_H
#define STOA_TIER_FRONT_H

#include "base/err.h"
#include "base/log.h"
#include "engine/app.h"
#include "tier/queue.h"

enum { FRONT_WHOLE = 64 << 10, FRONT_BODY_MAX = 1 << 20 };

struct front_config {
    struct queue *queue; /* lent, as all here */
    /* NULL: all are pages. */
    enum share_class (*classify)(const struct exchange *x);
    const char *operation_header; /* the header with the operation id */
    /* Whether X, which is not safe, is done once though it is done twice, by its operation id. One
     * that is not, is not pushed again when its worker died with it. NULL: all are. */
    bool (*repeats)(const struct exchange *x);
    /* How many connections of clients the engine has; NULL: not told. On the engine's threads. */
    uint64_t (*connections)(void *context);
    void *context;
    uint64_t wait_ns[SHARE_CLASSES]; /* how long a request may wait for a worker */
    unsigned number;                 /* what the fleet calls it; 0: it is not the fleet's */
    const struct log *log;
};

struct front;
int front_new(const struct front_config *config, struct front **front, struct failure *failure);
struct app *front_app(struct front *front);
/* After the engine has stopped. NULL is fine. */
void front_free(struct front *front);

struct front_stats {
    uint64_t requests, refused, overdue, retried, given_up, resumed, cut;
    uint64_t connections; /* now */
    unsigned seats;
};
/* Any thread. */
void front_look(const struct front *front, struct front_stats *stats);
/* The same of another process, as its seats' reports have it; `seats` is 0. */
void front_look_from(const struct queue_report *report, struct front_stats *stats);

#endif
