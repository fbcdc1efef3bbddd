#include "balance/errand.h"

#include "base/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { REQUEST_MAX = 8 << 10, READ = 16 << 10, READS = 32 };

/* PROXY protocol v2 (haproxy.org, proxy-protocol.txt, §2.2) with the command LOCAL: the connection
 * is the load manager's own. */
static const unsigned char proxy_local[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51,
                                            0x55, 0x49, 0x54, 0x0a, 0x20, 0x00, 0x00, 0x00};

/* ---- Answers ---- */

static void on_head(void *user, const struct http_response *response)
{
    struct errand *errand = user;
    errand->status = response->status;
    for (unsigned i = 0; i < response->header_count; i++)
        if (str_eq_nocase(response->headers[i].name, STR("stoa-load")))
            str_copy(errand->load, sizeof errand->load, response->headers[i].value);
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    (void)response;
    struct errand *errand = user;
    buf_str(&errand->body, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct errand *errand = user;
    errand->complete = !response->broken;
    errand->broken = response->broken;
    errand->keep = response->keep_alive;
}

static const struct http_client_events client_events = {
    .head = on_head, .body = on_body, .done = on_done};

/* ---- Connections ---- */

void errand_init(struct errand *errand, struct loop *loop, const struct errand_target *target,
                 void (*ended)(struct errand *errand, enum errand_end end))
{
    *errand = (struct errand){.loop = loop, .target = *target, .ended = ended};
    errand->watch.fd = -1;
    list_init(&errand->soon.node);
    buf_init(&errand->body, ERRAND_BODY_MAX);
    buf_init(&errand->out, REQUEST_MAX);
    buf_init(&errand->request, REQUEST_MAX);
}

static void disconnect(struct errand *errand)
{
    if (errand->watch.fd >= 0) {
        loop_unwatch(errand->loop, &errand->watch);
        close(errand->watch.fd);
    }
    errand->watch.fd = -1;
    errand->connected = errand->reused = false;
    if (errand->client)
        http_client_free(errand->client);
    errand->client = NULL;
    tls_free(errand->tls);
    errand->tls = NULL;
    buf_clear(&errand->out);
}

void errand_close(struct errand *errand)
{
    loop_soon_cancel(&errand->soon);
    disconnect(errand);
    buf_close(&errand->body);
    buf_close(&errand->out);
    buf_close(&errand->request);
    errand->open = false;
}

void errand_give_up(struct errand *errand)
{
    loop_soon_cancel(&errand->soon);
    disconnect(errand);
    errand->open = false;
}

/* The last thing that is done with ERRAND in a turn: the owner may have closed it. */
static void finish(struct errand *errand, enum errand_end end)
{
    errand->open = false;
    if (end != ERRAND_ANSWERED || !errand->keep)
        disconnect(errand);
    errand->ended(errand, end);
}

static void run_soon(struct soon *soon)
{
    struct errand *errand = CONTAINER_OF(soon, struct errand, soon);
    finish(errand, errand->soon_end);
}

static void finish_soon(struct errand *errand, enum errand_end end)
{
    errand->soon_end = end;
    errand->soon.run = run_soon;
    loop_soon(errand->loop, &errand->soon);
}

static void explain(struct errand *errand, const char *text)
{
    str_copy(errand->problem, sizeof errand->problem, str_of(text));
}

/* Why a connection could not be made: their side, or ours? */
static enum errand_end connect_end(struct errand *errand, int error)
{
    explain(errand, strerror(error));
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
        return ERRAND_REFUSED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
        return ERRAND_UNABLE;
    default: /* ECONNRESET, ETIMEDOUT, … */
        return ERRAND_LOST;
    }
}

/* ---- Sending ---- */

static int watch_for(struct errand *errand, uint32_t events)
{
    if (events == errand->events)
        return ERR_OK;
    errand->events = events;
    return loop_rewatch(errand->loop, &errand->watch, events);
}

/* False: the connection broke. *SENT of BYTES have left. */
static bool send_some(struct errand *errand, struct str bytes, size_t *sent)
{
    ssize_t n;
    *sent = 0;
    if (bytes.len == 0)
        return true;
    do
        n = send(errand->watch.fd, bytes.at, bytes.len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        *sent = (size_t)n;
    return n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK;
}

static bool flush(struct errand *errand)
{
    size_t sent, left = 0;
    if (!send_some(errand, buf_text(&errand->out), &sent))
        return false;
    buf_drain(&errand->out, sent);
    left = errand->out.len;
    if (errand->tls && left == 0) {
        if (!send_some(errand, tls_output(errand->tls), &sent))
            return false;
        tls_sent(errand->tls, sent);
        left = tls_output(errand->tls).len;
    }
    return watch_for(errand, EPOLLIN | (left ? EPOLLOUT : 0)) == ERR_OK;
}

static bool send_request(struct errand *errand)
{
    struct str request = buf_text(&errand->request);
    if (http_client_expect(errand->client, false, errand) != ERR_OK)
        return false;
    if (errand->tls)
        return tls_write(errand->tls, request.at, request.len) && flush(errand);
    buf_str(&errand->out, request);
    return !errand->out.failed && flush(errand);
}

/* ---- Connecting ---- */

static void ready(struct watch *watch, uint32_t events);

static enum errand_end connect_now(struct errand *errand)
{
    struct failure failure;
    int fd;
    if (socket_connect(errand->target.address, &fd, &failure) != ERR_OK)
        return connect_end(errand, errno);
    errand->watch = (struct watch){fd, ready};
    errand->events = EPOLLOUT;
    if (loop_watch(errand->loop, &errand->watch, EPOLLOUT) != ERR_OK) {
        close(fd);
        errand->watch.fd = -1;
        explain(errand, "epoll takes no more descriptors");
        return ERRAND_UNABLE;
    }
    return ERRAND_NONE;
}

/* False: without memory, or it broke. */
static bool begin_connection(struct errand *errand)
{
    errand->connected = true;
    errand->client = http_client_new(HTTP_1, &client_events, errand);
    if (!errand->client)
        return false;
    if (errand->target.proxy_header)
        buf_put(&errand->out, proxy_local, sizeof proxy_local);
    if (!errand->target.tls_context)
        return send_request(errand);
    size_t len;
    char none[8];
    errand->tls = tls_new_connecting(errand->target.tls_context);
    return errand->tls && tls_expect(errand->tls, errand->target.host) &&
           tls_read(errand->tls, none, sizeof none, &len) == TLS_WAIT && flush(errand);
}

static void begin(struct errand *errand)
{
    CHECK(!errand->open);
    errand->open = true;
    errand->complete = errand->broken = errand->heard = errand->keep = false;
    errand->status = 0;
    errand->load[0] = errand->problem[0] = '\0';
    buf_clear(&errand->body);
}

static void reconnect(struct errand *errand)
{
    disconnect(errand);
    enum errand_end end = connect_now(errand);
    if (end != ERRAND_NONE)
        finish_soon(errand, end);
}

static void ask_by(struct errand *errand, const char *method, struct str target,
                   struct str authorization, struct str body)
{
    struct buf *out = &errand->request;
    begin(errand);
    errand->knock = false;
    buf_clear(out);
    buf_printf(out, "%s %.*s HTTP/1.1\r\nHost: %s\r\nUser-Agent: stoa-balance/%s\r\n", method,
               STR_FMT(target), errand->target.host, STOA_VERSION);
    if (authorization.len)
        buf_printf(out, "Authorization: %.*s\r\n", STR_FMT(authorization));
    if (body.at)
        buf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
    buf_puts(out, "\r\n");
    buf_str(out, body);
    if (out->failed) {
        explain(errand, "the request is too long");
        finish_soon(errand, ERRAND_UNABLE);
        return;
    }
    errand->reused = errand->connected;
    if (!errand->connected || !send_request(errand))
        reconnect(errand);
}

void errand_ask(struct errand *errand, struct str target, struct str authorization, struct str body)
{
    ask_by(errand, body.at ? "POST" : "GET", target, authorization, body);
}

void errand_ping(struct errand *errand)
{
    ask_by(errand, "OPTIONS", STR("*"), STR_NONE, STR_NONE);
}

void errand_knock(struct errand *errand)
{
    begin(errand);
    errand->knock = true;
    reconnect(errand);
}

/* ---- Receiving ---- */

static enum errand_end take_plain(struct errand *errand, const char *bytes, size_t len)
{
    if (http_client_receive(errand->client, bytes, len) != ERR_OK) {
        const char *why = http_client_error(errand->client);
        explain(errand, why ? why : "what came is not HTTP");
        return ERRAND_RUBBISH;
    }
    if (errand->body.failed) {
        explain(errand, "the answer is too long");
        return ERRAND_RUBBISH;
    }
    if (errand->broken) {
        explain(errand, "the connection ended before the answer was complete");
        return ERRAND_LOST;
    }
    return errand->complete ? ERRAND_ANSWERED : ERRAND_NONE;
}

static enum errand_end take_tls(struct errand *errand, const char *bytes, size_t len)
{
    char plain[READ];
    size_t plain_len;
    bool was_ready = tls_ready(errand->tls);
    enum errand_end end = ERRAND_NONE;
    enum tls_verdict verdict;
    if (len == 0)
        return take_plain(errand, NULL, 0);
    tls_receive(errand->tls, bytes, len);
    while ((verdict = tls_read(errand->tls, plain, sizeof plain, &plain_len)) == TLS_OK)
        if (end == ERRAND_NONE)
            end = take_plain(errand, plain, plain_len);
    if (end != ERRAND_NONE)
        return end;
    if (verdict == TLS_FAILED) {
        explain(errand, tls_problem(errand->tls));
        flush(errand); /* an alert; whether it arrives does not matter */
        return ERRAND_LOST;
    }
    if (verdict == TLS_CLOSED)
        return take_plain(errand, NULL, 0);
    if (!was_ready && tls_ready(errand->tls) && !send_request(errand))
        return ERRAND_LOST;
    return flush(errand) ? ERRAND_NONE : ERRAND_LOST;
}

static enum errand_end receive(struct errand *errand)
{
    char bytes[READ];
    for (int i = 0; i < READS; i++) {
        ssize_t n = recv(errand->watch.fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return ERRAND_NONE;
        if (n < 0) {
            explain(errand, strerror(errno));
            return ERRAND_LOST;
        }
        errand->heard |= n > 0;
        enum errand_end end =
            errand->tls ? take_tls(errand, bytes, (size_t)n) : take_plain(errand, bytes, (size_t)n);
        if (end != ERRAND_NONE)
            return end;
        if (n == 0)
            return ERRAND_LOST;
    }
    return ERRAND_NONE;
}

static enum errand_end advance(struct errand *errand, uint32_t events)
{
    if (!errand->connected) {
        int error = socket_error(errand->watch.fd);
        if (error)
            return connect_end(errand, error);
        if (errand->knock)
            return ERRAND_CONNECTED;
        if (!begin_connection(errand))
            return ERRAND_LOST;
        return ERRAND_NONE;
    }
    if (events & EPOLLOUT && !flush(errand))
        return ERRAND_LOST;
    return events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? receive(errand) : ERRAND_NONE;
}

static void ready(struct watch *watch, uint32_t events)
{
    struct errand *errand = CONTAINER_OF(watch, struct errand, watch);
    if (!errand->open) {
        disconnect(errand); /* the server has closed it, or says what nobody asked for */
        return;
    }
    enum errand_end end = advance(errand, events);
    if (end == ERRAND_NONE)
        return;
    if (end == ERRAND_LOST && errand->reused && !errand->heard)
        reconnect(errand);
    else
        finish(errand, end);
}
