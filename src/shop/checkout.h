/* Checkout: what checkout.c, buying.c and expire.c share. Not for other folders.
 *
 * The states, and who moves a checkout from one to another:
 *
 *     apply_checkout_create
 *              │
 *              ▼        checkout_decide (create, update, hold, release)
 *        INCOMPLETE ◀──────────────────────────────▶ READY
 *         │      │                                   ▲   │
 *         │      │          apply_checkout_release   │   │ apply_checkout_hold:
 *         │      └───────────────────◀───────────────┤   │ all goods held together
 *         │                                          │   ▼
 *         │                                         PAYING
 *         │                                            │
 *         │ apply_checkout_cancel                      │ apply_checkout_confirm:
 *         │ (from INCOMPLETE, READY)                   │ the hold becomes an order
 *         ▼                                            ▼
 *      CANCELED                                    COMPLETED
 *
 * Past its time a checkout is gone: nobody finds it, and apply_expire removes its row. That
 * never happens to one that is PAYING: whether it was paid is settled with the bank first.
 * ESCALATION is not entered: nothing in this shop needs what its API cannot take.
 *
 * A PAYING one whose hold is overdue can be claimed by the primary (apply_checkout_claim): then its
 * home's confirm and release are refused, and the primary alone ends it.
 *
 * Goods are held exactly while the checkout is PAYING, by one row of `hold` per variant.
 */
#ifndef STOA_SHOP_CHECKOUT_H
#define STOA_SHOP_CHECKOUT_H

#include "shop/apply.h"
#include "shop/basket.h"

/* ERR_NOTFOUND also for one past its time. */
int checkout_load(struct db *db, struct arena *arena, struct id id, int64_t now_ms,
                  struct checkout *checkout);
/* The same for commands: what was written last is not read again. */
int checkout_find(struct apply *apply, struct id id, struct checkout *checkout);
/* Keeps the row (shop/row_cache.h) and makes CHECKOUT the command's result. OLD_EXPIRES_MS: what
 * its row has, 0: it has none yet. Counts the version up. */
int checkout_store(struct apply *apply, struct checkout *checkout, int64_t old_expires_ms);
/* The row cache's way into the table. */
int checkout_write_row(struct db *db, const struct row *row);
/* CHECKOUT, unchanged, is the command's result. */
int checkout_show(struct apply *apply, const struct checkout *checkout);
/* As apply_refuse, and the result has CHECKOUT, so that a face can show how it is. */
int checkout_refuse(struct apply *apply, const struct checkout *checkout, int err,
                    const char *sentence);

/* Looks up the goods, prices them, says what is missing and sets the status accordingly. */
int checkout_decide(const struct basket_view *view, struct checkout *checkout);

#endif
