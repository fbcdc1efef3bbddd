#include "balance/upstream.h"

#include "balance/lane.h"
#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    OUT_MAX = 80 << 20, /* a request with what is replayed of its body (64 MiB at most) */
    WHY_TEXT = 160,
};

static struct lane *lane_of(const struct upstream *line)
{
    return line->pool->lane;
}

static struct backend *backend_of(const struct upstream *line)
{
    return line->pool->backend;
}

/* ---- The end of a request, or of the connection ---- */

void upstream_close(struct upstream *line)
{
    struct loop *loop = lane_of(line)->loop;
    if (line->state == UPSTREAM_IDLE)
        line->pool->idle_count--;
    line->pool->count--;
    list_remove(&line->node);
    loop_soon_cancel(&line->soon);
    loop_unwatch(loop, &line->watch);
    close(line->watch.fd);
    if (line->client)
        http_client_free(line->client);
    tls_free(line->tls);
    buf_close(&line->out);
    free(line);
}

/* For another request. What may lie behind the answer would be taken for the next one. */
static bool may_be_kept(const struct upstream *line)
{
    return line->reusable && !line->open && !line->broken && !line->readable &&
           upstream_unsent(line) == 0 && !(line->tls && tls_has_unread(line->tls));
}

/* LINE is nobody's any more; it may be gone after this. */
static void finish(struct upstream *line, enum upstream_end end, const char *why)
{
    const struct upstream_events *events = line->events;
    void *user = line->user;
    char kept[WHY_TEXT] = "";
    if (why)
        str_copy(kept, sizeof kept, str_of(why)); /* it goes with the connection */
    line->user = NULL;
    if (end == UPSTREAM_COMPLETE && may_be_kept(line))
        pool_give(line->pool, line);
    else
        upstream_close(line);
    if (user)
        events->ended(user, end, why ? kept : NULL);
}

void upstream_unheard(struct upstream *line)
{
    finish(line, UPSTREAM_UNHEARD, NULL);
}

void upstream_cancel(struct upstream *line)
{
    line->user = NULL;
    if (line->telling)
        line->unwanted = true;
    else
        upstream_close(line);
}

/* ---- What the client core tells ---- */

static void on_head(void *user, const struct http_response *response)
{
    struct upstream *line = user;
    line->told = true;
    if (line->user)
        line->events->head(line->user, response);
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    struct upstream *line = user;
    (void)response;
    line->told = true;
    if (line->user)
        line->events->body(line->user, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct upstream *line = user;
    line->ended = true;
    line->reusable = response->keep_alive && !response->broken;
    line->cut = response->broken;
}

static const struct http_client_events client_events = {
    .head = on_head,
    .body = on_body,
    .done = on_done,
};

/* ---- Receiving ---- */

/* False: nobody wants it, and it is gone. */
static bool become_ready(struct upstream *line)
{
    if (line->state == UPSTREAM_CONNECTING && line->tls) {
        line->state = UPSTREAM_HANDSHAKE;
        return true;
    }
    line->pool->failed_ns = 0;
    list_remove(&line->node);
    if (!line->user)
        return pool_give(line->pool, line);
    line->state = UPSTREAM_BUSY;
    list_append(&line->pool->busy, &line->node);
    return true;
}

static void hear(struct upstream *line)
{
    struct backend *backend = backend_of(line);
    uint64_t now_ns = lane_now(lane_of(line));
    /* Written by all loops: not more often than anybody can tell. */
    if (now_ns - atomic_load_explicit(&backend->heard_ns, memory_order_relaxed) > MS_NS)
        atomic_store_explicit(&backend->heard_ns, now_ns, memory_order_relaxed);
}

/* Bytes for the client core; LEN 0: the end. False: LINE is not the user's any more, or gone. */
static bool feed(struct upstream *line, const void *bytes, size_t len)
{
    line->told = false;
    line->telling = true;
    int err = http_client_receive(line->client, bytes, len);
    bool over = line->ended || err || len == 0;
    if (!over && line->told && line->user)
        line->events->arrived(line->user);
    line->telling = false;
    if (line->unwanted) {
        upstream_close(line);
        return false;
    }
    if (!over)
        return true;
    enum upstream_end end = line->ended && !line->cut ? UPSTREAM_COMPLETE
                            : err                     ? UPSTREAM_RUBBISH
                                                      : UPSTREAM_RESET;
    line->reusable &= err == 0;
    finish(line, end, end == UPSTREAM_RUBBISH ? http_client_error(line->client) : NULL);
    return false;
}

/* Bytes before there was a request; one may wait for the handshake's end. */
static bool unasked(struct upstream *line)
{
    finish(line, UPSTREAM_RUBBISH, "it spoke before it was asked");
    return false;
}

/* The connection is no more: before it stood nothing of a request had left. */
static bool lost(struct upstream *line)
{
    bool stood = line->state == UPSTREAM_IDLE || line->state == UPSTREAM_BUSY;
    finish(line, stood ? UPSTREAM_RESET : UPSTREAM_REFUSED, NULL);
    return false;
}

static bool receive_tls(struct upstream *line, const char *bytes, size_t len)
{
    char *plain = lane_of(line)->plain;
    enum tls_verdict verdict;
    size_t got;
    tls_receive(line->tls, bytes, len);
    while ((verdict = tls_read(line->tls, plain, UPSTREAM_RECORD, &got)) == TLS_OK) {
        if (line->state != UPSTREAM_BUSY)
            return unasked(line);
        if (!feed(line, plain, got))
            return false;
    }
    if (verdict == TLS_WAIT) {
        if (line->state == UPSTREAM_HANDSHAKE && tls_ready(line->tls) && !become_ready(line))
            return false;
        upstream_send(line); /* what the session itself has to say, or what waited for it */
        return true;
    }
    if (verdict == TLS_CLOSED && line->state == UPSTREAM_BUSY)
        return feed(line, NULL, 0);
    return lost(line);
}

/* What the socket said instead of bytes. */
static bool receive_nothing(struct upstream *line, ssize_t n)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        line->readable = false;
        return line->broken ? lost(line) : false;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n == 0 && line->state == UPSTREAM_BUSY && !line->tls)
        return feed(line, NULL, 0);
    return lost(line);
}

/* One read. True: there may be more, and LINE is still there. */
static bool receive(struct upstream *line)
{
    struct lane *lane = lane_of(line);
    size_t room = line->room < UPSTREAM_READ ? line->room : UPSTREAM_READ;
    if (room == 0)
        return false;
    ssize_t n = recv(line->watch.fd, lane->input, room, 0);
    if (n <= 0)
        return receive_nothing(line, n);
    if ((size_t)n < room && !line->hung_up)
        line->readable = false; /* the socket is empty, and the next byte is an event */
    backend_count(&backend_of(line)->counters.bytes_in, (uint64_t)n);
    hear(line);
    if (line->tls)
        return receive_tls(line, lane->input, (size_t)n);
    if (line->state == UPSTREAM_BUSY)
        return feed(line, lane->input, (size_t)n);
    return unasked(line);
}

/* ---- Sending ---- */

/* Nothing more can be sent. What the server sent before it closed may say why: it is read first. */
static void breaks(struct upstream *line)
{
    line->broken = line->readable = true;
    loop_soon(lane_of(line)->loop, &line->soon);
}

/* How much of it left; -1: nothing at the moment, or never again. */
static ssize_t push(struct upstream *line, const char *at, size_t len)
{
    ssize_t n;
    do {
        n = send(line->watch.fd, at, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        backend_count(&backend_of(line)->counters.bytes_out, (uint64_t)n);
    } else if (n < 0) {
        line->writable = false;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            breaks(line);
    }
    return n;
}

static bool send_plain(struct upstream *line)
{
    ssize_t n = push(line, line->out.at + line->out_at, upstream_unsent(line));
    if (n > 0) {
        line->out_at += (size_t)n;
        line->sent += (uint64_t)n;
    }
    return n > 0;
}

/* A piece at a time: a session holds what it encrypts until it has left. */
static bool send_tls(struct upstream *line)
{
    size_t len = upstream_unsent(line);
    len = len < UPSTREAM_HIGH ? len : UPSTREAM_HIGH;
    if (line->state != UPSTREAM_HANDSHAKE && len > 0 && tls_output(line->tls).len == 0) {
        if (!tls_write(line->tls, line->out.at + line->out_at, len)) {
            breaks(line);
            return false;
        }
        line->out_at += len;
        line->sent += len;
    }
    if (line->shut && len == 0) {
        line->shut = false;
        tls_close(line->tls);
    }
    struct str cipher = tls_output(line->tls);
    if (cipher.len == 0)
        return false;
    ssize_t n = push(line, cipher.at, cipher.len);
    if (n > 0)
        tls_sent(line->tls, (size_t)n);
    return n > 0;
}

void upstream_send(struct upstream *line)
{
    if (line->out.failed && !line->broken)
        breaks(line);
    while (line->writable && !line->broken && line->state != UPSTREAM_CONNECTING) {
        if (line->tls ? !send_tls(line) : upstream_unsent(line) == 0 || !send_plain(line))
            break;
    }
    if (!line->broken && upstream_unsent(line) > 0)
        return;
    line->out.len = line->out_at = 0;
    if (line->shut && !line->tls && shutdown(line->watch.fd, SHUT_WR) == 0)
        line->shut = false;
}

void upstream_shut(struct upstream *line)
{
    line->shut = true;
    upstream_send(line);
}

void upstream_may_switch(struct upstream *line)
{
    http_client_may_switch(line->client);
}

/* In a turn of the connection's own, where the user may be told. */
static void send_on(struct upstream *line)
{
    upstream_send(line);
    if (line->high && upstream_unsent(line) <= UPSTREAM_HIGH / 2) {
        line->high = false;
        if (line->user)
            line->events->drained(line->user);
    }
}

bool upstream_crowded(struct upstream *line)
{
    line->high = upstream_unsent(line) > UPSTREAM_HIGH;
    return line->high;
}

struct buf *upstream_out(struct upstream *line)
{
    if (line->out_at > 0 && line->out_at >= upstream_unsent(line)) {
        buf_drain(&line->out, line->out_at);
        line->out_at = 0;
    }
    return &line->out;
}

size_t upstream_unsent(const struct upstream *line)
{
    return line->out.len - line->out_at;
}

void upstream_written(struct upstream *line)
{
    line->open = false;
}

/* ---- Turns ---- */

static void turn(struct upstream *line)
{
    enum { READS = 2 }; /* so that one large answer does not hold up the small ones */
    for (int i = 0; line->readable && line->room > 0; i++) {
        if (i == READS) {
            loop_soon(lane_of(line)->loop, &line->soon);
            return;
        }
        if (!receive(line))
            return;
    }
}

static void on_soon(struct soon *soon)
{
    turn(CONTAINER_OF(soon, struct upstream, soon));
}

/* The first bytes on a connection: there is room for them. */
static bool introduce(struct upstream *line)
{
    size_t len = line->introduction_len;
    return len == 0 || send(line->watch.fd, line->introduction, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* True: it stands. */
static bool connected(struct upstream *line, uint32_t events)
{
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return false;
    if (socket_error(line->watch.fd) != 0 || (events & (EPOLLERR | EPOLLHUP))) {
        line->pool->failed_ns = lane_now(lane_of(line));
        finish(line, UPSTREAM_REFUSED, NULL);
        return false;
    }
    /* Nothing is heard by that: the kernel accepts for a process that stands still. */
    backend_count(&backend_of(line)->counters.connects, 1);
    if (!introduce(line))
        return lost(line);
    line->writable = true;
    if (!become_ready(line))
        return false;
    return !line->tls || receive_tls(line, "", 0); /* the handshake begins with us */
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct upstream *line = CONTAINER_OF(watch, struct upstream, watch);
    if (line->state == UPSTREAM_CONNECTING && !connected(line, events))
        return;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
        line->readable = true;
    if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP))
        line->hung_up = true;
    if (events & EPOLLOUT)
        line->writable = true;
    struct lane *lane = lane_of(line);
    send_on(line);
    turn(line);
    if (lane->bulk) {
        lane->bulk = false;
        loop_soon_now(lane->loop);
    }
}

/* ---- Being made, and given ---- */

static struct upstream *dispose(struct upstream *line)
{
    if (line && line->client)
        http_client_free(line->client);
    if (line)
        tls_free(line->tls);
    free(line);
    return NULL;
}

struct upstream *upstream_new(struct pool *pool, struct str introduction)
{
    struct lane *lane = pool->lane;
    struct backend *backend = pool->backend;
    struct upstream *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->pool = pool;
    line->watch = (struct watch){-1, on_ready};
    line->soon.run = on_soon;
    line->room = UPSTREAM_READ;
    line->since_ns = lane_now(lane);
    CHECK(introduction.len <= sizeof line->introduction);
    line->introduction_len = introduction.len;
    if (introduction.len)
        memcpy(line->introduction, introduction.at, introduction.len);
    list_init(&line->soon.node);
    buf_init(&line->out, OUT_MAX);
    line->client = http_client_new(HTTP_1, &client_events, line);
    if (backend->tls)
        line->tls = tls_new_connecting(backend->tls_context);
    if (!line->client || (backend->tls && (!line->tls || !tls_expect(line->tls, backend->host))))
        return dispose(line);
    if (socket_connect(&backend->address, &line->watch.fd, NULL) != ERR_OK)
        return dispose(line);
    if (loop_watch(lane->loop, &line->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
        close(line->watch.fd);
        return dispose(line);
    }
    list_append(&pool->connecting, &line->node);
    pool->count++;
    return line;
}

bool upstream_is_open(const struct upstream *line)
{
    char byte;
    ssize_t n = recv(line->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 ? line->tls != NULL : n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int upstream_begin(struct upstream *line, const struct upstream_events *events, void *user,
                   bool is_head)
{
    CHECK(!line->user);
    int err = http_client_expect(line->client, is_head, NULL);
    if (err)
        return err;
    line->events = events;
    line->user = user;
    line->sent = 0;
    line->room = windows_read(&lane_of(line)->windows);
    line->ended = line->reusable = line->high = false;
    line->open = true;
    if (line->state == UPSTREAM_IDLE) {
        line->pool->idle_count--;
        line->state = UPSTREAM_BUSY;
        list_remove(&line->node);
        list_append(&line->pool->busy, &line->node);
    }
    return 0;
}

void upstream_take(struct upstream *line, size_t room)
{
    bool paused = line->room == 0;
    line->room = room;
    if (paused && room > 0 && line->readable)
        loop_soon(lane_of(line)->loop, &line->soon);
}
