#include "engine/dispatcher.h"

#include "base/check.h"
#include "base/clock.h"

#include <sched.h>

enum { ROUNDS = 4 }; /* of what is given back on the own thread, at a time */

static struct dispatcher *of_host(struct http_host *host)
{
    return CONTAINER_OF(host, struct dispatcher, host);
}

static struct dispatcher *of_runner(struct exchange_runner *runner)
{
    return CONTAINER_OF(runner, struct dispatcher, runner);
}

/* ---- Admission ---- */

static bool has_admission(const struct dispatcher *d)
{
    return d->kind->admission && d->engine->intake.target_ns > 0;
}

static bool is_let_in(struct dispatcher *d, struct exchange *x)
{
    struct app *app = d->engine->app;
    return !has_admission(d) || !intake_refuses(&d->engine->intake, d->now_ns) ||
           (app->is_urgent && app->is_urgent(app, x));
}

static void measure(struct dispatcher *d, const struct exchange *x)
{
    if (has_admission(d))
        intake_answered(&d->engine->intake, x->started_ns, clock_mono_ns());
}

static void answered(struct dispatcher *d, struct exchange *x)
{
    CHECK(d->unanswered > 0);
    d->unanswered--;
    measure(d, x);
    if (d->kind->answered)
        d->kind->answered(d, x);
    http_conn_answered(x, d->now_ns);
}

void dispatcher_answer_busy(struct dispatcher *d, struct exchange *x)
{
    x->answer_header_count = 0;
    exchange_add_header(x, STR("Retry-After"), STR("1"));
    exchange_reply(x, 503, STR("text/plain; charset=utf-8"),
                   STR("Too much to do at the moment. Please try again in a second.\n"));
    engine_count(&d->counters->refused, 1);
}

/* ---- What the connection core asks for ---- */

static void host_accept(struct http_host *host, struct exchange *x)
{
    struct dispatcher *d = of_host(host);
    struct app *app = d->engine->app;
    engine_count(&d->counters->requests, 1);
    d->heads++;
    x->thread_state = d->thread_state;
    if (engine_is_stopping(d->engine))
        x->close = true;
    x->started_ns -= d->waited_ns;
    if (!is_let_in(d, x)) {
        exchange_page(x, d->engine->too_much);
        engine_count(&d->counters->refused, 1);
        return;
    }
    if (app->accept)
        app->accept(app, x);
    if (x->status)
        measure(d, x);
}

/* x->work, or with none app->work. True: X is not the app's any more. */
static bool run_work(struct app *app, struct exchange *x)
{
    void (*work)(struct exchange *) = x->work;
    if (work) {
        x->work = NULL;
        work(x);
        return true;
    }
    enum app_verdict verdict = app->work(app, x);
    CHECK(verdict != APP_WORK);
    return verdict == APP_DONE;
}

static void work(struct dispatcher *d, struct exchange *x)
{
    bool done = true;
    x->work = NULL;
    if (!d->kind->work)
        done = run_work(d->engine->app, x);
    else if (d->kind->work(d, x))
        done = false;
    else
        dispatcher_answer_busy(d, x);
    if (done)
        answered(d, x);
}

static void handle(struct dispatcher *d, struct exchange *x)
{
    struct app *app = d->engine->app;
    x->thread_state = d->thread_state;
    switch (app->handle(app, x)) {
    case APP_DONE:
        answered(d, x);
        break;
    case APP_LATER:
        break;
    case APP_WORK:
        work(d, x);
        break;
    }
}

static void host_handle(struct http_host *host, struct exchange *x)
{
    struct dispatcher *d = of_host(host);
    d->unanswered++;
    if (!d->kind->defers) {
        handle(d, x);
        return;
    }
    x->next = NULL;
    if (d->complete_last)
        d->complete_last->next = x;
    else
        d->complete_first = x;
    d->complete_last = x;
}

void dispatcher_handle(struct dispatcher *d)
{
    while (d->complete_first) {
        struct exchange *x = d->complete_first;
        d->complete_first = x->next;
        if (!d->complete_first)
            d->complete_last = NULL;
        if (x->client_gone)
            answered(d, x);
        else
            handle(d, x);
    }
}

/* Read once a turn. */
static int64_t host_wall_ms(struct http_host *host)
{
    struct dispatcher *d = of_host(host);
    if (d->wall_at_ns != d->now_ns) {
        d->wall_at_ns = d->now_ns;
        d->wall_ms = clock_wall_ms();
    }
    return d->wall_ms;
}

static void host_refused(struct http_host *host, int status)
{
    struct engine_counters *counters = of_host(host)->counters;
    engine_count(status == 408 || status == 503 ? &counters->timeouts : &counters->bad_requests, 1);
}

static void host_fetch(struct http_host *host, struct exchange *x)
{
    struct dispatcher *d = of_host(host);
    d->kind->fetch(d, x);
}

static bool host_addresses(struct http_host *host, void *owner, struct endpoint *client,
                           struct endpoint *here)
{
    return of_host(host)->kind->addresses(owner, client, here);
}

/* ---- What is given back ---- */

/* Whoever finds it empty wakes after take_all has emptied it: hence acquire here and release
 * there. X may have been answered, and D be of no more use, before wake has returned. */
static void push(struct dispatcher *d, struct exchange *x)
{
    atomic_fetch_add_explicit(&d->giving, 1, memory_order_relaxed);
    struct exchange *head = atomic_load_explicit(&d->resumed, memory_order_relaxed);
    do {
        x->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&d->resumed, &head, x, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (!head)
        d->kind->wake(d);
    atomic_fetch_sub_explicit(&d->giving, 1, memory_order_release);
}

/* All that were pushed, oldest first. */
static struct exchange *take_all(struct dispatcher *d)
{
    struct exchange *newest = atomic_exchange_explicit(&d->resumed, NULL, memory_order_acq_rel);
    struct exchange *oldest = NULL;
    while (newest) {
        struct exchange *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void resume(struct exchange_runner *runner, struct exchange *x)
{
    struct dispatcher *d = of_runner(runner);
    if (!d->kind->wake_own || !pthread_equal(pthread_self(), d->self)) {
        push(d, x);
        return;
    }
    x->next = NULL;
    if (d->own_last)
        d->own_last->next = x;
    else
        d->own_first = x;
    d->own_last = x;
    d->kind->wake_own(d);
}

/* Later, not from inside the app, which still looks at it: step does the work, where there are no
 * helpers. */
static void offload(struct exchange_runner *runner, struct exchange *x)
{
    struct dispatcher *d = of_runner(runner);
    if (d->kind->work) {
        if (d->kind->work(d, x))
            return;
        dispatcher_answer_busy(d, x);
        x->work = NULL;
        x->step = NULL;
    }
    resume(runner, x);
}

static void touch(struct exchange_runner *runner, struct exchange *x)
{
    struct dispatcher *d = of_runner(runner);
    void *owner = x->conn ? http_conn_owner(x->conn) : NULL;
    if (owner)
        d->kind->touch(d, owner);
}

static void step(struct dispatcher *d, struct exchange *x)
{
    x->thread_state = d->thread_state;
    if (x->work)
        run_work(d->engine->app, x);
    void (*run)(struct exchange *) = x->step;
    if (run) {
        x->step = NULL;
        run(x);
    } else {
        answered(d, x);
    }
}

static void deliver(struct dispatcher *d, struct exchange *queue)
{
    while (queue) {
        struct exchange *x = queue;
        queue = x->next;
        if (!x->client_gone)
            touch(&d->runner, x);
        step(d, x);
    }
}

void dispatcher_deliver(struct dispatcher *d)
{
    deliver(d, take_all(d));
}

/* A step mostly ends in exchange_finish, which comes here: so go on until none is left, but not
 * for ever, for a step may also continue itself. */
bool dispatcher_deliver_own(struct dispatcher *d)
{
    for (int round = 0; round < ROUNDS && d->own_first; round++) {
        struct exchange *queue = d->own_first;
        d->own_first = d->own_last = NULL;
        deliver(d, queue);
    }
    return d->own_first != NULL;
}

bool dispatcher_has_resumed(const struct dispatcher *d)
{
    return atomic_load_explicit(&d->resumed, memory_order_relaxed) != NULL;
}

/* ---- Made and closed ---- */

void dispatcher_init(struct dispatcher *d, const struct dispatcher_kind *kind,
                     struct engine *engine, struct engine_counters *counters)
{
    *d = (struct dispatcher){
        .kind = kind,
        .engine = engine,
        .counters = counters,
        .runner = {.resume = resume, .offload = offload, .touch = touch},
        .host = {.limits = &engine->config.limits,
                 .accept = host_accept,
                 .handle = host_handle,
                 .wall_ms = host_wall_ms,
                 .refused = host_refused,
                 .addresses = host_addresses},
    };
    d->host.runner = &d->runner;
    d->host.thread_state = &d->thread_state;
    if (kind->fetch)
        d->host.fetch = host_fetch;
    atomic_init(&d->resumed, NULL);
    atomic_init(&d->giving, 0);
}

void dispatcher_close(struct dispatcher *d)
{
    while (atomic_load_explicit(&d->giving, memory_order_acquire) > 0)
        sched_yield();
    http_host_close(&d->host);
}
