/* Errand: small requests of the load manager's own to one server, one at a time, over a connection
 * that is kept for the next one.
 *
 *   errand_ask ──▶ connected? ──no──▶ connect, TLS ──▶ sent ──▶ answer ──▶ ended(ERRAND_ANSWERED)
 *              errand_ping: likewise
 *              errand_knock ──▶ connect ──▶ ended(ERRAND_CONNECTED), closed again
 *
 * A request that was lost because the server has closed a kept connection is sent once more over
 * a new one. There is no deadline here: whoever asks looks at the time and gives up, because he
 * knows whether he himself stood still (check.h).
 *
 * Used for active checks and for learning who the members are. Thread: that of its loop.
 */
#ifndef STOA_BALANCE_ERRAND_H
#define STOA_BALANCE_ERRAND_H

#include "base/buf.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/tls.h"

enum { ERRAND_BODY_MAX = 256 << 10, ERRAND_LOAD = 128, ERRAND_PROBLEM = 160 };

enum errand_end {
    ERRAND_NONE,      /* inside: it goes on */
    ERRAND_ANSWERED,  /* `status` and `body` are there */
    ERRAND_CONNECTED, /* of a knock */
    ERRAND_REFUSED,   /* nobody listens there, or no way leads there */
    ERRAND_LOST,      /* it broke, or TLS failed: `problem` */
    ERRAND_RUBBISH,   /* what came is no HTTP, or far too much */
    ERRAND_UNABLE     /* this process could not: no descriptor, no port, no memory */
};

/* Where it goes. All is lent. */
struct errand_target {
    const struct endpoint *address;
    const char *host;                /* "HOST:PORT" */
    struct tls_context *tls_context; /* NULL: no TLS */
    bool proxy_header;               /* a connection begins with PROXY v2, LOCAL */
};

struct errand {
    /* What the owner looks at in `ended`. */
    int status;
    struct buf body;
    char load[ERRAND_LOAD]; /* the header Stoa-Load; empty: there is none */
    char problem[ERRAND_PROBLEM];
    bool open; /* something is asked, and has not ended */

    /* Inside. */
    struct loop *loop;
    struct errand_target target;
    void (*ended)(struct errand *errand, enum errand_end end);
    struct watch watch;
    struct soon soon; /* tells an end that came at once */
    enum errand_end soon_end;
    uint32_t events; /* watched for */
    bool connected, knock, reused, heard, complete, broken, keep;
    struct http_client *client;
    struct tls *tls;
    struct buf out; /* to be sent, before or without TLS */
    struct buf request;
};

/* ENDED may begin the next request, or close ERRAND. */
void errand_init(struct errand *errand, struct loop *loop, const struct errand_target *target,
                 void (*ended)(struct errand *errand, enum errand_end end));
/* Nobody is told. */
void errand_close(struct errand *errand);

/* Not while one is open. BODY.at == NULL: a GET, else a POST of JSON. AUTHORIZATION may be empty.
 * `ended` follows, never from here. */
void errand_ask(struct errand *errand, struct str target, struct str authorization,
                struct str body);
/* A connection, which the other side's kernel makes without its server. */
void errand_knock(struct errand *errand);
/* "OPTIONS *" (RFC 9110 §9.3.7): concerns no resource, and only a server that runs answers it. */
void errand_ping(struct errand *errand);
/* What is open will not be told; the connection is closed. */
void errand_give_up(struct errand *errand);

#endif
