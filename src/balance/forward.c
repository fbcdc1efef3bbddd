#include "balance/forward.h"

#include "balance/events.h"
#include "base/check.h"
#include "base/random.h"

#include <stdio.h>

static void add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool is_head(const struct forward *f)
{
    return f->x->method == HTTP_HEAD;
}

/* ---- Where to ---- */

static int place_of(const struct lane *lane, uint64_t id)
{
    for (unsigned i = 0; i < lane->view.count; i++)
        if (lane->servers[i].id == id)
            return (int)i;
    return -1;
}

static uint64_t tried_places(const struct forward *f)
{
    uint64_t tried = 0;
    for (unsigned i = 0; i < f->tried_count; i++) {
        int place = place_of(f->lane, f->tried[i]);
        if (place >= 0)
            tried |= UINT64_C(1) << place;
    }
    return tried;
}

static void note_tried(struct forward *f, uint64_t id)
{
    if (f->tried_count == FORWARD_TRIED) { /* the oldest may be tried again */
        memmove(f->tried, f->tried + 1, (FORWARD_TRIED - 1) * sizeof *f->tried);
        f->tried_count--;
    }
    f->tried[f->tried_count++] = id;
}

static void make_plan(struct forward *f)
{
    struct lane *lane = f->lane;
    uint64_t overloaded;
    const struct policy_view *view = lane_view(lane, &overloaded);
    route_choose(&lane->router, f->x, view, overloaded, lane_now(lane), lane_wall_ms(lane),
                 &f->plan);
    f->planned_count = f->plan.count;
    for (unsigned i = 0; i < f->plan.count; i++)
        f->planned[i] = view->servers[f->plan.places[i]].id;
}

/* The next server of the plan, then whom the policy names. -1: all have been tried. */
static int next_place(struct forward *f)
{
    struct lane *lane = f->lane;
    struct router *router = &lane->router;
    uint64_t overloaded, tried = tried_places(f);
    const struct policy_view *view = lane_view(lane, &overloaded);
    for (unsigned i = 0; i < f->planned_count; i++) {
        int place = place_of(lane, f->planned[i]);
        if (place >= 0 && view->servers[place].usable && !(tried >> place & 1))
            return place;
    }
    int place = router->policy->pick(router->policy_memory, view, f->plan.key, tried,
                                     lane_now(lane), &router->random);
    return place >= 0 && (tried >> place & 1) ? -1 : place;
}

static bool has_others(struct forward *f)
{
    uint64_t tried = tried_places(f);
    for (unsigned i = 0; i < f->lane->view.count; i++)
        if (f->lane->servers[i].usable && !(tried >> i & 1))
            return true;
    return false;
}

/* ---- Attempts ---- */

static void write_head(struct forward *f, struct attempt *attempt)
{
    struct lane *lane = f->lane;
    struct exchange *x = f->x;
    struct backend *backend = attempt->pool->backend;
    char home[HOME_TEXT] = "";
    struct hop_request request = {
        .x = x,
        .trusted = trust_has(lane->trust, x->peer),
        .via = lane->config->via,
        .request_id = str_of(f->request_id),
    };
    if (backend->shop) {
        request.operation = str_of(f->operation);
        if (f->plan.home.count && lane->router.signer)
            request.home = str_of(home_write(lane->router.signer, &f->plan.home, home));
    }
    if (f->streamed && x->content_length < 0) {
        request.framing = HOP_CHUNKED;
    } else if (x->has_body || x->content_length == 0 || x->method == HTTP_POST ||
               x->method == HTTP_PUT || x->method == HTTP_PATCH) {
        request.framing = HOP_LENGTH;
        request.length = f->streamed ? (uint64_t)x->content_length : x->body.len;
    }
    hop_write_request(upstream_out(attempt->line), &request);
}

/* An unsafe request gets its name at its first attempt, and keeps it. */
static void stamp_it(struct forward *f, const struct backend *backend)
{
    bool safe =
        f->x->method == HTTP_GET || f->x->method == HTTP_HEAD || f->x->method == HTTP_OPTIONS;
    f->shop = backend->shop;
    if (backend->shop && !safe && !f->operation[0])
        stamp_new(&f->lane->stamp, lane_wall_ms(f->lane), f->operation);
    if (backend->shop)
        f->repeatable = true;
}

static void begin_at(struct forward *f, struct attempt *attempt, struct pool *pool)
{
    struct backend *backend = pool->backend;
    *attempt = (struct attempt){.forward = f, .pool = pool, .began_ns = lane_now(f->lane)};
    pool_hold(pool);
    atomic_fetch_add_explicit(&backend->in_flight, 1, memory_order_relaxed);
    add(&backend->counters.requests);
    if (f->attempts_made++ > 0)
        add(&backend->counters.retries);
}

/* False: there was no connection to be had; noted. */
static bool attempt_begin(struct forward *f, struct attempt *attempt, int place)
{
    struct lane *lane = f->lane;
    struct pool *pool = lane->pools[place];
    note_tried(f, pool->backend->id);
    struct upstream *line = pool_take(pool);
    if (!line || upstream_begin(line, &forward_events, attempt, is_head(f))) {
        if (line)
            upstream_cancel(line);
        add(&pool->backend->counters.refused);
        backend_sign(pool->backend, SIGN_REFUSED, lane_now(lane));
        return false;
    }
    begin_at(f, attempt, pool);
    attempt->line = line;
    attempt->reused = !line->fresh;
    stamp_it(f, pool->backend);
    write_head(f, attempt);
    forward_send_body(f, attempt);
    upstream_send(line);
    f->state = FORWARD_WAITING;
    return true;
}

/* ATTEMPT is over, whatever came of it. */
void forward_release(struct attempt *attempt, bool failed)
{
    struct lane *lane = attempt->forward->lane;
    struct pool *pool = attempt->pool;
    struct router *router = &lane->router;
    uint64_t now_ns = lane_now(lane);
    attempt->line = NULL;
    attempt->pool = NULL;
    atomic_fetch_sub_explicit(&pool->backend->in_flight, 1, memory_order_relaxed);
    if (router->policy->done && pool->place >= 0)
        router->policy->done(router->policy_memory, (unsigned)pool->place,
                             now_ns - attempt->began_ns, failed, now_ns);
    pool_drop(pool);
}

static void cancel(struct attempt *attempt)
{
    if (!attempt->line)
        return;
    upstream_cancel(attempt->line);
    forward_release(attempt, false);
}

void forward_cancel_others(struct forward *f, struct attempt *winner)
{
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++)
        if (&f->attempts[i] != winner)
            cancel(&f->attempts[i]);
}

/* ---- Again ---- */

static void pause_over(struct timer *timer, uint64_t now_ns)
{
    struct forward *f = CONTAINER_OF(timer, struct forward, timer);
    (void)now_ns;
    f->tried_count = 0; /* another round */
    f->state = FORWARD_PLACING;
    make_plan(f);
    forward_place(f);
}

static void pause_it(struct forward *f)
{
    struct lane *lane = f->lane;
    f->state = FORWARD_PAUSED;
    f->timer.fire = pause_over;
    uint64_t due = lane_now(lane) + retry_pause_ns(&lane->router.random, f->rounds++);
    if (loop_timer_set(lane->loop, &f->timer, due))
        forward_fail(f, 503, "The load manager is out of memory.");
}

static void give_up(struct forward *f)
{
    bool nobody = f->attempts_made == 0 || f->reason == RETRY_ELSEWHERE;
    char sentence[160];
    if (nobody) {
        forward_fail(f, 503, "No server can take requests at the moment.");
        return;
    }
    snprintf(sentence, sizeof sentence, "The server that was asked %s.", retry_name(f->reason));
    forward_fail(f, f->reason == RETRY_SILENT ? 504 : 502, sentence);
}

void forward_again(struct forward *f, enum retry_reason reason, bool sent)
{
    struct lane *lane = f->lane;
    uint64_t now_ns = lane_now(lane);
    f->reason = reason;
    f->costly += retry_costs(reason);
    struct retry_case is = {
        .reason = reason,
        .repeatable = f->repeatable,
        .sent = sent,
        .kept = !f->streamed || f->kept,
        .shop = f->shop,
        .others = has_others(f),
        .costly = f->costly,
        .now_ns = now_ns,
        .began_ns = f->began_ns,
        .deadline_ns = f->deadline_ns,
    };
    enum retry_verdict verdict = retry_decide(&is);
    if (verdict != RETRY_GIVE_UP && retry_costs(reason) && !budget_spend(&lane->retries, now_ns)) {
        lane_count(&lane->figures.retries_denied, 1);
        events_add(lane->events, EVENT_NO_RETRIES, 0, NULL,
                   "Too many requests fail: not all are sent again.");
        verdict = RETRY_GIVE_UP;
    }
    if (verdict == RETRY_GIVE_UP) {
        give_up(f);
        return;
    }
    lane_count(&lane->figures.retries, 1);
    if (reason == RETRY_STALE && f->tried_count > 0)
        f->tried_count--; /* it has done nothing wrong */
    if (verdict == RETRY_LATER)
        pause_it(f);
    else
        forward_place(f);
}

/* No server is left in this round. */
static void none_left(struct forward *f)
{
    if (f->attempts_made == 0 && f->tried_count == 0)
        f->reason = RETRY_ELSEWHERE;
    else if (f->attempts_made == 0)
        f->reason = RETRY_REFUSED;
    struct retry_case is = {
        .reason = f->reason,
        .repeatable = f->repeatable,
        .kept = !f->streamed || f->kept,
        .shop = f->shop || f->lane->set->keyed,
        .now_ns = lane_now(f->lane),
        .began_ns = f->began_ns,
        .deadline_ns = f->deadline_ns,
    };
    if (retry_decide(&is) == RETRY_LATER)
        pause_it(f);
    else
        give_up(f);
}

void forward_place(struct forward *f)
{
    int place;
    struct attempt *attempt = f->attempts[0].line ? &f->attempts[1] : &f->attempts[0];
    while ((place = next_place(f)) >= 0)
        if (attempt_begin(f, attempt, place))
            return;
    none_left(f);
}

/* ---- Beginning and end ---- */

/* The exchange ends, however. */
static void ends(void *argument)
{
    struct forward *f = argument;
    struct lane *lane = f->lane;
    buf_close(&f->beginning);
    if (!lane)
        return;
    forward_cancel_others(f, NULL);
    loop_timer_stop(lane->loop, &f->timer);
    list_remove(&f->node);
    if (f->has_window)
        lane_window_give(lane, f->bytes);
    atomic_fetch_sub_explicit(&lane->figures.in_flight, 1, memory_order_relaxed);
}

struct forward *forward_open(struct lane *lane, struct exchange *x)
{
    struct forward *f = ARENA_NEW(&x->arena, struct forward);
    if (!f || exchange_at_end(x, ends, f))
        return NULL;
    f->x = x;
    f->lane = lane;
    f->length = -1;
    buf_init(&f->beginning, lane->config->replay_bytes + UPSTREAM_READ);
    list_append(&lane->forwards, &f->node);
    x->state = f;
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
    budget_earn(&lane->retries);
    if (!hop_request_id(f->x).len)
        stamp_new(&lane->stamp, lane_wall_ms(lane), f->request_id);
    make_plan(f);
    forward_place(f);
}

void forward_drop(struct forward *f)
{
    if (f->lane)
        forward_cancel_others(f, NULL);
}

static void time_out(struct forward *f)
{
    forward_cancel_others(f, NULL);
    forward_fail(f, 504, "The servers did not answer in time.");
}

void forward_tick(struct lane *lane, uint64_t now_ns, uint64_t late_ns)
{
    (void)late_ns;
    LIST_EACH(&lane->forwards, node)
    {
        struct forward *f = CONTAINER_OF(node, struct forward, node);
        if (f->state <= FORWARD_WAITING && now_ns >= f->deadline_ns)
            time_out(f);
    }
}

void forward_servers_changed(struct lane *lane)
{
    (void)lane;
}

void forward_abandon(struct lane *lane)
{
    while (!list_empty(&lane->forwards)) {
        struct forward *f = CONTAINER_OF(lane->forwards.next, struct forward, node);
        forward_cancel_others(f, NULL);
        loop_timer_stop(lane->loop, &f->timer);
        list_remove(&f->node);
        if (f->has_window)
            lane_window_give(lane, f->bytes);
        f->lane = NULL;
    }
}
