/* Items: what a cart line needs to know about a variant, found fast.
 *
 * struct items keeps prepared facts of the variants asked for lately in memory, so that
 * pricing a cart takes no SQL. The writer's cache also holds the counts of its items'
 * stock and writes changed ones back before the transaction ends (shop/stock.h): it is
 * the only writer, so the counts in memory are the true ones. Catalogue commands empty
 * the cache (items_clear). A reader's cache is emptied whenever its view shows another
 * catalogue_index, and has no counts: it asks for them (items_load_stock).
 *
 * Pointers given out stay valid until items_trim or items_clear: to the end of a
 * command, or of a reader's query. One thread.
 */
#ifndef STOA_SHOP_ITEM_H
#define STOA_SHOP_ITEM_H

#include "base/arena.h"
#include "base/hash.h"
#include "shop/model.h"
#include "store/db.h"

struct stock {
    int64_t available, held, sold, received, adjusted;
    uint64_t changed_index;
};

struct item {
    uint64_t variant_id, product_id;
    struct str key, sku, handle;
    struct str title;       /* the product's */
    struct str option_text; /* "Blue / Large", or empty */
    struct str picture_url; /* its own, else the product's first, else empty */
    int64_t price, compare_at, grams;
    bool tracked, sell_when_out, taxable, needs_shipping;
    bool for_sale; /* neither it nor its product is retired or unpublished */

    struct stock stock; /* change through shop/stock.h only */
    bool stock_changed; /* not yet written back */
    bool was_in_stock;  /* as the stock row has it */
    int64_t was_held, was_sold;
    struct item *next_changed, *next_by_id;
};

struct item_slot;

struct items {
    struct db *db;
    struct arena memory; /* items, their strings, slots */
    struct hash_key hash;
    struct item_slot **by_key; /* what was asked for, and the variant's key */
    struct item **by_id;
    struct item *changed; /* whose stock is to be written back */
    unsigned count, max;
    bool live_stock; /* the writer's: the counts are loaded once and kept true */
};

/* MAX: items kept. */
int items_init(struct items *items, struct db *db, unsigned max, bool live_stock);
void items_close(struct items *items);

/* By variant key, else SKU, else the handle of a product with one variant that is not
 * retired. NULL: there is none (or the database failed: see db_failure). */
struct item *items_find(struct items *items, struct str item_key);
struct item *items_by_id(struct items *items, uint64_t variant_id);

/* More than MAX are kept, or more memory is used than they should take. */
bool items_are_many(const struct items *items);
/* Between two commands or queries: forgets them when they are many. The writer's changed
 * stock has to be written back before (stock_write_back). */
void items_trim(struct items *items);
void items_clear(struct items *items);

/* A reader's: reads ITEM's counts as of this view. */
int items_load_stock(struct items *items, struct item *item);

/* Whether QUANTITY may be held at this moment. */
static inline bool item_has(const struct item *item, int64_t quantity)
{
    return !item->tracked || item->sell_when_out || item->stock.available >= quantity;
}

#endif
