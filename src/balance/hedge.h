/* Hedge: a read that takes longer than nearly all others is asked for a second time, of another
 * server; the first answer counts (Dean and Barroso, "The Tail at Scale", 2013).
 *
 * Requests are compared with their like: by method and the first part of the path, in
 * HEDGE_CLASSES classes. Each class knows the time that 95 of 100 do not exceed, at whatever
 * server, and has those under way in the order of their begin: so one timer serves all. A hedge is
 * paid for (budget.h), so that a slow system is not made slower.
 *
 *   forward.c: hedge_watch ──▶ waiting ──its time is over, and there is a budget──▶ forward_hedge
 *              hedge_forget ◀── answered, failed, sent again
 *
 * Thread: its lane's.
 */
#ifndef STOA_BALANCE_HEDGE_H
#define STOA_BALANCE_HEDGE_H

#include "balance/budget.h"
#include "balance/quantile.h"
#include "base/list.h"
#include "http/exchange.h"
#include "net/loop.h"

enum { HEDGE_CLASSES = 16 };

struct lane;

/* Within a request; zeroed before its first use. */
struct hedge {
    struct list node;
    uint64_t began_ns; /* or last looked at */
    unsigned class;
    bool watched;
    bool denied; /* for want of a budget */
};

struct hedge_class {
    struct quantile times;
    struct list waiting; /* oldest first */
    uint64_t after_ns;   /* 0: not known yet */
};

struct hedges {
    bool off;
    struct hedge_class classes[HEDGE_CLASSES];
    struct budget budget;
    struct timer timer;
};

/* SHARE: thousandths of requests; 0: none at all. */
void hedges_init(struct hedges *hedges, uint32_t share, uint64_t now_ns);
void hedges_stop(struct lane *lane);
/* Now and then: what the classes have learnt. */
void hedges_tick(struct lane *lane);

/* Which requests are like X. */
unsigned hedge_class_of(const struct exchange *x);
/* HEDGE's request was sent now: forward_hedge is called when it takes too long. */
void hedge_watch(struct lane *lane, struct hedge *hedge);
/* Harmless for one that is not watched. */
void hedge_forget(struct hedge *hedge);
/* One of CLASS was answered after NS. */
void hedge_learn(struct hedges *hedges, unsigned class, uint64_t ns);

#endif
