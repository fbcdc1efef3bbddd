#include "balance/forward.h"
#include "base/check.h"

enum {
    WHOLE_MOST = 16 << 10, /* answers up to this are handed on as a whole */
    ANSWER_FIELDS = 4,     /* that may be added to an answer */
};

static void add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- Giving it to the engine ---- */

/* The exchange's answer has its body, or will get it. */
void forward_give(struct forward *f)
{
    if (!f->given)
        return;
    if (f->in_app) {
        f->in_app = false;
        exchange_finish(f->x);
    } else {
        forward_take_more(f); /* the next piece of the body is answered by it */
    }
}

static enum source_verdict read_window(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct forward *f = x->state;
    size_t there = f->bytes_len - f->bytes_at;
    *len = there < room ? there : room;
    if (*len)
        memcpy(out, f->bytes + f->bytes_at, *len);
    f->bytes_at += *len;
    if (f->bytes_at == f->bytes_len)
        f->bytes_at = f->bytes_len = 0;
    if (f->state == FORWARD_ANSWERING && f->winner->line && f->bytes_len == 0)
        upstream_take(f->winner->line, UPSTREAM_READ);
    if (f->complete && f->bytes_len == 0)
        return SOURCE_END;
    if (*len > 0)
        return SOURCE_MORE;
    if (f->state == FORWARD_CUT || !f->lane)
        return SOURCE_FAIL;
    f->waiting = true;
    return SOURCE_WAIT;
}

static const struct body_source window_source = {.read = read_window};

static void put_answer_header(struct forward *f, struct str name, struct str value)
{
    if (value.at && f->answer.count < f->answer.room)
        f->answer.headers[f->answer.count++] = (struct http_header){name, value, 0};
}

/* What is added to the server's own answer. */
static void add_headers(struct forward *f)
{
    struct lane *lane = f->lane;
    struct exchange *x = f->x;
    char text[HOME_TEXT];
    if (f->winner && lane->config->server_header && f->winner->pool) {
        struct str name = arena_str(&x->arena, str_of(f->winner->pool->backend->name));
        put_answer_header(f, STR("Stoa-Server"), name);
    }
    if (f->plan.set_cookie && f->shop && lane->router.signer && !f->answer.is_public) {
        bool https = str_eq(x->scheme, STR("https"));
        home_write(lane->router.signer, &f->plan.home, text);
        struct str cookie = arena_printf(&x->arena, "%s=%s; Path=/; HttpOnly; SameSite=Lax%s",
                                         HOME_COOKIE, text, https ? "; Secure" : "");
        if (text[0])
            put_answer_header(f, STR("Set-Cookie"), cookie);
    }
}

/* From here on the client gets it. */
static void put_answer(struct forward *f)
{
    struct exchange *x = f->x;
    add_headers(f);
    x->answer_headers = f->answer.headers;
    x->answer_header_count = f->answer.count;
    x->answer_header_room = f->answer.room;
    if (f->complete)
        exchange_reply(x, f->status, STR(""), str_make(f->bytes, f->bytes_len));
    else
        exchange_reply_source(x, f->status, STR(""), &window_source,
                              f->length >= 0 ? (uint64_t)f->length : UINT64_MAX);
    if (x->method == HTTP_HEAD)
        x->length = f->length >= 0 ? (uint64_t)f->length : UINT64_MAX;
    f->given = true;
    forward_give(f);
}

/* ---- What the server sends ---- */

static void note_answer(struct forward *f, struct attempt *attempt, int status)
{
    struct backend *backend = attempt->pool->backend;
    uint64_t now_ns = lane_now(f->lane);
    add(&backend->counters.answers);
    latency_count(&backend->counters.latency, now_ns - attempt->began_ns);
    if (status == 500 || status == 502 || status == 504) {
        add(&backend->counters.answered_5xx);
        backend_sign(backend, SIGN_5XX, now_ns);
    } else {
        backend_sign(backend, SIGN_FINE, now_ns);
    }
}

static void on_head(void *user, const struct http_response *response)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    note_answer(f, attempt, response->status);
    f->winner = attempt;
    forward_cancel_others(f, attempt);
    f->state = FORWARD_ANSWERING;
    f->heard_ns = lane_now(f->lane);
    f->status = response->status;
    f->length = response->content_length;
    bool no_body = f->x->method == HTTP_HEAD || f->status == 204 || f->status == 304;
    if (hop_read_answer(&f->x->arena, response, ANSWER_FIELDS, &f->answer))
        f->status = 0;
    f->whole = no_body || (f->length >= 0 && f->length <= WHOLE_MOST);
    if (f->whole && !no_body) {
        f->bytes = arena_alloc(&f->x->arena, (size_t)f->length);
    } else if (!f->whole && !f->has_window) {
        f->bytes = lane_window_take(f->lane);
        f->has_window = f->bytes != NULL;
    }
    f->bytes_at = f->bytes_len = 0;
    if (!f->bytes && !no_body)
        f->status = 0; /* there is no memory for it */
}

static void on_body(void *user, struct str bytes)
{
    struct forward *f = ((struct attempt *)user)->forward;
    if (!f->bytes)
        return;
    CHECK(f->bytes_len + bytes.len <= (f->has_window ? WINDOW_BYTES : (size_t)f->length));
    memcpy(f->bytes + f->bytes_len, bytes.at, bytes.len);
    f->bytes_len += bytes.len;
}

static void on_arrived(void *user)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    f->heard_ns = lane_now(f->lane);
    if (f->whole || f->status == 0)
        return;
    upstream_take(attempt->line, f->bytes_len ? 0 : UPSTREAM_READ);
    if (!f->given) {
        put_answer(f);
    } else if (f->waiting && f->bytes_len > 0) {
        f->waiting = false;
        exchange_wake(f->x);
    }
}

static void wake(struct forward *f)
{
    if (!f->waiting)
        return;
    f->waiting = false;
    exchange_wake(f->x);
}

/* The head had come. */
static void end_answer(struct forward *f, struct attempt *attempt, enum upstream_end end)
{
    if (end == UPSTREAM_COMPLETE && f->status != 0) {
        f->state = FORWARD_ANSWERED;
        f->complete = true;
        if (f->given)
            wake(f);
        else
            put_answer(f);
        forward_release(attempt, false);
        return;
    }
    forward_release(attempt, true);
    if (f->given) {
        f->state = FORWARD_CUT;
        wake(f);
    } else if (f->status == 0) {
        forward_fail(f, 503, "The load manager is out of memory.");
    } else {
        f->winner = NULL;
        forward_again(f, RETRY_RESET, true);
    }
}

static const struct {
    enum retry_reason reason;
    enum health_sign sign;
} causes[] = {
    [UPSTREAM_REFUSED] = {RETRY_REFUSED, SIGN_REFUSED},
    [UPSTREAM_UNHEARD] = {RETRY_UNHEARD, SIGN_REFUSED},
    [UPSTREAM_RESET] = {RETRY_RESET, SIGN_RESET},
    [UPSTREAM_RUBBISH] = {RETRY_RUBBISH, SIGN_RUBBISH},
};

static void on_ended(void *user, enum upstream_end end, const char *why)
{
    struct attempt *attempt = user;
    struct forward *f = attempt->forward;
    struct backend *backend = attempt->pool->backend;
    (void)why;
    if (f->winner == attempt) {
        end_answer(f, attempt, end);
        return;
    }
    enum retry_reason reason = causes[end].reason;
    if (end == UPSTREAM_RESET && attempt->reused)
        reason = RETRY_STALE;
    else
        backend_sign(backend, causes[end].sign, lane_now(f->lane));
    if (reason == RETRY_REFUSED || reason == RETRY_UNHEARD)
        add(&backend->counters.refused);
    else if (reason != RETRY_STALE)
        add(&backend->counters.resets);
    bool sent = reason != RETRY_REFUSED && reason != RETRY_UNHEARD;
    forward_release(attempt, reason != RETRY_STALE);
    if (!f->attempts[0].line && !f->attempts[1].line)
        forward_again(f, reason, sent);
}

static void on_drained(void *user)
{
    forward_take_more(((struct attempt *)user)->forward);
}

const struct upstream_events forward_events = {
    .head = on_head,
    .body = on_body,
    .arrived = on_arrived,
    .drained = on_drained,
    .ended = on_ended,
};
