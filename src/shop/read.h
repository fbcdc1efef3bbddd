/* Reading the shop: queries over a server's own copy of the database.
 *
 * One struct reader per thread (it is made by the app's thread_start). A query sees
 * one consistent state; several between reader_begin and reader_end see the same.
 * Results are allocated in the given arena. Errors: 0, ERR_NOTFOUND, ERR_INVALID (a
 * cursor that is none), ERR_NOMEM, ERR_IO, ERR_DAMAGED.
 *
 * Single-object look-ups take tens of microseconds and may run on an event loop;
 * reader_search with a text may take long and is meant for APP_WORK.
 */
#ifndef STOA_SHOP_READ_H
#define STOA_SHOP_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "shop/model.h"

struct reader;

int reader_open(const char *file, struct reader **reader, struct failure *failure);
void reader_close(struct reader *reader);

/* Begins a consistent view; *INDEX (may be NULL) is the last entry it contains. */
int reader_begin(struct reader *reader, uint64_t *index);
void reader_end(struct reader *reader);

int reader_settings(struct reader *reader, struct arena *arena, struct shop_settings *settings);
int reader_categories(struct reader *reader, struct arena *arena, struct category **categories,
                      unsigned *count);

/* By handle. Retired and unpublished products are ERR_NOTFOUND unless ALL. */
int reader_product(struct reader *reader, struct arena *arena, struct str handle, bool all,
                   struct product *product);
/* The product that has the variant (or product) ITEM_KEY: variant key, SKU, handle, or
 * the decimal product id; *VARIANT is its index, -1 when the key names the product. */
int reader_product_by_item(struct reader *reader, struct arena *arena, struct str item_key,
                           struct product *product, int *variant);

enum search_order {
    SEARCH_RELEVANCE,
    SEARCH_NEWEST,
    SEARCH_PRICE_UP,
    SEARCH_PRICE_DOWN,
    SEARCH_TITLE,
    SEARCH_BEST_SELLING
};

enum { SEARCH_CATEGORIES_MAX = 8 };

struct search {
    struct str text;     /* words, all must occur (the last as a prefix); empty: everything */
    struct str category; /* name or slug; empty: all */
    struct str categories[SEARCH_CATEGORIES_MAX]; /* or in any of these (names or slugs) */
    unsigned category_count;
    struct str vendor, tag;
    int64_t price_min, price_max; /* 0: no bound */
    bool only_available;
    enum search_order order;
    unsigned limit;    /* 1 to 100 */
    struct str cursor; /* from the page before; empty: first page */
};

struct search_page {
    struct product_card *cards;
    unsigned count;
    uint64_t total;  /* matches in all (counted up to 10,000, then 10,001) */
    struct str next; /* cursor of the next page; empty: this was the last */
};

int reader_search(struct reader *reader, struct arena *arena, const struct search *search,
                  struct search_page *page);

/* Streams all products in handle order, for export: the one after AFTER (empty: first). */
int reader_next_product(struct reader *reader, struct arena *arena, struct str after,
                        struct product *product);

/* A cart priced as of now (the catalogue may have changed since its last change). */
int reader_cart(struct reader *reader, struct arena *arena, struct id id, struct cart *cart);
int reader_checkout(struct reader *reader, struct arena *arena, struct id id,
                    struct checkout *checkout);
int reader_order(struct reader *reader, struct arena *arena, struct id id, struct order *order);
int reader_order_by_number(struct reader *reader, struct arena *arena, uint64_t number,
                           struct order *order);
/* As it was after its event number EVENT: what a webhook or mail of that event tells. */
int reader_order_at(struct reader *reader, struct arena *arena, struct id id, uint32_t event,
                    struct order *order);
/* The one whose id follows AFTER (zero: the first), in the order of ids; ERR_NOTFOUND: no more. */
int reader_next_order(struct reader *reader, struct arena *arena, struct id after,
                      struct order *order);
/* Newest first, numbers below BEFORE (0: from the newest), up to LIMIT. */
int reader_orders(struct reader *reader, struct arena *arena, uint64_t before, unsigned limit,
                  struct order **orders, unsigned *count);
/* The same of those whose money the bank could not move, so that a person has to look. Looks
 * through all orders when there are fewer than LIMIT. */
int reader_stuck_orders(struct reader *reader, struct arena *arena, uint64_t before, unsigned limit,
                        struct order **orders, unsigned *count);

/* Discounts, shipping rates and tax rates, all of them (there are few). */
int reader_discounts(struct reader *reader, struct arena *arena, struct discount **list,
                     unsigned *count);
int reader_shipping_rates(struct reader *reader, struct arena *arena, struct shipping_rate **list,
                          unsigned *count);
int reader_tax_rates(struct reader *reader, struct arena *arena, struct tax_rate **list,
                     unsigned *count);

/* The registry's entry KEY (shop/registry.h); ERR_NOTFOUND. */
int reader_registry(struct reader *reader, struct arena *arena, struct str key, struct str *value);
/* The entry after AFTER whose key begins with PREFIX, in the order of bytes; ERR_NOTFOUND: no
 * more. AFTER empty: the first. */
int reader_registry_next(struct reader *reader, struct arena *arena, struct str prefix,
                         struct str after, struct str *key, struct str *value);

/* By position. */
int reader_warehouses(struct reader *reader, struct arena *arena, struct warehouse **list,
                      unsigned *count);
/* What a warehouse has of a variant: free (neither held nor sold), and sold but not shipped. */
struct warehouse_stock {
    struct str warehouse;
    uint64_t variant_id;
    struct str item_key;
    int64_t free, allotted;
};
/* All warehouses' of the variant ITEM_KEY. */
int reader_warehouse_stock(struct reader *reader, struct arena *arena, struct str item_key,
                           struct warehouse_stock **list, unsigned *count);

/* Up to LIMIT rows of LANE ("bank", "warehouse/main", …) after AFTER, in the order of seq. */
int reader_outbox(struct reader *reader, struct arena *arena, struct str lane, uint64_t after,
                  unsigned limit, struct outbox_row **rows, unsigned *count);
struct outbox_lane_count {
    struct str lane;
    uint64_t rows;
    int64_t oldest_ms; /* log time */
};
/* Lanes with rows. */
int reader_outbox_lanes(struct reader *reader, struct arena *arena,
                        struct outbox_lane_count **lanes, unsigned *count);

/* What the primary has to look after at time NOW_MS (log time). */
struct due {
    uint64_t expirable;     /* things EXPIRE would remove, or capture before they lapse */
    struct id *overdue;     /* checkouts whose hold is past its deadline: to be settled */
    unsigned overdue_count; /* up to 100 */
    struct id *imports;     /* decided imports with products still to move */
    unsigned import_count;
};
int reader_due(struct reader *reader, struct arena *arena, int64_t now_ms, struct due *due);

/* The overdue holds after a place in their order, for when there are more than `due` has: up to
 * OVERDUE_PAGE. AFTER: all 0 for the first. */
enum { OVERDUE_PAGE = 100 };

struct overdue_place {
    int64_t hold_until_ms;
    struct id checkout;
};

int reader_overdue(struct reader *reader, struct arena *arena, int64_t now_ms,
                   const struct overdue_place *after, struct overdue_place **places,
                   unsigned *count);

/* Counts for /metrics and status. */
struct shop_counts {
    uint64_t products, variants, carts, checkouts, orders, held_units, sold_units, applied_index;
    int64_t applied_time_ms;
    uint64_t database_bytes, wal_bytes;
};
int reader_counts(struct reader *reader, struct shop_counts *counts);

#endif
