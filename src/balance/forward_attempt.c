#include "balance/events.h"
#include "balance/forward.h"
#include "base/check.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>

static void add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

bool forward_is_safe(const struct forward *f)
{
    enum http_method method = f->x->method;
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS;
}

/* ---- Where to ---- */

static int place_of(const struct lane *lane, uint64_t id)
{
    for (unsigned i = 0; i < lane->view.count; i++)
        if (lane->servers[i].id == id)
            return (int)i;
    return -1;
}

static bool has_bit(uint64_t bits, int place)
{
    return bits >> place & 1;
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
    struct admission_look look = lane_look(lane);
    route_choose(&lane->router, f->x, &lane->view, look.avoid, lane_now(lane), lane_wall_ms(lane),
                 &f->plan);
    f->planned_count = f->plan.count;
    for (unsigned i = 0; i < f->plan.count; i++)
        f->planned[i] = lane->servers[f->plan.places[i]].id;
    f->has_plan = true;
}

/* Whom the policy names, of those who are not in PASSED; -1: nobody. */
static int pick(struct forward *f, uint64_t passed)
{
    struct lane *lane = f->lane;
    struct router *router = &lane->router;
    int place = router->policy->pick(router->policy_memory, &lane->view, f->plan.key, passed,
                                     lane_now(lane), &router->random);
    /* With all passed a policy names one of them again. */
    return place >= 0 && has_bit(passed, place) ? -1 : place;
}

/* The next server of the plan, then whom the policy names; those with room first. -1: all have
 * been tried. */
static int next_place(struct forward *f)
{
    struct lane *lane = f->lane;
    uint64_t tried = tried_places(f), full = lane_look(lane).full;
    for (unsigned i = 0; i < f->planned_count; i++) {
        int place = place_of(lane, f->planned[i]);
        if (place >= 0 && lane->servers[place].usable && !has_bit(tried | full, place))
            return place;
    }
    int place = pick(f, tried | full);
    return place >= 0 ? place : pick(f, tried);
}

static bool has_others(const struct forward *f)
{
    uint64_t tried = tried_places(f);
    for (unsigned i = 0; i < f->lane->view.count; i++)
        if (f->lane->servers[i].usable && !has_bit(tried, (int)i))
            return true;
    return false;
}

/* ---- Attempts ---- */

static void set_framing(const struct forward *f, struct hop_request *request)
{
    const struct exchange *x = f->x;
    bool expected = x->method == HTTP_POST || x->method == HTTP_PUT || x->method == HTTP_PATCH;
    if (f->streamed && x->content_length < 0) {
        request->framing = HOP_CHUNKED;
    } else if (x->has_body || x->content_length == 0 || expected) {
        request->framing = HOP_LENGTH;
        request->length = f->streamed ? (uint64_t)x->content_length : x->body.len;
    }
}

static void write_head(struct forward *f, struct attempt *attempt)
{
    struct lane *lane = f->lane;
    char home[HOME_TEXT] = "";
    struct hop_request request = {
        .x = f->x,
        .trusted = lane_trusts(lane, f->x->peer),
        .via = lane->config->via,
        .upgrade = f->x->wants_upgrade,
        .request_id = str_of(f->request_id),
    };
    if (attempt->pool->backend->shop) {
        request.operation = str_of(f->operation);
        if (f->plan.home.count && lane->router.signer)
            request.home = str_of(home_write(lane->router.signer, &f->plan.home, home));
    }
    set_framing(f, &request);
    hop_write_request(upstream_out(attempt->line), &request);
    if (request.upgrade)
        upstream_may_switch(attempt->line);
}

/* An unsafe request to a shop gets its name at its first attempt, and keeps it. */
static void stamp_it(struct forward *f, const struct backend *backend)
{
    f->shop = backend->shop;
    if (!f->shop || forward_is_safe(f) || f->operation[0])
        return;
    stamp_new(&f->lane->stamp, lane_wall_ms(f->lane), f->operation);
    f->repeatable = route_repeats(f->x); /* an Idempotency-Key is not known to all of them */
}

static void count_begin(struct forward *f, struct attempt *attempt)
{
    struct backend *backend = attempt->pool->backend;
    pool_hold(attempt->pool);
    f->lane->changed = true;
    atomic_fetch_add_explicit(&backend->in_flight, 1, memory_order_relaxed);
    add(&backend->counters.requests);
    if (attempt->hedge)
        add(&backend->counters.hedges);
    else if (f->attempts_made > 0)
        add(&backend->counters.retries);
    f->attempts_made++;
}

/* False: there was no connection to be had; noted. */
static bool attempt_begin(struct forward *f, struct attempt *attempt, int place, bool hedge)
{
    struct lane *lane = f->lane;
    struct pool *pool = lane->pools[place];
    note_tried(f, pool->backend->id);
    if (pool_refuses(pool, lane_now(lane)))
        return false;
    bool careful = f->streamed || (!f->repeatable && !pool->backend->shop);
    struct upstream *line = pool_take(pool, f->x, careful);
    bool kept = line && line->state == UPSTREAM_IDLE;
    if (line && upstream_begin(line, &forward_events, attempt, f->x->method == HTTP_HEAD)) {
        upstream_cancel(line);
        line = NULL;
    }
    if (!line) {
        add(&pool->backend->counters.refused);
        add(&pool->backend->counters.failures);
        /* Without a descriptor, a port or memory it was not the server that refused. */
        if (errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)
            backend_sign(pool->backend, SIGN_REFUSED, lane_now(lane));
        return false;
    }
    *attempt = (struct attempt){.forward = f,
                                .pool = pool,
                                .line = line,
                                .began_ns = lane_now(lane),
                                .reused = kept,
                                .hedge = hedge};
    count_begin(f, attempt);
    stamp_it(f, pool->backend);
    write_head(f, attempt);
    forward_send_body(f, attempt);
    upstream_send(line);
    f->state = FORWARD_WAITING;
    return true;
}

void forward_release(struct attempt *attempt, bool failed)
{
    struct lane *lane = attempt->forward->lane;
    struct pool *pool = attempt->pool;
    struct router *router = &lane->router;
    uint64_t now_ns = lane_now(lane);
    /* What comes after the head takes as long as the client, or a tunnel, does. */
    uint64_t took_ns = attempt->took_ns ? attempt->took_ns : now_ns - attempt->began_ns;
    attempt->line = NULL;
    attempt->pool = NULL;
    lane->changed = true;
    atomic_fetch_sub_explicit(&pool->backend->in_flight, 1, memory_order_relaxed);
    if (router->policy->done && pool->place >= 0)
        router->policy->done(router->policy_memory, (unsigned)pool->place, took_ns, failed, now_ns);
    pool_drop(pool);
    lane_room(lane);
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
    hedge_forget(&f->hedge);
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
    f->has_plan = false;
    forward_place(f);
}

static void pause_it(struct forward *f)
{
    struct lane *lane = f->lane;
    uint64_t pause_ns = retry_pause_ns(&lane->router.random, f->rounds++);
    f->state = FORWARD_PAUSED;
    f->timer.fire = pause_over;
    if (loop_timer_set(lane->loop, &f->timer, lane_now(lane) + pause_ns))
        forward_fail(f, 503, "The load manager is out of memory.");
}

static void give_up(struct forward *f)
{
    char sentence[160];
    bool nobody = f->reason == RETRY_REFUSED || f->reason == RETRY_UNHEARD;
    if (nobody || f->attempts_made == 0 || f->reason == RETRY_ELSEWHERE) {
        forward_fail(f, 503, "No server can take requests at the moment.");
        return;
    }
    snprintf(sentence, sizeof sentence, "The server that was asked %s.", retry_name(f->reason));
    forward_fail(f, f->reason == RETRY_SILENT ? 504 : 502, sentence);
}

/* Whether the budget has one left for REASON. */
static bool can_pay(struct forward *f, enum retry_reason reason)
{
    struct lane *lane = f->lane;
    if (!retry_costs(reason) || budget_spend(&lane->retries, lane_now(lane)))
        return true;
    lane_count(&lane->figures.retries_denied, 1);
    events_add(lane->events, EVENT_NO_RETRIES, 0, NULL,
               "Too many requests fail: not all of them are sent again.");
    return false;
}

static struct retry_case make_case(const struct forward *f, bool sent)
{
    return (struct retry_case){
        .reason = f->reason,
        .repeatable = f->repeatable,
        .sent = sent,
        .kept = !f->streamed || f->kept,
        .shop = f->shop || f->lane->set->keyed,
        .others = has_others(f),
        .costly = f->costly,
        .now_ns = lane_now(f->lane),
        .began_ns = f->began_ns,
        .deadline_ns = f->deadline_ns,
    };
}

void forward_again(struct forward *f, enum retry_reason reason, bool sent)
{
    f->reason = reason;
    f->costly += retry_costs(reason);
    if (reason == RETRY_STALE && f->tried_count > 0)
        f->tried_count--; /* the server has done nothing wrong */
    struct retry_case is = make_case(f, sent);
    enum retry_verdict verdict = retry_decide(&is);
    if (verdict == RETRY_GIVE_UP || !can_pay(f, reason)) {
        give_up(f);
        return;
    }
    lane_count(&f->lane->figures.retries, 1);
    if (reason == RETRY_SILENT || reason == RETRY_ELSEWHERE)
        lane_count(&f->lane->figures.moved, 1);
    if (verdict == RETRY_LATER)
        pause_it(f);
    else
        forward_place(f);
}

/* No server is left in this round. */
static void none_left(struct forward *f)
{
    if (f->attempts_made == 0)
        f->reason = f->tried_count ? RETRY_REFUSED : RETRY_ELSEWHERE;
    struct retry_case is = make_case(f, false);
    is.others = false;
    is.shop |= f->lane->view.count == 0; /* which servers there are is not known yet */
    if (retry_decide(&is) == RETRY_LATER)
        pause_it(f);
    else
        give_up(f);
}

void forward_place(struct forward *f)
{
    int place;
    f->state = FORWARD_PLACING;
    if (!f->has_plan)
        make_plan(f);
    if (f->attempts_made == 0 && forward_redirect(f))
        return;
    while ((place = next_place(f)) >= 0)
        if (attempt_begin(f, &f->attempts[0], place, false)) {
            if (forward_is_safe(f) && !f->streamed && !f->x->wants_upgrade)
                hedge_watch(f->lane, &f->hedge);
            return;
        }
    none_left(f);
}

void forward_hedge(struct forward *f)
{
    struct attempt *second = &f->attempts[f->attempts[0].line != NULL];
    int place = f->state == FORWARD_WAITING && !second->line ? next_place(f) : -1;
    /* What is not needed is not sent to who has as much as he may have. */
    if (place < 0 || has_bit(tried_places(f) | lane_look(f->lane).full, place))
        return;
    lane_count(&f->lane->figures.hedges, 1);
    attempt_begin(f, second, place, true);
}

/* ---- Servers that have fallen silent ---- */

/* Nothing has come from it since it was found to be so. */
static bool is_silent(const struct backend *backend)
{
    uint64_t heard = atomic_load_explicit(&backend->heard_ns, memory_order_relaxed);
    uint64_t since = atomic_load_explicit(&backend->suspect_ns, memory_order_relaxed);
    if (backend_state(backend) == HEALTH_OUT && since == 0)
        since = atomic_load_explicit(&backend->changed_ns, memory_order_relaxed);
    return since != 0 && heard < since;
}

static bool is_at_silent(const struct forward *f)
{
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++)
        if (f->attempts[i].line && is_silent(f->attempts[i].pool->backend))
            return true;
    return false;
}

void forward_leave_silent(struct forward *f)
{
    unsigned left = 0;
    bool begun = f->state == FORWARD_WAITING || (f->state == FORWARD_ANSWERING && !f->given);
    if (!begun || !f->repeatable || (f->streamed && !f->kept) || !is_at_silent(f) || !has_others(f))
        return;
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++) {
        struct attempt *attempt = &f->attempts[i];
        if (!attempt->line || !is_silent(attempt->pool->backend))
            continue;
        add(&attempt->pool->backend->counters.timeouts);
        add(&attempt->pool->backend->counters.failures);
        upstream_cancel(attempt->line);
        forward_release(attempt, true);
        left++;
    }
    if (left > 0 && !f->attempts[0].line && !f->attempts[1].line)
        forward_again(f, RETRY_SILENT, true);
}
