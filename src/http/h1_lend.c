/* HTTP/1.1, sending what a source lends: the pieces go from its memory to the socket.
 *
 * With chunked framing, all that is lent at once is one chunk. Its size goes through conn->out,
 * in front of it, and the line end behind it goes there with the next size:
 *
 *   out: "1000\r\n" | lent: 4096 bytes | out: "\r\n20\r\n" | lent: 32 bytes | out: "\r\n0\r\n\r\n"
 */
#include "base/check.h"
#include "http/core.h"

struct stream *h1_lending(const struct http_conn *conn)
{
    if (list_empty(&conn->streams))
        return NULL;
    struct stream *first = stream_at(conn->streams.next);
    return first->state == STREAM_SENDING && source_lends(first) ? first : NULL;
}

/* Cuts the pieces down to LEN bytes in all; returns how many of them are left. */
static int cut_pieces(struct iovec *pieces, int count, uint64_t len)
{
    int kept = 0;
    for (; kept < count && len > 0; kept++) {
        if (pieces[kept].iov_len > len)
            pieces[kept].iov_len = (size_t)len;
        len -= pieces[kept].iov_len;
    }
    return kept;
}

static void put_size(struct http_conn *conn, struct reply *reply, uint64_t size)
{
    char digits[16];
    int count = 0;
    if (reply->chunk_begun)
        buf_str(&conn->out, STR("\r\n"));
    do {
        digits[count++] = "0123456789abcdef"[size & 15];
        size >>= 4;
    } while (size > 0);
    while (count > 0)
        buf_byte(&conn->out, digits[--count]);
    buf_str(&conn->out, STR("\r\n"));
    reply->chunk_begun = true;
}

static int cut_off(struct http_conn *conn)
{
    conn->dead = conn->cut = true;
    return 0;
}

/* The source has lent TOTAL bytes. */
static void frame(struct http_conn *conn, struct stream *stream, enum source_verdict verdict,
                  uint64_t total)
{
    struct reply *reply = &stream->reply;
    if (reply->chunked && total > 0) {
        put_size(conn, reply, total);
        reply->chunk_left = total;
    } else if (verdict == SOURCE_END && total == 0) {
        if (reply->chunked)
            put_size(conn, reply, 0);
        if (reply->chunked)
            buf_str(&conn->out, STR("\r\n"));
        h1_finish(conn, stream);
        h1_pump(conn);
    }
}

int h1_lend(struct http_conn *conn, struct iovec *pieces, int max)
{
    struct stream *stream = h1_lending(conn);
    struct reply *reply = stream ? &stream->reply : NULL;
    uint64_t total;
    int count;
    if (!stream || max < 1)
        return 0;
    enum source_verdict verdict = source_lend(stream, pieces, max, &count, &total);
    if (verdict == SOURCE_FAIL)
        return cut_off(conn);
    if (verdict == SOURCE_WAIT)
        return 0;
    if (reply->chunk_left > 0) /* of a chunk whose size has been written */
        return cut_pieces(pieces, count, reply->chunk_left);
    frame(conn, stream, verdict, total);
    return conn->out.failed ? cut_off(conn) : count;
}

void h1_lent_sent(struct http_conn *conn, size_t len)
{
    struct stream *stream = h1_lending(conn);
    CHECK(stream);
    struct reply *reply = &stream->reply;
    source_taken(stream, len);
    if (reply->chunked) {
        CHECK(len <= reply->chunk_left);
        reply->chunk_left -= len;
    } else if (reply->left == 0) {
        h1_finish(conn, stream);
    }
}
