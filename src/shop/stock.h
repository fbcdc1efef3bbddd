/* Stock: the counts of each variant. available + held + sold = received + adjusted.
 *
 * The writer changes the counts of an item in memory (shop/item.h); stock_write_back puts
 * those that changed into the database, at the latest before the transaction commits.
 * Commands that read the stock table with SQL call it first. One hot item sold 500 times
 * in one transaction is one row written.
 */
#ifndef STOA_SHOP_STOCK_H
#define STOA_SHOP_STOCK_H

#include "shop/apply.h"

/* Takes QUANTITY from what is available and holds it for a checkout. The caller has made
 * sure by item_has, summed per variant, that all lines can be held together. */
void stock_hold(struct apply *apply, struct item *item, int64_t quantity);
/* Gives a held QUANTITY back (payment refused, hold or checkout dropped). */
void stock_unhold(struct apply *apply, struct item *item, int64_t quantity);
/* A held QUANTITY is sold (the hold became an order). */
void stock_sell(struct apply *apply, struct item *item, int64_t quantity);
/* A sold QUANTITY comes back on hand (order canceled before it was shipped). */
void stock_unsell(struct apply *apply, struct item *item, int64_t quantity);

/* Goods arrived, or the count is corrected; keeps a stock_move row. */
int stock_receive(struct apply *apply, struct item *item, int64_t quantity, struct str note);
int stock_adjust(struct apply *apply, struct item *item, int64_t difference, struct str note);

/* Writes the changed counts back and remembers whose products have changed. */
int stock_write_back(struct shop *shop, uint64_t index);

/* For catalogue commands, which write stock rows themselves: */
void stock_keep_move(struct apply *apply, uint64_t variant_id, int64_t received, int64_t adjusted,
                     struct str note);
/* What best-selling lists are sorted by. */
int64_t stock_popularity(int64_t sold);

/* Commands. */
int apply_stock_receive(struct apply *apply);
int apply_stock_adjust(struct apply *apply);

#endif
