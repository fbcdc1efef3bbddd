/* Upstream: one connection to a server, with at most one request on it.
 *
 *                         ┌──────────────── the server closes, or idle for too long ──────────┐
 *                         │                                                                   ▼
 *   upstream_new ─▶ CONNECTING ─▶ HANDSHAKE ─▶ IDLE ◀──answer complete, kept alive── BUSY ─▶ gone
 *                         │    (TLS alone)      │                                     ▲
 *                         └──── a request may be given already ──── upstream_begin ───┘
 *
 * The user writes his request into upstream_out, also before the connection stands, and calls
 * upstream_send. What comes back is told by the events; the last one is `ended`, after which the
 * connection is no longer his. Whoever loses interest calls upstream_cancel.
 *
 * The socket is watched once, edge-triggered: what it can do is remembered, and bytes are sent at
 * once. Connections are kept by their pool (pool.h). Thread: their lane's.
 */
#ifndef STOA_BALANCE_UPSTREAM_H
#define STOA_BALANCE_UPSTREAM_H

#include "base/buf.h"
#include "base/list.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/proxy_header.h"
#include "net/tls.h"

struct pool;

enum upstream_end {
    UPSTREAM_COMPLETE, /* the answer is all there */
    UPSTREAM_REFUSED,  /* no connection */
    UPSTREAM_UNHEARD,  /* no connection in time */
    UPSTREAM_RESET,    /* it broke, or ended too early */
    UPSTREAM_RUBBISH,  /* what came is no answer */
};

struct upstream;

struct upstream_events {
    void (*head)(void *user, const struct http_response *response);
    void (*body)(void *user, struct str bytes);
    /* After head and body of one read, when the answer is not complete. */
    void (*arrived)(void *user);
    /* Much of what was written has left; told when more than UPSTREAM_HIGH waited. */
    void (*drained)(void *user);
    /* WHY: a sentence without a stop, with RUBBISH; else NULL. */
    void (*ended)(void *user, enum upstream_end end, const char *why);
};

enum {
    UPSTREAM_READ = 128 << 10, /* at most, at once */
    UPSTREAM_HIGH = 64 << 10,  /* unsent bytes above which a user waits for `drained` */
    /* A TLS record: so much more than was asked for may come at once. */
    UPSTREAM_RECORD = 16 << 10,
};

enum upstream_state { UPSTREAM_CONNECTING, UPSTREAM_HANDSHAKE, UPSTREAM_IDLE, UPSTREAM_BUSY };

struct upstream {
    struct watch watch;
    struct list node; /* in its pool's connecting, idle or busy */
    struct soon soon; /* more to read than one turn's share */
    struct pool *pool;
    struct http_client *client;
    struct tls *tls; /* NULL: none */
    enum upstream_state state;
    bool readable, writable;
    bool hung_up;  /* the end is in sight: read until it comes */
    bool telling;  /* the client core is at work: LINE must outlive it */
    bool unwanted; /* cancelled meanwhile */
    bool told;     /* head or body was given to the user in this read */
    bool ended;    /* the answer is complete, or never will be; told after the read */
    bool reusable; /* complete, and the server keeps the connection */
    bool high;     /* `drained` is owed */
    bool open;     /* the user has not written all of his request yet */
    bool cut;      /* the answer ended before it was complete */
    bool broken;   /* nothing more can be sent */
    bool shut;     /* our half is to be closed when all is sent */
    struct buf out;
    size_t out_at;
    unsigned char introduction[PROXY_HEADER_WRITTEN];
    size_t introduction_len;
    uint64_t since_ns; /* in this state */
    uint64_t sent;     /* bytes of this request that have left */
    size_t room;       /* how much the user takes at once; 0: paused */
    const struct upstream_events *events;
    void *user; /* NULL: none */
};

/* A connection that is being made. INTRODUCTION goes before everything else (the PROXY protocol's
 * header); may be empty. NULL: none can be (errno). */
struct upstream *upstream_new(struct pool *pool, struct str introduction);
/* Closes it; nobody is told. */
void upstream_close(struct upstream *line);

/* Asks the socket: it is idle, and the server has not closed it. */
bool upstream_is_open(const struct upstream *line);
/* EVENTS (lent) tell USER what becomes of the request that he now writes. IS_HEAD: the answer has
 * no body. ERR_NOMEM. */
int upstream_begin(struct upstream *line, const struct upstream_events *events, void *user,
                   bool is_head);
/* The server may answer 101 and speak another protocol from there on: what comes then is told as
 * the answer's body. */
void upstream_may_switch(struct upstream *line);
/* After 101: nothing more will be written. */
void upstream_shut(struct upstream *line);
/* Where he writes to; upstream_written when it was all. */
struct buf *upstream_out(struct upstream *line);
void upstream_written(struct upstream *line);
/* Sends what can be sent now; the rest follows by itself. An end is told later, never from here. */
void upstream_send(struct upstream *line);
size_t upstream_unsent(const struct upstream *line);
/* More waits than should: `drained` will be told. */
bool upstream_crowded(struct upstream *line);
/* The user takes up to ROOM bytes of an answer at once (0: nothing for now). */
void upstream_take(struct upstream *line, size_t room);
/* It has not come to stand in time. */
void upstream_unheard(struct upstream *line);
/* The user goes: what may still come has nobody to go to. */
void upstream_cancel(struct upstream *line);
#endif
