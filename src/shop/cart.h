/* Cart: what carts, checkouts and expiry share about the rows of carts. Not for other folders. */
#ifndef STOA_SHOP_CART_H
#define STOA_SHOP_CART_H

#include "shop/apply.h"
#include "shop/basket.h"

/* What the commands look at baskets with. NULL terms in VIEW: the database failed. */
int cart_view(struct apply *apply, struct basket_view *view);

/* The stored cart, as it was written: neither priced nor looked up. ERR_NOTFOUND also for one
 * past its time. Canceled ones are found. */
int cart_load(struct db *db, struct arena *arena, struct id id, int64_t now_ms, struct cart *cart);
/* As cart_load, for commands: what was written last is not read again. */
int cart_find(struct apply *apply, struct id id, struct cart *cart);
/* Keeps CART (shop/row_cache.h); EXISTS: its row is there, and has OLD_EXPIRES_MS. */
int cart_store(struct apply *apply, const struct cart *cart, bool exists, int64_t old_expires_ms);
/* The row cache's way into the table. */
int cart_write_row(struct db *db, const struct row *row);

/* Looks up and prices CART as of VIEW. */
int cart_price(const struct basket_view *view, struct cart *cart);

/* The cart of CHECKOUT gets the goods and codes that were changed there, unless it was changed
 * itself since they were taken out of it. */
int cart_follow(struct apply *apply, struct checkout *checkout);

/* The goods of BOUGHT leave the cart CART_ID; one that is empty after that is canceled. */
int cart_take_out_bought(struct apply *apply, struct id cart_id, const struct basket *bought);

#endif
