/* From what the app answered to what is sent: conditions, ranges and compression, the
 * same for HTTP/1.1 and HTTP/2.
 */
#include "http/core.h"
#include "http/etag.h"
#include "http/fields.h"
#include "http/gzip.h"

#include <stdio.h>
#include <zlib.h>

/* Larger bodies are compressed while they are sent. */
enum { GZIP_WHOLE_MOST = 65536 };

static struct http_header *answer_header(struct exchange *x, struct str name)
{
    for (unsigned i = 0; i < x->answer_header_count; i++)
        if (str_eq_nocase(x->answer_headers[i].name, name))
            return &x->answer_headers[i];
    return NULL;
}

static struct str value_of(const struct http_header *header)
{
    return header ? header->value : STR_NONE;
}

/* An empty name: the writers leave it out. */
static void drop_header(struct exchange *x, struct str name)
{
    struct http_header *header = answer_header(x, name);
    if (header)
        header->name.len = 0;
}

static bool is_unchanged(struct exchange *x, struct str etag, struct str modified)
{
    struct str if_none_match = x->known[HTTP_FIELD_IF_NONE_MATCH];
    struct str since = x->known[HTTP_FIELD_IF_MODIFIED_SINCE];
    if (if_none_match.at)
        return etag.at && etag_listed(if_none_match, etag);
    /* Servers give the same text back: no date needs to be understood. */
    return since.at && modified.at && str_eq(since, modified);
}

static bool is_in_memory(const struct exchange *x)
{
    return x->answer == ANSWER_BYTES || x->answer == ANSWER_BLOB || x->answer == ANSWER_PAGE;
}

static void not_modified(struct stream *stream)
{
    stream->x.status = 304;
    drop_header(&stream->x, STR("Content-Type"));
    stream->reply.body = false;
}

static void apply_range(struct stream *stream, struct str etag, struct str modified)
{
    struct exchange *x = &stream->x;
    struct str if_range = x->known[HTTP_FIELD_IF_RANGE];
    uint64_t first = 0, last = 0, length = x->length;
    if (if_range.at && !etag_allows_range(if_range, etag, modified))
        return;
    switch (range_parse(x->known[HTTP_FIELD_RANGE], length, &first, &last)) {
    case RANGE_WHOLE:
        return;
    case RANGE_NONE:
        snprintf(stream->reply.range, sizeof stream->reply.range, "bytes */%llu",
                 (unsigned long long)length);
        x->status = 416;
        x->length = stream->reply.left = 0;
        drop_header(x, STR("Content-Type"));
        return;
    case RANGE_PART:
        snprintf(stream->reply.range, sizeof stream->reply.range, "bytes %llu-%llu/%llu",
                 (unsigned long long)first, (unsigned long long)last, (unsigned long long)length);
        x->status = 206;
        x->length = stream->reply.left = last - first + 1;
        if (x->answer == ANSWER_FILE)
            x->file_offset += first;
        else
            stream->reply.at += first;
        return;
    }
}

/* A compressed body differs byte by byte: the tag may only be compared weakly. */
static void weaken_etag(struct exchange *x)
{
    struct http_header *header = answer_header(x, STR("ETag"));
    if (!header || str_starts(header->value, STR("W/")))
        return;
    struct str weak = arena_printf(&x->arena, "W/%.*s", STR_FMT(header->value));
    if (weak.at)
        header->value = weak;
}

/* In one header, with what the app says that it varies by: another server's answer, which is passed
 * on, mostly says this already. */
static void vary_by_encoding(struct stream *stream)
{
    static const struct str vary = {"Vary", 4}, encoding = {"Accept-Encoding", 15};
    struct exchange *x = &stream->x;
    for (unsigned i = 0; i < x->answer_header_count; i++) {
        const struct http_header *header = &x->answer_headers[i];
        if (str_eq_nocase(header->name, vary) && (fields_has_token(header->value, encoding) ||
                                                  fields_has_token(header->value, STR("*"))))
            return;
    }
    struct http_header *header = answer_header(x, vary);
    struct str both =
        header ? arena_printf(&x->arena, "%.*s, %.*s", STR_FMT(header->value), STR_FMT(encoding))
               : STR_NONE;
    if (both.at)
        header->value = both;
    else
        stream->reply.vary = true;
}

static bool compress_whole(struct stream *stream)
{
    struct exchange *x = &stream->x;
    size_t len = (size_t)x->length;
    char *out = arena_alloc(&x->arena, len);
    struct z_stream_s *state = out ? spare_deflate(conn_of(stream)->host) : NULL;
    size_t packed = state ? gzip_whole(state, str_make(stream->reply.at, len), out, len) : 0;
    if (packed == 0)
        return false; /* it would not be smaller */
    stream->reply.at = out;
    x->length = stream->reply.left = packed;
    return true;
}

static void compress_body(struct stream *stream)
{
    struct exchange *x = &stream->x;
    if (!gzip_accepted(x->known[HTTP_FIELD_ACCEPT_ENCODING]))
        return;
    if (is_in_memory(x) && x->length <= GZIP_WHOLE_MOST) {
        if (!compress_whole(stream))
            return;
    } else {
        if (x->method != HTTP_HEAD) {
            stream->reply.deflate = gzip_stream_new();
            if (!stream->reply.deflate)
                return;
        }
        x->length = UINT64_MAX;
    }
    stream->reply.gzip = true;
    weaken_etag(x);
}

bool answer_has_date(const struct exchange *x)
{
    for (unsigned i = 0; x->as_is && i < x->answer_header_count; i++)
        if (x->answer_headers[i].field == HTTP_FIELD_DATE)
            return true;
    return false;
}

void answer_prepare(struct stream *stream)
{
    struct exchange *x = &stream->x;
    struct reply *reply = &stream->reply;
    bool reading = x->method == HTTP_GET || x->method == HTTP_HEAD;
    reply->body = x->status != 204 && x->status != 304;
    reply->left = x->length;
    if (is_in_memory(x))
        reply->at = x->bytes.at;
    if (x->status == 200 && reading && !x->as_is) {
        struct str etag = value_of(answer_header(x, STR("ETag")));
        struct str modified = value_of(answer_header(x, STR("Last-Modified")));
        if (is_unchanged(x, etag, modified))
            not_modified(stream);
        else if (x->known[HTTP_FIELD_RANGE].at && x->method == HTTP_GET &&
                 (x->answer == ANSWER_FILE || is_in_memory(x)))
            apply_range(stream, etag, modified);
    }
    if (x->compressible)
        vary_by_encoding(stream);
    if (x->compressible && reply->body && x->length >= GZIP_LEAST && x->status != 206 &&
        !answer_header(x, STR("Content-Encoding")))
        compress_body(stream);
    if (x->method == HTTP_HEAD)
        reply->body = false;
}
