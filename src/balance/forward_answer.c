#include "balance/events.h"
#include "balance/forward.h"
#include "balance/tunnel.h"

enum {
    WHOLE_MOST = 16 << 10, /* answers up to this are handed on as a whole */
    ANSWER_FIELDS = 4,     /* that may be added to an answer */
    SWAP_LEAST = 4 << 10,  /* less than that is copied */
    BULK_LEAST = 12 << 10, /* with so much the client is served before other events */
};

/* ---- Giving it to the engine ---- */

void forward_give(struct forward *f)
{
    if (f->in_app) {
        f->in_app = false;
        exchange_finish(f->x);
    } else {
        exchange_nudge(f->x); /* before the request's body has come to its end */
    }
}

static enum source_verdict lend_window(struct exchange *x, struct iovec *pieces, int max,
                                       int *count)
{
    struct forward *f = x->state;
    *count = 0;
    if (!f->lane)
        return SOURCE_FAIL;
    if (f->bytes_len > f->bytes_at && max > 0)
        pieces[(*count)++] = (struct iovec){f->bytes + f->bytes_at, f->bytes_len - f->bytes_at};
    if (f->complete)
        return SOURCE_END;
    if (*count > 0)
        return SOURCE_MORE;
    return f->state == FORWARD_CUT ? SOURCE_FAIL : SOURCE_WAIT;
}

void forward_drop_window(struct forward *f)
{
    if (f->window_bytes == 0)
        return;
    window_give(&f->lane->windows, f->bytes, f->window_bytes);
    f->bytes = NULL;
    f->bytes_at = f->bytes_len = f->window_bytes = 0;
}

/* The server is read from again when all that it had sent has gone. */
static void window_taken(struct exchange *x, size_t len)
{
    struct forward *f = x->state;
    f->bytes_at += len;
    if (f->bytes_at < f->bytes_len)
        return;
    forward_drop_window(f); /* who waits for more, in a tunnel perhaps for hours, needs none */
    if (f->state == FORWARD_ANSWERING && f->winner->line)
        upstream_take(f->winner->line, windows_read(&f->lane->windows));
}

static const struct body_source window = {.lend = lend_window, .taken = window_taken};

static void put_header(struct forward *f, struct str name, struct str value)
{
    if (value.at && f->answer.count < f->answer.room)
        f->answer.headers[f->answer.count++] = (struct http_header){name, value, 0};
}

/* The server was asked where the shopper belongs: what its answer says goes before the hash's
 * choice. False: it does not say, and another request has to ask. */
static bool take_word(struct forward *f)
{
    return home_read(f->lane->router.signer, f->answer.home, &f->plan.home) == 0 ||
           str_eq(f->answer.home, STR(HOME_NONE));
}

static void put_cookie(struct forward *f)
{
    struct lane *lane = f->lane;
    char text[HOME_TEXT];
    if (!f->plan.set_cookie || !f->shop || !lane->router.signer || f->answer.is_public ||
        f->status == 304 || (f->plan.ask && !take_word(f)))
        return;
    home_write(lane->router.signer, &f->plan.home, text);
    if (text[0])
        put_header(f, STR("Set-Cookie"), forward_home_cookie(f, text));
    forward_note_home(f);
}

/* What is added to the server's own answer. */
static void add_headers(struct forward *f)
{
    const struct backend *backend = f->winner->pool->backend;
    if (f->lane->config->server_header && !f->answer.is_named)
        put_header(f, STR("Stoa-Server"),
                   backend->shop /* as such a server names itself */
                       ? arena_printf(&f->x->arena, "%llu", (unsigned long long)backend->id)
                       : arena_str(&f->x->arena, str_of(backend->name)));
    if (f->status == 101)
        put_header(f, STR("Upgrade"), f->answer.upgrade);
    put_cookie(f);
}

/* From here on the client gets it. */
static void put_answer(struct forward *f)
{
    struct exchange *x = f->x;
    bool no_length = f->length < 0;
    latency_count(&f->lane->figures.latency, lane_now(f->lane) - x->started_ns);
    add_headers(f);
    x->as_is = true;
    x->answer_headers = f->answer.headers;
    x->answer_header_count = f->answer.count;
    x->answer_header_room = f->answer.room;
    if (f->status == 101)
        tunnel_begin(f, &window);
    else if (f->complete)
        exchange_reply(x, f->status, STR(""),
                       str_from(str_make(f->bytes, f->bytes_len), f->bytes_at));
    else
        exchange_reply_source(x, f->status, STR(""), &window,
                              no_length ? UINT64_MAX : (uint64_t)f->length);
    if (x->method == HTTP_HEAD)
        x->length = no_length ? UINT64_MAX : (uint64_t)f->length;
    f->given = true;
    forward_give(f);
}

/* ---- What the server sends ---- */

/* 503 is the answer of one who is busy. */
static bool is_failure(int status)
{
    return status == 500 || status == 502 || status == 504;
}

static void note_answer(struct forward *f, struct attempt *attempt, int status)
{
    struct backend *backend = attempt->pool->backend;
    uint64_t now_ns = lane_now(f->lane), took_ns = now_ns - attempt->began_ns;
    attempt->took_ns = took_ns;
    backend_count(&backend->counters.answers, 1);
    latency_count(&backend->counters.latency, took_ns);
    hedge_learn(&f->lane->hedges, f->hedge.class, took_ns);
    if (attempt->hedge) {
        lane_count(&f->lane->figures.hedge_wins, 1);
        backend_count(&backend->counters.hedge_wins, 1);
    }
    if (f->plan.home.count > 0 && backend->id != f->plan.home.servers[0])
        lane_count(&f->lane->figures.away, 1);
    bool failed = is_failure(status);
    if (failed)
        backend_count(&backend->counters.answered_5xx, 1);
    backend_sign(backend, failed ? SIGN_5XX : SIGN_FINE, now_ns);
}

/* Where the body goes: 0, or the status is 0 (no memory). */
static void make_room(struct forward *f)
{
    bool no_body = f->x->method == HTTP_HEAD || f->status == 204 || f->status == 304;
    f->whole = f->status != 101 && (no_body || (f->length >= 0 && f->length <= WHOLE_MOST));
    f->bytes_at = f->bytes_len = 0;
    if (no_body)
        return;
    if (f->whole && f->window_bytes == 0) {
        f->bytes = arena_alloc(&f->x->arena, (size_t)f->length);
        if (!f->bytes)
            f->status = 0;
    }
}

static bool has_room(struct forward *f)
{
    if (!f->whole && f->window_bytes == 0) {
        f->bytes = window_take(&f->lane->windows, f->winner->line->room, &f->window_bytes);
        if (!f->bytes)
            f->window_bytes = 0;
    }
    return f->bytes != NULL;
}

/* Whether the answer is that another server should be asked, and one is. */
static bool moves(struct forward *f, struct attempt *attempt, const struct http_response *response)
{
    enum hop_try word = response->status == 503 ? hop_says_try(response) : HOP_TRY_NONE;
    attempt->busy = word == HOP_TRY_ONCE;
    if (attempt->busy)
        return forward_leaves_busy(f, attempt);
    return word == HOP_TRY_ELSEWHERE && attempt->pool->backend->shop && f->repeatable;
}

static void on_head(void *user, const struct http_response *response)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    attempt->moving = moves(f, attempt, response);
    if (attempt->moving)
        return;
    note_answer(f, attempt, response->status);
    f->winner = attempt;
    forward_cancel_others(f, attempt);
    f->state = FORWARD_ANSWERING;
    f->heard_ns = lane_now(f->lane);
    f->status = response->status;
    f->length = response->content_length;
    make_room(f);
    if (hop_read_answer(&f->x->arena, response, ANSWER_FIELDS, &f->answer))
        f->status = 0;
}

/* What has come is not copied: the buffer that it was read into becomes the window, and the window
 * is what the lane reads into next. False: it is not worth it, or not all there is. */
static bool swap_in(struct forward *f, struct str bytes)
{
    char *input = f->lane->input;
    if (f->window_bytes != WINDOW_BYTES || f->bytes_len > 0 || bytes.len < SWAP_LEAST ||
        bytes.at < input || bytes.at >= input + UPSTREAM_READ)
        return false;
    f->lane->input = f->bytes;
    f->bytes = input;
    f->bytes_at = (size_t)(bytes.at - input);
    f->bytes_len = f->bytes_at + bytes.len;
    return true;
}

static void on_body(void *user, struct str bytes)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    if (attempt->moving || f->status == 0)
        return;
    if (!has_room(f)) {
        f->status = 0;
        return;
    }
    if (swap_in(f, bytes))
        return;
    size_t room = f->window_bytes ? f->window_bytes : (size_t)f->length;
    if (f->bytes_len + bytes.len > room) { /* more than was asked for at once */
        f->status = 0;
        return;
    }
    /* After a swap the next piece (of a chunked body) lies behind the last one. */
    memmove(f->bytes + f->bytes_len, bytes.at, bytes.len);
    f->bytes_len += bytes.len;
}

/* With the answer's begin the engine drops what is still to come of the request, which the server
 * may want to have: so it is held back for a while, when there is little of it. */
static bool must_wait(const struct forward *f)
{
    return f->streamed && !f->body_complete &&
           (f->bytes_len == 0 || f->bytes_len < f->window_bytes / 2);
}

static void run_out_of_memory(struct forward *f)
{
    forward_cancel_others(f, NULL);
    f->winner = NULL;
    if (f->given)
        forward_cut(f);
    else
        forward_fail(f, 503, "The load manager is out of memory.");
}

static void on_arrived(void *user)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    f->heard_ns = lane_now(f->lane);
    if (attempt->moving)
        return;
    if (f->status == 0) {
        run_out_of_memory(f);
        return;
    }
    if (f->whole)
        return;
    if (!f->given && must_wait(f)) {
        if (f->window_bytes)
            upstream_take(attempt->line, f->window_bytes - UPSTREAM_RECORD - f->bytes_len);
        return;
    }
    if (f->bytes_len > 0)
        upstream_take(attempt->line, 0);
    f->lane->bulk |= f->bytes_len >= BULK_LEAST;
    if (!f->given)
        put_answer(f);
    else if (f->bytes_len > 0)
        exchange_nudge(f->x);
}

void forward_answer_may_go(struct forward *f)
{
    if (f->state != FORWARD_ANSWERING || f->given || f->whole || f->status == 0)
        return;
    if (f->bytes_len > 0)
        upstream_take(f->winner->line, 0);
    put_answer(f);
}

void forward_cut(struct forward *f)
{
    forward_cancel_others(f, NULL);
    f->state = FORWARD_CUT;
    lane_count(&f->lane->figures.failed, 1);
    exchange_nudge(f->x);
}

/* The head had come. */
static void end_answer(struct forward *f, struct attempt *attempt, enum upstream_end end)
{
    if (end == UPSTREAM_COMPLETE && f->status != 0) {
        f->state = FORWARD_ANSWERED;
        f->complete = true;
        f->lane->bulk |= f->bytes_len >= BULK_LEAST;
        if (f->given)
            exchange_nudge(f->x);
        else
            put_answer(f);
        lane_count(&f->lane->figures.answers, 1);
        forward_release(attempt, is_failure(f->status));
        return;
    }
    if (f->status == 0) { /* it is not the server's fault */
        forward_release(attempt, false);
        run_out_of_memory(f);
        return;
    }
    backend_count(&attempt->pool->backend->counters.resets, 1);
    backend_count(&attempt->pool->backend->counters.failures, 1);
    backend_sign(attempt->pool->backend, end == UPSTREAM_RUBBISH ? SIGN_RUBBISH : SIGN_RESET,
                 lane_now(f->lane));
    forward_release(attempt, true);
    f->winner = NULL;
    if (f->given)
        forward_cut(f);
    else
        forward_again(f, end == UPSTREAM_RUBBISH ? RETRY_RUBBISH : RETRY_RESET, true);
}

static const struct {
    enum retry_reason reason;
    enum health_sign sign;
} causes[] = {
    [UPSTREAM_COMPLETE] = {RETRY_RUBBISH, SIGN_RUBBISH}, /* without a head: cannot be */
    [UPSTREAM_REFUSED] = {RETRY_REFUSED, SIGN_REFUSED},
    [UPSTREAM_UNHEARD] = {RETRY_UNHEARD, SIGN_TIMEOUT},
    [UPSTREAM_RESET] = {RETRY_RESET, SIGN_RESET},
    [UPSTREAM_RUBBISH] = {RETRY_RUBBISH, SIGN_RUBBISH},
};

/* What ATTEMPT came to, and what its server is to be thought of for it. */
static enum retry_reason judge(struct forward *f, struct attempt *attempt, enum upstream_end end,
                               const char *why)
{
    struct backend *backend = attempt->pool->backend;
    enum retry_reason reason = causes[end].reason;
    if (attempt->moving)
        return attempt->busy ? RETRY_BUSY : RETRY_ELSEWHERE;
    if (end == UPSTREAM_RESET && attempt->reused && f->stale < RETRY_STALE_MOST) {
        f->stale++;
        pool_mistrust(attempt->pool, attempt->began_ns);
        return RETRY_STALE;
    }
    backend_count(&backend->counters.failures, 1);
    backend_sign(backend, causes[end].sign, lane_now(f->lane));
    if (reason == RETRY_REFUSED || reason == RETRY_UNHEARD)
        backend_count(&backend->counters.refused, 1);
    else
        backend_count(&backend->counters.resets, 1);
    if (reason == RETRY_RUBBISH)
        events_add(f->lane->events, EVENT_RUBBISH, backend->id, backend->name,
                   "Its answer to %.*s %.*s was refused: %s.", STR_FMT(f->x->method_name),
                   STR_FMT(str_sub(f->x->path, 0, 80)), why ? why : "it is no HTTP");
    return reason;
}

static void on_ended(void *user, enum upstream_end end, const char *why)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    if (f->winner == attempt && !attempt->moving) {
        end_answer(f, attempt, end);
        return;
    }
    enum retry_reason reason = judge(f, attempt, end, why);
    bool sent = reason != RETRY_REFUSED && reason != RETRY_UNHEARD;
    forward_release(attempt, reason != RETRY_STALE);
    if (f->attempts[0].line || f->attempts[1].line)
        return; /* the other one goes on */
    hedge_forget(&f->hedge);
    forward_again(f, reason, sent);
}

static void on_drained(void *user)
{
    exchange_nudge(((struct attempt *)user)->forward->x);
}

const struct upstream_events forward_events = {
    .head = on_head,
    .body = on_body,
    .arrived = on_arrived,
    .drained = on_drained,
    .ended = on_ended,
};
