/* Engine event: one thread for each core, each with an event loop; and its inside, which event.c
 * and the event_*.c files share.
 *
 * A loop asks the kernel which of its connections can be read from or written to (epoll), and does
 * for each in turn what can be done without waiting: a single process, event-driven (Pai, Druschel
 * and Zwaenepoel, Flash, USENIX 1999), once for each core. Each loop has its own listening sockets,
 * connections, timers and counters, and touches nothing of another loop; what is shared is the app,
 * the TLS context, the helper threads, and the number of open connections. What may block (work)
 * is run by the helpers, behind a queue with a bound, and comes back to its loop.
 *
 * Good for: many connections, most of which are at rest, and short answers: a connection costs no
 * stack, and a request neither a switch of threads nor a lock. Limits: whatever takes long in
 * handle(), or waits for the disk, as sending a file does that is not in memory, holds up all
 * connections of the same loop, and no other loop takes them over: a connection stays where the
 * kernel put it. An app must say what blocks (APP_WORK), or be divided into steps.
 *
 * HTTP/2: the streams of a connection are handled one after the other, but for work.
 *
 * With config.io_uring the loops wait by io_uring(7) and receive and send small things by it: one
 * call of the kernel for dozens of requests in place of two for each. docs/event-measured.md says
 * what that gains. Not TLS, not files, not large bodies; they have epoll, as everything has where
 * io_uring is forbidden, which containers usually do.
 *
 *   event.c           starts and stops the threads, adds up the counters
 *   event_accept.c    takes connections in, as many as there may be
 *   event_conn.c      gives connections their turns and deadlines
 *   event_ring.c      serves connections by io_uring, if that is asked for
 *   event_exchange.c  gives helpers their work, and delivers what is given back
 *
 * Thread: the loop's own, but for what is given back and the counters.
 */
#ifndef STOA_ENGINE_EVENT_H
#define STOA_ENGINE_EVENT_H

#include "base/check.h"
#include "base/list.h"
#include "engine/connection.h"
#include "engine/doors.h"
#include "engine/offload.h"
#include "engine/residency.h"
#include "net/loop.h"
#include "net/ring.h"

#include <pthread.h>

enum {
    EVENT_ACCEPTS = 64, /* taken in at a turn */
    EVENT_POOL = 512,   /* freed connections kept for the next ones */
    EVENT_READERS = 8,  /* threads that read files: what a disk can sort to its advantage */
};

struct event_loop;

/* What differs in the engines that are made of this one. */
struct event_variant {
    unsigned loops; /* 0: config.loops */
    bool alone;     /* loop.h: one exchange at a time; what may block is run on the loop */
    bool ring;      /* config.io_uring holds */
    bool residency; /* amped.h: what is not in memory of a file is read by other threads first */
};

struct event_conn {
    struct connection connection;
    struct watch watch;
    struct timer timer;
    struct soon soon;
    struct list node;    /* in loop->conns */
    struct list touched; /* in loop->touched */
    struct list waiting; /* in loop->waiting */
    struct event_loop *owner;
    enum connection_state timed; /* the state that the timer was set for */
    /* With loop_ring: event_ring.c. */
    struct ring_socket socket;
    struct buf held;  /* what came while it was not wanted */
    ssize_t held_end; /* and how it ended: 0, -errno; 1: it has not */
    bool rings;       /* the ring has it */
    bool settles;     /* the ring has sent: the rest is sent here */
    bool closed;      /* only kept for the ring */
    bool drains;      /* alone: it is to be drained when it has its turn */
};

struct event_door {
    struct watch watch;
    struct event_loop *owner;
    unsigned index;
};

struct event_engine {
    struct engine base;
    const struct event_variant *variant;
    struct offload *offload;     /* NULL: alone */
    struct residency *residency; /* NULL: loops read files themselves */
    bool lacks_rings;            /* some loop could not have one */
    /* For start: loops whose thread_start returned well, or not. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned ready, failed;
    struct event_loop **loops; /* config.loops of them */
};

struct event_loop {
    struct dispatcher dispatcher;
    struct event_engine *engine;
    struct loop *loop;
    pthread_t thread;
    bool started;

    struct doors doors;
    struct event_door door_watches[ENGINE_LISTEN_MAX];
    bool doors_paused;
    struct timer doors_retry;

    struct list conns;
    struct event_conn *pool; /* linked by `owner`, which is free then */
    unsigned pool_count;

    struct post resumed_post; /* for what other threads have given back */
    struct soon own_soon;     /* the same, of this thread */
    struct list touched;      /* connections that have something to send, perhaps */
    struct soon touched_soon;
    struct list waiting; /* alone: connections that may have their turn when nothing runs */
    struct soon waiting_soon;

    unsigned ringing; /* connections that the ring has */

    /* Graceful stop. */
    struct post stop_post;
    struct timer stop_timer;
    bool stopping;

    struct engine_counters counters;
    struct connection_buffers buffers;
};

static inline struct event_engine *event_engine_of(const struct engine *engine)
{
    return (struct event_engine *)CONTAINER_OF(engine, struct event_engine, base);
}

/* Whether no connection may have a turn, as the one exchange runs that may. */
static inline bool event_is_taken(const struct event_loop *l)
{
    return l->engine->variant->alone && l->dispatcher.unanswered > 0;
}

/* event_accept.c */
int event_doors_open(struct event_loop *l);
void event_doors_close(struct event_loop *l);
/* For the stop: takes in what is in the queues, and closes them. */
void event_doors_drain(struct event_loop *l);
/* A connection has closed: there may be room again. */
void event_doors_resume(struct event_loop *l);

/* event_conn.c. Takes FD over. */
void event_conn_open(struct event_loop *l, const struct engine_listen *listen, int fd,
                     const struct endpoint *peer);
/* Receives, sends, closes: one turn of it. C may be gone afterwards. */
void event_conn_turn(struct event_conn *c);
/* Graceful stop: it is drained, at once or (alone) when nothing runs any more. C may be gone
 * afterwards. */
void event_conn_drain(struct event_conn *c);
void event_conn_close(struct event_conn *c);
/* For event_ring.c: what follows from a turn, after which it goes on or is over (C may be gone
 * afterwards); and its memory is given back. */
void event_conn_after(struct event_conn *c, bool goes_on);
void event_conn_give_back(struct event_conn *c);
/* From here on epoll tells of it. */
void event_conn_watch(struct event_conn *c);
void event_pool_free(struct event_loop *l);

/* event_ring.c. The loop's ring receives for C, and sends what it makes of that at once; what it
 * sends later, and files, it sends by calls of its own. A connection that does more than ask and
 * get (a large body, a client that takes nothing) leaves the ring for epoll, for good.
 *
 *   join --> rings --leave--> (what is under way comes back) --gone--> watched by epoll
 *                                                              +-----> given back: closed before
 */
void event_ring_join(struct event_conn *c);
void event_ring_leave(struct event_conn *c);
/* After a turn: is it to leave? C may be gone afterwards. */
void event_ring_look(struct event_conn *c);
/* Has something come that has not been taken yet? */
static inline bool event_ring_holds(const struct event_conn *c)
{
    return c->held.len > 0 || c->held_end <= 0;
}
/* connection_turn and connection_drain, with what is held: nothing is read from the socket before
 * that has been taken. */
bool event_ring_turn(struct event_conn *c);
bool event_ring_drain(struct event_conn *c);

/* event_exchange.c */
void event_exchange_init(struct event_loop *l);

/* event.c: engine_kind's start for VARIANT (static), and the others. */
int event_start_as(const struct event_variant *variant, const struct engine_config *config,
                   struct app *app, struct engine **engine, struct failure *failure);
void event_stats(const struct engine *engine, struct engine_stats *stats);
bool event_stop(struct engine *engine);
/* Ends the loop's thread when it is stopping and nothing is left. */
void event_loop_check_end(struct event_loop *l);

#endif
