/* Crash points: named places between two steps at which a test can have the process killed.
 *
 * `--crash-at NAME`, `NAME:N` (the Nth passage) or `NAME:P%` (one passage in 100/P, at random)
 * makes the process kill itself there by SIGKILL, as if the power had gone: nothing is flushed,
 * nobody is told; one line on standard error says where it was. With `:stop` at its end the process
 * is stopped there instead, as one that hangs, and goes on at SIGCONT. Without it a crash point is
 * one test of a pointer. The list below is also the documentation's and the tests': each row of
 * docs/buying.md names its points, and a test kills at each.
 *
 * Thread: any. No global: whoever has crash points is given the plan.
 */
#ifndef STOA_BASE_CRASH_H
#define STOA_BASE_CRASH_H

#include "base/err.h"
#include "base/str.h"

/* Name, and where it is. */
#define CRASH_POINT_LIST(X)                                                                 \
    X(buy_held, "home: the goods are held, the bank was not asked yet")                     \
    X(buy_created, "home: the payment exists at the bank, the card was not sent yet")       \
    X(buy_authorised, "home: the bank authorised, CONFIRM was not submitted yet")           \
    X(buy_refused, "home: the bank refused, RELEASE was not submitted yet")                 \
    X(buy_confirmed, "home: the order is placed, the shopper was not answered yet")         \
    X(settle_claimed, "primary: an overdue attempt is claimed, the bank was not asked yet") \
    X(settle_asked, "primary: the bank said what became of it, nothing was submitted yet")  \
    X(outbox_sending, "primary: an outbox row was read, nothing was sent yet")              \
    X(outbox_paying, "primary: a row for the bank was read, the bank was not asked yet")    \
    X(outbox_shipping, "primary: rows for a warehouse were read, nothing was sent yet")     \
    X(outbox_answered, "primary: the receiver answered, OUTBOX_DONE was not submitted yet") \
    X(outbox_done, "primary: OUTBOX_DONE is in the log")                                    \
    X(bank_before, "bank: a request has arrived, nothing was done yet")                     \
    X(bank_after, "bank: it is done and durable, nothing was answered yet")                 \
    X(bank_hook, "bank: a webhook was delivered, which was not noted yet")                  \
    X(warehouse_before, "warehouse: a request has arrived, nothing was done yet")           \
    X(warehouse_after, "warehouse: it is done and durable, nothing was answered yet")       \
    X(warehouse_reported, "warehouse: the shop took a report, which was not noted yet")

enum crash_point {
#define X(name, about) CRASH_##name,
    CRASH_POINT_LIST(X)
#undef X
        CRASH_POINT_COUNT
};

struct crash_plan;

/* Parses one rule and adds it to *PLAN, which is made when NULL. ERR_INVALID with a sentence that
 * lists the points. */
int crash_plan_add(struct crash_plan **plan, struct str rule, struct failure *failure);
void crash_plan_free(struct crash_plan *plan);

/* Here. PLAN may be NULL. Does not return when it is this passage. */
void crash_here(struct crash_plan *plan, enum crash_point point);

const char *crash_point_name(enum crash_point point);
const char *crash_point_about(enum crash_point point);

#endif
