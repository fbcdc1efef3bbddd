#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "tier/worker_inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    HELPERS = 2,
    HELPER_QUEUE = 1024,
    IN_FLIGHT = 64,
    TICK_MS = 50,
    PULLED_AT_ONCE = 8, /* before other events have their turn */
    HEADERS_MAX = 1000, /* the front has bounds of its own */
    CLIENT_PATIENCE_MS = 3600000,
};

/* ---- Pulling ---- */

static bool has_appetite(const struct worker *worker)
{
    return worker->stop_ns == 0 && worker->open - worker->stalled < worker->in_flight &&
           offload_waiting(worker->offload) == 0;
}

static void begin(struct worker *worker, unsigned slot)
{
    const struct queue_facts *facts = queue_facts(worker->queue, slot);
    struct worker_call *call = calloc(1, sizeof *call);
    struct str peer = str_make(facts->peer, strnlen(facts->peer, sizeof facts->peer));
    if (call)
        call->http = http_conn_new(&worker->dispatcher.host, HTTP_1, facts->tls, peer,
                                   worker->dispatcher.now_ns, call);
    if (!call || !call->http) { /* an empty answer, which the front takes for a broken one */
        struct pipe down = queue_down(worker->queue, slot);
        free(call);
        pipe_end(&down);
        if (queue_done(worker->queue, slot, 0))
            worker_tell_soon(worker, slot, 0);
        return;
    }
    call->worker = worker;
    call->slot = slot;
    list_init(&call->touched);
    list_append(&worker->calls, &call->node);
    worker->of[slot] = call;
    worker->open++;
    worker_call_turn(call);
}

static void pull(struct worker *worker)
{
    struct dispatcher *d = &worker->dispatcher;
    for (unsigned i = 0; has_appetite(worker); i++) {
        if (i == PULLED_AT_ONCE) {
            loop_soon(worker->loop, &worker->pull_soon);
            break;
        }
        d->now_ns = loop_now_refresh(worker->loop);
        unsigned slot = queue_pull(worker->queue, worker->seat, d->now_ns);
        if (slot == QUEUE_NONE) {
            poller_wait(&worker->poller, d->now_ns);
            break;
        }
        poller_took(&worker->poller);
        begin(worker, slot);
    }
    if (!has_appetite(worker) && queue_length(worker->queue) > 0)
        queue_pass_on(worker->queue);
    atomic_store_explicit(&worker->open_seen, worker->open, memory_order_relaxed);
    if (worker->stop_ns > 0 && worker->open == 0 && dispatcher_held(d) == 0)
        loop_stop(worker->loop);
}

static void pull_more(struct soon *soon)
{
    pull(CONTAINER_OF(soon, struct worker, pull_soon));
}

/* ---- News ---- */

static void look_at_call(struct worker_call *call)
{
    struct worker *worker = call->worker;
    unsigned slot = call->slot;
    worker->dispatcher.now_ns = loop_now(worker->loop);
    if (queue_state(worker->queue, slot) != QUEUE_ABANDONED) {
        worker_call_turn(call);
        return;
    }
    worker_call_forget(call);
    worker_count(&worker->abandoned, 1);
    queue_done(worker->queue, slot, 0);
}

static void look(struct bell *bell, unsigned slot)
{
    struct worker *worker = CONTAINER_OF(bell, struct worker, bell);
    if (worker->of[slot])
        look_at_call(worker->of[slot]);
}

static void look_at_all(struct bell *bell)
{
    struct worker *worker = CONTAINER_OF(bell, struct worker, bell);
    LIST_EACH(&worker->calls, node)
    {
        look_at_call(CONTAINER_OF(node, struct worker_call, node));
    }
}

static void looked(struct bell *bell)
{
    pull(CONTAINER_OF(bell, struct worker, bell));
}

static const struct bell_kind bell_kind = {
    .look = look,
    .look_at_all = look_at_all,
    .looked = looked,
};

/* ---- What comes back from helpers and others ---- */

static struct worker *worker_of(struct dispatcher *d)
{
    return CONTAINER_OF(d, struct worker, dispatcher);
}

static void turn_touched(struct worker *worker)
{
    loop_soon_cancel(&worker->touched_soon);
    while (!list_empty(&worker->touched)) {
        struct worker_call *call = CONTAINER_OF(worker->touched.next, struct worker_call, touched);
        list_remove(&call->touched);
        worker_call_turn(call);
    }
}

static void run_touched(struct soon *soon)
{
    turn_touched(CONTAINER_OF(soon, struct worker, touched_soon));
}

static void run_resumed(struct post *post)
{
    struct worker *worker = CONTAINER_OF(post, struct worker, resumed_post);
    worker->dispatcher.now_ns = loop_now(worker->loop);
    dispatcher_deliver(&worker->dispatcher);
    turn_touched(worker);
    pull(worker);
}

static void run_own(struct soon *soon)
{
    struct worker *worker = CONTAINER_OF(soon, struct worker, own_soon);
    worker->dispatcher.now_ns = loop_now(worker->loop);
    bool more = dispatcher_deliver_own(&worker->dispatcher);
    turn_touched(worker);
    if (more)
        loop_soon(worker->loop, soon);
    pull(worker);
}

static void wake(struct dispatcher *d)
{
    loop_post(worker_of(d)->loop, &worker_of(d)->resumed_post);
}

static void wake_own(struct dispatcher *d)
{
    loop_soon(worker_of(d)->loop, &worker_of(d)->own_soon);
}

static bool work(struct dispatcher *d, struct exchange *x)
{
    struct worker_call *call = x->conn ? http_conn_owner(x->conn) : NULL;
    if (call)
        call->offloaded_ns = clock_mono_ns();
    return offload_submit(worker_of(d)->offload, x);
}

static void came_back(struct worker_call *call)
{
    if (call->offloaded_ns == 0)
        return;
    uint64_t took_ns = clock_mono_ns() - call->offloaded_ns;
    call->work_ns += took_ns;
    call->worker->helper_ns += took_ns;
    call->offloaded_ns = 0;
}

static void touch(struct dispatcher *d, void *owner)
{
    struct worker *worker = worker_of(d);
    struct worker_call *call = owner;
    came_back(call);
    if (list_empty(&call->touched))
        list_append(&worker->touched, &call->touched);
    loop_soon(worker->loop, &worker->touched_soon);
}

/* The client's connection is at the front. */
static bool addresses(void *owner, struct endpoint *client, struct endpoint *here)
{
    (void)owner;
    (void)client;
    (void)here;
    return false;
}

static const struct dispatcher_kind dispatcher_kind = {
    .wake = wake,
    .wake_own = wake_own,
    .work = work,
    .touch = touch,
    .addresses = addresses,
};

/* ---- Time ---- */

static void expire(struct worker_call *call, uint64_t now_ns)
{
    if (http_conn_deadline(call->http) > now_ns)
        return;
    if (http_conn_expire(call->http, now_ns))
        worker_call_end(call);
    else
        worker_call_turn(call);
}

static void report_work(struct worker *worker, uint64_t now_ns)
{
    uint64_t helper_ns = worker->helper_ns;
    LIST_EACH(&worker->calls, node)
    {
        const struct worker_call *call = CONTAINER_OF(node, struct worker_call, node);
        if (call->offloaded_ns > 0 && call->offloaded_ns < now_ns)
            helper_ns += now_ns - call->offloaded_ns;
    }
    struct queue_report report = {
        .beat_ns = now_ns,
        .loop_ns = clock_thread_ns(),
        .helper_ns = helper_ns,
        .helpers = worker->base.config.helpers,
        .open = worker->open,
        .draining = worker->stop_ns > 0,
    };
    if (worker->count)
        worker->count(worker->context, report.counts);
    queue_report(worker->queue, worker->seat, &report);
}

static void look_for_leader(struct worker *worker, uint64_t now_ns)
{
    void (*deserted)(void) = worker->deserted;
    if (!deserted || queue_is_led(worker->queue)) {
        worker->led_ns = now_ns;
    } else if (now_ns - worker->led_ns > WORKER_DESERTED_MS * MS_NS) {
        worker->deserted = NULL;
        log_line(worker->base.config.log, LOG_WARN, "worker",
                 "no front has led for %d s: this worker ends", WORKER_DESERTED_MS / 1000);
        deserted();
    }
}

static void tick(struct timer *timer, uint64_t now_ns)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, tick);
    worker->dispatcher.now_ns = now_ns;
    LIST_EACH(&worker->calls, node)
    {
        expire(CONTAINER_OF(node, struct worker_call, node), now_ns);
    }
    if (worker->stop_ns > 0 && now_ns >= worker->stop_ns)
        loop_stop(worker->loop);
    loop_timer_set(worker->loop, timer, now_ns + TICK_MS * MS_NS);
    pull(worker);
    report_work(worker, now_ns);
    look_for_leader(worker, now_ns);
}

/* ---- Its thread ---- */

static void report(struct worker *worker, bool good)
{
    pthread_mutex_lock(&worker->lock);
    worker->state = good ? RUNNING : FAILED;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct app *app = worker->base.app;
    struct dispatcher *d = &worker->dispatcher;
    d->self = pthread_self();
    d->thread_state = app->thread_start ? app->thread_start(app, worker->loop) : NULL;
    bool good = !app->thread_start || d->thread_state;
    if (good)
        report_work(worker, clock_mono_ns());
    report(worker, good);
    if (!good)
        return NULL;
    loop_soon(worker->loop, &worker->pull_soon);
    loop_run(worker->loop);
    worker_tell_fronts(worker);
    LIST_EACH(&worker->calls, node)
    {
        worker_call_forget(CONTAINER_OF(node, struct worker_call, node));
        worker_count(&worker->given_back, 1);
    }
    if (app->thread_stop)
        app->thread_stop(app, d->thread_state);
    return NULL;
}

static void begin_stop(struct post *post)
{
    struct worker *worker = CONTAINER_OF(post, struct worker, stop_post);
    queue_busy(worker->queue, worker->seat);
    worker->stop_ns = clock_mono_ns() + worker->base.config.stop_grace_ms * MS_NS;
    poller_stop(&worker->poller);
    report_work(worker, clock_mono_ns());
    pull(worker);
}

/* ---- Made and freed ---- */

static void worker_free(struct worker *worker)
{
    if (worker->seat != QUEUE_NONE) {
        bell_stop(&worker->bell);
        queue_leave(worker->queue, worker->seat);
    }
    offload_free(worker->offload);
    dispatcher_close(&worker->dispatcher);
    loop_free(worker->loop);
    engine_close(&worker->base);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static void init_parts(struct worker *worker, const struct worker_config *config)
{
    worker->queue = config->queue;
    worker->deserted = config->deserted;
    worker->count = config->count;
    worker->context = config->context;
    worker->led_ns = clock_mono_ns();
    worker->seat = QUEUE_NONE;
    worker->in_flight = config->in_flight ? config->in_flight : IN_FLIGHT;
    list_init(&worker->calls);
    list_init(&worker->touched);
    list_init(&worker->own_soon.node);
    list_init(&worker->touched_soon.node);
    list_init(&worker->pull_soon.node);
    list_init(&worker->tell_soon.node);
    worker->own_soon.run = run_own;
    worker->touched_soon.run = run_touched;
    worker->pull_soon.run = pull_more;
    worker->tell_soon.run = worker_tell_now;
    worker->resumed_post.run = run_resumed;
    worker->stop_post.run = begin_stop;
    worker->tick.fire = tick;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->changed, NULL);
}

/* The front has judged the client and its request, and waits for slow ones. */
static struct http_limits limits_here(const struct worker_config *config)
{
    struct http_limits limits = config->limits;
    limits.head_bytes = limits.target_bytes = (uint32_t)queue_up(config->queue, 0).size;
    limits.header_count = HEADERS_MAX;
    limits.send_idle_ms = CLIENT_PATIENCE_MS;
    limits.send_bytes_per_s = 1;
    return limits;
}

static int open_parts(struct worker *worker, const struct worker_config *config,
                      struct failure *failure)
{
    struct engine_config engine = {
        .loops = 1,
        .helpers = config->helpers ? config->helpers : HELPERS,
        .helper_queue = HELPER_QUEUE,
        .stop_grace_ms = config->stop_grace_ms,
        .limits = limits_here(config),
        .log = config->log,
    };
    int err = engine_open_without_doors(&worker->base, &engine, config->app, failure);
    dispatcher_init(&worker->dispatcher, &dispatcher_kind, &worker->base, &worker->base.counters);
    if (err)
        return err;
    worker->loop = loop_new(failure);
    if (!worker->loop)
        return ERR_IO;
    worker->offload = offload_new(config->app, engine.helpers, HELPER_QUEUE, failure);
    if (!worker->offload)
        return ERR_IO;
    err = queue_join(worker->queue, QUEUE_WORKER, &worker->seat, failure);
    if (err)
        return err;
    queue_set_number(worker->queue, worker->seat, config->number);
    poller_init(&worker->poller, worker->loop, worker->queue, worker->seat);
    err = bell_start(&worker->bell, &bell_kind, worker->loop, worker->queue, worker->seat, failure);
    if (!err && loop_timer_set(worker->loop, &worker->tick, clock_mono_ns() + TICK_MS * MS_NS) != 0)
        err = fail(failure, ERR_NOMEM, "no memory for the worker");
    return err;
}

static int start_thread(struct worker *worker, struct failure *failure)
{
    if (thread_start(&worker->thread, "stoa-worker", run, worker) != 0)
        return fail(failure, ERR_IO, "cannot start a thread");
    pthread_mutex_lock(&worker->lock);
    while (worker->state == STARTING)
        pthread_cond_wait(&worker->changed, &worker->lock);
    bool failed = worker->state == FAILED;
    pthread_mutex_unlock(&worker->lock);
    if (!failed)
        return 0;
    pthread_join(worker->thread, NULL);
    return fail(failure, ERR_STATE, "%s: the worker's thread could not be prepared",
                worker->base.app->name);
}

int worker_start(const struct worker_config *config, struct worker **out, struct failure *failure)
{
    size_t slots = queue_slots(config->queue);
    struct worker *worker = calloc(1, sizeof *worker + slots * sizeof(struct worker_call *));
    *out = NULL;
    if (!worker)
        return fail(failure, ERR_NOMEM, "no memory for the worker");
    init_parts(worker, config);
    int err = open_parts(worker, config, failure);
    err = err ? err : start_thread(worker, failure);
    if (err)
        worker_free(worker);
    else
        *out = worker;
    return err;
}

bool worker_stop(struct worker *worker)
{
    engine_begin_stop(&worker->base);
    loop_post(worker->loop, &worker->stop_post);
    pthread_join(worker->thread, NULL);
    offload_abandon(worker->offload);
    if (engine_leaves_behind(&worker->base, dispatcher_held(&worker->dispatcher)))
        return false;
    worker_free(worker);
    return true;
}

void worker_look(const struct worker *worker, struct worker_stats *stats)
{
    *stats = (struct worker_stats){
        .handled = atomic_load_explicit(&worker->handled, memory_order_relaxed),
        .given_back = atomic_load_explicit(&worker->given_back, memory_order_relaxed),
        .abandoned = atomic_load_explicit(&worker->abandoned, memory_order_relaxed),
        .busy_ns = atomic_load_explicit(&worker->busy_ns, memory_order_relaxed),
        .open = atomic_load_explicit(&worker->open_seen, memory_order_relaxed),
    };
}
