/* Rota: connections whose turns are taken by whichever thread comes next. For the engines whose
 * threads do not keep their connections: pool and seda.
 *
 * One thread of its own accepts, waits for all connections at once (epoll, one shot each), keeps
 * their deadlines, and carries out the stages of the stop. It does no work of theirs: a connection
 * that has something to do is handed out, once, by `ready`; the engine queues it and has one of its
 * threads take the turn.
 *
 *   accepted       readable, deadline, given back, stop           rota_begin
 *      +--> WATCHED -----------------------------------> READY ------------------> RUNNING
 *            ^   ^                                         ^  again, or meanwhile     |
 *            |   |                                         +--------- rota_end -------+
 *            |   +-- has something to wait for ---------------------- rota_end -------+
 *            +-- closed, but the app still holds something of it ---- rota_end -------+
 *                                     GONE <-- closed ----------------- rota_end -----+
 *
 * A closed connection is kept until the app has given back what it holds of it; it has turns for
 * that alone. It counts for config.connections_max until then; and as nobody can be READY twice, an
 * engine's queues together never hold more than so many.
 *
 * Thread: rota_begin to rota_end the taker's; dispatcher_kind.wake any; all else the rota's own.
 */
#ifndef STOA_ENGINE_ROTA_H
#define STOA_ENGINE_ROTA_H

#include "base/list.h"
#include "engine/connection.h"
#include "net/timer.h"

struct rota;

enum rota_place { ROTA_WATCHED, ROTA_READY, ROTA_RUNNING, ROTA_GONE };

struct rota_conn {
    struct dispatcher dispatcher;
    struct connection connection;
    struct rota *rota;
    struct rota_conn *next; /* the engine's, while READY: in its queue */
    uint64_t ready_ns;      /* since when it has been READY */
    /* The taker's: */
    bool closed;  /* the socket is; see above */
    bool drained; /* for the stop */
    /* Under the rota's lock: */
    struct list node; /* of all connections */
    struct timer timer;
    enum rota_place place;
    uint32_t events; /* that came since its last turn */
    bool rung;       /* while RUNNING: it is to have another turn, for the stop has gone on */
};

struct rota_config {
    struct engine *engine;
    /* wake, touch and addresses are the rota's; the rest is the engine's. */
    const struct dispatcher_kind *kind;
    /* Rota's thread, a taker's, or any that gives something back: FIRST and those behind it (next,
     * NULL after the last) are READY, COUNT of them; never waits. */
    void (*ready)(void *context, struct rota_conn *first, unsigned count);
    void *context;
};

/* Starts its thread, which accepts from now on. *ROTA is set before the first is READY. */
int rota_new(const struct rota_config *config, struct rota **rota, struct failure *failure);

/* A taker's turn with C begins: BUFFERS and THREAD_STATE are its own until rota_end, COUNTERS for
 * good. c->dispatcher.now_ns is set. True: C may have its turn (rota_turn, or parts of it); false:
 * end it at once. */
bool rota_begin(struct rota_conn *c, struct connection_buffers *buffers, void *thread_state,
                struct engine_counters *counters);
/* What has been given back is delivered, the stop obeyed, the deadline looked at, bytes are moved.
 * False: it is over. */
bool rota_turn(struct rota_conn *c);
/* Its parts: delivers. False: C is closed, and that was all. */
bool rota_deliver(struct rota_conn *c);
/* Obeys the stop, and looks at the deadline: either may take a turn. False: it is over. */
bool rota_heed(struct rota_conn *c);
/* A taker passes C on, within the turn, to another, who takes it up with BUFFERS and THREAD_STATE
 * of its own; c->dispatcher.now_ns is set again. */
void rota_lay_down(struct rota_conn *c);
void rota_take_up(struct rota_conn *c, struct connection_buffers *buffers, void *thread_state);
/* GOES_ON: whether it is not over. C may be gone afterwards, or with another taker. */
void rota_end(struct rota_conn *c, bool goes_on);

/* Carries the stop out (engine_begin_stop was called): returns when all connections are closed, or
 * must be left behind: how many exchanges are still held. The takers go on until it returned. */
uint64_t rota_stop(struct rota *rota);
/* After rota_stop returned 0, and the takers have ended. NULL is fine. */
void rota_free(struct rota *rota);

#endif
