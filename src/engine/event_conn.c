#include "base/check.h"
#include "base/clock.h"
#include "engine/event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* After the last byte of an answer the client gets this long, and this much may still
 * come from it, before the connection is closed for good. */
#define LINGER_NS    (2 * SEC_NS)
#define LINGER_BYTES (1u << 20)
/* The same at a graceful stop, which is in a hurry. */
#define LINGER_STOP_NS (200 * MS_NS)
#define HANDSHAKE_NS   (10 * SEC_NS)

/* ---- Being made and going ---- */

static struct event_conn *conn_take(struct event_loop *l)
{
    struct event_conn *c = l->pool;
    if (!c)
        return calloc(1, sizeof *c);
    l->pool = (struct event_conn *)(void *)c->owner;
    l->pool_count--;
    memset(c, 0, sizeof *c);
    return c;
}

static void conn_give_back(struct event_loop *l, struct event_conn *c)
{
    if (l->pool_count >= EVENT_POOL) {
        free(c);
        return;
    }
    c->owner = (struct event_loop *)(void *)l->pool;
    l->pool = c;
    l->pool_count++;
}

void event_pool_free(struct event_loop *l)
{
    while (l->pool) {
        struct event_conn *c = l->pool;
        l->pool = (struct event_conn *)(void *)c->owner;
        free(c);
    }
}

static bool http_start(struct event_conn *c)
{
    char peer[ADDRESS_TEXT];
    enum http_protocol protocol = HTTP_DETECT;
    endpoint_text(&c->peer, false, peer, sizeof peer);
    if (c->tls)
        protocol = tls_agreed(c->tls, STR("h2")) ? HTTP_2 : HTTP_1;
    c->http = http_conn_new(&c->owner->host, protocol, c->tls != NULL, str_of(peer),
                            loop_now(c->owner->loop), c);
    c->state = EVENT_OPEN;
    return c->http != NULL;
}

void event_conn_close(struct event_conn *c, bool reset)
{
    struct event_loop *l = c->owner;
    loop_unwatch(l->loop, &c->watch);
    loop_timer_stop(l->loop, &c->timer);
    loop_soon_cancel(&c->soon);
    list_remove(&c->touched);
    list_remove(&c->node);
    if (c->http)
        http_conn_free(c->http);
    tls_free(c->tls);
    if (reset)
        socket_reset_on_close(c->watch.fd);
    close(c->watch.fd);
    atomic_fetch_sub_explicit(&l->engine->open, 1, memory_order_relaxed);
    conn_give_back(l, c);
    event_doors_resume(l);
    event_loop_check_end(l);
}

/* ---- Receiving ---- */

static void receive_tls(struct event_conn *c, size_t len)
{
    struct event_loop *l = c->owner;
    enum tls_verdict verdict;
    size_t got;
    tls_receive(c->tls, l->input, len);
    while ((verdict = tls_read(c->tls, l->plain, EVENT_READ, &got)) == TLS_OK) {
        if (!c->http && !http_start(c)) {
            c->broken = true;
            return;
        }
        http_conn_receive(c->http, l->plain, got, loop_now(l->loop));
    }
    if (verdict == TLS_WAIT) {
        if (!c->http && tls_ready(c->tls) && !http_start(c))
            c->broken = true;
    } else if (verdict == TLS_CLOSED && c->http) {
        c->eof = true;
        http_conn_receive(c->http, NULL, 0, loop_now(l->loop));
    } else {
        c->broken = true;
    }
}

static void receive_end(struct event_conn *c)
{
    c->readable = false;
    c->eof = true;
    if (c->http)
        http_conn_receive(c->http, NULL, 0, loop_now(c->owner->loop));
    else
        c->broken = true;
}

/* One read, at most. */
static void receive(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    size_t room = c->bulk ? EVENT_READ_BULK : EVENT_READ;
    ssize_t n = recv(c->watch.fd, l->input, room, 0);
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
    uint64_t requests = atomic_load_explicit(&l->counters.requests, memory_order_relaxed);
    event_count(&l->counters.bytes_in, (uint64_t)n);
    c->heard_ns = loop_now(l->loop);
    if (c->tls)
        receive_tls(c, (size_t)n);
    else
        http_conn_receive(c->http, l->input, (size_t)n, c->heard_ns);
    c->bulk = (size_t)n == room &&
              atomic_load_explicit(&l->counters.requests, memory_order_relaxed) == requests;
}

/* ---- Sending ---- */

/* What a call of send left, or did not. False: no more at this turn. */
static bool sent(struct event_conn *c, ssize_t n, size_t *budget)
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
    event_count(&c->owner->counters.bytes_out, (uint64_t)n);
    *budget -= (size_t)n < *budget ? (size_t)n : *budget;
    return *budget > 0;
}

static ssize_t send_pieces(struct event_conn *c, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    if (count == 1)
        return send(c->watch.fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    return sendmsg(c->watch.fd, &message, MSG_NOSIGNAL);
}

/* A file that has become shorter than announced gives 0: the answer cannot be
 * completed, and the client must notice. */
static ssize_t send_file(struct event_conn *c, int fd, uint64_t offset, uint64_t len)
{
    off_t from = (off_t)offset;
    ssize_t n = sendfile(c->watch.fd, fd, &from, len < EVENT_SEND ? len : EVENT_SEND);
    if (n == 0) {
        errno = EIO;
        return -1;
    }
    return n;
}

/* True when the turn's share was used up before everything was sent. */
static bool send_plain(struct event_conn *c)
{
    struct iovec pieces[EVENT_PIECES];
    size_t budget = EVENT_SEND;
    while (c->writable) {
        int fd;
        uint64_t offset, len;
        ssize_t n;
        if (http_conn_file(c->http, &fd, &offset, &len)) {
            n = send_file(c, fd, offset, len);
        } else {
            int count = http_conn_output(c->http, pieces, EVENT_PIECES);
            if (count == 0)
                return false;
            n = send_pieces(c, pieces, count);
        }
        bool more = sent(c, n, &budget);
        if (n > 0)
            http_conn_sent(c->http, (size_t)n, loop_now(c->owner->loop));
        if (!more)
            return budget == 0;
    }
    return false;
}

/* Enciphers the next batch of output. False: there is none, or it is broken. */
static bool encipher(struct event_conn *c)
{
    struct iovec pieces[EVENT_PIECES];
    char *batch = c->owner->input;
    size_t len = 0;
    int count = http_conn_output(c->http, pieces, EVENT_PIECES);
    for (int i = 0; i < count && len < EVENT_READ_BULK; i++) {
        size_t room = EVENT_READ_BULK - len;
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
static void report_sent(struct event_conn *c, size_t cipher_len)
{
    tls_sent(c->tls, cipher_len);
    size_t plain = cipher_len < c->plain_unsent ? cipher_len : c->plain_unsent;
    if (tls_output(c->tls).len == 0)
        plain = c->plain_unsent;
    c->plain_unsent -= plain;
    if (plain > 0)
        http_conn_sent(c->http, plain, loop_now(c->owner->loop));
}

static bool send_tls(struct event_conn *c)
{
    size_t budget = EVENT_SEND;
    while (c->writable) {
        struct str output = tls_output(c->tls);
        if (output.len == 0) {
            if (!c->http || !encipher(c))
                return false;
            output = tls_output(c->tls);
        }
        ssize_t n = send(c->watch.fd, output.at, output.len, MSG_NOSIGNAL);
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
static void start_lingering(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    http_conn_free(c->http);
    c->http = NULL;
    if (c->tls) {
        size_t budget = EVENT_SEND;
        tls_close(c->tls);
        struct str notice = tls_output(c->tls);
        if (notice.len > 0)
            sent(c, send(c->watch.fd, notice.at, notice.len, MSG_NOSIGNAL), &budget);
    }
    c->state = EVENT_LINGERING;
    if (c->eof || shutdown(c->watch.fd, SHUT_WR) < 0)
        c->broken = true;
    else
        loop_timer_set(l->loop, &c->timer,
                       loop_now(l->loop) + (l->stopping ? LINGER_STOP_NS : LINGER_NS));
}

static void linger(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    while (c->readable && !c->broken) {
        ssize_t n = recv(c->watch.fd, l->input, EVENT_READ_BULK, 0);
        if (n > 0) {
            c->lingered += (uint32_t)n;
            c->broken = c->reset = c->lingered > LINGER_BYTES;
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            c->readable = false;
        } else if (n == 0 || errno != EINTR) {
            c->broken = true;
        }
    }
}

/* ---- Turns ---- */

static void set_deadline(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    int err = ERR_OK;
    if (c->state == EVENT_OPEN)
        err = loop_timer_put_off(l->loop, &c->timer, http_conn_deadline(c->http));
    if (err)
        c->broken = true; /* a connection without a deadline is not kept */
}

/* The connection's first own byte may come. */
static bool begin(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    if (!c->wants_tls) {
        bool good = http_start(c);
        if (good)
            set_deadline(c);
        return good;
    }
    c->state = EVENT_HANDSHAKE;
    c->tls = tls_new(l->engine->tls);
    return c->tls && !loop_timer_set(l->loop, &c->timer, loop_now(l->loop) + HANDSHAKE_NS);
}

static void turn_open(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    if (c->state == EVENT_PROXY && (!event_proxy_read(c) || !begin(c))) {
        c->broken |= c->state != EVENT_PROXY;
        return;
    }
    if (c->http)
        http_conn_nudge(c->http, loop_now(l->loop));
    if (c->readable && !c->broken && (!c->http || http_conn_wants_input(c->http)))
        receive(c);
    if (c->broken)
        c->reset |= c->state == EVENT_OPEN && !c->tls;
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
    set_deadline(c);
    if (more || (c->readable && (!c->http || http_conn_wants_input(c->http))))
        loop_soon(l->loop, &c->soon);
}

void event_conn_turn(struct event_conn *c)
{
    if (c->state == EVENT_LINGERING)
        linger(c);
    else
        turn_open(c);
    if (c->broken)
        event_conn_close(c, c->reset);
}

static void conn_ready(struct watch *watch, uint32_t events)
{
    struct event_conn *c = CONTAINER_OF(watch, struct event_conn, watch);
    if (events & (EPOLLERR | EPOLLHUP)) {
        event_conn_close(c, false);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP))
        c->readable = !c->eof;
    if (events & EPOLLRDHUP)
        c->hung_up = true;
    if (events & EPOLLOUT)
        c->writable = true;
    /* Large transfers wait until the small requests of this batch have been answered. */
    if (c->bulk || c->sending)
        loop_soon(c->owner->loop, &c->soon);
    else
        event_conn_turn(c);
}

static void conn_soon(struct soon *soon)
{
    event_conn_turn(CONTAINER_OF(soon, struct event_conn, soon));
}

static void conn_deadline(struct timer *timer, uint64_t now_ns)
{
    struct event_conn *c = CONTAINER_OF(timer, struct event_conn, timer);
    if (c->state != EVENT_OPEN) {
        event_conn_close(c, c->state != EVENT_LINGERING);
    } else if (http_conn_deadline(c->http) > now_ns) {
        set_deadline(c);
    } else if (http_conn_expire(c->http, now_ns)) {
        event_count(&c->owner->counters.timeouts, 1);
        event_conn_close(c, true);
    } else {
        event_conn_turn(c);
    }
}

void event_conn_open(struct event_door *door, int fd, const struct endpoint *peer)
{
    struct event_loop *l = door->owner;
    struct event_conn *c = conn_take(l);
    if (!c) {
        close(fd);
        return;
    }
    c->owner = l;
    c->peer = *peer;
    c->watch = (struct watch){fd, conn_ready};
    c->timer.fire = conn_deadline;
    c->soon.run = conn_soon;
    c->writable = true;
    list_init(&c->soon.node);
    list_init(&c->touched);
    list_append(&l->conns, &c->node);
    c->heard_ns = loop_now(l->loop);
    atomic_fetch_add_explicit(&l->engine->open, 1, memory_order_relaxed);
    event_count(&l->counters.accepted, 1);
    c->wants_tls = door->tls;
    bool good;
    if (door->proxy) {
        c->state = EVENT_PROXY;
        good = network_has(l->engine->trusted, l->engine->trusted_count, peer) &&
               !loop_timer_set(l->loop, &c->timer, c->heard_ns + HANDSHAKE_NS);
        if (!good)
            event_count(&l->counters.refused, 1);
    } else {
        good = begin(c);
    }
    if (!good || c->broken ||
        loop_watch(l->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != ERR_OK)
        event_conn_close(c, false);
}
