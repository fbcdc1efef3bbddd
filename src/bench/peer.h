/* Peer: one client connection of the generator: a socket, and HTTP/1.1 or HTTP/2 on it.
 * For load.c and crowd.c; on a loop's thread.
 */
#ifndef STOA_BENCH_PEER_H
#define STOA_BENCH_PEER_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/socket.h"

struct peer;

/* A request on its way, inside its owner. buf_init both before the first use. */
struct peer_call {
    struct buf sent;   /* the request's body, kept until it is answered */
    struct buf answer; /* the answer's body */
};

enum { PEER_ANSWER_MAX = 16 << 20 };

struct http_response;

struct peer_events {
    /* The connection stands: requests may be sent. */
    void (*connected)(struct peer *peer);
    /* CALL is answered with STATUS; its body is in call->answer. */
    void (*answered)(struct peer *peer, struct peer_call *call, int status);
    /* It is gone; what was not answered never will be. Free it. */
    void (*closed)(struct peer *peer);
    /* May be NULL. The head of CALL's answer has come. */
    void (*head)(struct peer *peer, struct peer_call *call, const struct http_response *response);
};

struct peer_kind {
    struct loop *loop;
    struct endpoint address;
    struct str authority; /* "127.0.0.1:8080" */
    bool http2;
    struct peer_events events;
    uint64_t *bytes_in; /* counted up */
};

/* Begins to connect. KIND is lent. NULL, with errno, when
 * no socket can be had; no event then. */
struct peer *peer_new(const struct peer_kind *kind, void *owner);
void *peer_owner(const struct peer *peer);

/* False when it is about to be closed: a request would not be sent. */
bool peer_usable(const struct peer *peer);
/* Why it is gone, as errno; 0: the server closed it, or spoke no HTTP. */
int peer_reason(const struct peer *peer);

/* Sends a request whose body is in call->sent. HEADERS: "name: value\r\n" lines. Whatever
 * fails closes the connection, and `closed` tells it soon. */
void peer_request(struct peer *peer, struct peer_call *call, const char *method, struct str path,
                  struct str headers);

void peer_free(struct peer *peer);

#endif
