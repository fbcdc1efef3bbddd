#include "balance/events.h"
#include "balance/forward.h"
#include "balance/policy_place.h"
#include "base/check.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>

bool forward_is_safe(const struct forward *f)
{
    enum http_method method = f->x->method;
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS;
}

/* ---- Where to ---- */

static uint64_t tried_places(const struct forward *f)
{
    uint64_t tried = 0;
    for (unsigned i = 0; i < f->tried_count; i++) {
        int place = place_find(&f->lane->view, f->tried[i]);
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
    return place >= 0 && places_have(passed, place) ? -1 : place;
}

/* The next server of the plan, then whom the policy names. -1: none that has not been tried has
 * room. */
static int next_place(struct forward *f)
{
    struct lane *lane = f->lane;
    uint64_t passed = tried_places(f) | lane_look(lane).full;
    for (unsigned i = 0; i < f->planned_count; i++) {
        int place = place_find(&lane->view, f->planned[i]);
        if (place >= 0 && lane->servers[place].usable && !places_have(passed, place))
            return place;
    }
    return pick(f, passed);
}

static bool has_others(const struct forward *f)
{
    uint64_t tried = tried_places(f);
    for (unsigned i = 0; i < f->lane->view.count; i++)
        if (f->lane->servers[i].usable && !places_have(tried, (int)i))
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

/* What the server is told of the shopper's set, or asked (route.h). */
static struct str home_said(const struct forward *f, char text[static HOME_TEXT])
{
    struct home_signer *signer = f->lane->router.signer;
    if (f->plan.ask)
        return STR(HOME_ASK);
    if (!signer || f->plan.home.count == 0 || f->plan.reason == ROUTE_HASH)
        return STR("");
    return str_of(home_write(signer, &f->plan.home, text));
}

static void write_head(struct forward *f, struct attempt *attempt)
{
    struct lane *lane = f->lane;
    char home[HOME_TEXT];
    struct hop_request request = {
        .x = f->x,
        .trusted = lane_trusts(lane, f->x->peer),
        .via = lane->config->via,
        .upgrade = f->x->wants_upgrade,
        .request_id = str_of(f->request_id),
    };
    if (attempt->pool->backend->shop) {
        request.operation = str_of(f->operation);
        request.home = home_said(f, home);
    }
    set_framing(f, &request);
    hop_write_request(upstream_out(attempt->line), &request);
    if (request.upgrade)
        upstream_may_switch(attempt->line);
}

/* An unsafe request to a shop gets its name before its first attempt, and keeps it. */
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
    atomic_fetch_add_explicit(&f->lane->figures.in_flight, 1, memory_order_relaxed);
    backend_count(&backend->counters.requests, 1);
    if (attempt->hedge)
        backend_count(&backend->counters.hedges, 1);
    else if (f->attempts_made > 0)
        backend_count(&backend->counters.retries, 1);
    f->attempts_made++;
    f->waits_ns = 0;
}

/* No connection could be begun, for ERROR (0: no memory). Without a descriptor, a port or memory it
 * was not the server that refused. */
static void note_refusal(struct backend *backend, int error, uint64_t now_ns)
{
    if (error != ECONNREFUSED && error != EHOSTUNREACH && error != ENETUNREACH)
        return;
    backend_count(&backend->counters.refused, 1);
    backend_count(&backend->counters.failures, 1);
    backend_sign(backend, SIGN_REFUSED, now_ns);
}

/* One for F that its answer is told of; NULL: there is none to be had. */
static struct upstream *take_line(struct forward *f, struct attempt *attempt, struct pool *pool,
                                  bool *kept)
{
    bool careful = f->streamed || !f->repeatable;
    errno = 0;
    struct upstream *line = pool_take(pool, f->x, careful);
    if (!line) {
        note_refusal(pool->backend, errno, lane_now(f->lane));
        return NULL;
    }
    *kept = line->state == UPSTREAM_IDLE;
    if (upstream_begin(line, &forward_events, attempt, f->x->method == HTTP_HEAD) == 0)
        return line;
    upstream_cancel(line);
    return NULL;
}

/* False: there was no connection to be had; noted. */
static bool attempt_begin(struct forward *f, struct attempt *attempt, int place, bool hedge)
{
    struct lane *lane = f->lane;
    struct pool *pool = lane->pools[place];
    note_tried(f, pool->backend->id);
    if (pool_refuses(pool, lane_now(lane)))
        return false;
    stamp_it(f, pool->backend); /* it says whether F may be sent twice */
    bool kept = false;
    struct upstream *line = take_line(f, attempt, pool, &kept);
    if (!line)
        return false;
    *attempt = (struct attempt){.forward = f,
                                .pool = pool,
                                .line = line,
                                .began_ns = lane_now(lane),
                                .reused = kept,
                                .hedge = hedge};
    count_begin(f, attempt);
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
    atomic_fetch_sub_explicit(&lane->figures.in_flight, 1, memory_order_relaxed);
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

static void give_up(struct forward *f)
{
    char sentence[160];
    bool nobody = f->reason == RETRY_REFUSED || f->reason == RETRY_UNHEARD;
    nobody |= f->reason == RETRY_ELSEWHERE || f->reason == RETRY_BUSY;
    if (nobody || f->attempts_made == 0) {
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
    if (f->denied) /* told already */
        return false;
    f->denied = true;
    lane_count(&lane->figures.retries_denied, 1);
    events_add(lane->events, EVENT_NO_RETRIES, 0, NULL,
               "Too many requests fail: not all of them are sent again.");
    return false;
}

static struct retry_case make_case(const struct forward *f, enum retry_reason reason, bool sent)
{
    return (struct retry_case){
        .reason = reason,
        .repeatable = f->repeatable,
        .sent = sent,
        .kept = !f->streamed || f->kept,
        .shop = f->shop || f->lane->set->keyed,
        .others = has_others(f),
        .was_busy = f->was_busy,
        .costly = f->costly,
        .now_ns = lane_now(f->lane),
        .began_ns = f->began_ns,
        .deadline_ns = f->deadline_ns,
    };
}

/* Whether F may be sent again for REASON, which is paid for then. */
static enum retry_verdict ask_again(struct forward *f, enum retry_reason reason, bool sent)
{
    struct retry_case is = make_case(f, reason, sent);
    is.costly += retry_costs(reason);
    enum retry_verdict verdict = retry_decide(&is);
    return verdict == RETRY_GIVE_UP || can_pay(f, reason) ? verdict : RETRY_GIVE_UP;
}

static void go_again(struct forward *f, enum retry_verdict verdict)
{
    f->costly += retry_costs(f->reason);
    lane_count(&f->lane->figures.retries, 1);
    if (verdict == RETRY_LATER)
        forward_pause(f);
    else if (f->reason == RETRY_STALE)
        forward_place(f); /* it has just had a place */
    else
        forward_go(f);
}

void forward_again(struct forward *f, enum retry_reason reason, bool sent)
{
    f->reason = reason;
    if (reason == RETRY_STALE && f->tried_count > 0)
        f->tried_count--; /* the server has done nothing wrong */
    /* Who was busy has been asked for already: forward_leaves_busy. */
    enum retry_verdict verdict = reason == RETRY_BUSY ? RETRY_AT_ONCE : ask_again(f, reason, sent);
    if (verdict == RETRY_GIVE_UP)
        give_up(f);
    else
        go_again(f, verdict);
}

bool forward_leaves_busy(struct forward *f, const struct attempt *attempt)
{
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++)
        if (&f->attempts[i] != attempt && f->attempts[i].line && !f->attempts[i].moving)
            return true; /* one has been */
    if (next_place(f) < 0 || ask_again(f, RETRY_BUSY, true) != RETRY_AT_ONCE)
        return false;
    f->was_busy = true;
    return true;
}

/* No server is left in this round. */
static void none_left(struct forward *f)
{
    if (f->attempts_made == 0)
        f->reason = f->tried_count ? RETRY_REFUSED : RETRY_ELSEWHERE;
    struct retry_case is = make_case(f, f->reason, false);
    is.others = false;
    is.shop |= f->lane->view.count == 0; /* which servers there are is not known yet */
    if (retry_decide(&is) == RETRY_LATER)
        forward_pause(f);
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
    if (has_others(f))
        forward_wait(f);
    else
        none_left(f);
}

void forward_hedge(struct forward *f)
{
    struct attempt *second = &f->attempts[f->attempts[0].line != NULL];
    int place = f->state == FORWARD_WAITING && !second->line ? next_place(f) : -1;
    if (place < 0)
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

static void leave(struct forward *f, struct attempt *attempt)
{
    backend_count(&attempt->pool->backend->counters.timeouts, 1);
    backend_count(&attempt->pool->backend->counters.failures, 1);
    upstream_cancel(attempt->line);
    forward_release(attempt, true);
    if (f->winner == attempt) { /* what had come of its answer belongs to no other one */
        f->winner = NULL;
        f->status = 0;
    }
}

void forward_leave_silent(struct forward *f)
{
    enum retry_verdict verdict = RETRY_GIVE_UP;
    unsigned silent = 0, lines = 0; /* as bits; looked at once, as other threads change it */
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++) {
        bool has_line = f->attempts[i].line;
        lines |= (unsigned)has_line << i;
        silent |= (unsigned)(has_line && is_silent(f->attempts[i].pool->backend)) << i;
    }
    bool begun = f->state == FORWARD_WAITING || (f->state == FORWARD_ANSWERING && !f->given);
    if (silent == 0 || !begun || !f->repeatable || (f->streamed && !f->kept) || !has_others(f))
        return;
    if (silent == lines) {
        verdict = ask_again(f, RETRY_SILENT, true);
        if (verdict == RETRY_GIVE_UP)
            return; /* it may yet answer: most do */
    }
    for (unsigned i = 0; i < COUNT_OF(f->attempts); i++)
        if (silent >> i & 1)
            leave(f, &f->attempts[i]);
    if (silent != lines)
        return; /* the other one goes on */
    hedge_forget(&f->hedge);
    f->reason = RETRY_SILENT;
    go_again(f, verdict);
}
