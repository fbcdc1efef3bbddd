#include "balance/forward.h"

#include "balance/tunnel.h"
#include "base/check.h"

/* So much more than may be kept of a body can come until the client is stopped: what may wait for
 * a server, and the piece with which that is too much. */
enum { BEGINNING_MORE = 256 << 10 };

static struct forward *forward_at(struct list *node)
{
    return CONTAINER_OF(node, struct forward, node);
}

/* ---- Beginning and end ---- */

/* The client has gone while the engine, or the queue, still has it. */
static void on_gone(struct exchange *x)
{
    struct forward *f = x->state;
    if (f->lane) {
        forward_cancel_others(f, NULL);
        forward_wait_ends(f);
    }
    f->state = FORWARD_CUT;
    if (f->in_app) {
        f->in_app = false;
        exchange_finish(x);
    }
}

static void let_go(struct forward *f)
{
    forward_cancel_others(f, NULL);
    forward_wait_ends(f);
    list_remove(&f->node);
    if (f->tunnel)
        tunnel_end(f);
    forward_drop_window(f);
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
    buf_init(&f->beginning, lane->config->replay_bytes + BEGINNING_MORE);
    list_append(&lane->forwards, &f->node);
    x->state = f;
    x->gone = on_gone;
    lane_count(&lane->figures.requests, 1);
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
    forward_go(f);
}

void forward_abandon(struct lane *lane)
{
    while (!list_empty(&lane->forwards))
        let_go(forward_at(lane->forwards.next));
}

/* ---- Ticks ---- */

/* The server has taken all that has come of the request's body, and waits for the rest of it. */
static bool waits_for_client(const struct forward *f, const struct attempt *attempt)
{
    return f->streamed && !f->body_complete && upstream_unsent(attempt->line) == 0;
}

static void time_out(struct forward *f, uint64_t now_ns)
{
    bool clients_fault = false;
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++) {
        struct attempt *attempt = &f->attempts[i];
        if (!attempt->line)
            continue;
        struct backend *backend = attempt->pool->backend;
        clients_fault = waits_for_client(f, attempt);
        if (clients_fault)
            continue;
        backend_count(&backend->counters.timeouts, 1);
        backend_count(&backend->counters.failures, 1);
        backend_sign(backend, SIGN_TIMEOUT, now_ns);
    }
    forward_cancel_others(f, NULL);
    forward_wait_ends(f);
    forward_fail(f, 504,
                 clients_fault ? "The rest of the request did not come in time."
                               : "The servers did not answer in time.");
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
    forward_shed_late(lane);
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
