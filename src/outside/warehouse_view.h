/* View: a warehouse's book read for its pages, its people's API and the ledger.
 *
 * Thread: a reader's connection belongs to one thread; what is read is in the caller's arena.
 * Errors are the connection's (store/db.h), or ERR_NOTFOUND.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_VIEW_H
#define STOA_OUTSIDE_WAREHOUSE_VIEW_H

#include "base/arena.h"
#include "outside/warehouse_book.h"

struct view_line {
    uint32_t line, quantity, open, picked, packed, shipped, canceled, missing, returned;
    struct str item, sku, title, options;
};

struct view_parcel {
    struct id id;
    uint32_t number;
    struct str state, carrier, tracking, url;
    int64_t packed_ms, shipped_ms, delivered_ms; /* 0: not yet */
    struct book_quantity *lines;
    unsigned line_count;
};

struct view_order {
    struct id id;
    uint64_t row, number, log_index, epoch, term;
    int64_t placed_ms, taken_ms;
    struct str state, service, email, place[PLACE_COUNT];
    struct view_line *lines;
    struct view_parcel *parcels;
    unsigned line_count, parcel_count;
};

/* With its lines and parcels. */
int warehouse_view_order(struct db *db, struct arena *arena, struct id id,
                         struct view_order *order);
/* The order that TEXT means: its id, or its number (the latest of it). */
int warehouse_view_find(struct db *db, struct str text, struct id *id);
/* The order of a parcel. */
int warehouse_view_parcel(struct db *db, struct id parcel, struct id *order);

/* Orders of STATE (empty: any) in the order in which they came, above row AFTER, that have NEEDLE
 * (empty: any) in number, name or an item. Without lines and parcels, but with the number of
 * units. */
struct view_row {
    struct id id;
    uint64_t row, number, units, open;
    int64_t placed_ms, taken_ms;
    struct str state, name, locality, country, first; /* first: a title */
    uint64_t lines;
};
int warehouse_view_orders(struct db *db, struct arena *arena, struct str state, struct str needle,
                          uint64_t after, unsigned limit, struct view_row *rows, unsigned *count);
/* How many there are of STATE, no more than MAX being counted. */
uint64_t warehouse_view_count(struct db *db, struct str state, uint64_t max);

struct view_item {
    struct str item, sku, title, options;
    int64_t on_hand, allotted, shipped;
};
/* Items above the key AFTER that have NEEDLE in key, SKU or title. */
int warehouse_view_items(struct db *db, struct arena *arena, struct str needle, struct str after,
                         unsigned limit, struct view_item *items, unsigned *count);
int warehouse_view_item(struct db *db, struct arena *arena, struct str key, struct view_item *item);

struct view_move {
    int64_t time_ms, quantity;
    struct str kind, note;
    uint64_t number; /* of its order; 0: none */
};
/* The latest moves of an item. */
int warehouse_view_moves(struct db *db, struct arena *arena, struct str key, unsigned limit,
                         struct view_move *moves, unsigned *count);

struct view_report {
    uint64_t id, sequence;
    int64_t made_ms, taken_ms;
    struct str kind, item, body, problem;
    uint64_t number; /* of its order; 0: none */
};
/* Those of STATE: "waiting" from the first on, others from the last. */
int warehouse_view_reports(struct db *db, struct arena *arena, const char *state, unsigned limit,
                           struct view_report *reports, unsigned *count);

struct view_refused {
    int64_t time_ms;
    struct str peer, what, theirs, ours;
};
int warehouse_view_refused(struct db *db, struct arena *arena, unsigned limit,
                           struct view_refused *rows, unsigned *count);

/* ORDER with lines and parcels as JSON. */
void warehouse_view_put_order(struct buf *out, const struct view_order *order);

#endif
