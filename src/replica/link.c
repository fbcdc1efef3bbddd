#include "replica/link.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    AHEAD = 256 * 1024,   /* encrypted and not yet taken by the kernel */
    CHUNK = 64 * 1024,    /* one recv */
    IN_KEPT = 256 * 1024, /* above it, memory is given back when nothing waits */
    OUT_KEPT = 1024 * 1024,
};

struct link {
    uv_poll_t poll;
    struct link_config config;
    int fd;
    struct tls *tls;
    struct buf in;    /* plain, up to where whole frames were taken */
    struct buf out;   /* plain */
    size_t out_taken; /* of OUT, by TLS */
    size_t begun;     /* the frame in the making, its place in OUT */
    int events;       /* what is polled for */
    bool closed, broken;
    uint64_t heard_ns, moved_ns;
};

static void readable_or_writable(uv_poll_t *poll, int status, int events);

static void poll_for(struct link *link, int events)
{
    if (link->closed || link->events == events)
        return;
    link->events = events;
    CHECK(uv_poll_start(&link->poll, events, readable_or_writable) == 0);
}

static void tell_broken(struct link *link, const char *why)
{
    if (link->closed || link->broken)
        return;
    link->broken = true;
    uv_poll_stop(&link->poll);
    link->config.broken(link->config.context, link, why);
}

/* ---- In ---- */

/* Hands over the whole frames that have gathered. */
static void take_frames(struct link *link)
{
    size_t taken = 0;
    while (!link->closed && !link->broken) {
        struct frame frame;
        size_t used;
        int err = frame_read(str_make(link->in.at + taken, link->in.len - taken), &frame, &used);
        if (err == ERR_NOTFOUND)
            break;
        if (err != 0) {
            tell_broken(link, "it sent what is no frame");
            return;
        }
        taken += used;
        link->config.received(link->config.context, link, frame.kind, frame.payload);
    }
    if (link->closed)
        return; /* its memory goes later, its content does not matter any more */
    buf_drain(&link->in, taken);
    if (link->in.len == 0 && link->in.cap > IN_KEPT) {
        size_t max = link->in.max;
        buf_close(&link->in);
        buf_init(&link->in, max);
    }
}

/* Decrypts what TLS holds. False: it is over. */
static bool decrypt(struct link *link)
{
    switch (tls_read_all(link->tls, &link->in)) {
    case TLS_OK:
        tell_broken(link, "out of memory");
        return false;
    case TLS_WAIT:
        return true;
    case TLS_CLOSED:
        take_frames(link);
        tell_broken(link, "the other side closed it");
        return false;
    case TLS_FAILED:
        tell_broken(link, tls_problem(link->tls));
        break;
    }
    return false;
}

static void receive(struct link *link)
{
    char chunk[CHUNK];
    for (size_t sum = 0; sum < LINK_TURN && !link->closed && !link->broken;) {
        ssize_t n = recv(link->fd, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            tell_broken(link, n == 0 ? "the other side closed it" : strerror(errno));
            return;
        }
        link->heard_ns = clock_mono_ns();
        sum += (size_t)n;
        tls_receive(link->tls, chunk, (size_t)n);
        if (!decrypt(link))
            return;
        take_frames(link);
        if ((size_t)n < sizeof chunk)
            return;
    }
}

/* ---- Out ---- */

/* Moves plain text into TLS while little waits behind it. False: broken. */
static bool encrypt(struct link *link)
{
    while (link->out_taken < link->out.len && tls_output(link->tls).len < AHEAD) {
        size_t len = link->out.len - link->out_taken;
        len = len < TLS_RECORD ? len : TLS_RECORD;
        if (!tls_write(link->tls, link->out.at + link->out_taken, len))
            return false;
        link->out_taken += len;
    }
    if (link->out_taken == link->out.len) {
        link->out_taken = 0;
        if (link->out.cap > OUT_KEPT) {
            size_t max = link->out.max;
            buf_close(&link->out);
            buf_init(&link->out, max);
        }
        buf_clear(&link->out);
    } else if (link->out_taken > link->out.len / 2 && link->out_taken > AHEAD) {
        buf_drain(&link->out, link->out_taken);
        link->out_taken = 0;
    }
    return true;
}

void link_flush(struct link *link)
{
    size_t sum = 0;
    if (link->closed || link->broken)
        return;
    for (;;) {
        if (!encrypt(link)) {
            tell_broken(link, tls_problem(link->tls));
            return;
        }
        struct str output = tls_output(link->tls);
        if (output.len == 0) {
            link->moved_ns = clock_mono_ns();
            poll_for(link, UV_READABLE);
            return;
        }
        ssize_t n = sum >= LINK_TURN ? -1 : send(link->fd, output.at, output.len, MSG_NOSIGNAL);
        if (sum >= LINK_TURN || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))) {
            poll_for(link, UV_READABLE | UV_WRITABLE);
            return;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            tell_broken(link, strerror(errno));
            return;
        }
        link->moved_ns = clock_mono_ns();
        tls_sent(link->tls, (size_t)n);
        sum += (size_t)n;
    }
}

struct buf *link_begin(struct link *link, uint8_t kind)
{
    link->begun = frame_begin(&link->out, kind);
    return &link->out;
}

int link_end(struct link *link)
{
    if (!link->out.failed && link->out.len - link->begun <= FRAME_HEADER + FRAME_PAYLOAD_MAX) {
        frame_end(&link->out, link->begun);
        return 0;
    }
    link->out.failed = false; /* what was there before is whole */
    link->out.len = link->begun;
    return ERR_FULL;
}

int link_send(struct link *link, uint8_t kind, struct str payload)
{
    buf_str(link_begin(link, kind), payload);
    return link_end(link);
}

size_t link_waiting(const struct link *link)
{
    return link->out.len - link->out_taken + tls_output(link->tls).len;
}

uint64_t link_heard_ns(const struct link *link)
{
    return link->heard_ns;
}

uint64_t link_moved_ns(const struct link *link)
{
    return link->moved_ns;
}

/* ---- Begin and end ---- */

static void readable_or_writable(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    if (status < 0) { /* libuv says EBADF whatever it was */
        int error = socket_error(link->fd);
        tell_broken(link, error != 0 ? strerror(error) : "the other side closed it");
        return;
    }
    if ((events & UV_WRITABLE) != 0) {
        link_flush(link);
        take_frames(link); /* that came with the handshake; else there are none */
    }
    if ((events & UV_READABLE) != 0 && !link->closed && !link->broken)
        receive(link);
}

struct link *link_open(const struct link_config *config, int fd, struct tls *tls, struct buf *rest)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL || uv_poll_init(config->loop, &link->poll, fd) != 0) {
        free(link);
        close(fd);
        tls_free(tls);
        buf_close(rest);
        return NULL;
    }
    link->config = *config;
    link->fd = fd;
    link->tls = tls;
    link->poll.data = link;
    link->heard_ns = link->moved_ns = clock_mono_ns();
    buf_init(&link->out, config->output_max);
    buf_init(&link->in, FRAME_PAYLOAD_MAX + FRAME_HEADER + CHUNK + 2 * TLS_RECORD);
    buf_put(&link->in, rest->at, rest->len);
    buf_close(rest);
    poll_for(link, UV_READABLE | UV_WRITABLE); /* at once: REST may hold whole frames */
    return link;
}

static void freed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    close(link->fd);
    tls_free(link->tls);
    buf_close(&link->in);
    buf_close(&link->out);
    free(link);
}

void link_close(struct link *link)
{
    if (link->closed)
        return;
    link->closed = true;
    uv_poll_stop(&link->poll);
    uv_close((uv_handle_t *)&link->poll, freed);
}
