/* Inside of the front: what front.c, front_ask.c and front_answer.c share. */
#ifndef STOA_TIER_FRONT_INNER_H
#define STOA_TIER_FRONT_INNER_H

#include "base/id.h"
#include "base/list.h"
#include "http/client.h"
#include "tier/bell.h"
#include "tier/front.h"

#include <stdatomic.h>

enum { FRONT_TICK_MS = 20 };

struct front {
    struct front_config config;
    struct app app;
    _Atomic uint64_t requests, refused, overdue, retried, given_up, resumed, cut;
    _Atomic unsigned seats;
};

/* One of the engine's threads. */
struct front_lane {
    struct front *front;
    struct queue *queue;
    struct loop *loop;
    unsigned seat;
    struct bell bell;
    struct timer tick;
    struct list calls;
    struct list unpushed; /* calls of this turn, which go into the queue at its end */
    struct soon push_soon;
    struct buf head;         /* of a request, while it is written */
    struct front_call *of[]; /* by slot; queue_slots of them */
};

/* One request, in its exchange's arena. */
struct front_call {
    struct list node; /* lane->calls */
    struct list push; /* lane->unpushed */
    struct front_lane *lane;
    struct exchange *x;
    unsigned slot;              /* QUEUE_NONE: over, or not there yet */
    size_t body_sent;           /* of x->body */
    bool asked;                 /* the request is in the pipe, to its end */
    struct http_client *client; /* reads the answer; NULL: none is to come */
    char operation[ID_TEXT];    /* empty: it changes nothing, or has one of its own */
    bool safe;                  /* it changes nothing (RFC 9110 §9.2.1) */
    bool repeats;               /* it may be pushed again though its worker may have done it */
    bool tried;                 /* a worker has died with it */

    /* The answer. */
    bool complete, broken;
    int status;
    int64_t length; /* -1: not known */
    struct buf body;
    size_t body_at;    /* of it, what the client has taken */
    uint64_t body_all; /* bytes of the answer's body that have come */
    bool in_app;       /* the engine waits for exchange_finish */
    bool streaming;
    bool waits;      /* the client waits for more of it */
    struct str etag; /* strong; at == NULL: it cannot be gone on with */
    bool resuming;   /* what comes now is the rest of it */
};

/* front.c: CALL's slot is filled; it goes into the queue with the others of this turn. */
void front_push(struct front_call *call);
/* From now on it may wait as long as its class may. The slot is FILLING. */
void front_set_deadline(struct front_call *call);

/* front_ask.c: writes X's request into the slot's pipe, as far as there is room. False: its head
 * has no room in a pipe. */
bool front_ask(struct front_call *call);
void front_ask_on(struct front_call *call);

/* front_answer.c: looks at what has come. */
void front_answer_look(struct front_call *call);
/* Forgets what has come of an answer; the next one is expected. False: no memory. */
bool front_answer_expect(struct front_call *call);
/* In place of an answer. */
void front_refuse(struct front_call *call, int status, const char *text);
/* The slot and the client are not needed any more. */
void front_call_end(struct front_call *call);

static inline void front_count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#endif
