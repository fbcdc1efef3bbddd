/* Dispatcher: runs exchanges, from the connection core's side: the app's accept, handle and work,
 * and the steps that others have asked for (exchange_continue, exchange_finish, exchange_wake).
 *
 * One thread at a time uses it, with all connections that were made with it. An engine whose
 * threads keep their connections has one for each thread (event, loop); an engine whose threads
 * take turns has one for each connection (thread, pool, seda). It must live until nobody holds an
 * exchange of it (dispatcher_held): it comes back though the client may have gone long ago.
 *
 *   handle --+-- APP_DONE --> http_conn_answered
 *            +-- APP_LATER --> held by the app --(given back)--> resumed --> dispatcher_deliver
 *            +-- APP_WORK --+-- kind->work: on a helper --(given back)-----^
 *                           +-- without: here and now
 *
 * Thread: who has its turn; but what is given back may be given back by any.
 */
#ifndef STOA_ENGINE_DISPATCHER_H
#define STOA_ENGINE_DISPATCHER_H

#include "engine/inside.h"
#include "http/conn.h"

#include <pthread.h>
#include <stdatomic.h>

struct dispatcher;

/* What an engine does for its dispatchers. */
struct dispatcher_kind {
    /* Any thread: something was given back, and nothing had been waiting. dispatcher_deliver is to
     * be called soon. */
    void (*wake)(struct dispatcher *d);
    /* May be NULL: none is known by its thread. The same, on the thread that `self` is:
     * dispatcher_deliver_own is to be called soon. */
    void (*wake_own)(struct dispatcher *d);
    /* May be NULL: what may block is run here and now. Own thread: x->work, or with none
     * app->work, on a helper thread. False: no room; it is answered 503. */
    bool (*work)(struct dispatcher *d, struct exchange *x);
    /* May be NULL: files are read where they are sent, though the disk may have to be waited for.
     * http_host.fetch: X's file is to be read by someone else. */
    void (*fetch)(struct dispatcher *d, struct exchange *x);
    /* Own thread: the connection with OWNER (http_conn_owner) wants a turn soon. In a delivery,
     * too, before something is delivered to it. */
    void (*touch)(struct dispatcher *d, void *owner);
    /* OWNER's client, and its own address. As exchange_addresses. */
    bool (*addresses)(void *owner, struct endpoint *client, struct endpoint *here);
    /* More than can be answered in time (config.admission_ms) are not let in: as soon as the head
     * has arrived they are answered 503, and the app does not see them; a load manager before this
     * server may ask one other (Stoa-Try: once; balance/retry.h). */
    bool admission;
    /* What is complete waits for dispatcher_handle: for an engine that does not read and handle on
     * the same thread. */
    bool defers;
    /* May be NULL. X, which the app has seen, is answered. */
    void (*answered)(struct dispatcher *d, struct exchange *x);
};

struct dispatcher {
    struct http_host host;         /* for http_conn_new */
    struct exchange_runner runner; /* what the core and the app call */
    const struct dispatcher_kind *kind;
    struct engine *engine;
    struct engine_counters *counters;
    /* Of whoever has its turn; set by the engine. */
    void *thread_state;
    uint64_t now_ns;
    uint64_t waited_ns; /* how long what is read in this turn had to wait for it, at most */
    pthread_t self;     /* with kind->wake_own: its thread */

    uint64_t heads;      /* requests begun */
    uint64_t unanswered; /* exchanges that the app has, or a helper */
    /* Given back by other threads, newest first; and on its own, oldest first. */
    _Atomic(struct exchange *) resumed;
    struct exchange *own_first, *own_last;
    struct exchange *complete_first, *complete_last; /* with kind->defers: not handled yet */
    atomic_uint giving; /* threads that are about to have given something back */

    int64_t wall_ms; /* as of wall_at_ns */
    uint64_t wall_at_ns;
};

void dispatcher_init(struct dispatcher *d, const struct dispatcher_kind *kind,
                     struct engine *engine, struct engine_counters *counters);
/* When nobody holds an exchange of it and no connection is left. Waits for threads that are still
 * on their way out of exchange_continue. */
void dispatcher_close(struct dispatcher *d);

/* Delivers all that other threads have given back. */
void dispatcher_deliver(struct dispatcher *d);
/* Delivers what was given back on its own thread, and what that gives back, for a few rounds.
 * True: some is left. */
bool dispatcher_deliver_own(struct dispatcher *d);
/* Whether anything was given back that has not been delivered. */
bool dispatcher_has_resumed(const struct dispatcher *d);

/* With kind->defers: whether requests are complete that have not been handled; handles them all,
 * and those that this makes complete. */
static inline bool dispatcher_has_complete(const struct dispatcher *d)
{
    return d->complete_first != NULL;
}
void dispatcher_handle(struct dispatcher *d);

/* How many exchanges others hold: it must not be closed before they have given them back. */
static inline uint64_t dispatcher_held(const struct dispatcher *d)
{
    return d->unanswered + d->host.suspended;
}

/* 503, with Retry-After: for what has no room. */
void dispatcher_answer_busy(struct dispatcher *d, struct exchange *x);

#endif
