/* A connection core on a bench: the application of tests/data/http/README.md around it,
 * time that is set by hand, and everything sent collected in a buffer.
 *
 * Used by the unit tests and fuzz targets of http/. All in a header, because each is a
 * program of one file.
 */
#ifndef STOA_TESTS_HTTP_BED_H
#define STOA_TESTS_HTTP_BED_H

#include "base/clock.h"
#include "http/conn.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BED_KEPT = 128 };

struct bed {
    struct http_host host; /* first: http_host's pointer is its bed's */
    struct http_limits limits;
    struct exchange_runner runner;
    struct http_conn *conn;
    struct http_page *page;
    struct buf sent;
    uint64_t now_ns;
    unsigned seen, refused, cleaned;
    int last_refusal;
    bool late; /* the app keeps exchanges: bed_answer answers */
    struct exchange *kept[BED_KEPT];
    unsigned kept_count;
    struct exchange *resumed;         /* by x->next */
    struct body_sink *sink;           /* used for /sink */
    struct body_source *source;       /* used for /source */
    struct body_source *lender;       /* used for /lent */
    void (*gone)(struct exchange *x); /* set for /lent and /upgrade */
    size_t take;                      /* at most so many bytes are sent at once; 0: all */
};

static inline struct bed *bed_of(struct http_host *host)
{
    return (struct bed *)(void *)host;
}

static inline enum source_verdict bed_words(struct exchange *x, char *out, size_t room, size_t *len)
{
    static const char *const words[] = {"one ", "two ", "three "};
    uintptr_t at = (uintptr_t)x->state;
    if (at == 3 || room < 6) {
        *len = 0;
        return at == 3 ? SOURCE_END : SOURCE_FAIL;
    }
    *len = strlen(words[at]);
    memcpy(out, words[at], *len);
    x->state = (void *)(at + 1);
    return SOURCE_MORE;
}

static inline void bed_reply_file(struct exchange *x)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    if (fd < 0 || write(fd, "..0123456789", 12) != 12)
        abort();
    exchange_add_header(x, STR("ETag"), STR("\"v1\""));
    exchange_reply_file(x, 200, STR("text/plain"), fd, 2, 10);
}

static inline void bed_echo(struct exchange *x)
{
    struct buf text;
    buf_init(&text, 4 << 20);
    buf_str(&text, x->method_name);
    buf_byte(&text, ' ');
    buf_str(&text, x->path);
    if (x->query.len) {
        buf_byte(&text, '?');
        buf_str(&text, x->query);
    }
    if (x->body.len) {
        buf_byte(&text, '\n');
        buf_str(&text, x->body);
    }
    exchange_reply(x, 200, STR("text/plain"), arena_str(&x->arena, buf_text(&text)));
    buf_close(&text);
}

static inline void bed_reply(struct bed *bed, struct exchange *x)
{
    static struct body_source words = {bed_words};
    if (str_eq(x->path, STR("/page"))) {
        exchange_page(x, bed->page);
    } else if (str_eq(x->path, STR("/file"))) {
        bed_reply_file(x);
    } else if (str_eq(x->path, STR("/stream"))) {
        x->state = NULL;
        exchange_reply_source(x, 200, STR("text/plain"), &words, UINT64_MAX);
    } else if (str_eq(x->path, STR("/source")) && bed->source) {
        x->compressible = str_eq(x->query, STR("gzip"));
        exchange_reply_source(x, 200, STR("text/plain"), bed->source, UINT64_MAX);
    } else if (str_eq(x->path, STR("/lent")) && bed->lender) {
        x->gone = bed->gone;
        exchange_reply_source(x, 200, STR("text/plain"), bed->lender, UINT64_MAX);
    } else if (str_eq(x->path, STR("/upgrade")) && bed->sink && bed->lender && x->wants_upgrade) {
        x->gone = bed->gone;
        exchange_upgrade(x, bed->sink, bed->lender);
    } else if (str_eq(x->path, STR("/vary"))) { /* as another server answered, that of the query */
        if (x->query.len)
            exchange_add_header(x, STR("vary"), x->query);
        exchange_add_header(x, STR("ETag"), STR("\"v1\""));
        exchange_reply(x, 200, STR("text/plain"), STR("it depends"));
        x->compressible = true;
    } else if (str_eq(x->path, STR("/close"))) {
        x->close = true;
        exchange_reply(x, 200, STR("text/plain"), STR("bye"));
    } else if (str_eq(x->path, STR("/none"))) {
        exchange_reply(x, 204, STR(""), STR(""));
    } else {
        bed_echo(x);
    }
}

static inline void bed_count_cleanup(void *argument)
{
    ((struct bed *)argument)->cleaned++;
}

static inline void bed_accept(struct http_host *host, struct exchange *x)
{
    struct bed *bed = bed_of(host);
    exchange_at_end(x, bed_count_cleanup, bed);
    if (str_eq(x->path, STR("/refuse")))
        exchange_reply(x, 403, STR("text/plain"), STR("no"));
    else if (str_eq(x->path, STR("/sink")) && bed->sink) {
        x->sink = bed->sink;
        x->body_limit = UINT64_MAX;
    }
}

static inline void bed_handle(struct http_host *host, struct exchange *x)
{
    struct bed *bed = bed_of(host);
    bed->seen++;
    x->thread_state = bed;
    if (bed->late && bed->kept_count < BED_KEPT) {
        bed->kept[bed->kept_count++] = x;
        return;
    }
    bed_reply(bed, x);
    http_conn_answered(x, bed->now_ns);
}

/* Answers the exchange kept at INDEX. */
static inline void bed_answer(struct bed *bed, unsigned index)
{
    struct exchange *x = bed->kept[index];
    bed->kept[index] = bed->kept[--bed->kept_count];
    bed_reply(bed, x);
    http_conn_answered(x, bed->now_ns);
}

static inline void bed_refused(struct http_host *host, int status)
{
    bed_of(host)->refused++;
    bed_of(host)->last_refusal = status;
}

static inline int64_t bed_wall_ms(struct http_host *host)
{
    return 1795000000000 + (int64_t)(bed_of(host)->now_ns / MS_NS);
}

static inline void bed_resume(struct exchange_runner *runner, struct exchange *x)
{
    struct bed *bed = (struct bed *)(void *)((char *)runner - offsetof(struct bed, runner));
    x->next = bed->resumed;
    bed->resumed = x;
}

/* Runs what was resumed, as an engine's thread does. */
static inline void bed_run(struct bed *bed)
{
    while (bed->resumed) {
        struct exchange *x = bed->resumed;
        bed->resumed = x->next;
        if (x->step)
            x->step(x);
        else
            http_conn_answered(x, bed->now_ns);
    }
}

static inline void bed_open(struct bed *bed, enum http_protocol protocol)
{
    char body[441];
    *bed = (struct bed){.now_ns = SEC_NS};
    bed->host = (struct http_host){
        .limits = &bed->limits,
        .runner = &bed->runner,
        .accept = bed_accept,
        .handle = bed_handle,
        .wall_ms = bed_wall_ms,
        .refused = bed_refused,
    };
    bed->runner.resume = bed_resume;
    for (unsigned i = 0; i < 40; i++)
        memcpy(body + 11 * i, "<p>page</p>", 12);
    bed->page = http_page_new(200, STR("text/html"), STR("no-cache"), str_make(body, 440), true);
    buf_init(&bed->sent, 256 << 20);
    bed->conn = http_conn_new(&bed->host, protocol, false, STR("192.0.2.1"), bed->now_ns, bed);
    if (!bed->conn || !bed->page)
        abort();
}

/* Takes everything the core has to send. */
static inline void bed_collect(struct bed *bed)
{
    struct iovec pieces[4];
    int count;
    while ((count = http_conn_output(bed->conn, pieces, 4)) > 0) {
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            size_t part = pieces[i].iov_len;
            if (bed->take && len + part > bed->take)
                part = bed->take - len;
            buf_put(&bed->sent, pieces[i].iov_base, part);
            len += part;
        }
        http_conn_sent(bed->conn, len, bed->now_ns);
    }
}

static inline void bed_feed(struct bed *bed, const void *bytes, size_t len)
{
    if (http_conn_finished(bed->conn))
        return;
    http_conn_receive(bed->conn, bytes, len, bed->now_ns);
    bed_run(bed);
    bed_collect(bed);
}

static inline void bed_text(struct bed *bed, const char *text)
{
    bed_feed(bed, text, strlen(text));
}

/* Frees the connection; kept exchanges stay. */
static inline void bed_hang_up(struct bed *bed)
{
    if (bed->conn)
        http_conn_free(bed->conn);
    bed->conn = NULL;
}

static inline void bed_close(struct bed *bed)
{
    bed_hang_up(bed);
    while (bed->kept_count > 0)
        bed_answer(bed, 0);
    bed_run(bed);
    http_page_drop(bed->page);
    http_host_close(&bed->host);
    buf_close(&bed->sent);
}

#endif
