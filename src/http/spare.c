#include "base/check.h"
#include "base/clock.h"
#include "http/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    SPARE_STREAMS = 64,
    SPARE_BUFS = 16,
    SPARE_BUF_BYTES = FILL_BYTES, /* larger ones are given back */
    KEPT_HEAD = 4096,             /* of a spare stream */
    KEPT_HEADERS = 64,
};

struct http_spare {
    struct stream *streams;
    unsigned stream_count;
    unsigned buf_count;
    struct buf bufs[SPARE_BUFS];
    int64_t date_s;
    char date[32];
    z_stream deflate;
    bool has_deflate;
};

static struct http_spare *spare_of(struct http_host *host)
{
    if (!host->spare) {
        host->spare = calloc(1, sizeof *host->spare);
        if (host->spare)
            host->spare->date_s = -1;
    }
    return host->spare;
}

static void free_stream(struct stream *stream)
{
    arena_close(&stream->x.arena);
    buf_close(&stream->head);
    buf_close(&stream->body);
    free(stream->headers);
    free(stream);
}

struct stream *spare_stream(struct http_host *host)
{
    struct http_spare *spare = spare_of(host);
    if (spare && spare->streams) {
        struct stream *stream = spare->streams;
        spare->streams = stream->spare_next;
        spare->stream_count--;
        return stream;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    arena_init(&stream->x.arena, ARENA_BYTES);
    buf_init(&stream->head, SIZE_MAX / 2); /* bounded by the limits of the connection */
    buf_init(&stream->body, SIZE_MAX / 2);
    return stream;
}

/* HOST may be NULL: the connection has gone, and with it perhaps the host. */
void spare_give_stream(struct http_host *host, struct stream *stream)
{
    struct http_spare *spare = host ? spare_of(host) : NULL;
    if (!spare || spare->stream_count >= SPARE_STREAMS) {
        free_stream(stream);
        return;
    }
    if (stream->head.cap > KEPT_HEAD)
        buf_close(&stream->head);
    if (stream->body.cap > KEPT_HEAD)
        buf_close(&stream->body);
    if (stream->header_room > KEPT_HEADERS) {
        free(stream->headers);
        stream->headers = NULL;
        stream->header_room = 0;
    }
    arena_reset(&stream->x.arena);
    stream->spare_next = spare->streams;
    spare->streams = stream;
    spare->stream_count++;
}

void spare_buf(struct http_host *host, struct buf *buf)
{
    struct http_spare *spare = host->spare;
    if (!spare || spare->buf_count == 0)
        return;
    size_t max = buf->max;
    *buf = spare->bufs[--spare->buf_count];
    buf->max = max;
}

void spare_give_buf(struct http_host *host, struct buf *buf)
{
    struct http_spare *spare = spare_of(host);
    size_t max = buf->max;
    if (!spare || spare->buf_count >= SPARE_BUFS || buf->cap > SPARE_BUF_BYTES || !buf->cap) {
        buf_close(buf);
        return;
    }
    buf_clear(buf);
    spare->bufs[spare->buf_count++] = *buf;
    buf_init(buf, max);
}

const char *spare_date(struct http_host *host)
{
    struct http_spare *spare = spare_of(host);
    if (!spare)
        return "Thu, 01 Jan 1970 00:00:00 GMT";
    int64_t now_ms = host->wall_ms(host);
    if (now_ms / 1000 != spare->date_s) {
        spare->date_s = now_ms / 1000;
        clock_http_date(now_ms, spare->date, sizeof spare->date);
    }
    return spare->date;
}

z_stream *spare_deflate(struct http_host *host)
{
    struct http_spare *spare = spare_of(host);
    if (!spare)
        return NULL;
    if (spare->has_deflate)
        return deflateReset(&spare->deflate) == Z_OK ? &spare->deflate : NULL;
    /* Level 2: made anew for each answer, on the loop. 15 + 16: gzip framing. */
    if (deflateInit2(&spare->deflate, 2, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    spare->has_deflate = true;
    return &spare->deflate;
}

void http_host_close(struct http_host *host)
{
    struct http_spare *spare = host->spare;
    if (!spare)
        return;
    while (spare->streams) {
        struct stream *stream = spare->streams;
        spare->streams = stream->spare_next;
        free_stream(stream);
    }
    while (spare->buf_count > 0)
        buf_close(&spare->bufs[--spare->buf_count]);
    if (spare->has_deflate)
        deflateEnd(&spare->deflate);
    free(spare);
    host->spare = NULL;
}
