#include "net/channel.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum {
    PIECE = 16 * 1024, /* of ciphertext, at a time */
    BATCH = 64 * 1024, /* plain text that is encrypted before it is sent */
    /* A whole frame, and what came in together with its end. */
    IN_MAX = 2 * (FRAME_HEADER + FRAME_PAYLOAD_MAX),
    ADDRESSES_MAX = 8,
};

/* ---- The socket ---- */

/* Until FD is ready for EVENTS: 0, ERR_TIMEOUT, ERR_CLOSED (interrupted). */
static int wait_for(int fd, short events, int interrupt, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now = clock_mono_ns();
        uint64_t ms = now >= deadline_ns ? 0 : (deadline_ns - now + MS_NS - 1) / MS_NS;
        struct pollfd polled[] = {{.fd = fd, .events = events},
                                  {.fd = interrupt, .events = POLLIN}};
        int ready = poll(polled, COUNT_OF(polled), ms > 60000 ? 60000 : (int)ms);
        if (ready > 0)
            return polled[1].revents ? ERR_CLOSED : ERR_OK;
        if (ready == 0 && ms <= 60000)
            return ERR_TIMEOUT;
    }
}

/* Sends what TLS has for the socket. */
static int flush(struct channel *channel, uint64_t deadline_ns)
{
    for (;;) {
        struct str output = tls_output(channel->tls);
        if (output.len == 0)
            return ERR_OK;
        ssize_t sent = send(channel->fd, output.at, output.len, MSG_NOSIGNAL);
        if (sent >= 0) {
            tls_sent(channel->tls, (size_t)sent);
        } else if (errno == EAGAIN) {
            int err = wait_for(channel->fd, POLLOUT, channel->interrupt, deadline_ns);
            if (err)
                return err;
        } else if (errno != EINTR) {
            return errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
        }
    }
}

/* Decrypts into `in` what TLS has been lent. */
static int decrypt(struct channel *channel)
{
    switch (tls_read_all(channel->tls, &channel->in)) {
    case TLS_OK:
        return ERR_NOMEM;
    case TLS_WAIT:
        return ERR_OK;
    case TLS_CLOSED:
        channel->ended = true;
        return ERR_OK;
    case TLS_FAILED:
        break;
    }
    return ERR_DENIED;
}

static void forget_taken(struct channel *channel)
{
    if (channel->taken == 0)
        return;
    buf_drain(&channel->in, channel->taken);
    channel->taken = 0;
}

/* Waits for bytes, and takes one piece of them: 0 (also when it decrypts to nothing yet, or
 * ended). */
static int pull(struct channel *channel, uint64_t deadline_ns)
{
    char piece[PIECE];
    if (channel->ended)
        return ERR_CLOSED;
    int err = wait_for(channel->fd, POLLIN, channel->interrupt, deadline_ns);
    if (err)
        return err;
    ssize_t got = recv(channel->fd, piece, sizeof piece, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? ERR_OK
               : errno == ECONNRESET             ? ERR_CLOSED
                                                 : ERR_IO;
    if (got == 0) {
        channel->ended = true;
        return ERR_OK;
    }
    forget_taken(channel);
    tls_receive(channel->tls, piece, (size_t)got);
    err = decrypt(channel);
    /* An alert, or an answer to the other side's change of keys, may be due. */
    int flushed = flush(channel, deadline_ns);
    return err ? err : flushed;
}

/* ---- Opening and closing ---- */

static void channel_init(struct channel *channel, int fd, struct tls *tls, int interrupt)
{
    *channel = (struct channel){
        .fd = fd, .tls = tls, .interrupt = interrupt, .frame_max = FRAME_PAYLOAD_MAX};
    buf_init(&channel->in, IN_MAX);
}

static int shake_hands(struct channel *channel, uint64_t deadline_ns)
{
    int err = decrypt(channel); /* who connects begins */
    if (!err)
        err = flush(channel, deadline_ns);
    while (!err && !tls_ready(channel->tls)) {
        err = channel->ended ? ERR_CLOSED : pull(channel, deadline_ns);
        if (!err && clock_mono_ns() > deadline_ns)
            err = ERR_TIMEOUT; /* also for one who sends something all the time */
    }
    return err;
}

/* Names the other, or closes and says why not. */
static int begin(struct channel *channel, uint64_t deadline_ns, struct failure *failure)
{
    socket_set_patience(channel->fd, CHANNEL_PATIENCE_MS);
    if (!channel->tls) {
        channel_close(channel);
        return fail(failure, ERR_NOMEM, "no memory for TLS");
    }
    int err = shake_hands(channel, deadline_ns);
    if (!err) {
        tls_peer_name(channel->tls, channel->peer);
        return ERR_OK;
    }
    if (err == ERR_DENIED)
        fail(failure, err, "no TLS with %s: %s", channel->where, tls_problem(channel->tls));
    else if (err == ERR_TIMEOUT)
        fail(failure, err, "%s did not answer in time", channel->where);
    else
        /* Nobody listening is what ERR_CLOSED says of a connection that is only being made. */
        err = fail(failure, err == ERR_CLOSED ? ERR_IO : err,
                   "%s closed the connection during the handshake", channel->where);
    channel_close(channel);
    return err;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A connected socket, or what went wrong with this one of the addresses. */
static int connect_to(const struct endpoint *address, int interrupt, uint64_t deadline_ns, int *out,
                      struct failure *failure)
{
    char text[ADDRESS_TEXT];
    int fd;
    endpoint_text(address, true, text, sizeof text);
    errno = 0;
    int err = socket_connect(address, &fd, failure);
    if (err)
        return errno == ECONNREFUSED ? fail(failure, ERR_CLOSED, "%s refuses connections", text)
                                     : err;
    deadline_ns = earlier(deadline_ns, clock_mono_ns() + CHANNEL_CONNECT_MS * MS_NS);
    err = wait_for(fd, POLLOUT, interrupt, deadline_ns);
    if (err == ERR_CLOSED) {
        close(fd);
        return fail(failure, err, "stopped connecting to %s", text);
    }
    errno = err ? ETIMEDOUT : socket_error(fd);
    if (errno == 0) {
        *out = fd;
        return ERR_OK;
    }
    if (errno == ECONNREFUSED)
        err = fail(failure, ERR_CLOSED, "%s refuses connections: nobody listens there", text);
    else
        err = fail_errno(failure, errno == ETIMEDOUT ? ERR_TIMEOUT : ERR_IO, "cannot connect to %s",
                         text);
    close(fd);
    return err;
}

int channel_connect(struct channel *channel, const char *address, struct tls_context *context,
                    int interrupt, uint64_t deadline_ns, struct failure *failure)
{
    struct endpoint found[ADDRESSES_MAX];
    unsigned count;
    int fd = -1;
    int err = endpoint_resolve_all(str_of(address), false, found, ADDRESSES_MAX, &count, failure);
    if (err)
        return err;
    int outcome = ERR_CLOSED; /* that of the addresses together: refused only if all refuse */
    for (unsigned i = 0; i < count; i++) {
        struct failure here;
        err = connect_to(&found[i], interrupt, deadline_ns, &fd, &here);
        if (!err) {
            channel_init(channel, fd, tls_new_connecting(context), interrupt);
            endpoint_text(&found[i], true, channel->where, sizeof channel->where);
            return begin(channel, deadline_ns, failure);
        }
        if (outcome == ERR_CLOSED) {
            outcome = err;
            if (failure)
                *failure = here;
        }
    }
    return outcome;
}

int channel_accept(struct channel *channel, int fd, struct tls_context *context, int interrupt,
                   uint64_t deadline_ns, struct failure *failure)
{
    struct endpoint other = {.len = sizeof other.at};
    channel_init(channel, fd, tls_new(context), interrupt);
    str_copy(channel->where, sizeof channel->where, STR("somebody"));
    if (getpeername(fd, (struct sockaddr *)&other.at, &other.len) == 0)
        endpoint_text(&other, true, channel->where, sizeof channel->where);
    return begin(channel, deadline_ns, failure);
}

void channel_close(struct channel *channel)
{
    if (channel->fd < 0)
        return;
    if (channel->tls) {
        tls_close(channel->tls);
        (void)flush(channel, 0);
    }
    close(channel->fd);
    tls_free(channel->tls);
    buf_close(&channel->in);
    channel->fd = -1;
    channel->tls = NULL;
}

void channel_release(struct channel *channel, int *fd, struct tls **tls, struct buf *rest)
{
    forget_taken(channel);
    *fd = channel->fd;
    *tls = channel->tls;
    *rest = channel->in;
    channel->fd = -1;
    channel->tls = NULL;
    buf_init(&channel->in, IN_MAX);
}

void channel_finish(struct channel *channel, uint64_t deadline_ns)
{
    char piece[PIECE];
    tls_close(channel->tls);
    if (flush(channel, deadline_ns) != ERR_OK || shutdown(channel->fd, SHUT_WR) < 0)
        return;
    while (wait_for(channel->fd, POLLIN, channel->interrupt, deadline_ns) == ERR_OK &&
           recv(channel->fd, piece, sizeof piece, 0) > 0 && clock_mono_ns() < deadline_ns)
        ;
}

/* ---- Frames and raw bytes ---- */

int channel_send_raw(struct channel *channel, const void *bytes, size_t len, uint64_t deadline_ns)
{
    struct str left = str_make(bytes, len);
    while (left.len > 0) {
        struct str part = str_sub(left, 0, BATCH);
        if (!tls_write(channel->tls, part.at, part.len))
            return ERR_IO;
        int err = flush(channel, deadline_ns);
        if (err)
            return err;
        left = str_from(left, part.len);
    }
    return ERR_OK;
}

int channel_send(struct channel *channel, uint8_t kind, struct str payload, uint64_t deadline_ns)
{
    char header[FRAME_HEADER];
    frame_header(header, kind, payload.len);
    if (!tls_write(channel->tls, header, sizeof header))
        return ERR_IO;
    if (payload.len == 0)
        return flush(channel, deadline_ns);
    return channel_send_raw(channel, payload.at, payload.len, deadline_ns);
}

/* The frame at the begin of BYTES, if it is there; refused as soon as its length is known. */
static int read_frame(const struct channel *channel, struct str bytes, struct frame *frame,
                      size_t *used)
{
    uint8_t kind;
    size_t len;
    int err = frame_read_header(bytes, &kind, &len);
    if (!err && len > channel->frame_max)
        return ERR_INVALID;
    return err ? err : frame_read(bytes, frame, used);
}

int channel_receive(struct channel *channel, struct frame *frame, uint64_t deadline_ns)
{
    for (bool pulled = false;; pulled = true) {
        size_t used = 0;
        struct str left = str_from(buf_text(&channel->in), channel->taken);
        int err = read_frame(channel, left, frame, &used);
        if (!err) {
            channel->taken += used;
            return ERR_OK;
        }
        if (err == ERR_NOTFOUND)
            err =
                pulled && clock_mono_ns() > deadline_ns ? ERR_TIMEOUT : pull(channel, deadline_ns);
        if (err)
            return err == ERR_CLOSED && left.len > 0 ? ERR_INVALID : err;
    }
}

int channel_receive_raw(struct channel *channel, void *out, size_t len, uint64_t deadline_ns)
{
    char *to = out;
    while (len > 0) {
        struct str left = str_from(buf_text(&channel->in), channel->taken);
        size_t part = left.len < len ? left.len : len;
        if (part > 0)
            memcpy(to, left.at, part);
        to += part;
        len -= part;
        channel->taken += part;
        int err = len > 0 ? pull(channel, deadline_ns) : ERR_OK;
        if (err)
            return err;
    }
    return ERR_OK;
}
