#include "http/exchange.h"

#include "base/check.h"
#include "http/core.h"
#include "http/fields.h"
#include "http/url.h"

enum { LONG_HEADER = 32 }; /* bytes; below it a plain loop is faster */

struct str exchange_header(const struct exchange *x, struct str name)
{
    for (unsigned i = 0; i < x->header_count; i++)
        if (str_eq_nocase(x->headers[i].name, name))
            return x->headers[i].value;
    return STR_NONE;
}

struct str exchange_cookie(const struct exchange *x, struct str name)
{
    return cookie_find(x->known[HTTP_FIELD_COOKIE], name);
}

struct str exchange_query(struct exchange *x, struct str name)
{
    return form_find(&x->arena, x->query, name);
}

struct str exchange_form(struct exchange *x, struct str name)
{
    struct str type = x->known[HTTP_FIELD_CONTENT_TYPE];
    ptrdiff_t end = str_find_byte(type, ';');
    if (end >= 0)
        type = str_sub(type, 0, (size_t)end);
    if (!str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded")))
        return STR_NONE;
    return form_find(&x->arena, x->body, name);
}

/* A long one, as Content-Security-Policy is, eight bytes at a time. */
static bool is_clean(struct str text)
{
    if (text.len >= LONG_HEADER && fields_clean(text.at, text.at + text.len) == text.len)
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '\r' || text.at[i] == '\n' || text.at[i] == 0)
            return false;
    return true;
}

void exchange_add_header(struct exchange *x, struct str name, struct str value)
{
    CHECK(name.len > 0 && is_clean(name) && is_clean(value));
    if (x->answer_header_count == x->answer_header_room) {
        unsigned room = x->answer_header_room ? x->answer_header_room * 2 : 8;
        struct http_header *grown = ARENA_ARRAY(&x->arena, struct http_header, room);
        if (!grown) { /* the arena is used up: better no answer than half of one */
            x->status = 500;
            x->close = true;
            return;
        }
        if (x->answer_header_count)
            memcpy(grown, x->answer_headers, x->answer_header_count * sizeof *grown);
        x->answer_headers = grown;
        x->answer_header_room = room;
    }
    x->answer_headers[x->answer_header_count++] = (struct http_header){name, value, field_of(name)};
}

static void reply(struct exchange *x, int status, enum answer_kind kind, struct str type,
                  uint64_t length)
{
    CHECK(status >= 200 && status <= 599);
    x->status = status;
    x->answer = kind;
    x->length = length;
    if (type.len)
        exchange_add_header(x, STR("Content-Type"), type);
}

void exchange_reply(struct exchange *x, int status, struct str type, struct str body)
{
    x->bytes = body;
    reply(x, status, ANSWER_BYTES, type, body.len);
}

void exchange_reply_blob(struct exchange *x, int status, struct str type, struct blob *blob,
                         struct str part)
{
    blob_hold(blob);
    blob_drop(x->blob);
    x->blob = blob;
    x->bytes = part;
    reply(x, status, ANSWER_BLOB, type, part.len);
}

void exchange_reply_file(struct exchange *x, int status, struct str type, int fd, uint64_t offset,
                         uint64_t length)
{
    x->file = fd;
    x->file_offset = offset;
    reply(x, status, ANSWER_FILE, type, length);
}

void exchange_reply_source(struct exchange *x, int status, struct str type,
                           const struct body_source *source, uint64_t length)
{
    x->source = source;
    reply(x, status, ANSWER_SOURCE, type, length);
}

void exchange_upgrade(struct exchange *x, const struct body_sink *sink,
                      const struct body_source *source)
{
    CHECK(x->wants_upgrade);
    x->sink = sink;
    x->source = source;
    x->close = false;
    x->status = 101;
    x->answer = ANSWER_SOURCE;
    x->length = UINT64_MAX;
    stream_of(x)->tunnel = true;
}

void exchange_drop(struct exchange *x)
{
    exchange_reply(x, 500, STR(""), STR("")); /* which nobody gets to see */
    x->dropped = true;
}

void exchange_page(struct exchange *x, struct http_page *page)
{
    http_page_hold(page);
    http_page_drop(x->page);
    x->page = page;
    reply(x, page->status, ANSWER_PAGE, STR(""), page->plain.body.len);
}

int exchange_at_end(struct exchange *x, void (*cleanup)(void *argument), void *argument)
{
    struct exchange_cleanup *entry = ARENA_NEW(&x->arena, struct exchange_cleanup);
    if (!entry)
        return ERR_NOMEM;
    *entry = (struct exchange_cleanup){x->cleanups, cleanup, argument};
    x->cleanups = entry;
    return 0;
}

void exchange_continue(struct exchange *x, void (*step)(struct exchange *x))
{
    x->step = step;
    x->runner->resume(x->runner, x);
}

void exchange_finish(struct exchange *x)
{
    exchange_continue(x, NULL);
}

void exchange_offload(struct exchange *x, void (*work)(struct exchange *x),
                      void (*then)(struct exchange *x))
{
    x->work = work;
    x->step = then;
    x->runner->offload(x->runner, x);
}

static void wake(struct exchange *x)
{
    struct http_conn *conn = x->conn;
    http_conn_woken(x, conn ? conn->now_ns : 0);
}

void exchange_nudge(struct exchange *x)
{
    struct stream *stream = stream_of(x);
    struct http_conn *conn = conn_of(stream);
    if (stream->nudged || stream->orphan || !conn)
        return;
    stream->nudged = conn->nudged = true;
    if (x->runner->touch)
        x->runner->touch(x->runner, x);
}

bool exchange_addresses(const struct exchange *x, struct endpoint *client, struct endpoint *here)
{
    const struct http_conn *conn = x->conn;
    return conn && conn->host->addresses &&
           conn->host->addresses(conn->host, conn->owner, client, here);
}

void exchange_take_more(struct exchange *x)
{
    exchange_continue(x, wake);
}

void exchange_wake(struct exchange *x)
{
    exchange_continue(x, wake);
}
