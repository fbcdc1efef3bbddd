#include "web/inner_long.h"

#include "base/buf.h"
#include "http/client.h"
#include "net/socket.h"
#include "web/call.h"
#include "web/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECT_MS = 5000,
    SILENT_MS = 600000, /* an import says nothing for as long as it decides */
    PIECE = 16 << 10,
    REFUSAL_MAX = 1 << 20, /* of an answer that comes instead of the body */
};

struct inner_long {
    struct exchange *x;
    int fd;
    struct http_client *client;
    struct buf unread; /* of the answer's body: what came and was not given yet */
    int status;        /* 0: its head has not come */
    int64_t length;
    struct str type;
    bool done, broken;
};

/* ---- The answer's parts ---- */

static void on_head(void *user, const struct http_response *response)
{
    struct inner_long *l = user;
    struct arena *arena = &l->x->arena;
    l->type = STR("text/plain");
    for (unsigned i = 0; i < response->header_count; i++) {
        struct str name = arena_str(arena, response->headers[i].name);
        struct str value = arena_str(arena, response->headers[i].value);
        if (!name.at || !value.at)
            continue;
        if (str_eq_nocase(name, STR("content-type")))
            l->type = value;
        else if (relay_passes(name, STR_NONE) || str_eq_nocase(name, STR("date")))
            exchange_add_header(l->x, name, value);
    }
    l->status = response->status;
    l->length = response->content_length;
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    struct inner_long *l = user;
    (void)response;
    buf_str(&l->unread, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct inner_long *l = user;
    l->done = true;
    l->broken = response->broken;
}

static const struct http_client_events events = {on_head, on_body, on_done};

/* ---- Bytes ---- */

static bool can(struct inner_long *l, short events_wanted, int ms)
{
    struct pollfd fd = {l->fd, events_wanted, 0};
    int ready;
    do
        ready = poll(&fd, 1, ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* Some bytes of the answer. */
static int receive(struct inner_long *l)
{
    char bytes[PIECE];
    if (!can(l, POLLIN, SILENT_MS))
        return ERR_TIMEOUT;
    ssize_t count = recv(l->fd, bytes, sizeof bytes, 0);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : ERR_IO;
    int err = http_client_receive(l->client, bytes, (size_t)count);
    if (!err && count == 0 && !l->done)
        err = ERR_IO;
    return err ? err : l->unread.failed ? ERR_NOMEM : 0;
}

/* ERR_CLOSED: the server has said something instead of taking all of it. */
static int send_all(struct inner_long *l, struct str bytes, bool listens)
{
    while (bytes.len) {
        if (!can(l, (short)(POLLOUT | (listens ? POLLIN : 0)), SILENT_MS))
            return ERR_TIMEOUT;
        if (listens && can(l, POLLIN, 0))
            return ERR_CLOSED;
        ssize_t count = send(l->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (count > 0)
            bytes = str_from(bytes, (size_t)count);
        else if (errno != EAGAIN && errno != EINTR)
            return ERR_IO;
    }
    return 0;
}

/* ---- Beginning and end ---- */

static void close_it(void *argument)
{
    struct inner_long *l = argument;
    if (l->fd >= 0)
        close(l->fd);
    if (l->client)
        http_client_free(l->client);
    buf_close(&l->unread);
}

static int dial(struct inner_long *l, struct failure *failure)
{
    const struct web_writer *writer = &call_web(l->x)->settings.writer;
    struct endpoint server;
    char url[256];
    if (!writer->find(writer->context, false, url, sizeof url) || strncmp(url, "http://", 7) != 0)
        return fail(failure, ERR_STATE, "the server is not there");
    int err = endpoint_resolve(str_of(url + 7), false, &server, failure);
    err = err ? err : socket_connect(&server, &l->fd, failure);
    if (err)
        return err;
    if (!can(l, POLLOUT, CONNECT_MS) || socket_error(l->fd))
        return fail(failure, ERR_UNREACHED, "the server does not answer at %s", url);
    return 0;
}

static struct inner_long *long_new(struct exchange *x, struct failure *failure)
{
    struct inner_long *l = ARENA_NEW(&x->arena, struct inner_long);
    if (!l) {
        fail(failure, ERR_NOMEM, "out of memory");
        return NULL;
    }
    *l = (struct inner_long){.x = x, .fd = -1};
    buf_init(&l->unread, REFUSAL_MAX + PIECE);
    if (exchange_at_end(x, close_it, l)) {
        fail(failure, ERR_NOMEM, "out of memory");
        return NULL;
    }
    l->client = http_client_new(HTTP_1, &events, l);
    if (!l->client)
        fail(failure, ERR_NOMEM, "out of memory");
    return l->client && dial(l, failure) == 0 ? l : NULL;
}

static int send_head(struct inner_long *l, bool upload)
{
    struct exchange *x = l->x;
    bool get = x->method == HTTP_GET || x->method == HTTP_HEAD;
    unsigned count = 0;
    const struct http_header *headers = inner_headers(x, &count);
    struct buf head;
    buf_init(&head, x->target.len + (128u << 10));
    buf_printf(&head, "%.*s %.*s HTTP/1.1\r\nConnection: close\r\n",
               STR_FMT(get ? STR("GET") : x->method_name), STR_FMT(x->target));
    for (unsigned i = 0; i < count; i++)
        buf_printf(&head, "%.*s: %.*s\r\n", STR_FMT(headers[i].name), STR_FMT(headers[i].value));
    if (upload && x->content_length >= 0)
        buf_printf(&head, "Expect: 100-continue\r\nContent-Length: %lld\r\n",
                   (long long)x->content_length);
    else if (upload)
        buf_puts(&head, "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n");
    else if (!get)
        buf_printf(&head, "Content-Length: %zu\r\n", x->body.len);
    buf_puts(&head, "\r\n");
    int err = head.failed || !headers ? ERR_NOMEM : http_client_expect(l->client, false, l);
    err = err ? err : send_all(l, buf_text(&head), false);
    buf_close(&head);
    return !err && !upload && !get ? send_all(l, x->body, false) : err;
}

/* ---- The answer ---- */

static enum source_verdict read_answer(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct inner_long *l = call_of(x)->own;
    while (!l->unread.len && !l->done)
        if (receive(l))
            return SOURCE_FAIL;
    *len = l->unread.len < room ? l->unread.len : room;
    memcpy(out, l->unread.at, *len);
    buf_drain(&l->unread, *len);
    if (l->unread.len || !l->done)
        return SOURCE_MORE;
    return l->broken ? SOURCE_FAIL : SOURCE_END;
}

static const struct body_source answer_source = {.read = read_answer};

/* Its head, at least. */
static int await_head(struct inner_long *l)
{
    int err = 0;
    while (!err && !l->status && !l->done)
        err = receive(l);
    return err ? err : l->status ? 0 : ERR_IO;
}

static int answer(struct inner_long *l)
{
    int err = await_head(l);
    if (err)
        return err;
    l->x->as_is = true;
    if (l->status == 204 || l->status == 304) {
        exchange_reply(l->x, l->status, l->type, STR(""));
        return 0;
    }
    exchange_reply_source(l->x, l->status, l->type, &answer_source,
                          l->length >= 0 ? (uint64_t)l->length : UINT64_MAX);
    return 0;
}

/* The server does not take the body: its answer, whole. */
static int refuse(struct inner_long *l)
{
    int err = await_head(l);
    while (!err && !l->done)
        err = l->unread.len > REFUSAL_MAX ? ERR_FULL : receive(l);
    struct str text = arena_str(&l->x->arena, buf_text(&l->unread));
    if (err || !text.at)
        return err ? err : ERR_NOMEM;
    exchange_reply(l->x, l->status, l->type, text);
    l->x->as_is = true;
    return 0;
}

int inner_long_answer(struct exchange *x, struct failure *failure)
{
    struct inner_long *l = call_of(x)->own;
    int err = 0;
    if (!l) {
        l = call_of(x)->own = long_new(x, failure);
        if (!l)
            return failure->err;
        err = send_head(l, false);
    } else if (x->content_length < 0) {
        err = send_all(l, STR("0\r\n\r\n"), false);
    }
    err = err ? err : answer(l);
    return err ? fail(failure, err, "%s", err_sentence(err)) : 0;
}

/* ---- The body ---- */

/* With its frame, where the length is not known before. */
static int send_piece(struct inner_long *l, struct str bytes)
{
    char head[24];
    if (l->x->content_length >= 0)
        return send_all(l, bytes, true);
    snprintf(head, sizeof head, "%zx\r\n", bytes.len);
    int err = send_all(l, str_of(head), true);
    err = err ? err : send_all(l, bytes, true);
    return err ? err : send_all(l, STR("\r\n"), true);
}

static enum sink_verdict take_body(struct exchange *x, struct str bytes)
{
    struct inner_long *l = call_of(x)->own;
    int err = send_piece(l, bytes);
    if (err && refuse(l))
        call_fail_err(x, ERR_TIMEOUT);
    return err ? SINK_STOP : SINK_MORE;
}

static const struct body_sink to_server = {take_body};

/* Whether it says 100: then it is to have the body. */
static int await_leave(struct inner_long *l, bool *leave)
{
    static const char yes[] = "HTTP/1.1 100";
    char first[sizeof yes - 1];
    ssize_t count = 0;
    while (count >= 0 && count < (ssize_t)sizeof first) {
        if (!can(l, POLLIN, SILENT_MS))
            return ERR_TIMEOUT;
        count = recv(l->fd, first, sizeof first, MSG_PEEK);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            return ERR_IO;
        count = count < 0 ? 0 : count;
    }
    *leave = memcmp(first, yes, sizeof first) == 0;
    return *leave ? receive(l) : 0; /* the client drops it */
}

int inner_long_accept(struct exchange *x, struct failure *failure)
{
    struct inner_long *l = call_of(x)->own = long_new(x, failure);
    bool leave = false;
    if (!l)
        return failure->err;
    int err = send_head(l, true);
    err = err ? err : await_leave(l, &leave);
    if (!err && !leave)
        err = refuse(l);
    if (err)
        return fail(failure, err, "%s", err_sentence(err));
    if (leave) {
        x->sink = &to_server;
        x->body_limit = UINT64_MAX; /* the server's bound is meant */
    }
    return 0;
}
