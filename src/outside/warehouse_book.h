/* The book of a warehouse: what it is to ship, what it packed and shipped, what lies on its
 * shelves. The rules of `stoa warehouse` as changes of its database, warehouse.db.
 *
 * Each line of an order counts its units:
 *
 *   quantity = open + packed + canceled + short        open: still to be picked and packed
 *   picked ≤ open                                      in the picker's hand, in no parcel yet
 *   shipped ≤ packed                                   in parcels that have left
 *
 *   open ──pick──▶ picked ──pack──▶ packed ──ship──▶ shipped ──return──▶ returned
 *    │  │            │                  └─unpack─▶ open
 *    │  └─short─▶ short                     (the shop cancels them, and both count them away: who
 *    └──cancel──▶ canceled                    finds them counts them, or lets them arrive)
 *
 * Each item counts its units: on hand = Σ moves (what arrived, was counted, came back, left,
 * lacks), allotted = Σ over its lines of what is open or packed and has not left. On hand may fall
 * below 0: what a picker holds in her hand is there, whatever the book says; such items are to be
 * counted.
 *
 * Every change takes the id of its operation (the effect of the shop's outbox, or what a form or a
 * scanner sent along) and is remembered with its answer: a repeat changes nothing and gives the
 * first answer again.
 *
 * Thread: the writer's (outside/writer.h), inside its transaction. A change that fails tells why
 * and has to be undone by the caller, which the writer's savepoint does.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_BOOK_H
#define STOA_OUTSIDE_WAREHOUSE_BOOK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "replica/fence.h"
#include "store/db.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BOOK_ORDERS_MAX = 100,       /* in one request */
    BOOK_LINES_MAX = 500,        /* of an order, of a parcel */
    BOOK_QUANTITY_MAX = 1000000, /* units, of anything at once */
    BOOK_KEY_MAX = 255,          /* bytes of an item's key, a SKU, a carrier: as the shop has it */
    BOOK_TEXT_MAX = 1000,        /* bytes of a text as the shop has it; longer notes are clipped */
};

/* What every change begins with. */
struct book {
    struct db *db;
    int64_t now_ms;          /* by the wall clock: for people; nothing is decided by it */
    struct failure *failure; /* for people, too; may be NULL */
};

/* Makes the tables, or brings them up to this version; draws the epoch of a new database. */
int warehouse_book_make(struct db *db, struct failure *failure);

/* Small facts: "id", "shop" (hex), "epoch" (hex), "taken" (sequence). Empty: none. */
void warehouse_book_fact(struct db *db, const char *name, char *out, size_t size);
uint64_t warehouse_book_count(struct db *db, const char *name);
int warehouse_book_put_fact(struct db *db, const char *name, struct str value);
int warehouse_book_put_count(struct db *db, const char *name, uint64_t value);

/* ---- From the shop (warehouse_orders.c) ---- */

struct book_quantity {
    uint32_t line, quantity;
};
/* The rows of STMT, which are line and quantity, into ROOM places; *COUNT of them. */
int warehouse_book_quantities(struct stmt *stmt, struct book_quantity *lines, unsigned room,
                              unsigned *count);

struct book_line {
    uint32_t line, quantity;
    struct str item, sku, title, options;
};

enum book_place {
    PLACE_FIRST_NAME,
    PLACE_LAST_NAME,
    PLACE_PHONE,
    PLACE_STREET,
    PLACE_EXTENDED,
    PLACE_LOCALITY,
    PLACE_REGION,
    PLACE_POSTAL_CODE,
    PLACE_COUNTRY,
    PLACE_COUNT
};
extern const char *const book_place_names[PLACE_COUNT];

struct book_order {
    struct id effect, order;
    uint64_t number, log_index;
    int64_t placed_ms;
    struct book_line *lines;
    unsigned line_count;
    struct str place[PLACE_COUNT], service, email;
    struct str wrong; /* set: it cannot be taken, and why */
};

struct book_cancel {
    struct id effect, order;
    struct book_quantity *lines; /* none: the whole order */
    unsigned line_count;
    struct str reason, wrong;
};

/* Who sends, and what: for the check of the fence, and for what is remembered of a refusal. */
struct book_sender {
    struct fence fence;
    struct str peer;
    const char *what;
};

enum book_welcome { WELCOME_TAKEN, WELCOME_TOO_OLD, WELCOME_OTHER_SHOP };

/* Holds SENDER's fence against ours, raises ours, or notes the refusal; OURS is what counts then.
 * The first shop that comes is the only one from then on. */
int warehouse_book_welcome(struct book *book, const struct book_sender *sender,
                           enum book_welcome *welcome, char ours[static FENCE_TEXT_SIZE]);

/* Appends the JSON of ORDER's result to OUT. An order that is known already gets the lines that it
 * lacks; a line that it has stays as it is: nothing is shipped twice. */
int warehouse_book_take(struct book *book, const struct book_order *order,
                        const struct fence *fence, struct buf *out);
/* The same of CANCEL: what is neither packed nor shipped is taken out. An order that is not here is
 * canceled before it comes. */
int warehouse_book_cancel(struct book *book, const struct book_cancel *cancel, struct buf *out);

/* ---- From its people (warehouse_parcels.c) ----
 * OPERATION may be zero: then a repeat is not known. Errors: ERR_NOTFOUND, ERR_INVALID, ERR_STATE
 * with a sentence. */

/* OPERATION was done before: *DONE is set, and its answer goes to OUT (may be NULL). */
int warehouse_book_done(struct book *book, struct id operation, bool *done, struct buf *out);
int warehouse_book_remember(struct book *book, struct id operation, const char *kind,
                            struct id order, struct str answer);

/* QUANTITY more (or, negative, fewer) units of LINE are in the picker's hand. */
int warehouse_book_pick(struct book *book, struct id order, uint32_t line, int64_t quantity);
/* A scanned or typed CODE (item key or SKU): one unit of the first line that wants it. *LINE. */
int warehouse_book_scan(struct book *book, struct id order, struct str code, uint32_t *line);

/* LINES into the parcel PARCEL; no lines: what was picked, or if nothing was, all that is open. */
int warehouse_book_pack(struct book *book, struct id order, struct id parcel,
                        const struct book_quantity *lines, unsigned count);
int warehouse_book_unpack(struct book *book, struct id parcel);

struct book_carriage {
    struct str carrier, tracking, url;
};
int warehouse_book_ship(struct book *book, struct id parcel, const struct book_carriage *carriage);
int warehouse_book_deliver(struct book *book, struct id parcel);

int warehouse_book_return(struct book *book, struct id order, const struct book_quantity *lines,
                          unsigned count, bool restock, struct str note);
/* It has not got them after all. */
int warehouse_book_short(struct book *book, struct id order, const struct book_quantity *lines,
                         unsigned count, struct str note);

/* ---- Goods (warehouse_goods.c) ---- */

/* ITEM: an item's key or SKU; one that is not known yet is new. */
int warehouse_book_arrive(struct book *book, struct str item, int64_t quantity, struct str note);
int warehouse_book_counted(struct book *book, struct str item, int64_t on_hand, struct str note);

struct book_variant {
    struct str key, sku, title;
    int64_t price;     /* in the currency's smallest unit */
    int64_t available; /* how many came with it */
};
struct book_product {
    struct str handle, title, html, vendor, category;
    struct book_variant *variants;
    unsigned variant_count;
};
/* Reported to the shop, and then what came of each variant as arrivals. */
int warehouse_book_product(struct book *book, const struct book_product *product);

/* For the other parts of the book. The item of KEY is there after it; moves and allotments are
 * counted in it. */
enum book_move { MOVE_ARRIVED, MOVE_COUNTED, MOVE_SHIPPED, MOVE_RETURNED, MOVE_SHORT };
extern const char *const book_move_names[];
int warehouse_book_item(struct book *book, struct str key, struct str sku, struct str title,
                        struct str options);
int warehouse_book_move(struct book *book, struct str item, enum book_move kind, int64_t quantity,
                        struct id order, struct str note);
int warehouse_book_allot(struct book *book, struct str item, int64_t quantity);
/* The key of the item that CODE means (a key, or the SKU of just one); empty: none. In ARENA. */
struct arena;
struct str warehouse_book_key(struct db *db, struct arena *arena, struct str code);

/* ---- Checking (warehouse_check.c) ---- */

/* Tells each thing that does not agree; returns 0 also then. COUNTS: orders, parcels, items,
 * reports. In a reader's or writer's transaction of the caller, or none. */
struct book_counts {
    uint64_t orders, lines, parcels, items, reports, wrong;
};
int warehouse_book_check(struct db *db, void (*tell)(void *context, const char *text),
                         void *context, struct book_counts *counts, struct failure *failure);

#endif
