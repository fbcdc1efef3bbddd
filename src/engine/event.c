#include "engine/event.h"

#include "base/clock.h"
#include "base/thread.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* ---- The loop's thread ---- */

static void report(struct event_engine *engine, bool good)
{
    pthread_mutex_lock(&engine->lock);
    if (good)
        engine->ready++;
    else
        engine->failed++;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void *loop_main(void *argument)
{
    struct event_loop *l = argument;
    struct app *app = l->engine->base.app;
    struct dispatcher *d = &l->dispatcher;
    d->self = pthread_self();
    d->thread_state = app->thread_start ? app->thread_start(app, l->loop) : NULL;
    bool good = !app->thread_start || d->thread_state;
    report(l->engine, good);
    if (!good)
        return NULL;
    loop_run(l->loop);
    if (app->thread_stop)
        app->thread_stop(app, d->thread_state);
    return NULL;
}

/* ---- Graceful stop, on the loop's thread ---- */

void event_loop_check_end(struct event_loop *l)
{
    if (l->stopping && list_empty(&l->conns) && l->ringing == 0 &&
        dispatcher_held(&l->dispatcher) == 0)
        loop_stop(l->loop);
}

/* First reads what has arrived already: it may be a request. */
static void drain(struct event_loop *l, enum stopping_stage stage)
{
    LIST_EACH(&l->conns, node)
    {
        struct event_conn *c = CONTAINER_OF(node, struct event_conn, node);
        if (stopping_drains(&l->engine->base.stopping, stage, c->connection.heard_ns))
            event_conn_drain(c);
    }
}

static void cut_off(struct event_loop *l)
{
    unsigned cut = 0;
    LIST_EACH(&l->conns, node)
    {
        struct event_conn *c = CONTAINER_OF(node, struct event_conn, node);
        c->connection.reset = true;
        event_conn_close(c);
        cut++;
    }
    engine_cut_off(&l->engine->base, cut);
    if (l->engine->offload)
        offload_abandon(l->engine->offload);
    if (l->engine->residency)
        residency_abandon(l->engine->residency);
}

/* Does what the stage of the stop asks for, and comes again when the next one begins. */
static void run_stage(struct event_loop *l, uint64_t now_ns)
{
    uint64_t until_ns;
    enum stopping_stage stage = stopping_stage(&l->engine->base.stopping, now_ns, &until_ns);
    if (stage < STOPPING_LEFT)
        loop_timer_set(l->loop, &l->stop_timer, until_ns);
    if (stage == STOPPING_LEFT)
        loop_stop(l->loop);
    else if (stage == STOPPING_CUT_OFF)
        cut_off(l);
    else
        drain(l, stage);
    event_loop_check_end(l);
}

static void next_stage(struct timer *timer, uint64_t now_ns)
{
    run_stage(CONTAINER_OF(timer, struct event_loop, stop_timer), now_ns);
}

static void begin_stop(struct post *post)
{
    struct event_loop *l = CONTAINER_OF(post, struct event_loop, stop_post);
    event_doors_drain(l);
    event_doors_close(l);
    l->stopping = true; /* not before: who is turned away at the door would be taken for the last */
    l->stop_timer.fire = next_stage;
    run_stage(l, loop_now(l->loop));
}

/* ---- Making and freeing ---- */

static void loop_dispose(struct event_loop *l)
{
    if (!l)
        return;
    if (l->loop)
        event_doors_close(l);
    event_pool_free(l);
    dispatcher_close(&l->dispatcher);
    loop_free(l->loop);
    free(l);
}

/* Without it there is epoll; that is said once. */
static void use_ring(struct event_loop *l)
{
    struct event_engine *engine = l->engine;
    struct failure why;
    if (loop_use_ring(l->loop, &why) == ERR_OK || engine->lacks_rings)
        return;
    engine->lacks_rings = true;
    log_line(engine->base.config.log, LOG_WARN, "engine", "%s; epoll is used", why.text);
}

static struct event_loop *loop_make(struct event_engine *engine, unsigned index,
                                    struct failure *failure)
{
    struct event_loop *l = calloc(1, sizeof *l);
    if (!l) {
        fail(failure, ERR_NOMEM, "no memory for an event loop");
        return NULL;
    }
    l->engine = engine;
    list_init(&l->conns);
    l->stop_post.run = begin_stop;
    event_exchange_init(l);
    int err = doors_open(&l->doors, &engine->base, index);
    l->loop = loop_new(failure);
    if (l->loop && engine->base.config.admission_ms > 0)
        loop_measure(l->loop);
    if (l->loop && !err && engine->variant->ring && engine->base.config.io_uring)
        use_ring(l);
    if (l->loop && !err && event_doors_open(l) == ERR_OK)
        return l;
    if (l->loop)
        fail(failure, ERR_NOMEM, "no memory or descriptors for an event loop");
    loop_dispose(l);
    return NULL;
}

static void event_free(struct event_engine *engine)
{
    offload_free(engine->offload);
    residency_free(engine->residency);
    for (unsigned i = 0; engine->loops && i < engine->base.config.loops; i++)
        loop_dispose(engine->loops[i]);
    free(engine->loops);
    engine_close(&engine->base);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* Everything but the loops' threads. */
static int prepare(struct event_engine *engine, struct failure *failure)
{
    const struct engine_config *config = &engine->base.config;
    engine->loops = calloc(config->loops, sizeof *engine->loops);
    if (!engine->loops)
        return fail(failure, ERR_NOMEM, "no memory for the event loops");
    for (unsigned i = 0; i < config->loops; i++) {
        struct failure why = {.err = ERR_NOMEM};
        engine->loops[i] = loop_make(engine, i, &why);
        if (!engine->loops[i])
            return fail(failure, why.err, "%s", why.text);
    }
    if (engine->variant->residency) {
        unsigned threads = config->workers ? config->workers : EVENT_READERS;
        engine->residency = residency_new(threads, failure);
        if (!engine->residency)
            return ERR_IO;
    }
    if (engine->variant->alone)
        return ERR_OK;
    engine->offload = offload_new(engine->base.app, config->helpers, config->helper_queue, failure);
    return engine->offload ? ERR_OK : ERR_STATE;
}

static void join_all(struct event_engine *engine)
{
    for (unsigned i = 0; i < engine->base.config.loops; i++)
        if (engine->loops[i] && engine->loops[i]->started)
            pthread_join(engine->loops[i]->thread, NULL);
}

static int start_threads(struct event_engine *engine, struct failure *failure)
{
    unsigned started = 0;
    for (unsigned i = 0; i < engine->base.config.loops; i++) {
        struct event_loop *l = engine->loops[i];
        l->started = thread_start(&l->thread, "stoa-loop", loop_main, l) == 0;
        if (!l->started)
            break;
        started++;
    }
    pthread_mutex_lock(&engine->lock);
    while (engine->ready + engine->failed < started)
        pthread_cond_wait(&engine->changed, &engine->lock);
    bool good = engine->failed == 0;
    pthread_mutex_unlock(&engine->lock);
    if (good && started == engine->base.config.loops)
        return ERR_OK;
    for (unsigned i = 0; i < started; i++)
        loop_stop(engine->loops[i]->loop);
    join_all(engine);
    if (!good)
        return fail(failure, ERR_STATE, "%s: an engine thread could not be prepared",
                    engine->base.app->name);
    return fail(failure, ERR_IO, "cannot start %u threads", engine->base.config.loops);
}

/* ---- The seam ---- */

int event_start_as(const struct event_variant *variant, const struct engine_config *config,
                   struct app *app, struct engine **out, struct failure *failure)
{
    struct event_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    struct engine_config own = *config;
    if (variant->loops > 0)
        own.loops = variant->loops;
    engine->variant = variant;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    int err = engine_open(&engine->base, &own, app, 0, failure);
    err = err ? err : prepare(engine, failure);
    *out = &engine->base; /* before the first request, in which the app may want it */
    err = err ? err : start_threads(engine, failure);
    if (err) {
        *out = NULL;
        event_free(engine);
    }
    return err;
}

static int event_start(const struct engine_config *config, struct app *app, struct engine **engine,
                       struct failure *failure)
{
    static const struct event_variant usual = {.ring = true};
    return event_start_as(&usual, config, app, engine, failure);
}

void event_stats(const struct engine *base, struct engine_stats *stats)
{
    const struct event_engine *engine = event_engine_of(base);
    engine_stats(base, stats);
    if (engine->offload)
        stats->helper_waiting = offload_waiting(engine->offload);
    if (engine->residency) {
        stats->disk_waiting = residency_waiting(engine->residency);
        stats->disk_reads = residency_fetched(engine->residency);
    }
    for (unsigned i = 0; i < base->config.loops; i++)
        engine_counters_add(&engine->loops[i]->counters, stats);
}

bool event_stop(struct engine *base)
{
    struct event_engine *engine = event_engine_of(base);
    uint64_t held = 0;
    engine_begin_stop(base);
    for (unsigned i = 0; i < base->config.loops; i++)
        loop_post(engine->loops[i]->loop, &engine->loops[i]->stop_post);
    join_all(engine);
    for (unsigned i = 0; i < base->config.loops; i++)
        held += dispatcher_held(&engine->loops[i]->dispatcher);
    if (engine_leaves_behind(base, held))
        return false;
    event_free(engine);
    return true;
}

const struct engine_kind engine_event = {
    .name = "event",
    .about = "one event loop per core, each with its own listening sockets",
    .start = event_start,
    .port = engine_port,
    .stats = event_stats,
    .stop = event_stop,
};
