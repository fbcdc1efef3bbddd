/* The request on its way to a worker, as HTTP/1.1 in the slot's pipe. */
#include "http/fields.h"
#include "tier/front_inner.h"

static bool is_operation(const struct front_call *call, const struct http_header *header)
{
    return str_eq_nocase(header->name, str_of(call->lane->front->config.operation_header));
}

/* What belongs to the client's connection stays here (RFC 9110 §7.6.1); the cookie and the framing
 * are made anew. */
static bool goes_on(const struct front_call *call, const struct http_header *header)
{
    const struct exchange *x = call->x;
    if (header->field == HTTP_FIELD_HOST || header->field == HTTP_FIELD_COOKIE ||
        fields_is_hop(header->field))
        return false;
    return header->field != HTTP_FIELD_UNKNOWN ||
           (!fields_has_token(x->known[HTTP_FIELD_CONNECTION], header->name) &&
            !(call->operation[0] && is_operation(call, header)));
}

static void put_line(struct buf *out, const struct exchange *x)
{
    buf_str(out, x->method_name);
    buf_byte(out, ' ');
    buf_str(out, x->path);
    if (x->query.len > 0) {
        buf_byte(out, '?');
        buf_str(out, x->query);
    }
    /* Of an older client that names no host, the worker sees just that. */
    buf_puts(out, x->host.len > 0 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    buf_puts(out, "Connection: close\r\n");
    if (x->host.len > 0)
        fields_put(out, STR("Host"), x->host);
}

static void put_range(struct buf *out, const struct front_call *call)
{
    buf_puts(out, "Range: bytes=");
    buf_u64(out, call->body_all);
    buf_puts(out, "-\r\n");
    fields_put(out, STR("If-Range"), call->etag);
}

static void put_head(struct buf *out, const struct front_call *call)
{
    const struct exchange *x = call->x;
    put_line(out, x);
    for (unsigned i = 0; i < x->header_count; i++)
        if (goes_on(call, &x->headers[i]) &&
            !(call->resuming && x->headers[i].field == HTTP_FIELD_RANGE))
            fields_put(out, x->headers[i].name, x->headers[i].value);
    if (x->known[HTTP_FIELD_COOKIE].at)
        fields_put(out, STR("Cookie"), x->known[HTTP_FIELD_COOKIE]);
    if (call->operation[0])
        fields_put(out, str_of(call->lane->front->config.operation_header),
                   str_of(call->operation));
    if (call->resuming)
        put_range(out, call);
    if (x->has_body || x->body.len > 0) {
        buf_puts(out, "Content-Length: ");
        buf_u64(out, x->body.len);
        buf_puts(out, "\r\n");
    }
    buf_puts(out, "\r\n");
}

void front_ask_on(struct front_call *call)
{
    struct pipe up = queue_up(call->lane->queue, call->slot);
    const struct str body = call->x->body;
    call->body_sent += pipe_put(&up, body.at + call->body_sent, body.len - call->body_sent);
    call->asked = call->body_sent == body.len;
    if (call->asked)
        pipe_end(&up);
}

bool front_ask(struct front_call *call)
{
    struct front_lane *lane = call->lane;
    struct pipe up = queue_up(lane->queue, call->slot);
    buf_clear(&lane->head);
    put_head(&lane->head, call);
    if (lane->head.failed || lane->head.len > pipe_room(&up))
        return false;
    pipe_put(&up, lane->head.at, lane->head.len);
    call->body_sent = 0;
    front_ask_on(call);
    return true;
}
