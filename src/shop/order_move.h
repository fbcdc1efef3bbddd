/* Order moves: what one warehouse has to ship of an order becomes another's to ship. Not for other
 * folders.
 *
 *   RECALLED ──(it gives up)──▶ GIVEN_UP + ALLOTTED      its warehouse is asked, by OUTBOX_CANCEL
 *       └──────(it does not)──▶ KEPT
 *   GIVEN_UP + ALLOTTED                                  its warehouse is gone: nobody is asked
 *
 * Both are in one transaction, so that each unit is always one warehouse's. In numbers a warehouse
 * that has given units up has canceled them, and the one that gets them is given so many more:
 * what each was given only grows, and is what it is told (row of the outbox, "quantity"). So it
 * can be told again, and in vain, without ever shipping a unit twice.
 */
#ifndef STOA_SHOP_ORDER_MOVE_H
#define STOA_SHOP_ORDER_MOVE_H

#include "shop/apply.h"

/* WAREHOUSE is asked for what of ORDER it has to ship, nobody has asked for yet, and others have
 * free. *ASKED: it is. */
int order_recall(struct apply *apply, struct order *order, struct str warehouse, bool *asked);

/* Its answer to the question of event ASKED, as order_cancel_answered has it. */
int order_recall_answered(struct apply *apply, struct order *order, uint32_t asked,
                          const struct order_quantity *given, unsigned count);

/* WAREHOUSE is gone: all that it has to ship of ORDER is given to others. */
int order_move(struct apply *apply, struct order *order, struct str warehouse);

/* WAREHOUSE gets LINES of ORDER, with its row of the outbox. For warehouse_allot_again. */
int order_allotted(struct apply *apply, struct order *order, struct str warehouse,
                   const struct order_quantity *lines, unsigned count);

#endif
