#include "tier/bridge_link.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/frame.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CHUNK = 64 << 10,
    TURN = 256 << 10,  /* received before others have their turn */
    AHEAD = 64 << 10,  /* encrypted and not yet taken by the kernel */
    ROOM = 256 << 10,  /* bytes of requests and answers that may wait */
    OUT_MAX = 2 << 20, /* with all that is said besides */
    IN_MAX = BRIDGE_PAYLOAD_MAX + FRAME_HEADER + CHUNK + 2 * TLS_RECORD,
};

struct bridge_link {
    struct bridge_link_config config;
    struct watch watch;
    struct soon flush_soon, broken_soon;
    struct tls *tls;
    struct buf in, out; /* plain */
    size_t out_taken;   /* of OUT, by TLS */
    uint64_t heard_ns;
    bool was_full, broken, polls_out, unsafe;
    bool ends, closed; /* nothing is said after what waits; that was sent, and the end of it */
    char why[BRIDGE_TEXT];
};

static size_t waiting(const struct bridge_link *link)
{
    return link->out.len - link->out_taken + tls_output(link->tls).len;
}

void bridge_link_fail(struct bridge_link *link, const char *why)
{
    if (link->broken)
        return;
    link->broken = true;
    if (!link->ends)
        str_copy(link->why, sizeof link->why, str_of(why));
    loop_soon(link->config.loop, &link->broken_soon);
}

static void tell_broken(struct soon *soon)
{
    struct bridge_link *link = CONTAINER_OF(soon, struct bridge_link, broken_soon);
    link->config.broken(link->config.context, link->why);
}

void bridge_link_end(struct bridge_link *link, const char *why)
{
    if (link->ends || link->broken)
        return;
    str_copy(link->why, sizeof link->why, str_of(why));
    link->ends = true;
    link->heard_ns = loop_now(link->config.loop); /* from now on nobody is heard */
    loop_soon(link->config.loop, &link->flush_soon);
}

/* ---- In ---- */

static void take_frames(struct bridge_link *link)
{
    size_t taken = 0, used = 0, len = 0;
    uint8_t kind;
    struct frame frame;
    struct bridge_message message;
    while (!link->broken && !link->ends) {
        struct str rest = str_make(link->in.at + taken, link->in.len - taken);
        int err = frame_read_header(rest, &kind, &len);
        if (!err && len > BRIDGE_PAYLOAD_MAX)
            err = ERR_INVALID;
        err = err ? err : frame_read(rest, &frame, &used);
        if (err == ERR_NOTFOUND)
            break;
        err = err ? err : bridge_read(frame.kind, frame.payload, &message);
        if (err == ERR_UNSUPPORTED && message.kind == BRIDGE_HELLO)
            err = 0; /* it is told so, in words that every version knows */
        if (err) {
            bridge_link_fail(link, err == ERR_UNSUPPORTED ? "the other side's stoa is of another "
                                                            "version: give both the same"
                                                          : "it sent what is no frame of a bridge");
            return;
        }
        taken += used;
        link->config.received(link->config.context, &message);
    }
    buf_drain(&link->in, taken);
}

static bool decrypt(struct bridge_link *link)
{
    switch (tls_read_all(link->tls, &link->in)) {
    case TLS_OK:
        bridge_link_fail(link, "out of memory");
        return false;
    case TLS_WAIT:
        return true;
    case TLS_CLOSED:
        take_frames(link);
        bridge_link_fail(link, "the other side closed it");
        return false;
    case TLS_FAILED:
        link->unsafe = !tls_ready(link->tls);
        bridge_link_fail(link, tls_problem(link->tls));
        break;
    }
    return false;
}

static void receive(struct bridge_link *link)
{
    char chunk[CHUNK];
    for (size_t sum = 0; sum < TURN && !link->broken;) {
        ssize_t n = recv(link->watch.fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            bridge_link_fail(link, n == 0 ? "the other side closed it" : strerror(errno));
            return;
        }
        sum += (size_t)n;
        if (link->ends)
            continue; /* unread it would make close() drop what was sent (RFC 1122 §4.2.2.13) */
        link->heard_ns = loop_now(link->config.loop);
        tls_receive(link->tls, chunk, (size_t)n);
        if (!decrypt(link))
            return;
        take_frames(link);
        if ((size_t)n < sizeof chunk)
            return;
    }
}

/* ---- Out ---- */

static bool encrypt(struct bridge_link *link)
{
    while (tls_ready(link->tls) && link->out_taken < link->out.len &&
           tls_output(link->tls).len < AHEAD) {
        size_t len = link->out.len - link->out_taken;
        len = len < TLS_RECORD ? len : TLS_RECORD;
        if (!tls_write(link->tls, link->out.at + link->out_taken, len))
            return false;
        link->out_taken += len;
    }
    if (link->out_taken == link->out.len) {
        buf_clear(&link->out);
        link->out_taken = 0;
    } else if (link->out_taken > link->out.len / 2) {
        buf_drain(&link->out, link->out_taken);
        link->out_taken = 0;
    }
    return true;
}

static void poll_out(struct bridge_link *link, bool wanted)
{
    if (link->polls_out == wanted)
        return;
    link->polls_out = wanted;
    if (loop_rewatch(link->config.loop, &link->watch, EPOLLIN | (wanted ? EPOLLOUT : 0)) != 0)
        bridge_link_fail(link, strerror(errno));
}

/* As much as goes now. False: broken. */
static bool send_some(struct bridge_link *link)
{
    for (;;) {
        if (!encrypt(link)) {
            bridge_link_fail(link, tls_problem(link->tls));
            return false;
        }
        struct str output = tls_output(link->tls);
        if (output.len == 0) {
            poll_out(link, false);
            return true;
        }
        ssize_t n = send(link->watch.fd, output.at, output.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            poll_out(link, true);
            return true;
        }
        if (n < 0) {
            bridge_link_fail(link, strerror(errno));
            return false;
        }
        tls_sent(link->tls, (size_t)n);
    }
}

/* When all was sent, the other side is told so, and closes when it has read all of it. */
static void say_end(struct bridge_link *link)
{
    if (!link->closed && waiting(link) == 0) {
        link->closed = true;
        tls_close(link->tls);
        send_some(link);
    }
    if (link->closed && waiting(link) == 0)
        (void)shutdown(link->watch.fd, SHUT_WR);
}

static void flush(struct bridge_link *link)
{
    if (link->broken || (!tls_ready(link->tls) && !decrypt(link)) || !send_some(link))
        return;
    if (link->ends)
        say_end(link);
    if (link->was_full && waiting(link) < ROOM / 2) {
        link->was_full = false;
        link->config.drained(link->config.context);
    }
}

static void flush_now(struct soon *soon)
{
    flush(CONTAINER_OF(soon, struct bridge_link, flush_soon));
}

bool bridge_link_has_room(struct bridge_link *link)
{
    link->was_full |= waiting(link) >= ROOM;
    return !link->was_full && !link->broken && !link->ends;
}

void bridge_link_send(struct bridge_link *link, const struct bridge_message *message)
{
    if (link->ends)
        return;
    size_t begun = frame_begin(&link->out, (uint8_t)message->kind);
    bridge_put(&link->out, message);
    frame_end(&link->out, begun);
    if (link->out.failed)
        bridge_link_fail(link, "the other side does not take what it is sent");
    loop_soon(link->config.loop, &link->flush_soon);
}

bool bridge_link_is_safe(const struct bridge_link *link)
{
    return !link->unsafe;
}

uint64_t bridge_link_heard_ns(const struct bridge_link *link)
{
    return link->heard_ns;
}

/* ---- Begin and end ---- */

static void ready(struct watch *watch, uint32_t events)
{
    struct bridge_link *link = CONTAINER_OF(watch, struct bridge_link, watch);
    if (link->broken)
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(link);
    flush(link);
}

struct bridge_link *bridge_link_open(const struct bridge_link_config *config, int fd,
                                     struct tls *tls)
{
    struct bridge_link *link = tls ? calloc(1, sizeof *link) : NULL;
    if (link) {
        link->config = *config;
        link->tls = tls;
        link->watch = (struct watch){fd, ready};
        link->heard_ns = loop_now(config->loop);
        link->polls_out = true; /* whoever connects begins the handshake then */
        list_init(&link->flush_soon.node);
        list_init(&link->broken_soon.node);
        link->flush_soon.run = flush_now;
        link->broken_soon.run = tell_broken;
        buf_init(&link->in, IN_MAX);
        buf_init(&link->out, OUT_MAX);
    }
    if (!link || loop_watch(config->loop, &link->watch, EPOLLIN | EPOLLOUT) != 0) {
        free(link);
        tls_free(tls);
        close(fd);
        return NULL;
    }
    return link;
}

void bridge_link_free(struct bridge_link *link)
{
    loop_soon_cancel(&link->flush_soon);
    loop_soon_cancel(&link->broken_soon);
    loop_unwatch(link->config.loop, &link->watch);
    if (tls_ready(link->tls) && !link->closed)
        tls_close(link->tls);
    struct str output = tls_output(link->tls); /* or an alert that says why */
    (void)!send(link->watch.fd, output.at, output.len, MSG_NOSIGNAL);
    close(link->watch.fd);
    tls_free(link->tls);
    buf_close(&link->in);
    buf_close(&link->out);
    free(link);
}
