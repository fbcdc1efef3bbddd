/* Apply: what the command files of this folder share. Not for other folders.
 *
 * A command's function decides first and writes then: before its first write it may
 * refuse (apply_refuse) and has changed nothing; after it only the database can fail,
 * which stops the process and rolls the transaction back. It returns the result's err.
 *
 * Deterministic: `now` and `index` come from the log, ids from counters or the command;
 * nothing may depend on hash order, memory, or on what else is in the transaction.
 * ERR_NOMEM is not a refusal (another server may have memory): it stops the process.
 */
#ifndef STOA_SHOP_APPLY_H
#define STOA_SHOP_APPLY_H

#include "base/arena.h"
#include "shop/command.h"
#include "shop/item.h"
#include "shop/key_index.h"
#include "shop/row_cache.h"
#include "shop/shop.h"
#include "shop/terms.h"
#include "store/db.h"

struct apply {
    struct shop *shop;
    struct db *db;
    struct items *items;
    struct arena *arena; /* emptied after the command */
    struct buf *scratch; /* for records of rows; whoever uses it clears it first */
    uint64_t index;
    int64_t now;
    const struct command *command;
    struct result *result;
    uint64_t key_row; /* which the command's Idempotency-Key had until now; 0: none */
    bool passing;     /* refused for the moment: what its key was answered is not decided yet */
    bool unwanted;    /* nobody waits for the result, and none is kept unless it is a refusal */
    /* The result's object as record_put_… wrote it, when its row was written anyway;
     * empty: it is encoded from *result. Lent to the end of the command. */
    struct str object;
};

/* Fills in the result and returns ERR. */
int apply_refuse(struct apply *apply, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The failure of the database as the command's error; it ends the process. */
int apply_failed(struct apply *apply);

/* Settings, discounts and rates; NULL: the database failed. */
const struct terms *apply_terms(struct apply *apply);

/* Counters, written to `meta` with the commit. Each gives 1, 2, …; orders 1001, … */
enum counter {
    COUNTER_PRODUCT,
    COUNTER_VARIANT,
    COUNTER_CATEGORY,
    COUNTER_ORDER,
    COUNTER_MOVE,
    /* What there is, for status: */
    COUNTER_LISTED, /* products */
    COUNTER_VARIANTS,
    COUNTER_HELD, /* units */
    COUNTER_SOLD,
    COUNTER_OUTBOX, /* gives numbers */
    COUNTER_LAPSED, /* the last order that EXPIRE has looked at (see expire.c) */
    COUNTER_COUNT
};
void shop_count(struct shop *shop, enum counter counter, int64_t difference);
uint64_t shop_counter(const struct shop *shop, enum counter counter);
uint64_t apply_next_number(struct apply *apply, enum counter counter);

/* What was written last to the two tables, or is still to be written. */
struct row_cache *shop_carts(struct shop *shop);
struct row_cache *shop_checkouts(struct shop *shop);
/* What is held for checkouts that are being paid (shop/holds.h). */
struct holds;
struct holds *shop_holds(struct shop *shop);
/* Which operations were applied (shop/operations.h). */
struct operations;
struct operations *shop_operations(struct shop *shop);
/* The tables have all rows that commands have changed so far: for a command that reads them by SQL
 * of its own, and the commit. */
int shop_write_back_rows(struct shop *shop);
/* Where the results under Idempotency-Keys are. */
struct key_index *shop_keys(struct shop *shop);

/* Rows of the outbox by lane (shop/outbox_counts.h). */
struct outbox_counts;
struct outbox_counts *shop_outbox_counts(struct shop *shop);

/* Which warehouses there are (shop/warehouse.h). */
struct warehouses;
struct warehouses *shop_warehouses(struct shop *shop);

/* For shop/stock.c. */
struct items *shop_items(struct shop *shop);
struct db *shop_db(struct shop *shop);
/* A product whose stock changed at INDEX: told after the commit. */
void shop_note_product(struct shop *shop, uint64_t product_id, struct str handle, uint64_t index);

/* Lists show something else (a product is sold out): told after the commit. */
void shop_note_lists(struct shop *shop, uint64_t index);
/* A row of the outbox was written: told after the commit. */
void shop_note_outbox(struct shop *shop, uint64_t index);

/* What changed, told to the listener after the commit, once per thing. Stock does it
 * by itself. Each also bumps catalogue_index, and the next command finds no items and
 * terms of before. */
void apply_changed_product(struct apply *apply, uint64_t product_id, struct str handle);
void apply_changed_catalogue(struct apply *apply);
void apply_changed_settings(struct apply *apply);

/* The command functions by file. */
int apply_product_put(struct apply *apply);
int apply_product_retire(struct apply *apply);
int apply_variant_retire(struct apply *apply);
int apply_price_set(struct apply *apply);
int apply_settings_put(struct apply *apply);
int apply_discount_put(struct apply *apply);
int apply_shipping_rate_put(struct apply *apply);
int apply_tax_rate_put(struct apply *apply);
int apply_import_stage(struct apply *apply);
int apply_import_commit(struct apply *apply);
int apply_import_step(struct apply *apply);
int apply_import_abort(struct apply *apply);
int apply_registry_put(struct apply *apply);
/* cart.c, checkout.c, complete.c, expire.c */
int apply_cart_put(struct apply *apply);
int apply_cart_add(struct apply *apply);
int apply_cart_set(struct apply *apply);
int apply_cart_cancel(struct apply *apply);
/* The cart, checkout or order ID as it is now into the result: for an operation of before. */
int apply_show_cart(struct apply *apply, struct id id);
int apply_show_checkout(struct apply *apply, struct id id);
int apply_show_order(struct apply *apply, struct id id);
int apply_checkout_create(struct apply *apply);
int apply_checkout_update(struct apply *apply);
int apply_checkout_hold(struct apply *apply);
int apply_checkout_confirm(struct apply *apply);
int apply_checkout_release(struct apply *apply);
int apply_checkout_claim(struct apply *apply);
int apply_checkout_cancel(struct apply *apply);
/* order_cancel.c, order_change.c, order_retry.c, outbox_done.c */
int apply_order_cancel(struct apply *apply);
int apply_order_ship(struct apply *apply);
int apply_order_deliver(struct apply *apply);
int apply_order_return(struct apply *apply);
int apply_order_refund(struct apply *apply);
int apply_order_retry(struct apply *apply);
int apply_order_refund_failed(struct apply *apply);
int apply_outbox_done(struct apply *apply);
int apply_expire(struct apply *apply); /* calls the expire_ functions below too */

/* Parts of EXPIRE by file: remove up to LIMIT things, count them into *REMOVED. */
int expire_idempotency(struct apply *apply, uint64_t limit, uint64_t *removed);
int expire_imports(struct apply *apply, uint64_t limit, uint64_t *removed);

#endif
