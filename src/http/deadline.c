/* What a connection waits for, and for how long: all deadlines are computed from a few
 * times that are noted anyway, so that nothing is kept in order.
 */
#include "base/clock.h"
#include "http/core.h"

static uint64_t after_ms(uint64_t since_ns, uint32_t ms)
{
    return since_ns + ms * MS_NS;
}

/* When BYTES in all would be too few for RATE, having begun at SINCE. */
static uint64_t too_slow_at(uint64_t since_ns, uint64_t bytes, uint32_t rate)
{
    uint64_t seconds = bytes / rate;
    return since_ns + (seconds > RATE_GRACE_S ? seconds : RATE_GRACE_S) * SEC_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void deadline_sending(struct http_conn *conn, bool waits)
{
    if (waits && !conn->sending) {
        conn->sending_since_ns = conn->sent_ns = conn->now_ns;
        conn->sent_bytes = 0;
    }
    conn->sending = waits;
}

static uint64_t stream_deadline(const struct http_conn *conn, const struct stream *stream)
{
    const struct http_limits *limits = &conn->limits;
    switch (stream->state) {
    case STREAM_HEAD:
        return after_ms(stream->since_ns, limits->head_ms);
    case STREAM_BODY:
        if (stream->paused)
            return UINT64_MAX;
        return earlier(after_ms(stream->heard_ns, limits->body_idle_ms),
                       too_slow_at(stream->since_ns, stream->body_seen, limits->body_bytes_per_s));
    case STREAM_HANDLED:
        return after_ms(stream->since_ns, limits->answer_ms);
    case STREAM_SENDING:
        if (stream->tunnel)
            return after_ms(stream->heard_ns, limits->tunnel_idle_ms);
        /* HTTP/1.1: see send_deadline. HTTP/2: its own window may be shut */
        if (conn->protocol != HTTP_2 || stream->waiting || stream->fetching)
            return UINT64_MAX;
        return earlier(after_ms(stream->heard_ns, limits->send_idle_ms),
                       too_slow_at(stream->since_ns, stream->reply.sent, limits->send_bytes_per_s));
    case STREAM_ANSWERED:
        break;
    }
    return UINT64_MAX;
}

static uint64_t send_deadline(const struct http_conn *conn)
{
    if (!conn->sending)
        return UINT64_MAX;
    return earlier(
        after_ms(conn->sent_ns, conn->limits.send_idle_ms),
        too_slow_at(conn->sending_since_ns, conn->sent_bytes, conn->limits.send_bytes_per_s));
}

/* No request is known to be there. */
static uint64_t idle_deadline(const struct http_conn *conn)
{
    const struct http_limits *limits = &conn->limits;
    if (conn->protocol == HTTP_DETECT)
        return after_ms(conn->idle_ns, conn->detect_len ? limits->head_ms : limits->idle_ms);
    if (conn->protocol == HTTP_1) {
        if (conn->h1.method_len > 0)
            return after_ms(conn->h1.began_ns, limits->head_ms);
        if (conn->h1.in_message) /* a body that is read and dropped */
            return after_ms(conn->idle_ns, limits->body_idle_ms);
    }
    return after_ms(conn->idle_ns, limits->idle_ms);
}

uint64_t http_conn_deadline(const struct http_conn *conn)
{
    if (conn->dead)
        return 0;
    uint64_t deadline = send_deadline(conn);
    if (conn->stream_count == 0 && !conn->sending)
        deadline = earlier(deadline, idle_deadline(conn));
    LIST_EACH(&conn->streams, node)
    {
        deadline = earlier(deadline, stream_deadline(conn, stream_at(node)));
    }
    return deadline;
}

static void expire_stream(struct http_conn *conn, struct stream *stream)
{
    if (stream->tunnel)
        conn->dead = true;
    else if (stream->state == STREAM_SENDING)
        h2_reset(stream);
    else if (stream->state == STREAM_HANDLED)
        stream_replace(stream, 503, "the answer took too long; try again shortly");
    else if (conn->protocol == HTTP_2)
        h2_refuse_slow(stream);
    else
        h1_refuse(conn, 408, "the request came too slowly");
}

static void expire_idle(struct http_conn *conn)
{
    bool begun = conn->protocol == HTTP_1 && conn->h1.method_len > 0;
    if (begun) {
        h1_refuse(conn, 408, "the request came too slowly");
        return;
    }
    if (conn->protocol == HTTP_2)
        h2_drain(conn);
    conn->input_closed = conn->last_answered = true;
}

bool http_conn_expire(struct http_conn *conn, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    if (conn->dead)
        return true;
    if (send_deadline(conn) <= now_ns) {
        conn->dead = true;
        return true;
    }
    if (conn->stream_count == 0 && !conn->sending && idle_deadline(conn) <= now_ns) {
        expire_idle(conn);
        return false;
    }
    LIST_EACH(&conn->streams, node)
    {
        struct stream *stream = stream_at(node);
        if (stream_deadline(conn, stream) <= now_ns) {
            expire_stream(conn, stream);
            break; /* the list has changed; what else is late is found at the next call */
        }
    }
    return conn->dead;
}
