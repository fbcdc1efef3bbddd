/* HTTP/1.1, receiving: what llhttp finds becomes streams. It is given the bytes as
 * they were read; what must outlive them is copied into the stream.
 *
 * llhttp in strict mode refuses most of what is ambiguous. What it lets pass is
 * refused here: several or no Host fields, several lengths or codings, blanks around
 * the parts of the request line, other protocols' names, bare line ends before it.
 */
#include "base/check.h"
#include "http/characters.h"
#include "http/core.h"
#include "http/fields.h"

#include <stdlib.h>

static struct http_conn *conn_from(llhttp_t *parser)
{
    return parser->data;
}

/* The byte N before AT, which may have come with an earlier read. */
static char byte_before(const struct h1 *h1, const char *at, size_t n)
{
    size_t here = (size_t)(at - h1->piece);
    if (n <= here)
        return at[-(ptrdiff_t)n];
    n -= here;
    return n <= sizeof h1->tail ? h1->tail[sizeof h1->tail - n] : 0;
}

static void keep_tail(struct h1 *h1, const char *bytes, size_t len)
{
    size_t room = sizeof h1->tail;
    if (len >= room) {
        memcpy(h1->tail, bytes + len - room, room);
        return;
    }
    memmove(h1->tail, h1->tail + len, room - len);
    memcpy(h1->tail + room - len, bytes, len);
}

void h1_refuse(struct http_conn *conn, int status, const char *why)
{
    struct stream *stream = conn->h1.reading;
    if (conn->input_closed)
        return;
    conn->input_closed = true;
    if (!stream && conn->h1.in_message) { /* its answer has gone already */
        h1_pump(conn);
        return;
    }
    if (!stream)
        stream = stream_new(conn);
    if (!stream)
        conn->dead = true;
    else if (stream->state <= STREAM_BODY)
        stream_refuse(stream, status, why);
}

static int refuse(struct http_conn *conn, int status, const char *why)
{
    h1_refuse(conn, status, why);
    return HPE_USER;
}

/* ---- The head, piece by piece ---- */

static int head_put(struct http_conn *conn, struct stream *stream, const char *at, size_t len)
{
    if (stream->head.len + len > conn->limits.head_bytes)
        return refuse(conn, 431, "the request's header is too large");
    buf_put(&stream->head, at, len);
    return stream->head.failed ? refuse(conn, 503, "out of memory") : 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct http_conn *conn = conn_from(parser);
    struct stream *stream = conn->h1.reading;
    if (stream->head.len == 0 &&
        (byte_before(&conn->h1, at, 1) != ' ' || byte_before(&conn->h1, at, 2) == ' '))
        return refuse(conn, 400, "there must be one space after the method");
    if (stream->head.len + len > conn->limits.target_bytes)
        return refuse(conn, 414, "the request target is too long");
    int err = head_put(conn, stream, at, len);
    if (err)
        return err; /* the stream has ended */
    stream->x.target.len = conn->h1.name_at = conn->h1.name_end = stream->head.len;
    return 0;
}

static int on_version(llhttp_t *parser, const char *at, size_t len)
{
    static const char before[] = " HTTP/";
    struct http_conn *conn = conn_from(parser);
    (void)len;
    if (conn->h1.version_seen)
        return 0;
    conn->h1.version_seen = true;
    for (size_t n = 1; n <= sizeof before - 1; n++)
        if (byte_before(&conn->h1, at, n) != before[sizeof before - 1 - n])
            return refuse(conn, 400, "the request line does not end in HTTP/1.1");
    if (byte_before(&conn->h1, at, sizeof before) == ' ')
        return refuse(conn, 400, "there must be one space before HTTP/1.1");
    return 0;
}

/* Trailers are parsed like headers; nobody asks for them, so they are only counted. */
static int count_overhead(struct http_conn *conn, size_t len)
{
    conn->h1.overhead += len;
    if (conn->h1.overhead <= CHUNK_OVERHEAD)
        return 0;
    return refuse(conn, 431, "too many chunk extensions or trailers");
}

static bool in_head(const struct http_conn *conn)
{
    return conn->h1.reading && conn->h1.reading->state == STREAM_HEAD;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct http_conn *conn = conn_from(parser);
    if (!in_head(conn))
        return count_overhead(conn, len);
    int err = head_put(conn, conn->h1.reading, at, len);
    if (err)
        return err;
    conn->h1.name_end = conn->h1.reading->head.len;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_conn *conn = conn_from(parser);
    return in_head(conn) ? head_put(conn, conn->h1.reading, at, len) : count_overhead(conn, len);
}

static int on_value_complete(llhttp_t *parser)
{
    struct http_conn *conn = conn_from(parser);
    struct h1 *h1 = &conn->h1;
    if (!in_head(conn))
        return count_overhead(conn, 4);
    struct stream *stream = h1->reading;
    int err = stream_add_header(stream, h1->name_at, h1->name_end, stream->head.len);
    h1->name_at = h1->name_end = stream->head.len;
    if (err == ERR_FULL)
        return refuse(conn, 431, "the request has too many header fields");
    return err ? refuse(conn, 503, "out of memory") : 0;
}

static int on_chunk_extension(llhttp_t *parser, const char *at, size_t len)
{
    (void)at;
    return count_overhead(conn_from(parser), len + 1);
}

/* ---- The head, as a whole ---- */

static int check_host(struct exchange *x, bool old, const char **why)
{
    struct str host = x->known[HTTP_FIELD_HOST];
    if (!host.at && old)
        return 0;
    *why = !host.at ? "the Host field is missing" : "the Host field is not valid";
    if (!host.at || !host_is_valid(host))
        return 400;
    if (!x->host.at)
        x->host = host;
    return 0;
}

static int check_framing(struct stream *stream, const char **why)
{
    struct exchange *x = &stream->x;
    struct str coding = x->known[HTTP_FIELD_TRANSFER_ENCODING];
    x->has_body = x->content_length > 0;
    if (!coding.at)
        return 0;
    *why = x->content_length >= 0 ? "there are both Content-Length and Transfer-Encoding"
           : stream->old          ? "HTTP/1.0 has no Transfer-Encoding"
                                  : "the only Transfer-Encoding taken is chunked";
    if (x->content_length >= 0 || stream->old || !str_eq_nocase(coding, STR("chunked")))
        return 400;
    x->has_body = true;
    return 0;
}

static int check_expect(struct stream *stream, const char **why)
{
    struct str expect = stream->x.known[HTTP_FIELD_EXPECT];
    if (!expect.at || stream->old)
        return 0;
    if (!str_eq_nocase(expect, STR("100-continue"))) {
        *why = "the only Expect taken is 100-continue";
        return 417;
    }
    stream->expect_continue = stream->x.has_body;
    return 0;
}

/* Upgrade is taken only where nothing of the request can be mistaken for the other protocol. */
static bool wants_upgrade(const struct stream *stream)
{
    const struct exchange *x = &stream->x;
    if (!x->known[HTTP_FIELD_UPGRADE].at || x->has_body || stream->old || !stream->keep_alive ||
        x->method == HTTP_HEAD)
        return false;
    for (unsigned i = 0; i < x->header_count; i++)
        if (x->headers[i].field == HTTP_FIELD_CONNECTION &&
            fields_has_token(x->headers[i].value, STR("upgrade")))
            return true;
    return false;
}

static int check_head(struct stream *stream, const llhttp_t *parser, const char **why)
{
    struct exchange *x = &stream->x;
    struct str target = str_make(stream->head.at, x->target.len);
    if (parser->http_major != 1 || parser->http_minor > 1) {
        *why = "the versions taken are HTTP/1.0, HTTP/1.1 and HTTP/2";
        return 505;
    }
    stream->old = parser->http_minor == 0;
    x->version = stream->old ? 10 : 11;
    int status = head_finish(stream, why);
    if (!status)
        status = head_target(x, target, why);
    if (!status)
        status = check_host(x, stream->old, why);
    if (!status)
        status = check_framing(stream, why);
    if (!status)
        status = check_expect(stream, why);
    x->wants_upgrade = !status && wants_upgrade(stream);
    return status;
}

static int on_head(llhttp_t *parser)
{
    struct http_conn *conn = conn_from(parser);
    struct stream *stream = conn->h1.reading;
    const char *why = "the request is not valid";
    stream_settle(stream);
    stream->keep_alive = llhttp_should_keep_alive(parser);
    if (conn->limits.requests && conn->requests >= conn->limits.requests)
        stream->keep_alive = false;
    parser->upgrade = 0; /* the connection leaves llhttp only when the answer is 101 */
    int status = check_head(stream, parser, &why);
    if (status)
        return refuse(conn, status, why);
    if (str_eq(stream->x.path, STR("*"))) { /* about the server, not about the app */
        exchange_add_header(&stream->x, STR("Allow"),
                            STR("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
        exchange_reply(&stream->x, 204, STR(""), STR(""));
        stream_answer(stream);
    } else {
        stream_accept(stream);
    }
    if (conn->input_closed)
        return HPE_USER;
    h1_pump(conn); /* 100 (Continue) may be due */
    return 0;
}

/* ---- The body ---- */

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_conn *conn = conn_from(parser);
    struct stream *stream = conn->h1.reading;
    if (conn->input_closed)
        return HPE_USER;
    if (!stream || stream->state != STREAM_BODY) {
        conn->h1.dropped += len;
        if (conn->h1.dropped <= 2 * DRAIN_BYTES)
            return 0;
        conn->input_closed = true;
        h1_pump(conn);
        return HPE_USER;
    }
    stream->expect_continue = false;
    if (stream_body(stream, str_make(at, len)))
        return 0;
    if (conn->h1.reading && conn->h1.reading->paused)
        return HPE_PAUSED;
    conn->input_closed = true;
    return HPE_USER;
}

static int on_complete(llhttp_t *parser)
{
    struct http_conn *conn = conn_from(parser);
    struct stream *stream = conn->h1.reading;
    conn->h1.in_message = false;
    conn->h1.reading = NULL;
    if (stream && !stream->keep_alive)
        conn->input_closed = true;
    if (stream)
        stream_complete(stream);
    return HPE_PAUSED; /* back to feed(), between two requests */
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_version = on_version,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- Between requests ---- */

/* Pipelined requests run side by side when all of them are safe (RFC 9112 §9.3.2). */
static bool may_begin(const struct http_conn *conn, enum http_method method)
{
    if (conn->stream_count >= conn->limits.pipeline ||
        conn->out.len - conn->out_at >= conn->limits.output_bytes)
        return false;
    LIST_EACH(&conn->streams, node)
    {
        struct stream *stream = stream_at(node);
        if (stream->state < STREAM_ANSWERED &&
            !(method_is_safe(method) && method_is_safe(stream->x.method)))
            return false;
    }
    return true;
}

/* Behind a request for an upgrade, who knows yet what language it is in? */
static bool awaits_upgrade(const struct http_conn *conn)
{
    if (list_empty(&conn->streams))
        return false;
    const struct stream *last = stream_at(conn->streams.prev);
    return last->x.wants_upgrade && (last->state < STREAM_ANSWERED || last->tunnel);
}

/* One empty line may precede a request (RFC 9112 §2.2); we take up to four. */
static bool skip_blank(struct http_conn *conn, const char **at, const char *end)
{
    struct h1 *h1 = &conn->h1;
    while (*at < end && (**at == '\r' || **at == '\n' || (h1->blank & 1))) {
        if (**at != (h1->blank & 1 ? '\n' : '\r') || h1->blank >= 8) {
            h1_refuse(conn, 400, "stray line ends before the request line");
            return false;
        }
        h1->blank++;
        (*at)++;
    }
    return *at < end;
}

/* Collects the method up to its space; true when it is all there. */
static bool scan_method(struct http_conn *conn, const char **at, const char *end)
{
    struct h1 *h1 = &conn->h1;
    const char *p = *at;
    for (; p < end && *p != ' '; p++) {
        if (!characters_have(CHARACTERS_TOKEN, *p)) {
            h1_refuse(conn, 400, "the request line does not begin with a method");
            return false;
        }
        if (h1->method_len == sizeof h1->method) {
            h1_refuse(conn, 501, "the method is not known");
            return false;
        }
        h1->method[h1->method_len++] = *p;
    }
    *at = p;
    return p < end;
}

static bool begin_stream(struct http_conn *conn, struct str method)
{
    struct h1 *h1 = &conn->h1;
    struct stream *stream = stream_new(conn);
    if (!stream) {
        conn->dead = conn->input_closed = true;
        return false;
    }
    stream->x.method = method_of(method);
    struct str kept = stream->x.method == HTTP_OTHER ? arena_str(&stream->x.arena, method) : method;
    static const struct str names[] = {
        [HTTP_GET] = {"GET", 3},         [HTTP_HEAD] = {"HEAD", 4},     [HTTP_POST] = {"POST", 4},
        [HTTP_PUT] = {"PUT", 3},         [HTTP_DELETE] = {"DELETE", 6}, [HTTP_PATCH] = {"PATCH", 5},
        [HTTP_OPTIONS] = {"OPTIONS", 7},
    };
    stream->x.method_name = stream->x.method == HTTP_OTHER ? kept : names[stream->x.method];
    stream->since_ns = h1->began_ns;
    h1->reading = stream;
    h1->in_message = true;
    h1->version_seen = false;
    h1->blank = 0;
    h1->head_raw = h1->overhead = h1->dropped = 0;
    h1->name_at = h1->name_end = 0;
    return true;
}

static const char *execute(struct http_conn *conn, const char *at, size_t len)
{
    struct h1 *h1 = &conn->h1;
    h1->piece = at;
    enum llhttp_errno err = llhttp_execute(&h1->parser, at, len);
    if (err == HPE_PAUSED) {
        const char *stop = llhttp_get_error_pos(&h1->parser);
        llhttp_resume(&h1->parser);
        return stop;
    }
    if (err != HPE_OK) {
        const char *why = llhttp_get_error_reason(&h1->parser);
        why = why && *why ? why : "the request is not valid";
        /* The same error stands for garbage behind the version: that is 400. */
        bool version = err == HPE_INVALID_VERSION && strcmp(why, "Invalid HTTP version") == 0;
        h1_refuse(conn, version ? 505 : 400, why);
        conn->input_closed = true;
        return at + len;
    }
    if (in_head(conn)) {
        keep_tail(h1, at, len);
        h1->head_raw += len;
        if (h1->head_raw > 4ull * conn->limits.head_bytes)
            h1_refuse(conn, 431, "the request's header is too large");
    }
    return at + len;
}

/* Up to the point where llhttp takes over. False: more bytes, or room, are needed;
 * *AT is where to go on. */
static bool begin(struct http_conn *conn, const char **at, const char *end)
{
    struct h1 *h1 = &conn->h1;
    if (awaits_upgrade(conn) || (h1->method_len == 0 && !skip_blank(conn, at, end)))
        return false;
    const char *start = *at;
    if (h1->method_len == 0)
        h1->began_ns = conn->now_ns;
    if (!scan_method(conn, at, end))
        return false;
    struct str method = str_make(h1->method, h1->method_len);
    if (!method_is_known(method)) {
        h1_refuse(conn, method.len ? 501 : 400,
                  method.len ? "the method is not known" : "the request line begins with a space");
        return false;
    }
    if (!may_begin(conn, method_of(method)) || !begin_stream(conn, method))
        return false;
    if (*at - start == (ptrdiff_t)h1->method_len)
        *at = start; /* all of it is here: llhttp gets the buffer as it is */
    else
        execute(conn, h1->method, h1->method_len);
    h1->method_len = 0;
    return !conn->input_closed;
}

/* The upgraded connection's bytes, as they come. */
static size_t feed_tunnel(struct http_conn *conn, const char *bytes, size_t len)
{
    struct stream *stream = conn->h1.tunnel;
    if (stream->paused)
        return 0;
    stream->heard_ns = conn->now_ns;
    stream_adopt(stream);
    switch (stream->x.sink->data(&stream->x, str_make(bytes, len))) {
    case SINK_PAUSE:
        stream->paused = true;
        stream->host->suspended++;
        break;
    case SINK_STOP:
        conn->input_closed = true;
        break;
    case SINK_MORE:
        break;
    }
    return len;
}

/* Returns how many of the bytes were used; the others must wait. */
static size_t feed(struct http_conn *conn, const char *bytes, size_t len)
{
    struct h1 *h1 = &conn->h1;
    const char *at = bytes, *end = bytes + len;
    h1->feeding = true;
    while (at < end && !conn->input_closed) {
        if (h1->tunnel && !h1->tunnel->paused) {
            at += feed_tunnel(conn, at, (size_t)(end - at));
            continue;
        }
        if (h1_is_paused(conn))
            break;
        if (!h1->in_message && !begin(conn, &at, end))
            break;
        if (at < end)
            at = execute(conn, at, (size_t)(end - at));
    }
    h1->feeding = false;
    return conn->input_closed ? len : (size_t)(at - bytes);
}

static void at_eof(struct http_conn *conn)
{
    struct stream *stream = conn->h1.reading;
    conn->input_closed = true;
    if (conn->h1.tunnel)
        feed_tunnel(conn, "", 0);
    if (stream && stream->state <= STREAM_BODY)
        stream_end(stream); /* it broke off: there is nobody to answer */
    h1_pump(conn);
}

void h1_resume(struct http_conn *conn)
{
    struct h1 *h1 = &conn->h1;
    if (h1->feeding)
        return;
    if (conn->input_closed) {
        buf_close(&h1->pending);
    } else if (h1->pending.len > 0) {
        struct buf pending = h1->pending;
        buf_init(&h1->pending, pending.max);
        size_t used = feed(conn, pending.at, pending.len);
        buf_drain(&pending, used);
        if (pending.len == 0)
            buf_close(&pending);
        h1->pending = pending;
    } else if (h1->reading && h1->reading->state == STREAM_BODY && !h1->reading->paused) {
        /* The pause was at the body's last byte: llhttp has yet to say so. */
        h1->feeding = true;
        execute(conn, "", 0);
        h1->feeding = false;
    }
    if (conn->eof && !conn->input_closed && h1->pending.len == 0 && !h1_is_paused(conn))
        at_eof(conn);
}

void h1_receive(struct http_conn *conn, const char *bytes, size_t len)
{
    struct h1 *h1 = &conn->h1;
    if (len == 0) {
        conn->eof = true;
        h1_resume(conn);
        return;
    }
    if (conn->input_closed)
        return;
    size_t used = 0;
    if (h1->pending.len == 0)
        used = feed(conn, bytes, len);
    buf_put(&h1->pending, bytes + used, len - used);
    if (h1->pending.failed)
        h1_refuse(conn, 503, "out of memory");
    else if (used == 0)
        h1_resume(conn);
}

void h1_open(struct http_conn *conn)
{
    conn->protocol = HTTP_1;
    llhttp_init(&conn->h1.parser, HTTP_REQUEST, &settings);
    conn->h1.parser.data = conn;
    buf_init(&conn->h1.pending, SIZE_MAX / 2);
}

void h1_close(struct http_conn *conn)
{
    buf_close(&conn->h1.pending);
}
