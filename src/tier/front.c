#include "base/check.h"
#include "base/clock.h"
#include "tier/front_inner.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 1 << 20, BODY_KEPT_MAX = 1 << 20, PUSHED_AT_ONCE = 64 };

/* ---- Calls ---- */

static void end_call(void *argument)
{
    struct front_call *call = argument;
    front_call_end(call);
    buf_close(&call->body);
}

/* The client has gone, or the answer took too long: nobody waits for it any more. */
static void forget(struct exchange *x)
{
    struct front_call *call = x->state;
    front_call_end(call);
    call->broken = true;
    if (call->in_app) {
        call->in_app = false;
        exchange_finish(x);
    }
}

static bool is_safe(const struct exchange *x)
{
    return x->method == HTTP_GET || x->method == HTTP_HEAD || x->method == HTTP_OPTIONS;
}

/* As the shop reads it: one that it cannot read is none. */
static bool has_operation(const struct exchange *x, const struct front_config *config)
{
    struct str text = exchange_header(x, str_of(config->operation_header));
    struct id id;
    return text.at && id_parse(str_trim(text), &id) == 0 && !id_is_zero(id);
}

static struct front_call *call_new(struct front_lane *lane, struct exchange *x)
{
    const struct front_config *config = &lane->front->config;
    struct front_call *call = ARENA_NEW(&x->arena, struct front_call);
    if (!call)
        return NULL;
    call->lane = lane;
    call->x = x;
    call->slot = QUEUE_NONE;
    list_init(&call->node);
    list_init(&call->push);
    buf_init(&call->body, BODY_KEPT_MAX);
    call->safe = is_safe(x);
    call->repeats = call->safe || !config->repeats || config->repeats(x);
    if (!call->safe && !has_operation(x, config))
        id_text(id_new(clock_wall_ms()), call->operation);
    x->state = call;
    return exchange_at_end(x, end_call, call) == 0 ? call : NULL;
}

void front_set_deadline(struct front_call *call)
{
    struct front_lane *lane = call->lane;
    struct queue_facts *facts = queue_facts(lane->queue, call->slot);
    facts->deadline_ns = loop_now(lane->loop) + lane->front->config.wait_ns[facts->class];
}

static void fill_facts(struct front_call *call)
{
    struct front_lane *lane = call->lane;
    struct queue_facts *facts = queue_facts(lane->queue, call->slot);
    str_copy(facts->peer, sizeof facts->peer, call->x->peer);
    facts->tls = str_eq(call->x->scheme, STR("https"));
    facts->entered_ns = call->x->started_ns;
    front_set_deadline(call);
}

/* ---- Into the queue ---- */

/* All that came in one turn at once: one lock, and mostly one worker to wake. */
static void push_all(struct soon *soon)
{
    struct front_lane *lane = CONTAINER_OF(soon, struct front_lane, push_soon);
    unsigned slots[PUSHED_AT_ONCE], count = 0;
    while (!list_empty(&lane->unpushed) && count < PUSHED_AT_ONCE) {
        struct front_call *call = CONTAINER_OF(lane->unpushed.next, struct front_call, push);
        list_remove(&call->push);
        slots[count++] = call->slot;
    }
    queue_push(lane->queue, slots, count);
    if (!list_empty(&lane->unpushed))
        loop_soon(lane->loop, soon);
}

void front_push(struct front_call *call)
{
    list_append(&call->lane->unpushed, &call->push);
    loop_soon(call->lane->loop, &call->lane->push_soon);
}

/* ---- The app ---- */

static void accept_request(struct app *app, struct exchange *x)
{
    (void)app;
    x->body_limit = FRONT_BODY_MAX;
}

static enum app_verdict refuse(struct front_call *call, int status, const char *text)
{
    front_count(&call->lane->front->refused);
    front_refuse(call, status, text);
    return APP_DONE;
}

/* Again later is of no use where its head is too long for a pipe. */
static enum app_verdict refuse_head(struct front_call *call)
{
    if (call->lane->head.failed)
        return refuse(call, 503, "Memory is short at the moment. Please try again in a second.\n");
    return refuse(call, 431, "The request's head is too long.\n");
}

static enum app_verdict handle(struct app *app, struct exchange *x)
{
    struct front *front = CONTAINER_OF(app, struct front, app);
    struct front_lane *lane = x->thread_state;
    struct front_call *call = call_new(lane, x);
    enum share_class class = front->config.classify ? front->config.classify(x) : SHARE_PAGES;
    front_count(&front->requests);
    if (!call) {
        exchange_reply(x, 503, STR("text/plain"), STR("out of memory\n"));
        return APP_DONE;
    }
    call->slot = queue_enter(lane->queue, lane->seat, class);
    if (call->slot == QUEUE_NONE)
        return refuse(call, 503, QUEUE_TOO_MANY);
    fill_facts(call);
    if (!front_answer_expect(call))
        return refuse(call, 503, "Memory is short at the moment. Please try again in a second.\n");
    if (!front_ask(call))
        return refuse_head(call);
    lane->of[call->slot] = call;
    list_append(&lane->calls, &call->node);
    x->gone = forget;
    call->in_app = true;
    front_push(call);
    return APP_LATER;
}

/* ---- A lane ---- */

static void look(struct bell *bell, unsigned slot)
{
    struct front_lane *lane = CONTAINER_OF(bell, struct front_lane, bell);
    if (lane->of[slot])
        front_answer_look(lane->of[slot]);
}

static void look_at_all(struct bell *bell)
{
    struct front_lane *lane = CONTAINER_OF(bell, struct front_lane, bell);
    LIST_EACH(&lane->calls, node)
    {
        struct front_call *call = CONTAINER_OF(node, struct front_call, node);
        if (call->slot != QUEUE_NONE)
            front_answer_look(call);
    }
}

static const struct bell_kind bell_kind = {.look = look, .look_at_all = look_at_all};

static void report_calls(struct front_lane *lane, uint64_t now_ns, uint32_t open)
{
    struct front_stats stats;
    front_look(lane->front, &stats);
    struct queue_report report = {
        .beat_ns = now_ns,
        .loop_ns = clock_thread_ns(),
        .open = open,
        .counts = {stats.requests, stats.refused, stats.overdue, stats.retried, stats.given_up,
                   stats.resumed, stats.cut, stats.connections},
    };
    queue_report(lane->queue, lane->seat, &report);
}

void front_look_from(const struct queue_report *report, struct front_stats *stats)
{
    const uint64_t *counts = report->counts;
    *stats = (struct front_stats){counts[0], counts[1], counts[2], counts[3], counts[4],
                                  counts[5], counts[6], counts[7], 0};
}

/* Until when it may wait, as far as NOW_NS: for a client that has hung up none is to begin. One
 * that waits half-closed for its answer is told to come again, where workers are so few that it was
 * not taken at once. */
static uint64_t over_at(const struct front_call *call, uint64_t now_ns)
{
    bool waits = now_ns - call->x->started_ns > FRONT_TICK_MS * MS_NS;
    return waits && exchange_has_hung_up(call->x) ? UINT64_MAX : now_ns;
}

/* Whose deadline is over is told so, though no worker comes to find it. */
static void tick(struct timer *timer, uint64_t now_ns)
{
    struct front_lane *lane = CONTAINER_OF(timer, struct front_lane, tick);
    uint32_t open = 0;
    LIST_EACH(&lane->calls, node)
    {
        struct front_call *call = CONTAINER_OF(node, struct front_call, node);
        if (call->slot == QUEUE_NONE)
            continue;
        open++;
        if (queue_expire(lane->queue, call->slot, over_at(call, now_ns)))
            front_answer_look(call);
    }
    report_calls(lane, now_ns, open);
    loop_timer_set(lane->loop, timer, now_ns + FRONT_TICK_MS * MS_NS);
}

static void lane_free(struct front_lane *lane)
{
    if (lane->seat != QUEUE_NONE)
        queue_leave(lane->queue, lane->seat);
    buf_close(&lane->head);
    free(lane);
}

static int begin_lane(struct front_lane *lane, struct failure *failure)
{
    int err = bell_start(&lane->bell, &bell_kind, lane->loop, lane->queue, lane->seat, failure);
    if (err)
        return err;
    lane->tick.fire = tick;
    if (loop_timer_set(lane->loop, &lane->tick, loop_now(lane->loop) + FRONT_TICK_MS * MS_NS) == 0)
        return 0;
    bell_stop(&lane->bell);
    return fail(failure, ERR_NOMEM, "no memory for the front");
}

static void *thread_start(struct app *app, struct loop *loop)
{
    struct front *front = CONTAINER_OF(app, struct front, app);
    struct queue *queue = front->config.queue;
    struct front_lane *lane =
        calloc(1, sizeof *lane + queue_slots(queue) * sizeof(struct front_call *));
    struct failure failure;
    if (!lane)
        return NULL;
    lane->front = front;
    lane->queue = queue;
    lane->loop = loop;
    lane->seat = QUEUE_NONE;
    list_init(&lane->calls);
    list_init(&lane->unpushed);
    list_init(&lane->push_soon.node);
    lane->push_soon.run = push_all;
    buf_init(&lane->head, HEAD_MAX);
    if (!loop) /* a helper, which never gets a request of a front */
        return lane;
    if (queue_join(queue, QUEUE_FRONT, &lane->seat, &failure) == 0) {
        queue_set_number(queue, lane->seat, front->config.number);
        if (begin_lane(lane, &failure) == 0) {
            atomic_fetch_add(&front->seats, 1);
            return lane;
        }
    }
    log_line(front->config.log, LOG_ERROR, "front", "%s", failure.text);
    lane_free(lane);
    return NULL;
}

static void thread_stop(struct app *app, void *state)
{
    struct front *front = CONTAINER_OF(app, struct front, app);
    struct front_lane *lane = state;
    if (lane->loop) {
        bell_stop(&lane->bell);
        loop_timer_stop(lane->loop, &lane->tick);
        loop_soon_cancel(&lane->push_soon);
        atomic_fetch_sub(&front->seats, 1);
    }
    lane_free(lane);
}

/* ---- Made and freed ---- */

int front_new(const struct front_config *config, struct front **out, struct failure *failure)
{
    struct front *front = calloc(1, sizeof *front);
    *out = NULL;
    if (!front)
        return fail(failure, ERR_NOMEM, "no memory for the front");
    front->config = *config;
    front->app = (struct app){
        .name = "front",
        .accept = accept_request,
        .handle = handle,
        .thread_start = thread_start,
        .thread_stop = thread_stop,
    };
    *out = front;
    return 0;
}

struct app *front_app(struct front *front)
{
    return &front->app;
}

void front_free(struct front *front)
{
    free(front);
}

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void front_look(const struct front *front, struct front_stats *stats)
{
    const struct front_config *config = &front->config;
    *stats = (struct front_stats){
        .requests = read_count(&front->requests),
        .refused = read_count(&front->refused),
        .overdue = read_count(&front->overdue),
        .retried = read_count(&front->retried),
        .given_up = read_count(&front->given_up),
        .resumed = read_count(&front->resumed),
        .cut = read_count(&front->cut),
        .connections = config->connections ? config->connections(config->context) : 0,
        .seats = atomic_load_explicit(&front->seats, memory_order_relaxed),
    };
}
