/* Backends: the servers behind the load manager, and how each is doing.
 *
 * One struct backend for each server, shared by all loops and by the watcher thread (members.h,
 * check.h). A set of them is immutable: when a server joins or leaves, the watcher publishes
 * another set, and each loop takes it over between two turns. A backend lives for as long as
 * anybody holds it.
 *
 *   watcher thread                              loops (one per core)
 *   members.c: who there is ──┐                 forward.c: requests
 *   check.c: active checks ───┼─▶ health.h ◀──── backend_sign: refused, reset, 5xx, slow, fine
 *                             │  (pure, under the backend's own lock; what it comes to is
 *                             ▼   published in `state` and `share`)
 *                      backend_set ──publish──▶ each loop's own view and pool
 *
 * Thread: as said for each field.
 */
#ifndef STOA_BALANCE_BACKEND_H
#define STOA_BALANCE_BACKEND_H

#include "balance/figures.h"
#include "balance/health.h"
#include "balance/home.h"
#include "balance/policy.h"
#include "net/socket.h"
#include "net/tls.h"

#include <pthread.h>
#include <stdatomic.h>

enum { BACKENDS_MAX = POLICY_SERVERS_MAX, BACKEND_NAME = 64, BACKEND_URL = 128 };

/* Counted by loops, read by all. */
struct backend_counters {
    _Atomic uint64_t requests, answers, failures; /* failures: no answer of its own came */
    _Atomic uint64_t refused, resets, timeouts, answered_5xx, retries, hedges, hedge_wins;
    _Atomic uint64_t bytes_in, bytes_out, connects;
    _Atomic uint64_t ejections;    /* how often it was taken out */
    struct latency_counts latency; /* of answers, from sending to the answer's head */
};

struct backend;

/* Who is told that a backend's state is another. On the thread whose sign it was, without a lock
 * held. */
struct backend_watcher {
    void (*changed)(struct backend_watcher *watcher, struct backend *backend,
                    enum health_state before, enum health_state now, enum health_sign sign);
    /* It is slow now, or no longer: NOW are the thousandths that this leaves of its share. */
    void (*slowed)(struct backend_watcher *watcher, struct backend *backend, uint32_t now);
};

struct backend {
    /* Never change. */
    uint64_t id; /* a cluster's server: its number; a fixed upstream: 1, 2, … as listed */
    char name[BACKEND_NAME]; /* "server 2", or "127.0.0.1:9001" */
    char url[BACKEND_URL];   /* "http://10.0.0.2:8080": what shoppers are sent to in direct mode */
    char host[BACKEND_URL];  /* "10.0.0.2:8080": for the Host of requests of our own */
    struct endpoint address;
    bool tls;                        /* the connection behind is TLS too */
    struct tls_context *tls_context; /* then; lent, outlives all backends */
    bool shop;                       /* a server of ours: knows stamps, homes and tokens */
    bool proxy_header;               /* send a PROXY v2 header on each connection */
    uint32_t weight;                 /* POLICY_WEIGHT: usual */
    uint32_t limit;                  /* most requests in flight; 0: none */
    struct backend_watcher *watcher; /* NULL: nobody */

    /* Published by whoever holds `lock`; read by any thread without it. */
    _Atomic uint32_t state;      /* enum health_state */
    _Atomic uint32_t share;      /* thousandths of its weight */
    _Atomic bool failing;        /* its last answers were failures */
    _Atomic bool by_checks;      /* it is OUT for more than passive signs */
    _Atomic uint64_t changed_ns; /* since when it is in this state */
    _Atomic uint64_t suspect_ns; /* since when it has been silent; 0: it is not. What is under way
                                    to it had better be sent elsewhere */

    /* Written by any loop (relaxed), read by the watcher. */
    _Atomic uint64_t heard_ns;  /* when bytes last came from it */
    _Atomic uint32_t in_flight; /* of all loops */
    _Atomic uint32_t idle;      /* connections that lanes keep to it; as of their last tick */
    _Atomic uint32_t homes;     /* shoppers placed here lately (decayed by the watcher) */

    /* Written by the watcher, read by any: what it last said of itself. */
    _Atomic uint32_t reported_in_flight;
    _Atomic uint64_t reported_latency_ns, round_trip_ns;
    _Atomic uint64_t reported_ns; /* when; 0: never */
    _Atomic bool primary;
    _Atomic bool leaving; /* says the cluster */
    _Atomic bool aside;   /* so does it: a backup that is not for shoppers */
    _Atomic bool held;    /* the operator has it drained (written by any thread) */

    struct backend_counters counters;

    pthread_mutex_t lock; /* for health alone; held for some instructions */
    struct health health;
    atomic_uint references;
};

/* Immutable but for the backends in it. `version` grows from set to set. */
struct backend_set {
    uint64_t version;
    bool keyed; /* KEY is known: these are a cluster's servers, and homes can be signed */
    unsigned char key[HOME_KEY];
    unsigned count;
    atomic_uint references;
    struct backend *at[BACKENDS_MAX]; /* by id; each held */
};

/* What a backend is made from. */
struct backend_plan {
    uint64_t id;
    const char *name, *url; /* copied; "http://HOST:PORT" or "https://HOST:PORT" */
    struct endpoint address;
    struct tls_context *tls_context; /* for https */
    bool shop, proxy_header, fresh;  /* fresh: it has just joined, and warms up */
    uint32_t weight, limit;
    struct health_rules rules;
    struct backend_watcher *watcher;
};

/* Held once, for the caller. NULL without memory. */
struct backend *backend_new(const struct backend_plan *plan, uint64_t now_ns);
struct backend *backend_hold(struct backend *backend);
void backend_drop(struct backend *backend); /* NULL is fine */
struct backend_set *backend_set_hold(struct backend_set *set);
void backend_set_drop(struct backend_set *set); /* NULL is fine */
/* An empty one, held once; whoever makes it fills it before others see it (with held backends).
 * NULL without memory. */
struct backend_set *backend_set_new(uint64_t version);
struct backend *backend_set_find(const struct backend_set *set, uint64_t id); /* lent, or NULL */

/* health_all for the states as they are now: a bit for each that may be used. */
uint64_t backend_set_usable(const struct backend_set *set, uint32_t max_out, uint32_t panic,
                            bool *panic_now);

/* What each of SET gets of its weight, in thousandths, against the best of those in USABLE (a bit
 * for each): who warms up is spared at the cost of others, and when all do there are none. */
void backend_set_shares(const struct backend_set *set, uint64_t usable,
                        uint32_t shares[static BACKENDS_MAX]);

/* Any thread. */
static inline void backend_count(_Atomic uint64_t *counter, uint64_t count)
{
    atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
}

/* Any thread: something has been seen of it; state and share are published anew. The one place
 * where health_see is called. */
void backend_sign(struct backend *backend, enum health_sign sign, uint64_t now_ns);

static inline enum health_state backend_state(const struct backend *backend)
{
    return (enum health_state)atomic_load_explicit(&backend->state, memory_order_relaxed);
}

#endif
