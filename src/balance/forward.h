/* Forward: one request on its way to a server and back.
 *
 *       forward_begin, forward_again: it may, and it helps (retry.h)
 *                      │
 *   PAUSED ──timer─▶ forward_go ──no server has room──▶ QUEUED ──too long, shed──▶ 503
 *     ▲                │                                  │
 *     │                ▼                                  │
 *     ├──────────── PLACING ◀───────forward_admit─────────┘
 *     │ nobody now     │attempt_begin
 *     │                ▼
 *     └──────────── WAITING ──head──▶ ANSWERING ──complete──▶ ANSWERED
 *       forward_again  │                  │                      ▲
 *                      └── 502, 503, 504 ─┼──────────────────────┘
 *                                         └──broken──▶ CUT
 *
 * A request with a small body, or none, is collected by the engine and forwarded as a whole. A
 * larger one is streamed: forwarding begins with its head, its pieces go through a bounded window
 * in both directions, and the beginning of it is kept for as long as it may have to be sent again.
 *
 * A small answer is handed to the engine as a whole, too; a larger one goes through a window
 * (window.h), and the server is not read from while the client is slow. An answer that breaks in
 * the middle is cut off, so that the client can tell.
 *
 * The struct lives in the exchange's arena and ends with the exchange, whoever ends it.
 * Thread: its lane's.
 *
 *   forward.c          begin and end, ticks     forward_attempt.c  where to, and again
 *   forward_wait.c     queue and pauses         forward_body.c     the request's body
 *   forward_answer.c   the answer               forward_fail.c     answers of our own
 */
#ifndef STOA_BALANCE_FORWARD_H
#define STOA_BALANCE_FORWARD_H

#include "balance/hedge.h"
#include "balance/hop.h"
#include "balance/lane.h"
#include "balance/retry.h"

enum forward_state {
    FORWARD_QUEUED,
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
    uint64_t took_ns; /* until the answer's head; 0: it has not come */
    bool reused;      /* on a connection that was kept */
    bool moving;      /* its answer says to ask another one. It is read and forgotten */
    bool busy;        /* its answer says that it has too much to do */
    bool hedge;
};

struct forward {
    struct exchange *x;
    struct lane *lane;  /* NULL: the lane has gone */
    struct list node;   /* in lane->forwards */
    struct timer timer; /* the end of a pause */
    uint64_t waits_ns;  /* since when no server has had room for it; 0: one has it */
    bool was_queued;
    struct fair_item queued; /* in the lane's admission */
    struct hedge hedge;
    enum forward_state state;
    uint64_t began_ns, deadline_ns, heard_ns;

    /* Where it may go: servers by id, as places change. */
    struct route_plan plan;
    bool has_plan;
    uint64_t planned[ROUTE_PLACES_MAX], tried[FORWARD_TRIED];
    unsigned planned_count, tried_count;
    unsigned attempts_made, costly, pauses, stale;
    bool denied;              /* for want of a budget */
    bool was_busy;            /* a server was, and another one is asked instead */
    enum retry_reason reason; /* why the last attempt came to nothing */
    struct attempt attempts[2];
    struct attempt *winner; /* whose answer it is */

    bool shop;       /* the servers are ours */
    bool repeatable; /* doing it twice is doing it once */
    bool tunnel;
    char operation[ID_TEXT], request_id[ID_TEXT];

    /* Request body that is streamed. */
    bool streamed, body_complete;
    bool kept; /* what has come of it is in `beginning` */
    struct buf beginning;
    uint64_t body_seen;

    /* Answer. */
    bool in_app; /* the engine waits for exchange_finish */
    bool given;  /* the exchange has the answer, or its head */
    bool whole;  /* collected, and given when it is complete */
    bool complete;
    int status;
    int64_t length; /* as announced; -1: not */
    struct hop_answer answer;
    char *bytes; /* whole: in the arena; else a window of the lane's */
    size_t bytes_at, bytes_len;
    size_t window_bytes; /* 0: it is none */
};

/* ---- forward.c ---- */

/* X gets a forward (x->state). NULL without memory. */
struct forward *forward_open(struct lane *lane, struct exchange *x);
/* It is on its way from now on. */
void forward_begin(struct forward *f);
void forward_tick(struct lane *lane, uint64_t now_ns, uint64_t late_ns);
/* The loop ends. */
void forward_abandon(struct lane *lane);

/* ---- forward_wait.c ---- */

/* Has it sent, when nobody waits and a server has room; else it waits behind the others. */
void forward_go(struct forward *f);
/* It was its turn, but those that it could go to have no room. */
void forward_wait(struct forward *f);
/* None could take it: all of them may be asked again, in a moment. */
void forward_pause(struct forward *f);
/* It does not wait, or pause, any more. Harmless when it did not. */
void forward_wait_ends(struct forward *f);
/* A place may have become free: those who wait have their turn. */
void forward_admit(struct lane *lane);
/* Those who have waited for too long are answered. */
void forward_shed_late(struct lane *lane);

/* ---- forward_attempt.c ---- */

/* Has it sent to the next server that has room for it; or it waits, or is answered. */
void forward_place(struct forward *f);
/* Its last attempt has ended, for REASON, without an answer that counts. SENT: something of it had
 * left. */
void forward_again(struct forward *f, enum retry_reason reason, bool sent);
/* ATTEMPT's server says that it has too much to do. Whether another one is asked instead, which is
 * paid for then: when its answer has come to its end, forward_again for RETRY_BUSY. */
bool forward_leaves_busy(struct forward *f, const struct attempt *attempt);
/* It is asked for a second time (hedge.h). */
void forward_hedge(struct forward *f);
/* All attempts but WINNER (may be NULL) are given up. */
void forward_cancel_others(struct forward *f, struct attempt *winner);
/* ATTEMPT is over, whatever came of it. */
void forward_release(struct attempt *attempt, bool failed);
/* Those at servers that have fallen silent go elsewhere. */
void forward_leave_silent(struct forward *f);
bool forward_is_safe(const struct forward *f);

/* ---- forward_answer.c ---- */
extern const struct upstream_events forward_events;
/* The answer, or its head, is in the exchange: the engine is told as soon as that may be. */
void forward_give(struct forward *f);
/* The whole request has been read: an answer that was held back for it may go. */
void forward_answer_may_go(struct forward *f);
void forward_drop_window(struct forward *f);
/* Nothing more comes from the server: what is under way is cut off. */
void forward_cut(struct forward *f);

/* ---- forward_body.c ---- */
extern const struct body_sink forward_sink;
/* All that is there of the body goes to ATTEMPT. */
void forward_send_body(struct forward *f, struct attempt *attempt);
/* The engine has the whole request. */
void forward_body_ends(struct forward *f);

/* ---- forward_fail.c ---- */
/* An answer of our own: STATUS (502, 503, 504) and SENTENCE, which says what has happened. */
void forward_fail(struct forward *f, int status, const char *sentence);
/* 307 to the server that the request would go to (direct mode). False: it is not for that, or the
 * server has first to be asked where the shopper belongs. */
bool forward_redirect(struct forward *f);
/* The shopper is told of the set that is planned for him. */
void forward_note_home(struct forward *f);
/* The cookie that says TEXT (home_write), as Set-Cookie has it; at == NULL without memory. */
struct str forward_home_cookie(struct forward *f, const char *text);

#endif
