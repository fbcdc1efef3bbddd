/* Outbox lane: the rows of one lane that are in memory, and which of them are to be sent now.
 *
 * A window on the table: rows are read in the order of seq, and held up to so many of a receiver.
 * A receiver that has as many is passed over; once there is room its rows are read from the first
 * that was, so that in memory are always its first ones, and one that is away costs the others
 * nothing.
 *
 * To a receiver that is away one row goes at a time: the one that was tried longest ago, so that a
 * row that fails whenever it is sent does not keep the others from their turn. Once others that
 * were sent after it have been taken, the failure is the row's own, and so is the wait. Rows of one
 * order never pass each other.
 *
 * Pure but for memory and for the senders, which lane_send calls; times are handed in. Thread: the
 * outbox's.
 */
#ifndef STOA_OUTSIDE_OUTBOX_LANE_H
#define STOA_OUTSIDE_OUTBOX_LANE_H

#include "base/list.h"
#include "base/random.h"
#include "outside/outbox.h"

struct lane_receiver {
    uint64_t key; /* whose place it is (outbox_places.h) */
    bool taken;
    uint64_t used;               /* when, as outbox_lane.uses counts */
    unsigned rows, on_their_way; /* in memory; of these, sent and not answered */
    uint64_t passed_seq;         /* its first row that was passed over; 0: none */
    unsigned missed;             /* answers since its last one */
    unsigned tries;              /* since it counts as away */
    uint64_t due_ns;             /* nothing before that */
    uint64_t failed_ns;
    uint64_t took_sent_ns;       /* when the latest of those that it took had been sent */
    const struct lane_row *turn; /* of lane_send, while it runs: what goes ahead if it is away */
};

enum lane_row_state { ROW_WAITING, ROW_ON_ITS_WAY, ROW_ANSWERED };

enum { LANE_TEXT = 256 };

struct lane_row {
    struct list link;             /* in the lane, by seq; or among the orphans, or the answers */
    struct lane_row *next_in_box; /* the outbox's inbox */
    void *outbox;                 /* whose it is: sending->context, as of its sending */
    struct outbox_lane *lane;     /* NULL: of an earlier term; nobody cares about its answer */
    struct outbox_row row;
    bool announcement; /* no row: the fence alone */
    struct lane_receiver *receiver;
    unsigned batch; /* its place in the lane's `left` */
    enum lane_row_state state;
    unsigned tries;
    uint64_t due_ns, sent_ns; /* sent_ns: last; 0: never */
    uint64_t failed_ns;       /* its receiver was away then; 0: never */
    bool alone;               /* it failed again after its receiver had taken others */
    struct fence fence;
    struct outbox_send send;

    /* The answer, as `done` has copied it. */
    enum outbox_sent sent;
    char text[LANE_TEXT];
    uint32_t wait_ms;
    unsigned answer_count;
    struct order_quantity *answer_lines;
    struct order_quantity lines[]; /* the row's, then room for as many of the answer */
};

enum {
    LANE_BATCHES = 64, /* on their way */
    LANE_OWN = 192,    /* places of a lane with many receivers: of one each */
    LANE_SHARED = 64,  /* and of the others */
    LANE_RECEIVERS = LANE_OWN + LANE_SHARED,
    LANE_OF_MANY = 128, /* rows of one of many in memory; of a lane's only one: OUTBOX_WINDOW */
};

struct lane_waits {
    uint32_t least_ms, most_ms;
};

struct outbox_lane {
    char name[OUTBOX_LANE_NAME];
    const struct outbox_sender *sender; /* NULL: its rows stay where they are */
    struct list rows;
    unsigned row_count, batches; /* batches: on their way */
    unsigned short
        left[LANE_BATCHES]; /* rows of each that are not answered; 0: the place is free */
    uint64_t cursor;        /* the last row that was looked at */
    bool at_end;            /* there was none after it */
    uint64_t *seen;         /* of lane_send, while it runs: orders by hash */
    unsigned seen_slots;
    bool announced;
    struct lane_row *announcement;   /* on its way, or waiting for its time; NULL: none yet */
    struct lane_receiver *receivers; /* one, or LANE_RECEIVERS */
    unsigned receiver_count, away;   /* away: of these */
    uint64_t uses;                   /* of places */
    uint64_t sent, failed, refused;
    uint64_t address; /* the outbox's: of where it leads, as a hash; 0: not known yet */
    char error[LANE_TEXT];
};

/* ERR_NOMEM. */
int lane_open(struct outbox_lane *lane, struct str name, const struct outbox_sender *sender);
/* Frees it and its rows; none is on its way. */
void lane_close(struct outbox_lane *lane);
/* A term ends: forgets the rows; those on their way go to ORPHANS. */
void lane_forget(struct outbox_lane *lane, struct list *orphans);

/* What to read next from the table. */
struct lane_reading {
    uint64_t after;
    unsigned limit;
    struct lane_receiver *of; /* whose rows alone are wanted; NULL: all that are new */
};
/* False: nothing, for want of room or of rows. */
bool lane_wants(struct outbox_lane *lane, struct lane_reading *reading);
/* The rows that were found for READING. ERR_NOMEM: read again later. */
int lane_take_in(struct outbox_lane *lane, const struct lane_reading *reading,
                 const struct outbox_row *rows, unsigned count);
/* There may be new rows. */
void lane_look_again(struct outbox_lane *lane);
/* It leads elsewhere from now on: what has failed says nothing of how it goes there, so that
 * nothing waits any more. */
void lane_try_now(struct outbox_lane *lane);

/* Sends what is due; *DUE_NS is lowered to when the next will be. DONE is what senders call. */
struct lane_sending {
    const struct fence *fence;
    uint64_t now_ns;
    struct crash_plan *crash;
    void (*done)(struct outbox_send *send, const struct outbox_said *said);
    void (*begun)(void *context, unsigned rows); /* before a batch is */
    bool (*may)(void *context); /* whether it still leads: asked before each batch */
    void *context;
};
void lane_send(struct outbox_lane *lane, const struct lane_sending *sending, uint64_t *due_ns);

/* ROW was answered. True: it is ANSWERED (row->sent says how), out of the lane and the caller's.
 * Else it waits again, or was the announcement. */
bool lane_outcome(struct outbox_lane *lane, struct lane_row *row, uint64_t now_ns,
                  const struct lane_waits *waits, struct random *random);

/* How long until the receiver that waits longest is tried again. */
uint32_t lane_wait_ms(const struct outbox_lane *lane, uint64_t now_ns);

/* TRIES failed: a wait between a half and all of LEAST times two to the tries less one, MOST. */
uint64_t lane_wait_ns(unsigned tries, const struct lane_waits *waits, struct random *random);

#endif
