/* What a worker answers, on its way to the client. */
#include "http/fields.h"
#include "tier/front_inner.h"

#include <string.h>

/* At once from the pipe, while the client takes a long answer piece by piece. */
enum { WINDOW = 32 << 10 };

/* ---- The end of it ---- */

void front_call_end(struct front_call *call)
{
    if (call->slot != QUEUE_NONE) {
        call->lane->of[call->slot] = NULL;
        queue_release(call->lane->queue, call->slot);
    }
    call->slot = QUEUE_NONE;
    if (call->client)
        http_client_free(call->client);
    call->client = NULL;
    list_remove(&call->push);
    list_remove(&call->node);
}

static void finish(struct front_call *call)
{
    front_call_end(call);
    call->in_app = false;
    exchange_finish(call->x);
}

void front_refuse(struct front_call *call, int status, const char *text)
{
    struct exchange *x = call->x;
    x->answer_header_count = 0;
    x->as_is = false;
    if (status == 503)
        exchange_add_header(x, STR("Retry-After"), STR("1"));
    exchange_reply(x, status, STR("text/plain; charset=utf-8"), str_of(text));
    if (call->in_app)
        finish(call);
}

/* ---- What the client of the worker says ---- */

static bool copy_headers(struct front_call *call, const struct http_response *response)
{
    struct exchange *x = call->x;
    struct http_header *headers =
        ARENA_ARRAY(&x->arena, struct http_header, response->header_count);
    unsigned count = 0;
    for (unsigned i = 0; headers && i < response->header_count; i++) {
        const struct http_header *from = &response->headers[i];
        if (fields_is_hop(from->field))
            continue;
        struct http_header *to = &headers[count++];
        to->name = arena_str(&x->arena, from->name);
        to->value = arena_str(&x->arena, from->value);
        to->field = from->field;
        if (!to->name.at || !to->value.at)
            return false;
        if (str_eq_nocase(to->name, STR("etag")) && str_starts(to->value, STR("\"")))
            call->etag = to->value;
    }
    x->answer_headers = headers;
    x->answer_header_count = x->answer_header_room = count;
    return headers != NULL;
}

/* The rest of what has been begun, or something else: then it is of no use. */
static void take_resumed_head(struct front_call *call, const struct http_response *response)
{
    bool fits = response->status == 206 && response->content_length >= 0 && call->length >= 0 &&
                (uint64_t)response->content_length + call->body_all == (uint64_t)call->length;
    if (!fits)
        front_count(&call->lane->front->cut);
    call->broken |= !fits;
}

static void take_head(void *user, const struct http_response *response)
{
    struct front_call *call = user;
    if (call->streaming) {
        take_resumed_head(call, response);
        return;
    }
    call->status = response->status;
    call->length = response->content_length;
    call->broken |= !copy_headers(call, response);
}

static void take_body(void *user, const struct http_response *response, struct str bytes)
{
    struct front_call *call = user;
    (void)response;
    buf_str(&call->body, bytes);
    call->body_all += bytes.len;
    call->broken |= call->body.failed;
}

static void take_end(void *user, const struct http_response *response)
{
    struct front_call *call = user;
    call->complete = !response->broken;
    call->broken |= response->broken;
}

bool front_answer_expect(struct front_call *call)
{
    static const struct http_client_events events = {take_head, take_body, take_end};
    if (call->client)
        http_client_free(call->client);
    call->client = http_client_new(HTTP_1, &events, call);
    call->complete = call->broken = false;
    if (!call->streaming) {
        buf_clear(&call->body);
        call->body_at = 0;
        call->body_all = 0;
        call->etag = STR_NONE;
    }
    return call->client &&
           http_client_expect(call->client, call->x->method == HTTP_HEAD, call) == 0;
}

/* ---- To the client ---- */

static void receive(struct front_call *call, size_t most);

static bool is_drained(const struct front_call *call)
{
    return call->body_at == call->body.len;
}

static enum source_verdict read_window(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct front_call *call = x->state;
    if (is_drained(call) && !call->complete && call->client) {
        buf_clear(&call->body);
        call->body_at = 0;
        receive(call, WINDOW);
    }
    *len = call->body.len - call->body_at;
    if (*len > room)
        *len = room;
    if (*len > 0)
        memcpy(out, call->body.at + call->body_at, *len);
    call->body_at += *len;
    if (call->complete && is_drained(call))
        return SOURCE_END;
    if (*len > 0)
        return SOURCE_MORE;
    if (call->broken)
        return SOURCE_FAIL;
    call->waits = true;
    return SOURCE_WAIT;
}

static const struct body_source window = {.read = read_window};

static void give(struct front_call *call)
{
    struct exchange *x = call->x;
    x->as_is = true;
    if (call->complete) {
        exchange_reply(x, call->status, STR(""), buf_text(&call->body));
        if (x->method == HTTP_HEAD)
            x->length = call->length < 0 ? UINT64_MAX : (uint64_t)call->length;
        finish(call);
        return;
    }
    call->streaming = true;
    exchange_reply_source(x, call->status, STR(""), &window,
                          call->length < 0 ? UINT64_MAX : (uint64_t)call->length);
    call->in_app = false;
    exchange_finish(x);
}

/* ---- From the worker ---- */

/* From the pipe, until there are MOST bytes of the body; the worker learns that there is room, and
 * may fill it meanwhile: hence a bound. */
static void receive(struct front_call *call, size_t most)
{
    struct queue *queue = call->lane->queue;
    struct pipe down = queue_down(queue, call->slot);
    struct iovec pieces[2];
    bool taken = false;
    while (!call->complete && !call->broken && call->body.len < most &&
           pipe_peek(&down, pieces) > 0) {
        size_t room = most - call->body.len;
        size_t len = pieces[0].iov_len < room ? pieces[0].iov_len : room;
        call->broken |= http_client_receive(call->client, pieces[0].iov_base, len) != 0;
        pipe_take(&down, len);
        taken = true;
    }
    if (!call->complete && !call->broken && pipe_is_over(&down))
        http_client_receive(call->client, NULL, 0);
    if (taken && !call->complete && !pipe_has_ended(&down))
        queue_tell_worker(queue, call->slot);
    if (call->complete) {
        /* Not needed any more, while the client takes its time. */
        call->lane->of[call->slot] = NULL;
        queue_release(queue, call->slot);
        call->slot = QUEUE_NONE;
    }
}

/* 503 says that nothing was done, so that clients and load managers send it again. */
static void answer_unknown(struct front_call *call)
{
    front_refuse(
        call, 502,
        "The answer broke off, and it is not known whether this was done. Please look before "
        "you try again.\n");
}

/* Everything that belongs to the answer has come, and this is not it: a worker's mistake; or it is
 * not to be had a second time. */
static void fail_call(struct front_call *call)
{
    front_count(&call->lane->front->cut);
    call->broken = true;
    if (call->in_app && call->safe)
        front_refuse(call, 503, "The answer broke off. Please try again in a second.\n");
    else if (call->in_app)
        answer_unknown(call);
}

/* No worker came in time. */
static void drop_call(struct front_call *call)
{
    front_count(&call->lane->front->overdue);
    if (!call->in_app || (call->tried && !call->safe))
        fail_call(call);
    else
        front_refuse(call, 503, QUEUE_TOO_MANY);
}

/* The client waits for more of a long answer: it asks again, and finds it. */
static void wake(struct front_call *call)
{
    if (!call->waits)
        return;
    call->waits = false;
    exchange_wake(call->x);
}

static bool can_resume(const struct front_call *call)
{
    const struct exchange *x = call->x;
    return x->method == HTTP_GET && call->etag.at && call->status == 200 && call->length >= 0 &&
           !x->known[HTTP_FIELD_RANGE].at;
}

/* The worker died with it. What was read of its answer and not given to the client is forgotten. */
static void ask_again(struct front_call *call)
{
    struct front *front = call->lane->front;
    call->tried = true;
    if (!call->repeats || (call->streaming && !can_resume(call))) {
        fail_call(call);
        return;
    }
    if (!queue_refill(call->lane->queue, call->slot)) {
        front_count(&front->given_up);
        fail_call(call);
        return;
    }
    call->resuming = call->streaming;
    front_set_deadline(call); /* it was begun in time */
    front_count(call->streaming ? &front->resumed : &front->retried);
    if (front_answer_expect(call) && front_ask(call))
        front_push(call);
    else
        fail_call(call);
}

/* A long answer is read when the client has taken what there was. */
static void look_at_answer(struct front_call *call)
{
    if (call->streaming)
        return;
    receive(call, FRONT_WHOLE);
    if (call->broken)
        fail_call(call);
    else if (call->complete || call->body.len >= FRONT_WHOLE)
        give(call);
}

static bool is_lost(const struct front_call *call)
{
    return call->slot != QUEUE_NONE && !call->complete && !call->broken &&
           queue_is_lost(call->lane->queue, call->slot);
}

void front_answer_look(struct front_call *call)
{
    struct front_lane *lane = call->lane;
    enum queue_state state = queue_state(lane->queue, call->slot);
    if (state == QUEUE_DROPPED) {
        drop_call(call);
        wake(call);
        return;
    }
    if (!call->asked && state == QUEUE_TAKEN) {
        front_ask_on(call);
        queue_tell_worker(lane->queue, call->slot);
    }
    look_at_answer(call);
    if (is_lost(call))
        ask_again(call);
    wake(call);
}
