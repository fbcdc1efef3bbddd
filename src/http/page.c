#include "base/check.h"
#include "base/hash.h"
#include "http/core.h"
#include "http/etag.h"
#include "http/fields.h"
#include "http/gzip.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* A fixed key: the same bytes have the same tag on every server. */
static const struct hash_key etag_key = {0x73746f612d706167, 0x65746167206b6579};

/* What the page's one block of memory is cut into. */
struct cutter {
    char *at;
};

static struct str cut(struct cutter *cutter, const void *bytes, size_t len)
{
    char *at = cutter->at;
    if (len)
        memcpy(at, bytes, len);
    cutter->at += len;
    return str_make(at, len);
}

static void put_head(struct buf *out, const struct http_page *page, const struct page_form *form,
                     const char *status, bool gzip)
{
    buf_printf(out, "HTTP/1.1 %s\r\n", status);
    for (unsigned i = 0; i < page->header_count; i++)
        buf_printf(out, "%.*s: %.*s\r\n", STR_FMT(page->headers[i].name),
                   STR_FMT(page->headers[i].value));
    buf_printf(out, "ETag: %.*s\r\n", STR_FMT(form->etag));
    if (gzip)
        buf_puts(out, "Content-Encoding: gzip\r\n");
    if (form->length[0])
        buf_printf(out, "Content-Length: %s\r\n", form->length);
    buf_puts(out, "Date: ");
}

/* Compressed BODY, malloc'ed, when that is at least a tenth shorter. */
static char *pack(struct str body, size_t *len)
{
    z_stream state = {0};
    char *out = body.len >= GZIP_LEAST ? malloc(body.len) : NULL;
    *len = 0;
    if (!out)
        return NULL;
    if (deflateInit2(&state, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK) {
        *len = gzip_whole(&state, body, out, body.len - body.len / 10);
        deflateEnd(&state);
    }
    if (*len > 0)
        return out;
    free(out);
    return NULL;
}

/* Everything that the page owns, once to measure it and once to fill it. */
static void lay_out(struct http_page *page, struct cutter *cutter, struct buf *heads[3],
                    struct str body, struct str packed, const char *tags[2])
{
    for (unsigned i = 0; i < page->header_count; i++) {
        struct http_header *header = &page->headers[i];
        header->name = cut(cutter, header->name.at, header->name.len);
        header->value = cut(cutter, header->value.at, header->value.len);
    }
    page->plain.etag = cut(cutter, tags[0], strlen(tags[0]));
    page->plain.head = cut(cutter, heads[0]->at, heads[0]->len);
    page->plain.body = cut(cutter, body.at, body.len);
    page->not_modified = cut(cutter, heads[2]->at, heads[2]->len);
    if (page->has_gzip) {
        page->gzip.etag = cut(cutter, tags[1], strlen(tags[1]));
        page->gzip.head = cut(cutter, heads[1]->at, heads[1]->len);
        page->gzip.body = cut(cutter, packed.at, packed.len);
    }
}

static void collect_headers(struct http_page *page, struct str type, struct str cache_control,
                            const struct http_header *more, unsigned count)
{
    struct http_header *to = page->headers;
    if (type.len)
        *to++ = (struct http_header){STR("Content-Type"), type, HTTP_FIELD_CONTENT_TYPE};
    if (cache_control.len)
        *to++ = (struct http_header){STR("Cache-Control"), cache_control, 0};
    if (page->has_gzip)
        *to++ = (struct http_header){STR("Vary"), STR("Accept-Encoding"), 0};
    for (unsigned i = 0; i < count; i++) {
        struct str value = more[i].value;
        CHECK(fields_clean(value.at, value.at + value.len) == value.len);
        *to++ = more[i];
    }
    page->header_count = (unsigned)(to - page->headers);
}

static struct http_page *assemble(int status, struct http_header *headers, struct str type,
                                  struct str cache_control, const struct http_header *more,
                                  unsigned count, struct str body, struct str packed)
{
    struct http_page draft = {.status = status, .has_gzip = packed.at != NULL, .headers = headers};
    char plain_tag[32], gzip_tag[32], room[8];
    unsigned long long hash = hash_fast(etag_key, body);
    snprintf(plain_tag, sizeof plain_tag, "\"%016llx\"", hash);
    snprintf(gzip_tag, sizeof gzip_tag, "\"%016llx-gz\"", hash);
    collect_headers(&draft, type, cache_control, more, count);

    struct buf plain, gzip, unchanged;
    struct str line = status_line(status, room);
    char status_text[64];
    str_copy(status_text, sizeof status_text, line);
    buf_init(&plain, 65536);
    buf_init(&gzip, 65536);
    buf_init(&unchanged, 65536);
    draft.plain.etag = str_of(plain_tag);
    draft.gzip.etag = str_of(gzip_tag);
    put_head(&unchanged, &draft, &draft.plain, "304 Not Modified", false);
    snprintf(draft.plain.length, sizeof draft.plain.length, "%zu", body.len);
    snprintf(draft.gzip.length, sizeof draft.gzip.length, "%zu", packed.len);
    put_head(&plain, &draft, &draft.plain, status_text, false);
    put_head(&gzip, &draft, &draft.gzip, status_text, true);

    size_t size = sizeof draft + draft.header_count * sizeof *headers + plain.len + gzip.len +
                  unchanged.len + body.len + packed.len + sizeof plain_tag + sizeof gzip_tag;
    for (unsigned i = 0; i < draft.header_count; i++)
        size += headers[i].name.len + headers[i].value.len;
    bool failed = plain.failed || gzip.failed || unchanged.failed;
    struct http_page *page = failed ? NULL : malloc(size);
    if (page) {
        *page = draft;
        page->size = size;
        page->headers = (struct http_header *)(void *)page->bytes;
        memcpy(page->headers, headers, draft.header_count * sizeof *headers);
        struct cutter cutter = {page->bytes + draft.header_count * sizeof *headers};
        lay_out(page, &cutter, (struct buf *[]){&plain, &gzip, &unchanged}, body, packed,
                (const char *[]){plain_tag, gzip_tag});
        atomic_init(&page->references, 1);
    }
    buf_close(&plain);
    buf_close(&gzip);
    buf_close(&unchanged);
    return page;
}

struct http_page *http_page_with(int status, struct str type, struct str cache_control,
                                 const struct http_header *more, unsigned count, struct str body,
                                 bool compress)
{
    struct str packed = STR_NONE;
    struct http_header *headers = calloc(count + 3, sizeof *headers);
    char *made = compress ? pack(body, &packed.len) : NULL;
    packed.at = made;
    struct http_page *page =
        headers ? assemble(status, headers, type, cache_control, more, count, body, packed) : NULL;
    free(made);
    free(headers);
    return page;
}

struct http_page *http_page_new(int status, struct str type, struct str cache_control,
                                struct str body, bool compress)
{
    return http_page_with(status, type, cache_control, NULL, 0, body, compress);
}

struct http_page *http_page_hold(struct http_page *page)
{
    atomic_fetch_add_explicit(&page->references, 1, memory_order_relaxed);
    return page;
}

void http_page_drop(struct http_page *page)
{
    if (page && atomic_fetch_sub_explicit(&page->references, 1, memory_order_acq_rel) == 1)
        free(page);
}

size_t http_page_size(const struct http_page *page)
{
    return page->size;
}

const struct page_form *page_prepare(struct stream *stream)
{
    struct exchange *x = &stream->x;
    struct http_page *page = x->page;
    bool gzip = page->has_gzip && gzip_accepted(x->known[HTTP_FIELD_ACCEPT_ENCODING]);
    const struct page_form *form = gzip ? &page->gzip : &page->plain;
    struct str wanted = x->known[HTTP_FIELD_IF_NONE_MATCH];
    bool reading = x->method == HTTP_GET || x->method == HTTP_HEAD;
    if (wanted.at && page->status == 200 && reading &&
        (etag_listed(wanted, page->plain.etag) ||
         (page->has_gzip && etag_listed(wanted, page->gzip.etag)))) {
        x->status = 304;
        return NULL;
    }
    stream->reply.body = x->method != HTTP_HEAD;
    stream->reply.at = form->body.at;
    stream->reply.left = form->body.len;
    x->length = form->body.len;
    return form;
}
