/* Overdue: ends holds whose deadline has passed because their home died, or did not learn what the
 * bank did. Used by settle on the primary, which finds them.
 *
 *   state     what is awaited         arrow (taken by)                              to
 *   --------  ----------------------  --------------------------------------------  --------
 *   CLAIMING  the log applies CLAIM   claimed: its home can end it no more          ASKING
 *                                     refused: somebody has ended it already        gone
 *   ASKING    the bank settles its    authorised                                    ENDING
 *             key                     refused: nothing is taken, nor ever will be   ENDING
 *                                     not known                                     gone
 *   ENDING    the log applies         applied, or refused: ended by another one     gone
 *             CONFIRM or RELEASE
 *
 * Whatever fails is left as it is, and is found again at the next look: each step may be done twice
 * and by several servers. What was claimed already begins with ASKING. The claim is what makes
 * asking safe: `settle` may end an authorisation, of which a slow home could make an order
 * otherwise.
 *
 * Threads: overdue_take from one; a thread of its own moves them on, told by the applier and the
 * bank. None of them waits for a bank that hangs.
 */
#ifndef STOA_OUTSIDE_OVERDUE_H
#define STOA_OUTSIDE_OVERDUE_H

#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "outside/bank.h"
#include "replica/order.h"
#include "shop/model.h"

#include <stdbool.h>

struct overdue;

/* At once. Fewer than the bank has lines, so that shoppers who pay find one free beside a hundred
 * that hang; settle takes the others in turn. */
enum { OVERDUE_MAX = 100 };

struct overdue_config {
    struct ordering *order; /* lent, as all here, until overdue_free returned */
    struct bank *bank;
    struct crash_plan *crash; /* may be NULL */
    const struct log *log;
    /* The last one is gone, and some were ended: there may be more. On overdue's thread. */
    void (*idle)(void *context);
    void *context;
};

int overdue_new(const struct overdue_config *config, struct overdue **overdue);
/* CHECKOUT is being paid, and past its deadline. False: it is in hand already, or there are too
 * many, or no memory. CURRENCY: the shop's. */
bool overdue_take(struct overdue *overdue, const struct checkout *checkout, struct str currency);
unsigned overdue_room(struct overdue *overdue); /* how many more it takes now */
/* Waits for those in hand, for 5 s at the most. */
void overdue_free(struct overdue *overdue);

#endif
