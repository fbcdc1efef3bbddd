#include "http/conn.h"

#include "base/check.h"
#include "http/core.h"

#include <stdlib.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; /* RFC 9113 §3.4 */
enum { PREFACE_BYTES = sizeof preface - 1 };

static const struct http_limits defaults = {
    .head_bytes = 16 << 10,
    .target_bytes = 8 << 10,
    .header_count = 100,
    .body_bytes = 1 << 20,
    .pipeline = 16,
    .streams = 100,
    .requests = 0,
    .head_ms = 10000,
    .idle_ms = 60000,
    .body_idle_ms = 10000,
    .body_bytes_per_s = 500,
    .send_idle_ms = 20000,
    .send_bytes_per_s = 500,
    .answer_ms = 60000,
    .tunnel_idle_ms = 3600000,
    .output_bytes = 256 << 10,
};

static void fill_limits(struct http_limits *limits, const struct http_limits *wanted)
{
    *limits = wanted ? *wanted : defaults;
#define DEFAULT(field)  \
    if (!limits->field) \
        limits->field = defaults.field;
    DEFAULT(head_bytes)
    DEFAULT(target_bytes)
    DEFAULT(header_count)
    DEFAULT(body_bytes)
    DEFAULT(pipeline)
    DEFAULT(streams)
    DEFAULT(head_ms)
    DEFAULT(idle_ms)
    DEFAULT(body_idle_ms)
    DEFAULT(body_bytes_per_s)
    DEFAULT(send_idle_ms)
    DEFAULT(send_bytes_per_s)
    DEFAULT(answer_ms)
    DEFAULT(tunnel_idle_ms)
    DEFAULT(output_bytes)
#undef DEFAULT
}

struct http_conn *http_conn_new(struct http_host *host, enum http_protocol protocol, bool tls,
                                struct str peer, uint64_t now_ns, void *owner)
{
    struct http_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->host = host;
    conn->owner = owner;
    conn->tls = tls;
    conn->now_ns = conn->idle_ns = now_ns;
    str_copy(conn->peer, sizeof conn->peer, peer);
    conn->peer_len = (unsigned)strlen(conn->peer);
    fill_limits(&conn->limits, host->limits);
    list_init(&conn->streams);
    list_init(&conn->orphans);
    buf_init(&conn->out, SIZE_MAX / 2); /* bounded by output_bytes and one answer's head */
    if (protocol == HTTP_1) {
        h1_open(conn);
    } else if (protocol == HTTP_2 && h2_open(conn)) {
        free(conn);
        return NULL;
    }
    return conn;
}

void *http_conn_owner(const struct http_conn *conn)
{
    return conn->owner;
}

/* Reads on while it looks like HTTP/2's preface; then passes all of it on. */
static void detect(struct http_conn *conn, const char *bytes, size_t len)
{
    unsigned before = conn->detect_len;
    size_t take = 0;
    if (len == 0) {
        conn->eof = conn->input_closed = conn->last_answered = true;
        return;
    }
    while (take < len && before + take < PREFACE_BYTES && bytes[take] == preface[before + take]) {
        conn->detect[conn->detect_len++] = bytes[take];
        take++;
    }
    if (conn->detect_len == PREFACE_BYTES) {
        if (h2_open(conn)) {
            conn->dead = true;
            return;
        }
        h2_receive(conn, conn->detect, PREFACE_BYTES);
    } else if (take == len) {
        return;
    } else {
        h1_open(conn);
        if (before > 0)
            h1_receive(conn, preface, before);
        take = 0;
    }
    if (len > take)
        http_conn_receive(conn, bytes + take, len - take, conn->now_ns);
}

void http_conn_receive(struct http_conn *conn, const void *bytes, size_t len, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    if (conn->dead)
        return;
    switch (conn->protocol) {
    case HTTP_DETECT:
        detect(conn, bytes, len);
        break;
    case HTTP_1:
        h1_receive(conn, bytes, len);
        break;
    case HTTP_2:
        h2_receive(conn, bytes, len);
        break;
    }
}

bool http_conn_wants_input(const struct http_conn *conn)
{
    if (conn->dead || conn->eof)
        return false;
    if (conn->protocol == HTTP_2)
        return h2_wants_input(conn);
    if (conn->protocol == HTTP_DETECT || conn->input_closed)
        return true; /* closed: read on and throw away, so that the answer is not lost */
    return conn->h1.pending.len == 0 && !h1_is_paused(conn) &&
           conn->out.len - conn->out_at < conn->limits.output_bytes;
}

bool exchange_has_hung_up(const struct exchange *x)
{
    const struct http_conn *conn = x->conn;
    return !conn || conn->eof;
}

/* What is sent is cut off before more is formatted, or a slow client's buffer would
 * grow for ever. */
static void compact(struct http_conn *conn)
{
    if (conn->out_at == 0 || conn->out_at < conn->out.len - conn->out_at)
        return;
    buf_drain(&conn->out, conn->out_at);
    conn->out_at = 0;
}

int http_conn_output(struct http_conn *conn, struct iovec *pieces, int max)
{
    int count = 0;
    compact(conn);
    if (!conn->dead && conn->protocol == HTTP_1)
        count = h1_output(conn, pieces, max);
    else if (!conn->dead && conn->protocol == HTTP_2)
        count = h2_output(conn, pieces, max);
    deadline_sending(conn, count > 0);
    return count;
}

bool http_conn_file(struct http_conn *conn, int *fd, uint64_t *offset, uint64_t *len)
{
    if (conn->host->fetch)
        return false;
    conn->uses_file = true;
    if (conn->protocol != HTTP_1 || conn->dead || conn->out.len > conn->out_at)
        return false;
    struct stream *body = h1_sending(conn);
    if (!body || body->x.answer != ANSWER_FILE)
        return false;
    *fd = body->x.file;
    *offset = body->x.file_offset;
    *len = body->reply.left;
    deadline_sending(conn, true);
    return true;
}

void http_conn_sent(struct http_conn *conn, size_t len, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    if (len == 0)
        return;
    conn->sent_ns = now_ns;
    conn->sent_bytes += len;
    if (conn->protocol == HTTP_2) {
        h2_sent(conn, len);
    } else {
        h1_sent(conn, len);
        h1_resume(conn);
    }
    if (conn->out.len == conn->out_at && (conn->protocol == HTTP_2 || !h1_sending(conn)))
        deadline_sending(conn, false);
}

bool http_conn_finished(const struct http_conn *conn)
{
    if (conn->dead)
        return true;
    if (conn->protocol == HTTP_2)
        return h2_finished(conn);
    return conn->last_answered && conn->stream_count == 0 && conn->out.len == conn->out_at;
}

bool http_conn_is_cut(const struct http_conn *conn)
{
    return conn->cut;
}

void http_conn_nudge(struct http_conn *conn, uint64_t now_ns)
{
    conn->now_ns = now_ns;
    while (conn->nudged) {
        struct stream *found = NULL;
        LIST_EACH(&conn->streams, node)
        {
            if (!found && stream_at(node)->nudged)
                found = stream_at(node);
        }
        conn->nudged = found != NULL;
        if (!found)
            return;
        found->nudged = false;
        stream_go_on(found); /* after which the list may be another */
    }
}

void http_conn_drain(struct http_conn *conn)
{
    conn->draining = true;
    if (conn->protocol == HTTP_2)
        h2_drain(conn);
    else if (conn->stream_count == 0)
        conn->input_closed = conn->last_answered = true;
    else if (stream_at(conn->streams.next)->state == STREAM_HEAD)
        h1_refuse(conn, 503, "the server is stopping"); /* before the request was complete */
}

void http_conn_free(struct http_conn *conn)
{
    if (conn->protocol == HTTP_1)
        h1_close(conn);
    else if (conn->protocol == HTTP_2)
        h2_close(conn);
    while (!list_empty(&conn->streams))
        stream_end(stream_at(conn->streams.next));
    LIST_EACH(&conn->orphans, node)
    {
        stream_at(node)->home = NULL;
        list_remove(node);
    }
    if (conn->out.cap)
        spare_give_buf(conn->host, &conn->out);
    free(conn);
}
