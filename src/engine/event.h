/* Event engine, inside: what event.c and the event_*.c files share.
 *
 * One thread per loop. Each loop has its own listening sockets, connections, timers
 * and counters, and touches nothing of another loop; what is shared is the app, the
 * TLS context, the helper threads, and the number of open connections.
 *
 *   event.c           starts and stops the threads, adds up the counters
 *   event_accept.c    takes connections in, as many as there may be
 *   event_proxy.c     learns from a PROXY header whose a connection is
 *   event_conn.c      moves bytes between a socket and its connection core
 *   event_exchange.c  runs exchanges: accept, handle, work, and what comes back
 *
 * Thread: the loop's own, but for the runner's resume and the counters.
 */
#ifndef STOA_ENGINE_EVENT_H
#define STOA_ENGINE_EVENT_H

#include "base/check.h"
#include "base/list.h"
#include "engine/engine.h"
#include "engine/offload.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/socket.h"
#include "net/tls.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    EVENT_READ = 16 * 1024,      /* read at a turn: what a flood of small requests may have */
    EVENT_READ_BULK = 64 * 1024, /* the same for a body that streams in */
    EVENT_SEND = 128 * 1024,     /* sent at a turn */
    EVENT_PIECES = 32,
    EVENT_ACCEPTS = 64, /* taken in at a turn */
    EVENT_POOL = 512,   /* freed connections kept for the next ones */
};

struct event_loop;

/*   accepted --http_new, at once for plain TCP--> OPEN --http_conn_finished--> LINGERING
 *    |    |                                       ^  |                             |
 *    |    +--> HANDSHAKE --tls_ready--------------+  +--- conn_close ---> gone <---+
 *    |            ^                               |
 *    +--> PROXY --+--event_proxy_read-------------+
 */
enum event_state { EVENT_PROXY, EVENT_HANDSHAKE, EVENT_OPEN, EVENT_LINGERING };

struct event_conn {
    struct watch watch;
    struct timer timer;
    struct soon soon;
    struct list node;    /* in loop->conns */
    struct list touched; /* in the list of those that exchanges were delivered to */
    struct event_loop *owner;
    struct http_conn *http; /* NULL: in the handshake, or lingering */
    struct tls *tls;        /* NULL: plain TCP */
    uint64_t heard_ns;      /* last time that bytes arrived */
    size_t plain_unsent;    /* encrypted, but not yet reported by http_conn_sent */
    uint32_t lingered;      /* bytes thrown away while lingering */
    enum event_state state;
    /* Edge-triggered: what the socket was last known to be able to do. */
    bool readable, writable;
    bool hung_up;   /* the end is in sight: read until it comes */
    bool eof;       /* it came */
    bool bulk;      /* the last read brought nothing but a piece of a large body */
    bool sending;   /* in the middle of a large answer */
    bool broken;    /* to be closed at the end of this turn */
    bool reset;     /* and by a reset */
    bool wants_tls; /* after the PROXY header */
    bool proxied;   /* peer and here are what it said */
    struct endpoint peer, here;
};

struct event_door {
    struct watch watch;
    struct event_loop *owner;
    bool tls, proxy;
};

/* Written by the loop's thread alone, read by any. */
struct event_counters {
    _Atomic uint64_t accepted, requests, refused, bytes_in, bytes_out, timeouts, bad_requests;
};

struct event_engine {
    struct engine_config config;
    struct app *app;
    struct tls_context *tls;
    struct offload *offload;
    atomic_uint open;
    uint16_t ports[ENGINE_LISTEN_MAX];
    struct network trusted[ENGINE_TRUSTED_MAX];
    unsigned trusted_count;
    /* For start: loops whose thread_start returned well, or not. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned ready, failed;
    struct event_loop **loops; /* config.loops of them */
};

struct event_loop {
    struct http_host host;
    struct exchange_runner runner;
    struct event_engine *engine;
    struct loop *loop;
    pthread_t thread; /* for joining it */
    pthread_t self;   /* the same, set by itself before the engine has started */
    bool started;
    void *thread_state;

    struct event_door doors[ENGINE_LISTEN_MAX];
    unsigned door_count;
    bool doors_paused;
    struct timer doors_retry;
    int spare_fd; /* given up to be able to refuse when descriptors have run out */

    struct list conns;
    struct event_conn *pool; /* linked by `owner`, which is free then */
    unsigned pool_count;

    /* Exchanges that other threads have given back, newest first. */
    _Atomic(struct exchange *) resumed;
    struct post resumed_post;
    /* And those given back on this thread itself, which needs no post. */
    struct exchange *own_first, *own_last;
    struct soon own_soon;
    uint64_t unanswered; /* exchanges that the app has, or a helper */

    int64_t wall_ms;
    uint64_t wall_turn; /* the turn in which wall_ms was read */

    /* Graceful stop. */
    struct post stop_post;
    struct timer stop_timer;
    bool stopping;
    uint64_t stop_ns; /* when it was asked for */
    unsigned stop_stage;

    struct event_counters counters;
    char *input; /* EVENT_READ_BULK: for reading, and for gathering before TLS */
    char *plain; /* EVENT_READ: deciphered */
};

static inline void event_count(_Atomic uint64_t *counter, uint64_t add)
{
    /* One writer: no locked instruction is needed. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + add,
                          memory_order_relaxed);
}

/* event_accept.c */
int event_doors_open(struct event_loop *l);
void event_doors_close(struct event_loop *l);
/* For the stop: takes in what is in the queues, and closes them. */
void event_doors_drain(struct event_loop *l);
/* A connection has closed: there may be room again. */
void event_doors_resume(struct event_loop *l);

/* event_proxy.c: looks for the header at the beginning of what has come. True: it is there, and
 * has been taken; else it is to be waited for, or C is broken. */
bool event_proxy_read(struct event_conn *c);

/* event_conn.c. Takes FD over. */
void event_conn_open(struct event_door *door, int fd, const struct endpoint *peer);
/* Receives, sends, closes: one turn of it. C may be gone afterwards. */
void event_conn_turn(struct event_conn *c);
void event_conn_close(struct event_conn *c, bool reset);
void event_pool_free(struct event_loop *l);

/* event_exchange.c */
void event_exchange_init(struct event_loop *l);

/* event.c: ends the loop's thread when it is stopping and nothing is left. */
void event_loop_check_end(struct event_loop *l);

#endif
