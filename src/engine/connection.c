#include "engine/connection.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECES = 32 };

/* After the last byte of an answer the client gets this long, and this much may still
 * come from it, before the connection is closed for good. */
#define LINGER_NS    (2 * SEC_NS)
#define LINGER_BYTES (1u << 20)
/* The same at a graceful stop, which is in a hurry. */
#define LINGER_STOP_NS (200 * MS_NS)
#define HANDSHAKE_NS   (10 * SEC_NS)

static uint64_t now_of(const struct connection *c)
{
    return c->dispatcher->now_ns;
}

static bool is_stopping(const struct connection *c)
{
    return engine_is_stopping(c->dispatcher->engine);
}

static bool http_start(struct connection *c)
{
    char peer[ADDRESS_TEXT];
    enum http_protocol protocol = HTTP_DETECT;
    endpoint_text(&c->peer, false, peer, sizeof peer);
    if (c->tls)
        protocol = tls_agreed(c->tls, STR("h2")) ? HTTP_2 : HTTP_1;
    c->http =
        http_conn_new(&c->dispatcher->host, protocol, c->tls != NULL, str_of(peer), now_of(c), c);
    c->state = CONNECTION_OPEN;
    return c->http != NULL;
}

/* ---- Receiving ---- */

static void receive_tls(struct connection *c, size_t len)
{
    enum tls_verdict verdict;
    size_t got;
    tls_receive(c->tls, c->buffers->input, len);
    while ((verdict = tls_read(c->tls, c->buffers->plain, CONNECTION_READ, &got)) == TLS_OK) {
        if (!c->http && !http_start(c)) {
            c->broken = true;
            return;
        }
        http_conn_receive(c->http, c->buffers->plain, got, now_of(c));
    }
    if (verdict == TLS_WAIT) {
        if (!c->http && tls_ready(c->tls) && !http_start(c))
            c->broken = true;
    } else if (verdict == TLS_CLOSED && c->http) {
        c->eof = true;
        http_conn_receive(c->http, NULL, 0, now_of(c));
    } else {
        c->broken = true;
    }
}

static void receive_end(struct connection *c)
{
    c->readable = false;
    c->eof = true;
    if (c->http)
        http_conn_receive(c->http, NULL, 0, now_of(c));
    else
        c->broken = true;
}

/* FULL: there may be more. */
static void received(struct connection *c, const char *at, size_t n, bool full)
{
    uint64_t heads = c->dispatcher->heads;
    engine_count(&c->dispatcher->counters->bytes_in, (uint64_t)n);
    c->heard_ns = now_of(c);
    if (c->tls)
        receive_tls(c, n);
    else
        http_conn_receive(c->http, at, n, c->heard_ns);
    c->bulk = full && c->dispatcher->heads == heads;
}

/* One read, at most. */
static void receive(struct connection *c)
{
    size_t room = c->bulk ? CONNECTION_READ_BULK : CONNECTION_READ;
    ssize_t n = recv(c->fd, c->buffers->input, room, 0);
    if (n == 0) {
        receive_end(c);
        return;
    }
    if (n < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            c->readable = false;
        else if (errno != EINTR)
            c->broken = true;
        return;
    }
    /* Less than there was room for: the socket is empty, and the next byte is an event.
     * The end of the stream, when it is known to have come, would not be another one. */
    if ((size_t)n < room && !c->hung_up)
        c->readable = false;
    received(c, c->buffers->input, (size_t)n, (size_t)n == room);
}

/* ---- Sending ---- */

/* What a call of send left, or did not. False: no more at this turn. */
static bool sent(struct connection *c, ssize_t n, size_t *budget)
{
    if (n < 0) {
        if (errno == EINTR)
            return true;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            c->writable = false;
        else
            c->broken = c->reset = true;
        return false;
    }
    engine_count(&c->dispatcher->counters->bytes_out, (uint64_t)n);
    *budget -= (size_t)n < *budget ? (size_t)n : *budget;
    return *budget > 0;
}

static ssize_t send_pieces(struct connection *c, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    if (count == 1)
        return send(c->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    return sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

/* A file that has become shorter than announced gives 0: the answer cannot be
 * completed, and the client must notice. */
static ssize_t send_file(struct connection *c, int fd, uint64_t offset, uint64_t len)
{
    off_t from = (off_t)offset;
    ssize_t n = sendfile(c->fd, fd, &from, len < CONNECTION_SEND ? len : CONNECTION_SEND);
    if (n == 0) {
        errno = EIO;
        return -1;
    }
    return n;
}

/* True when the turn's share was used up before everything was sent. */
static bool send_plain(struct connection *c)
{
    struct iovec pieces[PIECES];
    size_t budget = CONNECTION_SEND;
    while (c->writable && !c->submitted) {
        int fd;
        uint64_t offset, len;
        ssize_t n;
        if (http_conn_file(c->http, &fd, &offset, &len)) {
            n = send_file(c, fd, offset, len);
        } else {
            int count = http_conn_output(c->http, pieces, PIECES);
            if (count == 0)
                return false;
            c->submitted =
                count == 1 && c->submit && c->submit(c, pieces[0].iov_base, pieces[0].iov_len);
            if (c->submitted)
                return false;
            n = send_pieces(c, pieces, count);
        }
        bool more = sent(c, n, &budget);
        if (n > 0)
            http_conn_sent(c->http, (size_t)n, now_of(c));
        if (!more)
            return budget == 0;
    }
    return false;
}

/* Enciphers the next batch of output. False: there is none, or it is broken. */
static bool encipher(struct connection *c)
{
    struct iovec pieces[PIECES];
    char *batch = c->buffers->input;
    size_t len = 0;
    int count = http_conn_output(c->http, pieces, PIECES);
    for (int i = 0; i < count && len < CONNECTION_READ_BULK; i++) {
        size_t room = CONNECTION_READ_BULK - len;
        size_t part = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(batch + len, pieces[i].iov_base, part);
        len += part;
    }
    if (len == 0)
        return false;
    if (!tls_write(c->tls, batch, len)) {
        c->broken = c->reset = true;
        return false;
    }
    c->plain_unsent = len;
    return true;
}

/* The core learns of its bytes as they leave, so that its deadlines for slow readers
 * hold with TLS too. */
static void report_sent(struct connection *c, size_t cipher_len)
{
    tls_sent(c->tls, cipher_len);
    size_t plain = cipher_len < c->plain_unsent ? cipher_len : c->plain_unsent;
    if (tls_output(c->tls).len == 0)
        plain = c->plain_unsent;
    c->plain_unsent -= plain;
    if (plain > 0)
        http_conn_sent(c->http, plain, now_of(c));
}

static bool send_tls(struct connection *c)
{
    size_t budget = CONNECTION_SEND;
    while (c->writable) {
        struct str output = tls_output(c->tls);
        if (output.len == 0) {
            if (!c->http || !encipher(c))
                return false;
            output = tls_output(c->tls);
        }
        ssize_t n = send(c->fd, output.at, output.len, MSG_NOSIGNAL);
        bool more = sent(c, n, &budget);
        if (n > 0)
            report_sent(c, (size_t)n);
        if (!more)
            return budget == 0;
    }
    return false;
}

/* ---- Closing politely ---- */

/* The answer is sent, but what the client may still send would make the kernel reset
 * the connection and take the answer along. So only our side is closed, and what comes
 * is thrown away for a moment (RFC 9112, 9.6). */
static void start_lingering(struct connection *c)
{
    http_conn_free(c->http);
    c->http = NULL;
    if (c->tls) {
        size_t budget = CONNECTION_SEND;
        tls_close(c->tls);
        struct str notice = tls_output(c->tls);
        if (notice.len > 0)
            sent(c, send(c->fd, notice.at, notice.len, MSG_NOSIGNAL), &budget);
    }
    c->state = CONNECTION_LINGERING;
    if (c->eof || shutdown(c->fd, SHUT_WR) < 0)
        c->broken = true;
    else
        c->deadline_ns = now_of(c) + (is_stopping(c) ? LINGER_STOP_NS : LINGER_NS);
}

static void throw_away(struct connection *c, size_t n)
{
    c->lingered += (uint32_t)n;
    c->broken = c->reset = c->lingered > LINGER_BYTES;
}

static void linger(struct connection *c)
{
    while (c->readable && !c->broken) {
        ssize_t n = recv(c->fd, c->buffers->input, CONNECTION_READ_BULK, 0);
        if (n > 0) {
            throw_away(c, (size_t)n);
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            c->readable = false;
        } else if (n == 0 || errno != EINTR) {
            c->broken = true;
        }
    }
}

/* ---- Turns ---- */

/* The connection's first own byte may come. */
static bool begin(struct connection *c)
{
    if (!c->wants_tls)
        return http_start(c);
    c->state = CONNECTION_HANDSHAKE;
    c->tls = tls_new(c->dispatcher->engine->tls);
    c->deadline_ns = now_of(c) + HANDSHAKE_NS;
    return c->tls != NULL;
}

static bool wants_input(const struct connection *c)
{
    return !c->http || http_conn_wants_input(c->http);
}

static void receive_open(struct connection *c)
{
    if (c->state == CONNECTION_PROXY && (!connection_proxy_read(c) || !begin(c))) {
        c->broken |= c->state != CONNECTION_PROXY;
        return;
    }
    if (c->http)
        http_conn_nudge(c->http, now_of(c));
    if (c->readable && !c->broken && wants_input(c))
        receive(c);
    if (c->broken)
        c->reset |= c->state == CONNECTION_OPEN && !c->tls;
}

static void send_open(struct connection *c)
{
    if (!c->http && !c->tls)
        return;
    if (c->http)
        http_conn_nudge(c->http, now_of(c));
    bool more = c->tls ? send_tls(c) : send_plain(c);
    c->sending = more || !c->writable;
    if (c->http && http_conn_is_cut(c->http))
        c->broken = c->reset = true;
    if (c->broken)
        return;
    if (c->http && http_conn_finished(c->http) && (!c->tls || tls_output(c->tls).len == 0)) {
        start_lingering(c);
        linger(c);
        return;
    }
    c->again = more || (c->readable && wants_input(c));
}

void connection_receive(struct connection *c, uint64_t now_ns)
{
    c->dispatcher->now_ns = now_ns;
    c->again = false;
    if (c->state == CONNECTION_LINGERING)
        linger(c);
    else
        receive_open(c);
}

void connection_take(struct connection *c, const char *at, ssize_t n, bool full, uint64_t now_ns)
{
    c->dispatcher->now_ns = now_ns;
    if (n > 0 && c->state == CONNECTION_LINGERING)
        throw_away(c, (size_t)n);
    else if (n > 0)
        received(c, at, (size_t)n, full);
    else if (n == 0)
        receive_end(c);
    else
        c->broken = true;
    if (c->broken)
        c->reset |= c->state == CONNECTION_OPEN;
}

bool connection_wants_input(const struct connection *c)
{
    return wants_input(c);
}

void connection_sent(struct connection *c, ssize_t n, uint64_t now_ns)
{
    size_t budget = CONNECTION_SEND;
    c->dispatcher->now_ns = now_ns;
    c->submitted = false;
    if (n < 0)
        errno = (int)-n;
    sent(c, n, &budget);
    if (n > 0)
        http_conn_sent(c->http, (size_t)n, now_ns);
}

bool connection_send(struct connection *c, uint64_t now_ns)
{
    c->dispatcher->now_ns = now_ns;
    c->again = false;
    if (c->state != CONNECTION_LINGERING)
        send_open(c);
    return !c->broken;
}

bool connection_turn(struct connection *c, uint64_t now_ns)
{
    connection_receive(c, now_ns);
    return connection_send(c, now_ns);
}

bool connection_ready(struct connection *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        return false;
    if (events & (EPOLLIN | EPOLLRDHUP))
        c->readable = !c->eof;
    if (events & EPOLLRDHUP)
        c->hung_up = true;
    if (events & EPOLLOUT)
        c->writable = true;
    return true;
}

uint32_t connection_wants(const struct connection *c)
{
    bool reads = !c->readable && !c->eof && (c->state == CONNECTION_LINGERING || wants_input(c));
    return (reads ? EPOLLIN | EPOLLRDHUP : 0u) | (c->writable ? 0u : (uint32_t)EPOLLOUT);
}

uint64_t connection_deadline(const struct connection *c)
{
    return c->state == CONNECTION_OPEN ? http_conn_deadline(c->http) : c->deadline_ns;
}

bool connection_expire(struct connection *c, uint64_t now_ns)
{
    if (connection_deadline(c) > now_ns)
        return true;
    if (c->state != CONNECTION_OPEN) {
        c->reset |= c->state != CONNECTION_LINGERING;
        return false;
    }
    c->dispatcher->now_ns = now_ns;
    if (!http_conn_expire(c->http, now_ns))
        return connection_send(c, now_ns);
    engine_count(&c->dispatcher->counters->timeouts, 1);
    c->reset = true;
    return false;
}

bool connection_drain(struct connection *c, uint64_t now_ns)
{
    c->readable = !c->eof; /* a request may have come of which nobody has been told yet */
    if (!connection_turn(c, now_ns) || c->state == CONNECTION_HANDSHAKE ||
        c->state == CONNECTION_PROXY)
        return false;
    if (c->http)
        http_conn_drain(c->http);
    return connection_turn(c, now_ns);
}

/* ---- Being made and going ---- */

bool connection_open(struct connection *c, struct dispatcher *dispatcher,
                     struct connection_buffers *buffers, const struct engine_listen *listen, int fd,
                     const struct endpoint *peer, uint64_t now_ns)
{
    struct engine *engine = dispatcher->engine;
    *c = (struct connection){
        .fd = fd,
        .dispatcher = dispatcher,
        .buffers = buffers,
        .heard_ns = now_ns,
        .writable = true,
        .wants_tls = listen->tls,
        .peer = *peer,
    };
    dispatcher->now_ns = now_ns;
    atomic_fetch_add_explicit(&engine->open, 1, memory_order_relaxed);
    engine_count(&dispatcher->counters->accepted, 1);
    if (!listen->proxy)
        return begin(c);
    c->state = CONNECTION_PROXY;
    c->deadline_ns = now_ns + HANDSHAKE_NS;
    bool trusted = network_has(engine->trusted, engine->trusted_count, peer);
    if (!trusted)
        engine_count(&dispatcher->counters->refused, 1);
    return trusted;
}

void connection_close(struct connection *c)
{
    if (c->http)
        http_conn_free(c->http);
    tls_free(c->tls);
    if (c->reset)
        socket_reset_on_close(c->fd);
    close(c->fd);
    atomic_fetch_sub_explicit(&c->dispatcher->engine->open, 1, memory_order_relaxed);
}

void connection_buffers_close(struct connection_buffers *buffers)
{
    struct http_host host = {.spare = buffers->spare};
    http_host_close(&host);
    buffers->spare = NULL;
}

bool connection_addresses(void *owner, struct endpoint *client, struct endpoint *here)
{
    struct connection *c = owner;
    *client = c->peer;
    if (c->proxied) {
        *here = c->here;
        return true;
    }
    here->len = sizeof here->at;
    return getsockname(c->fd, (struct sockaddr *)&here->at, &here->len) == 0;
}
