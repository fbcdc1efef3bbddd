/* Order: the rows of orders. Not for other folders. */
#ifndef STOA_SHOP_ORDER_H
#define STOA_SHOP_ORDER_H

#include "shop/apply.h"

/* Writes the order that CHECKOUT becomes, under the next number, which it gets as its
 * order_number, and what follows from it (order_was_placed). */
int order_place(struct apply *apply, const struct terms *terms, struct checkout *checkout);

/* By its id (= its checkout's), with all that has happened to it. ERR_NOTFOUND. */
int order_load(struct db *db, struct arena *arena, struct id id, struct order *order);
int order_load_number(struct db *db, struct arena *arena, uint64_t number, struct order *order);

/* As it was after its event number EVENT. */
int order_load_at(struct db *db, struct arena *arena, struct id id, uint32_t event,
                  struct order *order);
/* ORDER is the command's result. */
int order_show(struct apply *apply, const struct order *order);

#endif
