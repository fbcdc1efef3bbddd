#include "engine/pool.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"

#include <stdlib.h>

static struct pool_engine *pool_of(const struct engine *engine)
{
    return CONTAINER_OF(engine, struct pool_engine, base);
}

/* ---- The queue ---- */

static void ready(void *context, struct rota_conn *first, unsigned count)
{
    struct pool_engine *engine = context;
    struct rota_conn *last = first;
    while (last->next)
        last = last->next;
    pthread_mutex_lock(&engine->lock);
    if (engine->last)
        engine->last->next = first;
    else
        engine->first = first;
    engine->last = last;
    engine->queued += count;
    unsigned wake = count < engine->idle ? count : engine->idle;
    pthread_mutex_unlock(&engine->lock);
    while (wake-- > 0)
        pthread_cond_signal(&engine->filled);
}

/* The next connection, waiting for it; NULL: the worker is to end. */
static struct rota_conn *take(struct pool_engine *engine)
{
    struct rota_conn *c = NULL;
    pthread_mutex_lock(&engine->lock);
    while (!engine->first && !engine->ends && engine->running <= engine->wanted) {
        engine->idle++;
        pthread_cond_wait(&engine->filled, &engine->lock);
        engine->idle--;
    }
    if (!engine->ends && engine->running <= engine->wanted) {
        c = engine->first;
        engine->first = c->next;
        if (!engine->first)
            engine->last = NULL;
        engine->queued--;
    } else {
        engine->running--;
        if (engine->first) /* the signal may have been meant for another */
            pthread_cond_signal(&engine->filled);
    }
    pthread_mutex_unlock(&engine->lock);
    return c;
}

/* ---- A worker ---- */

static void add(_Atomic uint64_t *own, uint64_t more)
{
    atomic_store_explicit(own, atomic_load_explicit(own, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static void take_turn(struct pool_worker *worker, struct rota_conn *c)
{
    struct seat *seat = worker->seat;
    uint64_t ready_ns = c->ready_ns;
    bool goes_on = rota_begin(c, &seat->buffers, seat->thread_state, &worker->counters);
    uint64_t begun_ns = c->dispatcher.now_ns;
    atomic_store_explicit(&worker->since_ns, begun_ns, memory_order_relaxed);
    rota_end(c, goes_on && rota_turn(c));
    atomic_store_explicit(&worker->since_ns, 0, memory_order_relaxed);
    add(&worker->turns, 1);
    add(&worker->busy_ns, clock_mono_ns() - begun_ns);
    add(&worker->waited_ns, begun_ns > ready_ns ? begun_ns - ready_ns : 0);
}

static void *worker_main(void *argument)
{
    struct pool_worker *worker = argument;
    struct pool_engine *engine = worker->engine;
    for (struct rota_conn *c; (c = take(engine));)
        take_turn(worker, c);
    seats_give(engine->seats, worker->seat);
    pthread_mutex_lock(&engine->lock);
    engine->ended_cpu_ns += clock_thread_ns();
    worker->place = POOL_ENDED;
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* ---- How many there are ---- */

/* Under the lock: a place for one more, counted as running. NULL: one of them is ending yet; the
 * next time. */
static struct pool_worker *reserve_place(struct pool_engine *engine, bool *ended)
{
    for (unsigned i = 0; i < engine->most; i++) {
        struct pool_worker *worker = &engine->workers[i];
        if (worker->place == POOL_RUNS)
            continue;
        *ended = worker->place == POOL_ENDED;
        worker->place = POOL_RUNS;
        engine->running++;
        return worker;
    }
    return NULL;
}

/* Not under the lock, as app and kernel may take their time: who is done, and who serves, must not
 * wait for it. With its seat: a worker that waited for one would be counted on in vain. */
static bool start_worker(struct pool_engine *engine, struct pool_worker *worker, bool ended)
{
    if (ended)
        pthread_join(worker->thread, NULL); /* nothing is left for it to do */
    worker->seat = seats_try(engine->seats);
    if (worker->seat && thread_start(&worker->thread, "stoa-worker", worker_main, worker) == 0)
        return true;
    if (worker->seat)
        seats_give(engine->seats, worker->seat);
    pthread_mutex_lock(&engine->lock);
    worker->place = POOL_FREE;
    engine->running--;
    pthread_mutex_unlock(&engine->lock);
    return false;
}

bool pool_resize(struct pool_engine *engine, unsigned count)
{
    bool good = true, lacks = true;
    while (good && lacks) {
        bool ended = false;
        pthread_mutex_lock(&engine->lock);
        engine->wanted = count < engine->most ? count : engine->most;
        lacks = engine->running < engine->wanted;
        struct pool_worker *worker = lacks ? reserve_place(engine, &ended) : NULL;
        if (engine->running > engine->wanted)
            pthread_cond_broadcast(&engine->filled);
        pthread_mutex_unlock(&engine->lock);
        lacks = worker != NULL;
        good = !lacks || start_worker(engine, worker, ended);
    }
    return good;
}

static void join_workers(struct pool_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->ends = true;
    pthread_cond_broadcast(&engine->filled);
    pthread_cond_signal(&engine->over);
    pthread_mutex_unlock(&engine->lock);
    pool_sizer_join(engine);
    for (unsigned i = 0; i < engine->most; i++) {
        pthread_mutex_lock(&engine->lock);
        bool started = engine->workers[i].place != POOL_FREE;
        pthread_mutex_unlock(&engine->lock);
        if (started)
            pthread_join(engine->workers[i].thread, NULL);
    }
}

/* ---- The seam ---- */

static void pool_free(struct pool_engine *engine)
{
    rota_free(engine->rota);
    seats_free(engine->seats);
    engine_close(&engine->base);
    pthread_cond_destroy(&engine->over);
    pthread_cond_destroy(&engine->filled);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static struct pool_engine *pool_make(unsigned most)
{
    size_t size = sizeof(struct pool_engine) + most * sizeof(struct pool_worker);
    struct pool_engine *engine = aligned_alloc(_Alignof(struct pool_engine), size);
    if (!engine)
        return NULL;
    memset(engine, 0, size);
    engine->most = most;
    for (unsigned i = 0; i < most; i++)
        engine->workers[i].engine = engine;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->filled, NULL);
    cond_init(&engine->over);
    return engine;
}

static int prepare(struct pool_engine *engine, struct failure *failure)
{
    static const struct dispatcher_kind kind = {0}; /* work: here and now */
    const struct engine_config *config = &engine->base.config;
    const struct rota_config rota = {
        .engine = &engine->base, .kind = &kind, .ready = ready, .context = engine};
    int err = seats_new(engine->base.app, engine->most, &engine->seats, failure);
    if (err)
        return err;
    if (!pool_resize(engine, config->workers > 0 ? config->workers : pool_cores()))
        return fail(failure, ERR_IO, "cannot start %u threads", engine->wanted);
    err = config->workers > 0 ? 0 : pool_sizer_start(engine, failure);
    return err ? err : rota_new(&rota, &engine->rota, failure);
}

static int start(const struct engine_config *config, struct app *app, struct engine **out,
                 struct failure *failure)
{
    struct pool_engine *engine = pool_make(config->workers > 0 ? config->workers : POOL_SIZE_MOST);
    if (!engine)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    int err = engine_open(&engine->base, config, app, 1, failure);
    *out = &engine->base; /* before the first request, in which the app may want it */
    err = err ? err : prepare(engine, failure);
    if (err) {
        *out = NULL;
        join_workers(engine);
        pool_free(engine);
    }
    return err;
}

static void stats(const struct engine *base, struct engine_stats *stats)
{
    struct pool_engine *engine = pool_of(base);
    engine_stats(base, stats);
    for (unsigned i = 0; i < engine->most; i++)
        engine_counters_add(&engine->workers[i].counters, stats);
    pthread_mutex_lock(&engine->lock);
    stats->workers = engine->running;
    stats->queued = engine->queued;
    pthread_mutex_unlock(&engine->lock);
}

static bool stop(struct engine *base)
{
    struct pool_engine *engine = pool_of(base);
    engine_begin_stop(base);
    uint64_t held = rota_stop(engine->rota);
    join_workers(engine);
    if (engine_leaves_behind(base, held))
        return false;
    pool_free(engine);
    return true;
}

const struct engine_kind engine_pool = {
    .name = "pool",
    .about = "a fixed number of threads, and one queue",
    .start = start,
    .port = engine_port,
    .stats = stats,
    .stop = stop,
};
