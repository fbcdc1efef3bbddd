/* Order changes: what may happen to an order after the sale. Not for other folders.
 *
 * For the commands ORDER_* and for the reports of warehouses (whose CHANGE has an actor and, in
 * its parcel, the warehouse). Each decides first: after a refusal (apply_refuse) nothing has
 * changed. ORDER is loaded by the caller and is, after success, as it is then.
 *
 * Lines that a warehouse is to ship are its own until it says that they have left or will not:
 * they can only be asked to be canceled. Other lines (a shop without warehouses; goods that are
 * not sent) are decided here.
 */
#ifndef STOA_SHOP_ORDER_CHANGE_H
#define STOA_SHOP_ORDER_CHANGE_H

#include "shop/apply.h"

/* CHANGE's lines (none: all that is left there) have left CHANGE's warehouse, or, when it names
 * none, are sent by the operator. A parcel that is known is taken again without effect; that of
 * another order is ERR_CONFLICT; more than is to be sent is ERR_STATE. */
int order_ship(struct apply *apply, struct order *order, const struct order_change *change);

/* CHANGE's parcel has arrived. Again without effect. */
int order_deliver(struct apply *apply, struct order *order, const struct order_change *change);

/* CHANGE's lines came back: to its warehouse, or to the main one. What is not restocked is
 * adjusted away: sold units are always those that were bought and neither canceled nor came back.
 */
int order_take_back(struct apply *apply, struct order *order, const struct order_change *change);

/* CHANGE's warehouse will not ship these of its lines (none: all of them). They are canceled, the
 * goods available again and free there; whoever knows that there are none adjusts the count. */
int order_drop(struct apply *apply, struct order *order, const struct order_change *change);
/* The same for all that WAREHOUSE has of it, which is never refused. */
int order_drop_all(struct apply *apply, struct order *order, struct str warehouse, struct str text);

/* The warehouse's answer to the cancellation asked for by event ASKED: of its lines those in
 * CANCELED are canceled (never more than were asked for and are still there), the others not. */
int order_cancel_answered(struct apply *apply, struct order *order, uint32_t asked,
                          const struct order_quantity *canceled, unsigned count, struct str text);

#endif
