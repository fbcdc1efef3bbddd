/* Channel: a TLS connection that is used by blocking calls with deadlines, for threads that do
 * one long thing: a handshake between servers, a copy of the database, a join.
 *
 * Thread: one at a time. The socket has TCP_NODELAY, keepalive and TCP_USER_TIMEOUT
 * (socket_set_patience), IPv4 or IPv6.
 */
#ifndef STOA_NET_CHANNEL_H
#define STOA_NET_CHANNEL_H

#include "base/buf.h"
#include "base/err.h"
#include "net/frame.h"
#include "net/socket.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stdint.h>

struct channel {
    int fd; /* non-blocking */
    struct tls *tls;
    struct buf in;            /* plain text, received */
    size_t taken;             /* of it */
    bool ended;               /* the other side has said that nothing more comes */
    int interrupt;            /* see channel_connect */
    size_t frame_max;         /* longest payload that is received; FRAME_PAYLOAD_MAX at first */
    char peer[TLS_NAME];      /* the other's name by its certificate; empty: it showed none */
    char where[ADDRESS_TEXT]; /* its address, for messages */
};

enum {
    CHANNEL_PATIENCE_MS = 5000, /* TCP_USER_TIMEOUT */
    CHANNEL_CONNECT_MS = 1500,  /* until the machine answers: a packet lost at once is sent again
                                   after 1 s, later ones come too late for a cluster */
};

/* Connects to "HOST:PORT", trying each of the host's addresses, and shakes hands, until
 * DEADLINE_NS (monotonic). The context says which certificates are believed (net/tls.h).
 * INTERRUPT is a descriptor (an eventfd): once it is readable, every call that would wait ends with
 * ERR_CLOSED; -1: none.
 *   ERR_CLOSED: the machine answers, and nobody listens there (or interrupted: the caller knows)
 *   ERR_DENIED: TLS did not come about (a certificate is not believed, or it is no TLS)
 *   ERR_TIMEOUT, ERR_IO (no route, reset), ERR_NOTFOUND (no such host), ERR_INVALID
 * Looking up a host's name may take longer than the deadline. */
int channel_connect(struct channel *channel, const char *address, struct tls_context *context,
                    int interrupt, uint64_t deadline_ns, struct failure *failure);
/* The accepting side: takes FD over, also when it fails. */
int channel_accept(struct channel *channel, int fd, struct tls_context *context, int interrupt,
                   uint64_t deadline_ns, struct failure *failure);
/* Says goodbye, without waiting, and closes. */
void channel_close(struct channel *channel);
/* Gives socket, session and what was received beyond the last frame to somebody else (who is
 * then their owner); the channel is closed without closing them. */
void channel_release(struct channel *channel, int *fd, struct tls **tls, struct buf *rest);

/* Sends one frame, or raw bytes that follow a frame which announced them. ERR_TIMEOUT (a part may
 * be sent: only closing is left), ERR_CLOSED, ERR_IO. */
int channel_send(struct channel *channel, uint8_t kind, struct str payload, uint64_t deadline_ns);
int channel_send_raw(struct channel *channel, const void *bytes, size_t len, uint64_t deadline_ns);
/* The next frame, lent until the next call. ERR_TIMEOUT: none until the deadline, try again;
 * ERR_CLOSED (it ended between two frames), ERR_INVALID (no frame, or broken off), ERR_DENIED (it
 * does not believe our certificate), ERR_IO. */
int channel_receive(struct channel *channel, struct frame *frame, uint64_t deadline_ns);
/* LEN bytes; after any error only closing is left. */
int channel_receive_raw(struct channel *channel, void *out, size_t len, uint64_t deadline_ns);
/* Says that nothing more is sent, and waits until the other side has closed too: what was sent
 * last then reaches it even if it has sent what nobody read. */
void channel_finish(struct channel *channel, uint64_t deadline_ns);

#endif
