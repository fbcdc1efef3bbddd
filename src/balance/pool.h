/* Pool: a lane's connections to one server.
 *
 * The one used last is used first, so that those which are not needed grow old and are closed; a
 * few are kept open to every server all the same, so that taking over from another one costs no
 * handshake. A server closes what is idle for 60 s (http_limits.idle_ms), so ours are closed, or
 * made anew, before that.
 *
 * A pool outlives its server's membership for as long as requests are under way on it.
 * Thread: its lane's.
 */
#ifndef STOA_BALANCE_POOL_H
#define STOA_BALANCE_POOL_H

#include "balance/backend.h"
#include "balance/upstream.h"

struct exchange;
struct lane;

struct pool {
    struct lane *lane;
    struct backend *backend; /* held */
    int place;               /* in the lane's view; -1: it has left */
    struct list node;        /* in lane->retired */
    struct list idle;        /* last used first */
    struct list busy, connecting;
    unsigned idle_count, count;
    unsigned idle_told; /* what backend->idle knows of idle_count */
    unsigned users;     /* attempts that point here */
    uint64_t failed_ns; /* when a connection last could not be made; 0: it could */
};

/* NULL without memory. BACKEND is held. */
struct pool *pool_new(struct lane *lane, struct backend *backend);
/* Closes its connections. No attempt points here. NULL is fine. */
void pool_free(struct pool *pool);
/* The server has left: idle ones are closed, and the pool is freed once nobody uses it. */
void pool_retire(struct pool *pool);

/* One that was idle had gone: those that have been idle since before BEGAN_NS are no better, as
 * when the server was restarted. */
void pool_mistrust(struct pool *pool, uint64_t began_ns);
/* It would refuse another connection as it has just refused one. Thousands that wait for servers of
 * ours to come back ask again and again: they need not all be told. */
bool pool_refuses(const struct pool *pool, uint64_t now_ns);
/* An idle connection, or a new one, for X; CAREFUL: X cannot be sent again when it has gone. A
 * server that is told who a connection belongs to (PROXY protocol) gets one for each request. NULL:
 * none can be made (errno). */
struct upstream *pool_take(struct pool *pool, const struct exchange *x, bool careful);
/* LINE is idle now. False: it is not kept, and gone. */
bool pool_give(struct pool *pool, struct upstream *line);
/* Whoever holds an attempt here has it counted. */
void pool_hold(struct pool *pool);
void pool_drop(struct pool *pool);

/* Now and then, while requests are under way to a server that has left: those that it does not take
 * in time go elsewhere. POOL may be gone then. */
void pool_tick_retired(struct pool *pool, uint64_t now_ns);
/* Now and then: connections that take too long to be made are given up, old idle ones closed,
 * and BACKUPS of them kept ready while the server is USABLE. */
void pool_tick(struct pool *pool, unsigned backups, bool usable, uint64_t now_ns);

#endif
