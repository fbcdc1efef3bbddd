/* Engine pool: a fixed number of threads and one queue.
 *
 * One thread waits for all connections at once (rota.h); those that have something to do stand in
 * one queue, each once, and whichever of the N workers is free takes the first one's turn: reads,
 * runs the app, blocking in it where it blocks (work), sends. An exchange that the app holds
 * (APP_LATER) has no worker meanwhile. So a worker's number is a bound on how much is done at once,
 * not on how many are connected.
 *
 * Good for: apps that block here and there, among many clients: a slow disk holds up as many
 * workers as read from it, and the others go on. The oldest answer to overload, too: what cannot
 * be done yet waits in the order of arrival, and costs no stack.
 * Limits: the right N depends on how much of a turn is blocking, and when all N block, all wait
 * (`workers` 0: it is found, pool_size.h). Each request passes from one thread to another, which
 * costs a wake and a cache more than in event. Short requests stand behind long ones in the queue.
 *
 * HTTP/2: a connection's streams share its turn: one that blocks holds up the others of its
 * connection, and nobody else.
 *
 * Read: Welsh, Culler, Brewer, SEDA (SOSP 2001), 2.2, on bounded thread pools; Hellerstein,
 * Morrison, Eilebrecht, Applying Control Theory in the Real World (FeBID 2009), on their size.
 *
 *   pool.c        the workers, the queue, the seam
 *   pool_sizer.c  measures, and asks pool_size.h how many workers there are to be
 */
#ifndef STOA_ENGINE_POOL_H
#define STOA_ENGINE_POOL_H

#include "engine/pool_size.h"
#include "engine/rota.h"
#include "engine/seats.h"

#include <pthread.h>

extern const struct engine_kind engine_pool;

/* ---- Between pool.c and pool_sizer.c ---- */

enum pool_place { POOL_FREE, POOL_RUNS, POOL_ENDED /* to be joined */ };

/* Kept from the start to the end; a worker that ends leaves its counts to the next one. */
struct pool_worker {
    _Alignas(64) struct engine_counters counters;
    /* Of the turns it has taken: */
    _Atomic uint64_t turns, busy_ns, waited_ns;
    _Atomic uint64_t since_ns; /* in a turn since then; 0: in none */
    struct pool_engine *engine;
    pthread_t thread;      /* of who resizes */
    struct seat *seat;     /* the worker's, from before it begins */
    enum pool_place place; /* under the engine's lock */
};

struct pool_engine {
    struct engine base;
    struct rota *rota;
    struct seats *seats;
    unsigned most; /* workers there is room for */
    pthread_t sizer;
    bool has_sizer;
    pthread_mutex_t lock;
    pthread_cond_t filled; /* for the workers: the queue, or wanted, or the end */
    pthread_cond_t over;   /* for the sizer: the end */
    /* Under the lock: */
    struct rota_conn *first, *last; /* the queue: no more than there are connections */
    unsigned queued, running, idle, wanted;
    uint64_t ended_cpu_ns; /* of workers that have ended */
    bool ends;
    struct pool_worker workers[];
};

/* There are to be COUNT workers, `most` at most; starts those that lack, and has too many end when
 * their turns are over. False: no thread can be started. Not under the lock. Thread: start's, and
 * from when there is a sizer the sizer's. */
bool pool_resize(struct pool_engine *engine, unsigned count);

/* Processors of this machine: how many workers it begins with. */
unsigned pool_cores(void);
int pool_sizer_start(struct pool_engine *engine, struct failure *failure);
/* After engine->ends was set and `over` told. */
void pool_sizer_join(struct pool_engine *engine);

#endif
