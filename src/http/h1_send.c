/* HTTP/1.1, sending: answers in the order of their requests.
 *
 * Heads and short bodies are written one behind the other into conn->out. A long body
 * in memory or in a file is not copied: it follows conn->out by reference, and nothing
 * is formatted before all of it has been sent. A source's bytes go through conn->out.
 */
#include "base/check.h"
#include "http/core.h"
#include "http/fields.h"
#include "http/gzip.h"

static size_t unsent(const struct http_conn *conn)
{
    return conn->out.len - conn->out_at;
}

static bool is_by_reference(const struct stream *stream)
{
    return !stream->reply.deflate && stream->x.answer != ANSWER_SOURCE;
}

struct stream *h1_sending(const struct http_conn *conn)
{
    if (list_empty(&conn->streams))
        return NULL;
    struct stream *first = stream_at(conn->streams.next);
    return first->state == STREAM_SENDING && is_by_reference(first) ? first : NULL;
}

/* Will what is left of the request be too much to read and drop? */
static bool is_unread(const struct http_conn *conn, const struct stream *stream)
{
    if (conn->h1.reading != stream || stream->body_complete || !stream->x.has_body)
        return false;
    return stream->expect_continue || stream->x.content_length < 0 ||
           (uint64_t)stream->x.content_length - stream->body_seen > DRAIN_BYTES;
}

static bool must_close(const struct http_conn *conn, const struct stream *stream)
{
    bool last = stream->link.next == &conn->streams;
    return stream->x.close || !stream->keep_alive || conn->draining ||
           (conn->input_closed && last) || is_unread(conn, stream);
}

/* After the last header. */
static void end_head(struct http_conn *conn, const struct stream *stream)
{
    if (stream->tunnel)
        buf_str(&conn->out, STR("Connection: Upgrade\r\n\r\n"));
    else if (stream->reply.close)
        buf_str(&conn->out, STR("Connection: close\r\n\r\n"));
    else if (stream->old)
        buf_str(&conn->out, STR("Connection: keep-alive\r\n\r\n"));
    else
        buf_str(&conn->out, STR("\r\n"));
}

static void put_headers(struct buf *out, const struct http_header *headers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (headers[i].name.len)
            fields_put(out, headers[i].name, headers[i].value);
}

static void put_framing(struct http_conn *conn, struct stream *stream)
{
    struct exchange *x = &stream->x;
    struct reply *reply = &stream->reply;
    if (x->status == 204 || x->status == 304 || stream->tunnel)
        return;
    if (x->length != UINT64_MAX) {
        buf_str(&conn->out, STR("Content-Length: "));
        buf_u64(&conn->out, x->length);
        buf_str(&conn->out, STR("\r\n"));
    } else if (stream->old) {
        reply->close = true;
    } else {
        reply->chunked = true;
        buf_str(&conn->out, STR("Transfer-Encoding: chunked\r\n"));
    }
}

static void put_head(struct http_conn *conn, struct stream *stream)
{
    struct exchange *x = &stream->x;
    struct buf *out = &conn->out;
    char room[8];
    answer_prepare(stream);
    buf_str(out, STR("HTTP/1.1 "));
    buf_str(out, status_line(x->status, room));
    buf_str(out, STR("\r\n"));
    if (!answer_has_date(x)) {
        buf_str(out, STR("Date: "));
        buf_put(out, spare_date(conn->host), 29);
        buf_str(out, STR("\r\n"));
    }
    put_headers(out, x->answer_headers, x->answer_header_count);
    if (stream->reply.range[0]) {
        buf_str(out, STR("Content-Range: "));
        buf_puts(out, stream->reply.range);
        buf_str(out, STR("\r\n"));
    } else if (x->answer == ANSWER_FILE && x->status == 200 && !x->compressible) {
        buf_str(out, STR("Accept-Ranges: bytes\r\n"));
    }
    if (stream->reply.gzip)
        buf_str(out, STR("Content-Encoding: gzip\r\n"));
    if (stream->reply.vary)
        buf_str(out, STR("Vary: Accept-Encoding\r\n"));
    put_framing(conn, stream);
    end_head(conn, stream);
}

/* The head was made when the page was: only the date changes. */
static void put_page(struct http_conn *conn, struct stream *stream)
{
    const struct page_form *form = page_prepare(stream);
    struct str head = form ? form->head : stream->x.page->not_modified;
    char *at = buf_room(&conn->out, head.len + 31);
    if (!at)
        return;
    memcpy(at, head.at, head.len);
    memcpy(at + head.len, spare_date(conn->host), 29);
    memcpy(at + head.len + 29, "\r\n", 2);
    conn->out.len += head.len + 31;
    put_headers(&conn->out, stream->x.answer_headers, stream->x.answer_header_count);
    end_head(conn, stream);
}

void h1_finish(struct http_conn *conn, struct stream *stream)
{
    bool closes = stream->reply.close;
    stream_end(stream);
    if (!closes)
        return;
    conn->input_closed = conn->last_answered = true;
    while (!list_empty(&conn->streams)) /* pipelined behind it: never to be answered */
        stream_end(stream_at(conn->streams.next));
}

/* From here on nothing is parsed: see feed_tunnel. */
static void begin_tunnel(struct http_conn *conn, struct stream *stream)
{
    conn->h1.tunnel = stream;
    stream->reply.close = true; /* when the source ends */
    stream->heard_ns = conn->now_ns;
}

static void write_answer(struct http_conn *conn, struct stream *stream)
{
    struct reply *reply = &stream->reply;
    if (stream->x.dropped) {
        conn->dead = conn->cut = true;
        return;
    }
    if (!conn->out.cap)
        spare_buf(conn->host, &conn->out);
    reply->close = must_close(conn, stream);
    if (stream->x.answer == ANSWER_PAGE)
        put_page(conn, stream);
    else
        put_head(conn, stream);
    stream->expect_continue = false;
    if (reply->body && is_by_reference(stream) && reply->left <= COPY_BELOW &&
        stream->x.answer != ANSWER_FILE) {
        buf_put(&conn->out, reply->at, (size_t)reply->left);
        reply->left = 0;
        reply->body = false;
    }
    if (conn->out.failed)
        conn->dead = true;
    if (!reply->body || (is_by_reference(stream) && reply->left == 0)) {
        h1_finish(conn, stream);
        return;
    }
    stream->state = STREAM_SENDING;
    if (stream->tunnel)
        begin_tunnel(conn, stream);
    else if (reply->close)
        conn->input_closed = true;
}

void h1_pump(struct http_conn *conn)
{
    while (!list_empty(&conn->streams) && !conn->dead) {
        struct stream *first = stream_at(conn->streams.next);
        if (first->state == STREAM_BODY && first->expect_continue) {
            buf_str(&conn->out, STR("HTTP/1.1 100 Continue\r\n\r\n"));
            first->expect_continue = false;
        }
        if (first->state != STREAM_ANSWERED || unsent(conn) >= FILL_BYTES)
            break;
        write_answer(conn, first);
    }
    if (list_empty(&conn->streams) && conn->input_closed)
        conn->last_answered = true;
}

void h1_answer(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    if (stream->x.close)
        conn->input_closed = true; /* nothing behind it will be answered */
    h1_pump(conn);
}

/* One piece of a body that goes through conn->out. False: nothing more for now. */
static bool fill_piece(struct http_conn *conn, struct stream *stream)
{
    static const char digits[] = "0123456789abcdef";
    size_t before = stream->reply.chunked ? 6 : 0, len = 0;
    char *at = buf_room(&conn->out, before + CHUNK_BYTES + 2 + 5);
    enum source_verdict verdict =
        at ? body_read(stream, at + before, CHUNK_BYTES, &len) : SOURCE_FAIL;
    if (verdict == SOURCE_FAIL) {
        conn->dead = conn->cut = true;
        return false;
    }
    if (len > 0 && before) {
        for (unsigned i = 0; i < 4; i++)
            at[i] = digits[len >> (12 - 4 * i) & 15];
        memcpy(at + 4, "\r\n", 2);
        memcpy(at + 6 + len, "\r\n", 2);
        len += 8;
    }
    conn->out.len += len;
    if (verdict == SOURCE_END) {
        if (stream->reply.chunked)
            buf_str(&conn->out, STR("0\r\n\r\n"));
        h1_finish(conn, stream);
        h1_pump(conn);
        return true;
    }
    return verdict == SOURCE_MORE;
}

/* A file's bytes are read here unless the engine sends them itself. */
static bool goes_through_out(const struct http_conn *conn, const struct stream *stream)
{
    if (stream->state != STREAM_SENDING)
        return false;
    if (!is_by_reference(stream))
        return !source_lends(stream);
    return stream->x.answer == ANSWER_FILE &&
           (!conn->uses_file || stream->reply.left <= CHUNK_BYTES);
}

int h1_output(struct http_conn *conn, struct iovec *pieces, int max)
{
    int count = 0;
    while (unsent(conn) < FILL_BYTES && !conn->dead && !list_empty(&conn->streams)) {
        struct stream *first = stream_at(conn->streams.next);
        if (!goes_through_out(conn, first) || !fill_piece(conn, first))
            break;
    }
    int lent = h1_lend(conn, pieces + 1, max - 1);
    if (conn->dead)
        return 0;
    if (unsent(conn) > 0 && max > 0)
        pieces[count++] = (struct iovec){conn->out.at + conn->out_at, unsent(conn)};
    if (lent > 0) {
        memmove(pieces + count, pieces + 1, (size_t)lent * sizeof *pieces);
        return count + lent;
    }
    struct stream *body = h1_sending(conn);
    if (body && body->x.answer != ANSWER_FILE && count < max)
        pieces[count++] =
            (struct iovec){(void *)(uintptr_t)body->reply.at, (size_t)body->reply.left};
    return count;
}

void h1_sent(struct http_conn *conn, size_t len)
{
    size_t from_out = len < unsent(conn) ? len : unsent(conn);
    if (conn->h1.tunnel)
        conn->h1.tunnel->heard_ns = conn->now_ns;
    conn->out_at += from_out;
    len -= from_out;
    if (unsent(conn) == 0)
        conn->out.len = conn->out_at = 0;
    struct stream *body = h1_sending(conn);
    if (len > 0 && !body) {
        h1_lent_sent(conn, len);
    } else if (len > 0) {
        CHECK(len <= body->reply.left);
        body->reply.left -= len;
        if (body->x.answer == ANSWER_FILE)
            body->x.file_offset += len;
        else
            body->reply.at += len;
        if (body->reply.left == 0)
            h1_finish(conn, body);
    }
    h1_pump(conn);
    if (conn->out.cap && conn->stream_count == 0 && unsent(conn) == 0)
        spare_give_buf(conn->host, &conn->out);
}
