#include "engine/event.h"

#include "base/clock.h"
#include "base/thread.h"
#include "engine/settings.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A connection that was heard of within BUSY_NS when the stop is asked for, gets
 * POLITE_NS in which its next request is still answered, with the notice to close. */
#define BUSY_NS   (1 * SEC_NS)
#define POLITE_NS (300 * MS_NS)
/* After the grace: how long the app may take to let go of what it still holds. */
#define LET_GO_NS (1 * SEC_NS)

/* POLITE --polite_ends--> DRAINING --grace_ends--> CUT_OFF --give_up--> LEFT_BEHIND.
 * The loop ends in any of them, as soon as nothing is left. */
enum { STAGE_POLITE, STAGE_DRAINING, STAGE_CUT_OFF, STAGE_LEFT_BEHIND };

struct engine {
    struct event_engine inside;
};

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
    struct app *app = l->engine->app;
    l->self = pthread_self();
    l->thread_state = app->thread_start ? app->thread_start(app, l->loop) : NULL;
    bool good = !app->thread_start || l->thread_state;
    report(l->engine, good);
    if (!good)
        return NULL;
    loop_run(l->loop);
    if (app->thread_stop)
        app->thread_stop(app, l->thread_state);
    return NULL;
}

/* ---- Graceful stop, on the loop's thread ---- */

void event_loop_check_end(struct event_loop *l)
{
    if (l->stopping && list_empty(&l->conns) && l->unanswered + l->host.suspended == 0)
        loop_stop(l->loop);
}

static void drain_one(struct event_conn *c)
{
    if (c->state == EVENT_HANDSHAKE || c->state == EVENT_PROXY) {
        event_conn_close(c, false);
        return;
    }
    if (c->http)
        http_conn_drain(c->http);
    event_conn_turn(c);
}

/* First reads what has arrived already: it may be a request. */
static void drain_idle(struct event_loop *l)
{
    LIST_EACH(&l->conns, node)
    {
        struct event_conn *c = CONTAINER_OF(node, struct event_conn, node);
        if (l->stop_ns - c->heard_ns >= BUSY_NS)
            drain_one(c);
    }
}

static void polite_ends(struct event_loop *l)
{
    LIST_EACH(&l->conns, node)
    drain_one(CONTAINER_OF(node, struct event_conn, node));
}

static void grace_ends(struct event_loop *l)
{
    unsigned cut = 0;
    LIST_EACH(&l->conns, node)
    {
        event_conn_close(CONTAINER_OF(node, struct event_conn, node), true);
        cut++;
    }
    if (cut > 0)
        log_line(l->engine->config.log, LOG_WARN, "engine",
                 "%u connections were cut off: not finished within the %llu ms of a graceful stop",
                 cut, (unsigned long long)l->engine->config.stop_grace_ms);
    offload_abandon(l->engine->offload);
}

static void next_stage(struct timer *timer, uint64_t now_ns)
{
    struct event_loop *l = CONTAINER_OF(timer, struct event_loop, stop_timer);
    uint64_t grace_ns = l->engine->config.stop_grace_ms * MS_NS;
    switch (++l->stop_stage) {
    case STAGE_DRAINING:
        loop_timer_set(l->loop, timer, l->stop_ns + grace_ns);
        polite_ends(l);
        break;
    case STAGE_CUT_OFF:
        loop_timer_set(l->loop, timer, now_ns + LET_GO_NS);
        grace_ends(l);
        break;
    default:
        loop_stop(l->loop);
    }
}

static void begin_stop(struct post *post)
{
    struct event_loop *l = CONTAINER_OF(post, struct event_loop, stop_post);
    uint64_t grace_ns = l->engine->config.stop_grace_ms * MS_NS;
    l->stopping = true;
    l->stop_ns = loop_now(l->loop);
    event_doors_drain(l);
    event_doors_close(l);
    l->stop_timer.fire = next_stage;
    loop_timer_set(l->loop, &l->stop_timer,
                   l->stop_ns + (POLITE_NS < grace_ns ? POLITE_NS : grace_ns));
    drain_idle(l);
    event_loop_check_end(l);
}

/* ---- Making and freeing ---- */

static void loop_dispose(struct event_loop *l)
{
    if (!l)
        return;
    if (l->loop)
        event_doors_close(l);
    event_pool_free(l);
    http_host_close(&l->host);
    loop_free(l->loop);
    free(l->input);
    free(l->plain);
    free(l);
}

static struct event_loop *loop_make(struct event_engine *engine, struct engine_sockets *sockets,
                                    unsigned index, struct failure *failure)
{
    struct event_loop *l = calloc(1, sizeof *l);
    if (!l) {
        fail(failure, ERR_NOMEM, "no memory for an event loop");
        return NULL;
    }
    l->engine = engine;
    l->spare_fd = -1;
    list_init(&l->conns);
    l->stop_post.run = begin_stop;
    l->input = malloc(EVENT_READ_BULK);
    l->plain = malloc(EVENT_READ);
    l->loop = loop_new(failure);
    event_exchange_init(l);
    for (unsigned i = 0; i < sockets->listens; i++) {
        l->doors[i].watch.fd = engine_sockets_take(sockets, i, index);
        l->doors[i].tls = engine->config.listen[i].tls;
        l->doors[i].proxy = engine->config.listen[i].proxy;
        l->door_count++;
    }
    if (l->loop && l->input && l->plain && event_doors_open(l) == ERR_OK)
        return l;
    if (l->loop)
        fail(failure, ERR_NOMEM, "no memory or descriptors for an event loop");
    loop_dispose(l);
    return NULL;
}

static void engine_free(struct event_engine *engine)
{
    offload_free(engine->offload);
    for (unsigned i = 0; engine->loops && i < engine->config.loops; i++)
        loop_dispose(engine->loops[i]);
    free(engine->loops);
    tls_context_free(engine->tls);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    free(CONTAINER_OF(engine, struct engine, inside));
}

/* The other's loops run: where their doors are changes at its stop alone. */
static int share_sockets(const struct event_engine *engine, struct engine_sockets *sockets,
                         struct failure *failure)
{
    const struct event_engine *from = &engine->config.heir_of->inside;
    unsigned listens = engine->config.listen_count, loops = engine->config.loops;
    if (from->config.loops != loops || from->config.listen_count != listens)
        return fail(failure, ERR_INVALID, "an engine's heir must have its loops and addresses");
    int *fds = calloc((size_t)listens * loops, sizeof *fds);
    if (!fds)
        return fail(failure, ERR_NOMEM, "no memory for the listening sockets");
    for (unsigned i = 0; i < listens; i++)
        for (unsigned j = 0; j < loops; j++)
            fds[i * loops + j] = from->loops[j]->doors[i].watch.fd;
    int err = engine_sockets_share(sockets, &engine->config, loops, fds, from->ports, failure);
    free(fds);
    return err;
}

static int open_sockets(const struct event_engine *engine, struct engine_sockets *sockets,
                        struct failure *failure)
{
    return engine->config.heir_of
               ? share_sockets(engine, sockets, failure)
               : engine_sockets_open(sockets, &engine->config, engine->config.loops, failure);
}

/* Everything but the loops' threads. */
static int prepare(struct event_engine *engine, struct failure *failure)
{
    struct engine_sockets sockets = {0};
    int trusted = engine_trusted(&engine->config, engine->trusted, failure);
    if (trusted < 0)
        return ERR_INVALID;
    engine->trusted_count = (unsigned)trusted;
    int err = engine_tls(&engine->config, &engine->tls, failure);
    if (!err)
        err = open_sockets(engine, &sockets, failure);
    if (err)
        return err;
    engine->loops = calloc(engine->config.loops, sizeof *engine->loops);
    struct failure why = {.err = ERR_NOMEM, .text = "no memory for the event loops"};
    bool good = engine->loops != NULL;
    for (unsigned i = 0; good && i < engine->config.loops; i++)
        good = (engine->loops[i] = loop_make(engine, &sockets, i, &why)) != NULL;
    for (unsigned i = 0; i < sockets.listens; i++)
        engine->ports[i] = sockets.ports[i];
    engine_sockets_close(&sockets);
    if (!good)
        return fail(failure, why.err, "%s", why.text);
    engine->offload =
        offload_new(engine->app, engine->config.helpers, engine->config.helper_queue, failure);
    return engine->offload ? ERR_OK : ERR_STATE;
}

static void join_all(struct event_engine *engine)
{
    for (unsigned i = 0; i < engine->config.loops; i++)
        if (engine->loops[i] && engine->loops[i]->started)
            pthread_join(engine->loops[i]->thread, NULL);
}

static int start_threads(struct event_engine *engine, struct failure *failure)
{
    unsigned started = 0;
    for (unsigned i = 0; i < engine->config.loops; i++) {
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
    if (good && started == engine->config.loops)
        return ERR_OK;
    for (unsigned i = 0; i < started; i++)
        loop_stop(engine->loops[i]->loop);
    join_all(engine);
    if (!good)
        return fail(failure, ERR_STATE, "%s: an engine thread could not be prepared",
                    engine->app->name);
    return fail(failure, ERR_IO, "cannot start %u threads", engine->config.loops);
}

/* ---- The seam ---- */

static int event_start(const struct engine_config *config, struct app *app, struct engine **out,
                       struct failure *failure)
{
    struct engine *whole = calloc(1, sizeof *whole);
    if (!whole)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    struct event_engine *engine = &whole->inside;
    engine->config = *config;
    engine->app = app;
    engine_settings_fill(&engine->config);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    atomic_init(&engine->open, 0);
    int err = prepare(engine, failure);
    *out = whole; /* before the first request, in which the app may want it */
    if (!err)
        err = start_threads(engine, failure);
    if (err) {
        *out = NULL;
        engine_free(engine);
    }
    return err;
}

static uint16_t event_port(const struct engine *engine, unsigned index)
{
    return index < engine->inside.config.listen_count ? engine->inside.ports[index] : 0;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void event_stats(const struct engine *engine, struct engine_stats *stats)
{
    *stats = (struct engine_stats){
        .open = atomic_load_explicit(&engine->inside.open, memory_order_relaxed),
        .helper_waiting = offload_waiting(engine->inside.offload),
    };
    for (unsigned i = 0; i < engine->inside.config.loops; i++) {
        const struct event_counters *counters = &engine->inside.loops[i]->counters;
        stats->accepted += read_counter(&counters->accepted);
        stats->requests += read_counter(&counters->requests);
        stats->refused += read_counter(&counters->refused);
        stats->bytes_in += read_counter(&counters->bytes_in);
        stats->bytes_out += read_counter(&counters->bytes_out);
        stats->timeouts += read_counter(&counters->timeouts);
        stats->bad_requests += read_counter(&counters->bad_requests);
    }
}

static void event_stop(struct engine *whole)
{
    struct event_engine *engine = &whole->inside;
    uint64_t held = 0;
    for (unsigned i = 0; i < engine->config.loops; i++)
        loop_post(engine->loops[i]->loop, &engine->loops[i]->stop_post);
    join_all(engine);
    for (unsigned i = 0; i < engine->config.loops; i++)
        held += engine->loops[i]->unanswered + engine->loops[i]->host.suspended;
    if (held > 0) {
        /* Whoever holds them may still finish them, and would write to freed memory. */
        log_line(engine->config.log, LOG_ERROR, "engine",
                 "%s still holds %llu exchanges after the stop; the engine's memory is left to "
                 "them",
                 engine->app->name, (unsigned long long)held);
        return;
    }
    engine_free(engine);
}

const struct engine_kind engine_event = {
    .name = "event",
    .about = "one event loop per core, each with its own listening sockets",
    .start = event_start,
    .port = event_port,
    .stats = event_stats,
    .stop = event_stop,
};
