/* Forward: one request on its way to a server and back.
 *
 *                     ┌───── forward_again ◀── attempt failed ──────┐
 *                     ▼                                             │
 *   forward_begin ─▶ PLACING ──attempt_begin──▶ WAITING ────────────┤
 *                     ▲  │                        │ head            │
 *               timer │  │ nobody now             ▼                 │
 *                     │  ▼                     ANSWERING ──complete─┼──▶ ANSWERED
 *                    PAUSED                       │                 │        ▲
 *                                                 └──broken: CUT    └─ 502 … ┘
 *
 * A request with a small body, or none, is collected by the engine and forwarded as a whole. A
 * larger one is streamed: forwarding begins with its head, its pieces go through a bounded window
 * in both directions, and the beginning of it is kept for as long as it may have to be sent again.
 *
 * A small answer is handed to the engine as a whole, too; a larger one goes through a window of
 * WINDOW_BYTES, and the server is not read from while the client is slow. An answer that breaks in
 * the middle is cut off, so that the client can tell.
 *
 * The struct lives in the exchange's arena and ends with the exchange, whoever ends it.
 * Thread: its lane's.
 *
 *   forward.c          plan, attempts, again, ticks     forward_body.c    the request's body
 *   forward_answer.c   the answer                       forward_fail.c    answers of our own
 */
#ifndef STOA_BALANCE_FORWARD_H
#define STOA_BALANCE_FORWARD_H

#include "balance/hop.h"
#include "balance/lane.h"
#include "balance/retry.h"

enum forward_state {
    FORWARD_PLACING,
    FORWARD_PAUSED,
    FORWARD_WAITING,
    FORWARD_ANSWERING,
    FORWARD_ANSWERED,
    FORWARD_CUT,
};

enum { FORWARD_TRIED = 16 };

struct forward;

/* At most two at once: the second is a hedge. */
struct attempt {
    struct forward *forward;
    struct upstream *line; /* NULL: this attempt is not under way */
    struct pool *pool;     /* held */
    uint64_t began_ns;
    bool reused; /* on a connection that was kept */
    bool moving; /* its answer says: elsewhere. It is read and forgotten */
};

struct forward {
    struct exchange *x;
    struct lane *lane; /* NULL: the lane has gone */
    struct list node;  /* in lane->forwards */
    struct timer timer;
    enum forward_state state;
    uint64_t began_ns, deadline_ns, heard_ns;

    /* Where it may go: servers by id, as places change. */
    struct route_plan plan;
    uint64_t planned[ROUTE_PLACES_MAX], tried[FORWARD_TRIED];
    unsigned planned_count, tried_count;
    unsigned attempts_made, costly, rounds;
    enum retry_reason reason; /* why the last attempt came to nothing */
    struct attempt attempts[2];
    struct attempt *winner; /* whose answer it is */

    bool shop;       /* the servers are ours */
    bool repeatable; /* by its method or key */
    char operation[ID_TEXT], request_id[ID_TEXT];

    /* Request body that is streamed. */
    bool streamed, body_complete, sink_paused;
    bool kept; /* what has come of it is in `beginning` */
    struct buf beginning;
    uint64_t body_seen;

    /* Answer. */
    bool in_app;  /* the engine waits for exchange_finish */
    bool given;   /* the exchange has the answer, or its head */
    bool whole;   /* collected, and given when it is complete */
    bool waiting; /* the client wants more than has come */
    bool complete;
    int status;
    int64_t length; /* as announced; -1: not */
    struct hop_answer answer;
    char *bytes; /* whole: in the arena; else a window of the lane's */
    size_t bytes_at, bytes_len;
    bool has_window;
};

/* ---- forward.c ---- */

/* X gets a forward (x->state). NULL without memory. */
struct forward *forward_open(struct lane *lane, struct exchange *x);
/* It is on its way from now on. */
void forward_begin(struct forward *f);
/* Has it sent to the next server that can take it; or answers. */
void forward_place(struct forward *f);
/* The client has gone: nobody waits. */
void forward_drop(struct forward *f);
/* ATTEMPT has ended, for REASON, without an answer that counts. */
void forward_again(struct forward *f, enum retry_reason reason, bool sent);
/* Others than WINNER are given up. */
void forward_cancel_others(struct forward *f, struct attempt *winner);
void forward_release(struct attempt *attempt, bool failed);
void forward_tick(struct lane *lane, uint64_t now_ns, uint64_t late_ns);
/* Servers have come, gone, or changed their state. */
void forward_servers_changed(struct lane *lane);
/* The loop ends. */
void forward_abandon(struct lane *lane);

/* ---- forward_answer.c ---- */
extern const struct upstream_events forward_events;
/* The answer, or its head, is in the exchange: the engine is told as soon as that may be. */
void forward_give(struct forward *f);

/* ---- forward_body.c ---- */
extern const struct body_sink forward_sink;
/* All that is there of the body goes to ATTEMPT. */
void forward_send_body(struct forward *f, struct attempt *attempt);
/* The engine has the whole request. */
void forward_body_ends(struct forward *f);
/* More of the body can be taken. */
void forward_take_more(struct forward *f);

/* ---- forward_fail.c ---- */
/* An answer of our own: STATUS (502, 503, 504) and SENTENCE, which says what has happened. */
void forward_fail(struct forward *f, int status, const char *sentence);

#endif
