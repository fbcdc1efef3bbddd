/* Clearing: what a warehouse that was closed, or is gone for good, has still to ship is given to
 * the others, a bounded part of it with each EXPIRE (expire.c), however much there is. Not for
 * other folders.
 *
 *   open ──(WAREHOUSE_PUT, closed)──▶ clearing ──(each order was looked at)──▶ closed
 *     ▲                                  │                                       │
 *     └──────────(put, not closed)───────┴───────────────────────────────────────┘
 *   open, closed ──(WAREHOUSE_PUT, gone)──▶ clearing ──(nothing is left there)──▶ gone, for ever
 *
 * A warehouse that is closed is asked, and ships what it does not give up (shop/order_move.h). One
 * that is gone is not: what was to be told to it is forgotten, what it was asked to cancel is
 * canceled, what it had to ship goes to others, and its goods are counted away. That it is gone is
 * the operator's word: should it ship something nevertheless, its report of that is refused.
 */
#ifndef STOA_SHOP_WAREHOUSE_CLEAR_H
#define STOA_SHOP_WAREHOUSE_CLEAR_H

#include "shop/apply.h"

/* KNOWN (NULL: new) becomes PUT, in which is set what follows of it being closed or gone. LIST: all
 * there are. ERR_STATE: it cannot be. */
int warehouse_clear_decide(struct apply *apply, const struct warehouse *list, unsigned count,
                           const struct warehouse *known, struct warehouse *put);

/* One step; *DONE grows by how many things it has looked at, to LIMIT when there is more to do. */
int warehouse_clear(struct apply *apply, uint64_t limit, uint64_t *done);

#endif
