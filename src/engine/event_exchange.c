#include "base/check.h"
#include "base/clock.h"
#include "engine/event.h"

static struct event_loop *loop_of_host(struct http_host *host)
{
    return CONTAINER_OF(host, struct event_loop, host);
}

static struct event_loop *loop_of_runner(struct exchange_runner *runner)
{
    return CONTAINER_OF(runner, struct event_loop, runner);
}

static void answered(struct event_loop *l, struct exchange *x)
{
    CHECK(l->unanswered > 0);
    l->unanswered--;
    http_conn_answered(x, loop_now(l->loop));
}

/* Neither the helpers nor their queue have room. The client may try again. */
static void answer_busy(struct event_loop *l, struct exchange *x)
{
    x->answer_header_count = 0;
    exchange_add_header(x, STR("Retry-After"), STR("1"));
    exchange_reply(x, 503, STR("text/plain; charset=utf-8"),
                   STR("Too much to do at the moment. Please try again in a second.\n"));
    event_count(&l->counters.refused, 1);
}

/* ---- What the connection core asks for ---- */

static void host_accept(struct http_host *host, struct exchange *x)
{
    struct event_loop *l = loop_of_host(host);
    event_count(&l->counters.requests, 1);
    x->thread_state = l->thread_state;
    if (l->stopping)
        x->close = true;
    if (l->engine->app->accept)
        l->engine->app->accept(l->engine->app, x);
}

static void host_handle(struct http_host *host, struct exchange *x)
{
    struct event_loop *l = loop_of_host(host);
    struct app *app = l->engine->app;
    x->thread_state = l->thread_state;
    l->unanswered++;
    switch (app->handle(app, x)) {
    case APP_DONE:
        answered(l, x);
        break;
    case APP_LATER:
        break;
    case APP_WORK:
        x->work = NULL;
        if (!offload_submit(l->engine->offload, x)) {
            answer_busy(l, x);
            answered(l, x);
        }
        break;
    }
}

static int64_t host_wall_ms(struct http_host *host)
{
    struct event_loop *l = loop_of_host(host);
    if (l->wall_turn != loop_turns(l->loop)) {
        l->wall_turn = loop_turns(l->loop);
        l->wall_ms = clock_wall_ms();
    }
    return l->wall_ms;
}

static void host_refused(struct http_host *host, int status)
{
    struct event_loop *l = loop_of_host(host);
    if (status == 408 || status == 503)
        event_count(&l->counters.timeouts, 1);
    else
        event_count(&l->counters.bad_requests, 1);
}

/* ---- What comes back ---- */

static bool on_own_thread(const struct event_loop *l)
{
    return pthread_equal(pthread_self(), l->self);
}

/* From another thread: wakes the loop only when nothing was waiting yet. Who finds it
 * empty uses resumed_post after take_all has: hence acquire here and release there. */
static void push(struct event_loop *l, struct exchange *x)
{
    struct exchange *head = atomic_load_explicit(&l->resumed, memory_order_relaxed);
    do {
        x->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&l->resumed, &head, x, memory_order_acq_rel,
                                                    memory_order_relaxed));
    if (!head)
        loop_post(l->loop, &l->resumed_post);
}

/* All that were pushed, oldest first. */
static struct exchange *take_all(struct event_loop *l)
{
    struct exchange *newest = atomic_exchange_explicit(&l->resumed, NULL, memory_order_acq_rel);
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
    struct event_loop *l = loop_of_runner(runner);
    if (!on_own_thread(l)) {
        push(l, x);
        return;
    }
    x->next = NULL;
    if (l->own_last)
        l->own_last->next = x;
    else
        l->own_first = x;
    l->own_last = x;
    loop_soon(l->loop, &l->own_soon);
}

static void offload(struct exchange_runner *runner, struct exchange *x)
{
    struct event_loop *l = loop_of_runner(runner);
    if (offload_submit(l->engine->offload, x))
        return;
    /* Later, not from inside the app, which still looks at it. */
    answer_busy(l, x);
    x->work = NULL;
    x->step = NULL;
    resume(runner, x);
}

static void touch_conn(struct exchange_runner *runner, struct exchange *x)
{
    struct event_conn *c = x->conn ? http_conn_owner(x->conn) : NULL;
    if (c)
        loop_soon(loop_of_runner(runner)->loop, &c->soon);
}

static bool host_addresses(struct http_host *host, void *owner, struct endpoint *client,
                           struct endpoint *here)
{
    struct event_conn *c = owner;
    (void)host;
    *client = c->peer;
    if (c->proxied) {
        *here = c->here;
        return true;
    }
    here->len = sizeof here->at;
    return getsockname(c->watch.fd, (struct sockaddr *)&here->at, &here->len) == 0;
}

static void touch(struct list *touched, const struct exchange *x)
{
    struct event_conn *c = x->client_gone || !x->conn ? NULL : http_conn_owner(x->conn);
    if (c && list_empty(&c->touched))
        list_append(touched, &c->touched);
}

/* Several exchanges of one connection are delivered before it sends, so that their
 * answers leave together. */
static void turn_touched(struct list *touched)
{
    while (!list_empty(touched)) {
        struct event_conn *c = CONTAINER_OF(touched->next, struct event_conn, touched);
        list_remove(&c->touched);
        event_conn_turn(c);
    }
}

static void step(struct event_loop *l, struct exchange *x)
{
    void (*run)(struct exchange *) = x->step;
    x->thread_state = l->thread_state;
    if (run) {
        x->step = NULL;
        run(x);
    } else {
        answered(l, x);
    }
}

static void deliver_resumed(struct event_loop *l, struct exchange *queue)
{
    struct list touched;
    list_init(&touched);
    while (queue) {
        struct exchange *x = queue;
        queue = x->next;
        touch(&touched, x);
        step(l, x);
    }
    turn_touched(&touched);
    event_loop_check_end(l);
}

static void run_resumed(struct post *post)
{
    struct event_loop *l = CONTAINER_OF(post, struct event_loop, resumed_post);
    deliver_resumed(l, take_all(l));
}

/* A step mostly ends in exchange_finish, which comes here: so go on until none is
 * left, but not for ever, for a step may also continue itself. */
static void run_own(struct soon *soon)
{
    struct event_loop *l = CONTAINER_OF(soon, struct event_loop, own_soon);
    for (int round = 0; round < 4 && l->own_first; round++) {
        struct exchange *queue = l->own_first;
        l->own_first = l->own_last = NULL;
        deliver_resumed(l, queue);
    }
    if (l->own_first)
        loop_soon(l->loop, soon);
}

void event_exchange_init(struct event_loop *l)
{
    l->runner = (struct exchange_runner){.resume = resume, .offload = offload, .touch = touch_conn};
    l->host = (struct http_host){
        .limits = &l->engine->config.limits,
        .runner = &l->runner,
        .accept = host_accept,
        .handle = host_handle,
        .wall_ms = host_wall_ms,
        .refused = host_refused,
        .addresses = host_addresses,
    };
    atomic_init(&l->resumed, NULL);
    l->resumed_post.run = run_resumed;
    list_init(&l->own_soon.node);
    l->own_soon.run = run_own;
}
