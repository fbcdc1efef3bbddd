#include "balance/forward.h"

#include "balance/events.h"
#include "balance/tunnel.h"
#include "base/check.h"
#include "base/hash.h"

static struct forward *forward_at(struct list *node)
{
    return CONTAINER_OF(node, struct forward, node);
}

/* ---- The queue ---- */

static uint64_t client_key(const struct lane *lane, const struct exchange *x)
{
    static const struct hash_key key = {0x6661697220717565, 0x7565206f6620636c};
    return hash_fast(key, hop_client(x, lane_trusts(lane, x->peer)));
}

static void shed(struct forward *f, const char *sentence)
{
    lane_count(&f->lane->figures.shed, 1);
    events_add(f->lane->events, EVENT_SHEDDING, 0, NULL, "A request was answered 503: %s",
               sentence);
    forward_fail(f, 503, sentence);
}

static struct forward *queued_at(struct fair_item *item)
{
    return CONTAINER_OF(item, struct forward, queued);
}

/* Nobody has room for it now. */
static void queue_it(struct forward *f)
{
    struct lane *lane = f->lane;
    f->state = FORWARD_QUEUED;
    lane_count(&lane->figures.queued, 1);
    struct fair_item *shed_item =
        admission_wait(&lane->admission, &f->queued, client_key(lane, f->x), lane_now(lane));
    if (shed_item)
        shed(queued_at(shed_item), "More requests are waiting than can be answered in time.");
}

void forward_admit(struct lane *lane)
{
    while (admission_waiting(&lane->admission) > 0) {
        lane_look(lane);
        struct fair_item *item =
            admission_next(&lane->admission, &lane->view, lane->places, lane_now(lane));
        if (!item)
            return;
        forward_place(queued_at(item));
    }
}

/* ---- Beginning and end ---- */

/* The client has gone while the engine, or the queue, still has it. */
static void on_gone(struct exchange *x)
{
    struct forward *f = x->state;
    if (f->lane) {
        forward_cancel_others(f, NULL);
        loop_timer_stop(f->lane->loop, &f->timer);
        admission_leave(&f->lane->admission, &f->queued);
    }
    f->state = FORWARD_CUT;
    if (f->in_app) {
        f->in_app = false;
        exchange_finish(x);
    }
}

static void let_go(struct forward *f)
{
    struct lane *lane = f->lane;
    forward_cancel_others(f, NULL);
    loop_timer_stop(lane->loop, &f->timer);
    admission_leave(&lane->admission, &f->queued);
    list_remove(&f->node);
    if (f->tunnel)
        tunnel_end(f);
    forward_drop_window(f);
    atomic_fetch_sub_explicit(&lane->figures.in_flight, 1, memory_order_relaxed);
    f->lane = NULL;
}

/* The exchange ends, however. */
static void on_end(void *argument)
{
    struct forward *f = argument;
    buf_close(&f->beginning);
    if (f->lane)
        let_go(f);
}

struct forward *forward_open(struct lane *lane, struct exchange *x)
{
    struct forward *f = ARENA_NEW(&x->arena, struct forward);
    if (!f || exchange_at_end(x, on_end, f))
        return NULL;
    f->x = x;
    f->lane = lane;
    f->length = -1;
    buf_init(&f->beginning, lane->config->replay_bytes + 4 * UPSTREAM_READ);
    list_append(&lane->forwards, &f->node);
    x->state = f;
    x->gone = on_gone;
    lane_count(&lane->figures.requests, 1);
    atomic_fetch_add_explicit(&lane->figures.in_flight, 1, memory_order_relaxed);
    return f;
}

void forward_begin(struct forward *f)
{
    struct lane *lane = f->lane;
    f->began_ns = f->heard_ns = lane_now(lane);
    f->deadline_ns = f->began_ns + lane->config->answer_ns;
    f->repeatable = retry_is_repeatable(f->x);
    f->kept = true;
    f->hedge.class = hedge_class_of(f->x);
    budget_earn(&lane->retries);
    if (!hop_request_id(f->x).len)
        stamp_new(&lane->stamp, lane_wall_ms(lane), f->request_id);
    struct admission_look look = lane_look(lane);
    if (lane->view.count > 0 && admission_must_wait(&lane->admission, &lane->view, look.full))
        queue_it(f);
    else
        forward_place(f);
}

void forward_abandon(struct lane *lane)
{
    while (!list_empty(&lane->forwards))
        let_go(forward_at(lane->forwards.next));
}

/* ---- Ticks ---- */

static void time_out(struct forward *f, uint64_t now_ns)
{
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++) {
        if (!f->attempts[i].line)
            continue;
        struct backend *backend = f->attempts[i].pool->backend;
        atomic_fetch_add_explicit(&backend->counters.timeouts, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&backend->counters.failures, 1, memory_order_relaxed);
        backend_sign(backend, SIGN_TIMEOUT, now_ns);
    }
    forward_cancel_others(f, NULL);
    loop_timer_stop(f->lane->loop, &f->timer);
    forward_fail(f, 504, "The servers did not answer in time.");
}

static void look_after(struct forward *f, uint64_t now_ns)
{
    bool asking = f->state == FORWARD_PAUSED || f->state == FORWARD_WAITING;
    if (asking && now_ns >= f->deadline_ns) {
        time_out(f, now_ns);
        return;
    }
    /* A client that is slow is no fault of the server's. */
    bool wanted =
        f->state == FORWARD_ANSWERING && !f->tunnel && f->winner->line && f->winner->line->room > 0;
    if (wanted && now_ns - f->heard_ns > f->lane->config->body_idle_ns) {
        if (f->given)
            forward_cut(f);
        else
            time_out(f, now_ns);
        return;
    }
}

/* A tick that comes late may be our own silence, in which a server's bytes have not been read: so
 * servers are only thought silent in a tick that is in time, or after several that were not. */
static bool may_judge(struct lane *lane, uint64_t late_ns)
{
    enum { LATE_MOST = 4 };
    lane->late_ticks = late_ns > LANE_TICK_NS ? lane->late_ticks + 1 : 0;
    if (lane->late_ticks > 0 && lane->late_ticks < LATE_MOST)
        return false;
    lane->late_ticks = 0;
    return true;
}

void forward_tick(struct lane *lane, uint64_t now_ns, uint64_t late_ns)
{
    struct fair_item *item;
    while ((item = admission_late(&lane->admission, now_ns)))
        shed(queued_at(item), "No server had room for the request in time.");
    forward_admit(lane);
    bool judge = may_judge(lane, late_ns);
    LIST_EACH(&lane->forwards, node)
    {
        struct forward *f = forward_at(node);
        look_after(f, now_ns);
        if (judge)
            forward_leave_silent(f);
    }
}
