/* Outbox: sends what apply has written into the table `outbox` to whom it is for: money to the
 * bank, orders to warehouses, webhooks to platforms, mail to shoppers. The transactional outbox
 * (Helland, "Life beyond Distributed Transactions", CIDR 2007): at least once on the wire, once in
 * effect, because each row bears an effect's id that is the same at each repeat.
 *
 * Only the primary sends, and each thing it sends bears its fence (replica/fence.h), so that a
 * primary which was deposed and does not know it yet is refused:
 *
 *   state      arrow (function)                                                    to
 *   RESTING    this server leads a new term (begin_term)                           CATCHING
 *   CATCHING   the copy has all that was acknowledged before (catch_up)            SENDING
 *   SENDING    it leads no more, or another term (look_at_term)                    RESTING
 *              a receiver has seen a newer primary (refused_as_old)                DEPOSED
 *   DEPOSED    it leads no more, or another term (look_at_term)                    RESTING
 *
 * and a row:
 *
 *   WAITING    read from the table; or its time has come (send_due)                SENT
 *   SENT       delivered, or refused for good (take_outcome)                       ANSWERED
 *              not now: after a growing wait with jitter (take_outcome)            WAITING
 *   ANSWERED   OUTBOX_DONE is in the log (done_applied): apply has removed it      gone
 *
 * Rows of one order and lane go one after the other, orders side by side. Each receiver has its
 * own waits, from 0.1 s to 60 s, so that one that is away does not slow the others. Rows are held
 * in memory in bounded windows; what does not fit stays in the table.
 *
 * How a row is sent is the sender's business: outbox_bank.c, outbox_warehouse.c, and what POST has
 * for webhooks and mail.
 *
 * A thread of its own, made by main/ after the replica is ready.
 */
#ifndef STOA_OUTSIDE_OUTBOX_H
#define STOA_OUTSIDE_OUTBOX_H

#include "base/arena.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "replica/fence.h"
#include "replica/order.h"
#include "shop/read.h"

struct outbox;

/* ---- A sender: the seam to those who know how to send ---- */

/* What became of one attempt. */
enum outbox_sent {
    OUTBOX_SENT,       /* taken, now or earlier */
    OUTBOX_SENT_NEVER, /* refused for good: `text` says why. It is not tried again */
    OUTBOX_SENT_LATER, /* this one not now (its receiver does take others) */
    OUTBOX_SENT_AWAY,  /* its receiver takes nothing now: all of that receiver's rows wait */
    OUTBOX_SENT_OLD,   /* the receiver has seen a newer primary: nothing more is sent */
};

/* The answer; lent for the call of `done`. */
struct outbox_said {
    enum outbox_sent sent;
    struct str text;                    /* SENT: a reference, or empty. Else: why not */
    const struct order_quantity *lines; /* SENT, of a warehouse's CANCEL: how many are canceled */
    unsigned line_count;
    uint32_t wait_ms; /* LATER, AWAY: not before this (Retry-After); 0: as the outbox thinks */
};

/* One row on its way. The outbox's; lent, with all it names, until `done` was called. */
struct outbox_send {
    const char *lane;             /* "bank", "warehouse/main", "webhook", "mail" */
    const struct outbox_row *row; /* NULL: an announcement */
    const struct fence *fence;    /* goes along */
    bool alone; /* the receiver was away for this row, and then took others: it is about this row */
    struct outbox_send *next; /* of the same batch; NULL: the last. The sender's to change;
                                 to be read before `done` */

    /* The sender calls it exactly once for each row, on any thread, maybe within `begin`. It
     * copies the answer and does not block. */
    void (*done)(struct outbox_send *send, const struct outbox_said *said);
    void *sender; /* the sender's own, NULL at `begin` */
};

struct outbox_sender {
    const char *name; /* for logs */
    void *context;
    /* On the outbox's thread, one call at a time: so that a sender may have a reader of its own.
     * Must not wait for the receiver. FIRST is a batch of up to batch_max rows of one kind, to one
     * receiver. */
    void (*begin)(void *context, struct outbox_send *first);
    /* The receiver of ROW, as any number: rows with the same number wait together. On the outbox's
     * thread; may read the database. NULL: the lane has one receiver. */
    uint64_t (*receiver)(void *context, const struct outbox_row *row);
    /* Tells the receiver the fence before anything else, once in a term; then SAID. May be NULL. */
    void (*announce)(void *context, struct outbox_send *send);
    unsigned batch_max; /* rows in one `begin`; 0: 1 */
    unsigned at_once;   /* batches on their way in the lane, 64 at the most; 0: 64 */
};

/* ---- Where it looks ---- */

/* outbox_view.c looks into the database; tests make up their own. On the outbox's thread. */
struct outbox_view {
    void *context;
    int (*rows)(void *context, struct arena *arena, struct str lane, uint64_t after, unsigned limit,
                struct outbox_row **rows, unsigned *count);
    int (*lanes)(void *context, struct arena *arena, struct outbox_lane_count **lanes,
                 unsigned *count);
    int (*warehouses)(void *context, struct arena *arena, struct warehouse **list, unsigned *count);
    /* Of the shop: who it is and its epoch. ERR_NOTFOUND: not put yet. */
    int (*identity)(void *context, struct id *shop, uint64_t *epoch);
    int (*order)(void *context, struct arena *arena, struct id id, struct order *order);
};

/* A view of the database FILE, and its end (after outbox_stop). */
int outbox_view_open(const char *file, struct outbox_view *view, struct failure *failure);
void outbox_view_close(struct outbox_view *view);

/* ---- The outbox ---- */

enum {
    OUTBOX_LANES_MAX = SHOP_WAREHOUSES_MAX + 8,
    OUTBOX_LANE_NAME = SHOP_WAREHOUSE_ID_MAX + 16,
    OUTBOX_WINDOW = 1000,        /* rows of a lane in memory */
    OUTBOX_WAIT_LEAST_MS = 100,  /* after the first failure; then twice as long each time */
    OUTBOX_WAIT_MOST_MS = 60000, /* the jitter takes up to a half of it off */
};

struct outbox_config {
    struct ordering *order; /* lent, as all here, until outbox_free returned */
    struct outbox_view view;
    /* For the lanes "bank", "webhook", "mail", and one for all of "warehouse/…"; NULL: rows of that
     * lane stay where they are. */
    const struct outbox_sender *bank, *warehouse, *webhook, *mail;
    struct crash_plan *crash; /* may be NULL */
    const struct log *log;
    uint32_t interval_ms;                 /* looks at least so often; 0: 1000 */
    uint32_t wait_least_ms, wait_most_ms; /* 0: as above */
};

int outbox_start(const struct outbox_config *config, struct outbox **outbox,
                 struct failure *failure);
/* Looks at once, as after apply has written rows. Any thread; NULL is fine. */
void outbox_wake(struct outbox *outbox);
/* Begins nothing more. Then what is on its way is ended by its senders (the bank's and the
 * transfers' ends), and then the outbox is freed, which waits for it. NULL is fine for both. */
void outbox_stop(struct outbox *outbox);
void outbox_free(struct outbox *outbox);

/* ---- What is known ---- */

struct outbox_lane_report {
    char lane[OUTBOX_LANE_NAME];
    uint64_t rows;                  /* in the table */
    int64_t oldest_ms;              /* log time; 0: none */
    uint64_t sent, failed, refused; /* since start: delivered; tries that failed; for good */
    unsigned on_their_way;
    uint32_t wait_ms; /* of the receiver that waits longest, until its next try */
    char error[160];  /* the last one, since the last success; or empty */
};

struct outbox_report {
    bool sending;            /* this server does */
    uint64_t term;           /* as which primary; 0: it is none */
    uint64_t refused_fences; /* since start: receivers that knew a newer primary */
    unsigned lane_count;
    struct outbox_lane_report lanes[OUTBOX_LANES_MAX];
};
/* As of its last look, at most a second ago. Any thread. OUTBOX may be NULL. */
void outbox_report(struct outbox *outbox, struct outbox_report *report);

#endif
