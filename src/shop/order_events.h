/* Order events: what happened to an order since it was placed, and what follows from it.
 *
 * The order's record never changes. Events are appended, numbered per order, in log time; what the
 * order is now is the fold of its record and its events (event sourcing). So a webhook about event
 * 3 can be rendered the same next week, and the audit can compute every figure again.
 *
 * Money follows from the events by one pure rule, order_money_next:
 *
 *   due = total − what was canceled − what came back − what was credited
 *
 *   AUTHORISED, due = 0                               → let go (PAYMENT_CANCEL)
 *   AUTHORISED, a parcel has left, nothing is left to
 *     ship, the setting says at once, or it is about
 *     to lapse                                        → CAPTURE of due
 *   CAPTURED, captured − refunding − refunded > due   → REFUND of the difference
 *
 * It is asked after each event, in the same transaction, and what it wants is written as an event
 * (…_BEGUN) and a row of the outbox; the answer of the bank comes back by OUTBOX_DONE as another
 * event, after which it is asked again. What the bank cannot do (PAYMENT_FAILED, REFUND_FAILED) is
 * not asked for again until a person has looked, and says so (RETRIED): then under a new number, so
 * that the bank does not give its first answer again. A refund may fail after it was REFUNDED.
 *
 *                 CAPTURE_BEGUN            CAPTURED              REFUND_BEGUN, REFUNDED,
 *   AUTHORISED ─────────────────▶ CAPTURING ───────▶ CAPTURED ◀─ REFUND_FAILED, RETRIED ─┐
 *       │                             │                   └──────────────────────────────┘
 *       │ PAYMENT_CANCEL_BEGUN        │ PAYMENT_FAILED
 *       ▼              PAYMENT_FAILED ▼      RETRIED
 *   CANCELING ─────────────────────▶ FAILED ─────────▶ AUTHORISED, and on at once
 *       │ PAYMENT_CANCELED
 *       ▼
 *   CANCELED
 *
 * Pure but for the functions that say so. Not for other folders, except order_due.
 */
#ifndef STOA_SHOP_ORDER_EVENTS_H
#define STOA_SHOP_ORDER_EVENTS_H

#include "shop/apply.h"

/* ORDER as it was when it was placed: its only event is PLACED. Its allotments stay, with nothing
 * of them shipped or canceled. ERR_NOMEM. */
int order_begin(struct arena *arena, struct order *order);

/* Counts EVENT into ORDER's state. What does not fit it (a line which it has not) counts
 * nothing. */
void order_fold(struct order *order, const struct order_event *event);

/* What WAREHOUSE has to ship of ORDER's line LINE_ID; NULL: nothing, or no warehouse is named. */
struct allotment *order_allotment(const struct order *order, struct str warehouse,
                                  uint32_t line_id);
/* Allotments are in the order of warehouses: where those of the one that has FIRST end. */
unsigned order_allotments_end(const struct order *order, unsigned first);

/* Units that were added to ALLOTMENT after the order was placed, by the COUNT EVENTS of it. */
uint32_t order_allotted_later(const struct order_event *events, unsigned count,
                              const struct allotment *allotment);

/* What the shopper owes for it now: the total less what was given up. */
int64_t order_due(const struct order *order);

/* What is not owed any more for QUANTITY units of LINE when they are canceled or come back, as
 * the units before them were: its price less its discounts, and the tax that was added to it.
 * Rounded such that all its units together give exactly what was paid for the line. */
int64_t order_share(const struct order *order, const struct line *line, uint32_t quantity);
/* The same for LINES, which are canceled: when no unit is left after it, all that is due, which
 * has the shipping in it. Never more than is due. */
int64_t order_share_canceled(const struct order *order, const struct order_quantity *lines,
                             unsigned count);

struct order_money {
    enum { MONEY_NOTHING, MONEY_CAPTURE, MONEY_CANCEL, MONEY_REFUND } what;
    int64_t amount;
};
struct order_money order_money_next(const struct order *order, bool capture_at_once, bool lapsing);

/* ORDER's line LINE_ID, or NULL. */
struct line *order_line(const struct order *order, uint32_t line_id);
/* Units of LINE that are neither shipped nor canceled. */
uint32_t order_open(const struct line *line);

/* The id of what follows from event NUMBER of ORDER, which happened in EPOCH of the shop: a UUID
 * (version 8, RFC 9562) that every server derives alike, now and after a change of the primary. In
 * a shop that was restored from an older copy the same number may mean another event, under which a
 * bank or a warehouse would answer what it did before: hence the epoch. KIND: 0 for the event
 * itself, else 1 + enum outbox_kind. */
struct id order_effect_id(struct id order, uint64_t epoch, uint32_t number, unsigned kind);

/* ---- For commands ---- */

/* Appends EVENT (number, time and id are filled in) to ORDER, in the database and in memory, with
 * its rows for platform and shopper, and whatever money now has to do. */
int order_happened(struct apply *apply, struct order *order, struct order_event *event);

/* What follows from PLACED, whose row was just written: rows for its warehouses, platform and
 * shopper, and the capture if it is due at once. */
int order_was_placed(struct apply *apply, struct order *order);

/* Begins what money now has to do; LAPSING: the bank will soon let go what it reserved. */
int order_move_money(struct apply *apply, struct order *order, bool lapsing);

/* Writes a row of the outbox. ROW's seq, order, effect and times are filled in; its lane when it
 * is none of a warehouse. */
int outbox_put(struct apply *apply, const struct order *order, struct outbox_row *row);
/* Likewise, into WAREHOUSE's lane. */
int outbox_put_warehouse(struct apply *apply, const struct order *order, struct str warehouse,
                         struct outbox_row *row);

#endif
