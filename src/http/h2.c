/* HTTP/2, receiving: nghttp2's events become streams.
 *
 * nghttp2 checks frames, pseudo-header fields, forbidden fields and lengths, and resets
 * what breaks the rules. Windows are opened again only for what the app has taken, so
 * that a sink that pauses stops its client. Frames that make work and carry nothing
 * (resets, pings, settings) are charged for: CVE-2023-44487 and its relatives.
 */
#include "base/check.h"
#include "base/clock.h"
#include "http/core.h"

#include <stdlib.h>

enum {
    STREAM_WINDOW = 128 << 10, /* also the most that is held for a sink that pauses */
    CONN_WINDOW = 1 << 20,
    CHARGES_MOST = 500,   /* in a burst ... */
    CHARGES_PER_S = 50,   /* ... and all the time */
    SETTINGS_CHARGE = 10, /* costlier to us than the others */
};

static struct stream *stream_by_id(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static void charge(struct http_conn *conn, unsigned amount)
{
    struct h2 *h2 = &conn->h2;
    uint64_t back = (conn->now_ns - h2->charged_ns) * CHARGES_PER_S / SEC_NS;
    if (back > 0) {
        h2->charged -= back < h2->charged ? (unsigned)back : h2->charged;
        h2->charged_ns = conn->now_ns;
    }
    h2->charged += amount;
    if (h2->charged <= CHARGES_MOST || h2->goaway)
        return;
    h2->goaway = true;
    if (conn->host->refused)
        conn->host->refused(conn->host, 429);
    nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- The head ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http_conn *conn = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    unsigned busy = conn->stream_count + conn->orphan_count; /* reset ones may still work */
    struct stream *stream = busy < conn->limits.streams ? stream_new(conn) : NULL;
    if (!stream) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    stream->id = frame->hd.stream_id;
    stream->keep_alive = true;
    if (nghttp2_session_set_stream_user_data(session, stream->id, stream)) {
        stream_end(stream);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (conn->limits.requests && conn->requests >= conn->limits.requests)
        h2_drain(conn);
    return 0;
}

/* Where a pseudo-header field is kept. */
static struct str *pseudo(struct stream *stream, struct str name)
{
    if (str_eq(name, STR(":method")))
        return &stream->method;
    if (str_eq(name, STR(":path")))
        return &stream->path;
    if (str_eq(name, STR(":authority")))
        return &stream->authority;
    return str_eq(name, STR(":scheme")) ? &stream->request_scheme : NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct stream *stream = stream_by_id(session, frame->hd.stream_id);
    struct http_conn *conn = user;
    (void)flags;
    if (!stream || stream->state != STREAM_HEAD || stream->refusal)
        return 0; /* trailers, too, are dropped */
    struct buf *head = &stream->head;
    struct str *place = pseudo(stream, str_make(name, name_len));
    if (place == &stream->path && value_len > conn->limits.target_bytes)
        stream->refusal = 414;
    else if (head->len + name_len + value_len > conn->limits.head_bytes)
        stream->refusal = 431;
    if (stream->refusal)
        return 0;
    size_t name_at = head->len, value_at = name_at + name_len;
    buf_put(head, name, name_len);
    buf_put(head, value, value_len);
    if (place)
        *place = str_make((const void *)(uintptr_t)value_at, value_len);
    else if (!head->failed && name[0] != ':' &&
             stream_add_header(stream, name_at, value_at, head->len))
        stream->refusal = 431;
    if (head->failed)
        stream->refusal = 503;
    return 0;
}

static struct str settled(const struct stream *stream, struct str offset)
{
    if (offset.len == 0)
        return STR("");
    return str_make(stream->head.at + (uintptr_t)offset.at, offset.len);
}

static int check_authority(struct stream *stream, const char **why)
{
    struct exchange *x = &stream->x;
    struct str host = x->known[HTTP_FIELD_HOST];
    struct str authority = settled(stream, stream->authority);
    if (authority.len == 0)
        authority = host;
    *why = "the authority is missing, not valid, or differs from the Host field";
    if (!host_is_valid(authority) || (host.at && !str_eq_nocase(host, authority)))
        return 400;
    x->host = authority;
    return 0;
}

static int check_head(struct stream *stream, const char **why)
{
    struct exchange *x = &stream->x;
    x->method_name = settled(stream, stream->method);
    x->method = method_of(x->method_name);
    if (stream->refusal) {
        *why = stream->refusal == 503   ? "out of memory"
               : stream->refusal == 414 ? "the request target is too long"
                                        : "the request's header is too large";
        return stream->refusal;
    }
    if (!method_is_known(x->method_name)) {
        *why = "the method is not known";
        return 501;
    }
    int status = head_finish(stream, why);
    struct str path = settled(stream, stream->path);
    *why = status ? *why : "the path does not begin with /";
    if (!status && path.len > 0 && path.at[0] != '/' && !str_eq(path, STR("*")))
        return 400;
    if (!status)
        status = head_target(x, path, why);
    if (!status)
        status = check_authority(stream, why);
    struct str expect = x->known[HTTP_FIELD_EXPECT];
    if (!status && expect.at) {
        *why = "the only Expect taken is 100-continue";
        stream->expect_continue = str_eq_nocase(expect, STR("100-continue"));
        status = stream->expect_continue ? 0 : 417;
    }
    return status;
}

static void send_continue(struct http_conn *conn, struct stream *stream)
{
    nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    stream->expect_continue = false;
    nghttp2_submit_headers(conn->h2.session, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1, NULL);
}

static void head_complete(struct http_conn *conn, struct stream *stream, bool end)
{
    const char *why = "the request is not valid";
    stream_settle(stream);
    stream->end_seen = end;
    stream->body_complete = end;
    stream->x.has_body = !end;
    int status = check_head(stream, &why);
    if (status) {
        stream_refuse(stream, status, why);
        return;
    }
    if (str_eq(stream->x.path, STR("*"))) {
        exchange_add_header(&stream->x, STR("Allow"),
                            STR("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
        exchange_reply(&stream->x, 204, STR(""), STR(""));
        stream_answer(stream);
        return;
    }
    stream_accept(stream);
    if (stream->state != STREAM_BODY)
        return;
    if (end)
        stream_complete(stream);
    else if (stream->expect_continue)
        send_continue(conn, stream);
}

/* ---- The body ---- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *user)
{
    struct stream *stream = stream_by_id(session, id);
    struct http_conn *conn = user;
    (void)flags;
    if (stream && stream->state == STREAM_BODY) {
        if (stream->paused) { /* held; the window stays as small as that makes it */
            stream->heard_ns = conn->now_ns;
            buf_put(&stream->body, bytes, len);
            return stream->body.failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
        }
        stream_body(stream, str_make(bytes, len));
    }
    nghttp2_session_consume(session, id, len);
    return 0;
}

void h2_take_more(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    if (stream->state != STREAM_BODY)
        return;
    if (stream->body.len > 0) {
        struct buf held = stream->body;
        buf_init(&stream->body, held.max);
        nghttp2_session_consume(conn->h2.session, stream->id, held.len);
        stream_body(stream, buf_text(&held));
        buf_close(&held);
    }
    if (!stream->paused && stream->end_seen)
        stream_complete(stream);
}

void h2_drop_held(struct stream *stream)
{
    if (stream->body.len > 0)
        nghttp2_session_consume(conn_of(stream)->h2.session, stream->id, stream->body.len);
    buf_clear(&stream->body);
}

static void at_end(struct stream *stream)
{
    stream->end_seen = true;
    if (!stream->paused)
        stream_complete(stream);
}

/* ---- Frames ---- */

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http_conn *conn = user;
    struct stream *stream = stream_by_id(session, frame->hd.stream_id);
    bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK, end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (stream && stream->state == STREAM_HEAD)
            head_complete(conn, stream, end);
        else if (stream && end)
            at_end(stream);
        return 0;
    case NGHTTP2_DATA:
        if (frame->hd.length == 0 && !end)
            charge(conn, 1);
        if (stream && end)
            at_end(stream);
        return 0;
    case NGHTTP2_SETTINGS:
        charge(conn, ack ? 0 : SETTINGS_CHARGE);
        return 0;
    case NGHTTP2_PING:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_PRIORITY:
        charge(conn, ack ? 0 : 1);
        return 0;
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    struct http_conn *conn = user;
    (void)session, (void)frame, (void)error;
    if (conn->host->refused)
        conn->host->refused(conn->host, 400);
    charge(conn, 1);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct stream *stream = stream_by_id(session, id);
    (void)code, (void)user;
    if (!stream)
        return 0;
    if (stream->paused && stream->body.len > 0) /* held: the other streams get its window back */
        nghttp2_session_consume_connection(session, stream->body.len);
    stream_end(stream);
    return 0;
}

/* ---- The session ---- */

static nghttp2_session *make_session(struct http_conn *conn)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1); /* memory for priorities nobody uses */
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, h2_frame_sent);
        if (nghttp2_session_server_new2(&session, callbacks, conn, option))
            session = NULL;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

int h2_open(struct http_conn *conn)
{
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, conn->limits.streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, conn->limits.head_bytes},
    };
    conn->protocol = HTTP_2;
    conn->h2 = (struct h2){.session = make_session(conn), .charged_ns = conn->now_ns};
    if (!conn->h2.session)
        return ERR_NOMEM;
    nghttp2_submit_settings(conn->h2.session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings));
    nghttp2_session_set_local_window_size(conn->h2.session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
    return 0;
}

void h2_close(struct http_conn *conn)
{
    nghttp2_session_del(conn->h2.session);
    conn->h2.session = NULL;
}

void h2_receive(struct http_conn *conn, const char *bytes, size_t len)
{
    if (len == 0) {
        conn->eof = conn->dead = true; /* there is no half of an HTTP/2 connection */
        return;
    }
    ssize_t taken = nghttp2_session_mem_recv(conn->h2.session, (const uint8_t *)bytes, len);
    if (taken < 0)
        conn->dead = true;
}

void h2_refuse_slow(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    if (stream->state == STREAM_BODY) {
        stream_refuse(stream, 408, "the request came too slowly");
        return;
    }
    /* In the middle of a header block nothing else can be received. */
    stream->state = STREAM_ANSWERED;
    nghttp2_session_terminate_session(conn->h2.session, NGHTTP2_ENHANCE_YOUR_CALM);
    conn->h2.goaway = true;
    if (conn->host->refused)
        conn->host->refused(conn->host, 408);
}

void h2_drain(struct http_conn *conn)
{
    nghttp2_session *session = conn->h2.session;
    if (conn->h2.goaway)
        return;
    conn->h2.goaway = true;
    nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR, NULL,
                          0);
}

bool h2_wants_input(const struct http_conn *conn)
{
    return conn->out.len - conn->out_at < conn->limits.output_bytes &&
           nghttp2_session_want_read(conn->h2.session);
}
