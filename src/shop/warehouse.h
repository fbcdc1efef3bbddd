/* Warehouses: where goods lie and are shipped from; stock by warehouse; which of them ships what of
 * an order; and what they report.
 *
 * The shop sells from one pool (shop/stock.h). The table warehouse_stock says where its units lie:
 *
 *   free(w)      units there that are neither held nor sold; kept for all but the main warehouse,
 *                which has the rest: free(main) = available + held − Σ free(others). Below 0 where
 *                more was promised (backorders) or counted away than there is
 *   allotted(w)  sold, to be shipped from there: quantity − shipped − canceled of its allotments
 *
 * so that on hand at w = free(w) + allotted(w), which is what a count there is compared with: its
 * reports come in the order in which things happened to its shelves.
 *
 *               available  held  sold  received  adjusted   free(w)  allotted(w)   on hand at w
 *   sold                     −q   +q                           −q         +q
 *   canceled        +q            −q                           +q         −q
 *   given up there                                              +q         −q
 *   allotted again                                              −q         +q
 *   SHIPPED                                                               −q            −q
 *   RETURNED        +q            −q                           +q                       +q
 *     not restocked              −q                 −q
 *   SHORT                         −q                 −q                   −q            −q
 *   ARRIVED         +q                      +q                 +q                       +q
 *   COUNTED, by d   +d                                +d       +d                       +d
 *
 * (STOCK_RECEIVE, STOCK_ADJUST and imports are at the main warehouse. Goods go from one warehouse
 * to another by a COUNTED here and an ARRIVED there.) COUNTED is reality: what is available may
 * fall below 0 by it; then nothing more is sold until goods arrive.
 *
 * Reports. Each has a number, without gaps within the epoch of the warehouse's database:
 *   - the one after the last that was taken: it is taken, its number kept with what it changed;
 *   - an earlier one: taken before; success again, without effect;
 *   - a later one: ERR_STATE, with the number expected as the result's number;
 *   - of another epoch than the first that reported: ERR_CONFLICT with the number 0, until the
 *     operator puts the warehouse with the new epoch (a warehouse begun anew, or restored: its
 *     numbers mean others);
 *   - of a warehouse that there is not: ERR_DENIED;
 *   - one that cannot be (more shipped than there is, no such item): refused with a sentence, and
 *     its number is not used up: the warehouse sends another report, mended or the next one, under
 *     it, so that a wrong one never blocks the rest.
 * A success has the number as the result's, too. A parcel's id is taken once (shop/order_change.h):
 * SHIPPED or DELIVERED of a parcel that is known is taken without effect, so that a warehouse may
 * tell a restored shop again what it told before.
 *
 * Not for other folders.
 */
#ifndef STOA_SHOP_WAREHOUSE_H
#define STOA_SHOP_WAREHOUSE_H

#include "shop/apply.h"

/* ---- Which there are ---- */

/* All, by position, without epoch and number; kept by the shop until WAREHOUSE_PUT. The first is
 * the main one. For commands. */
struct warehouses {
    struct arena memory;
    struct warehouse *list;
    unsigned count;
    bool known;
};
void warehouses_init(struct warehouses *warehouses);
void warehouses_close(struct warehouses *warehouses);
int warehouse_load(struct apply *apply, struct warehouse **list, unsigned *count);
/* NULL: there is no such one. */
const struct warehouse *warehouse_find(const struct warehouse *list, unsigned count, struct str id);

/* The same with epoch and number, for readers; lent from ARENA. */
int warehouse_read_all(struct db *db, struct arena *arena, struct warehouse **list,
                       unsigned *count);

/* ---- What they ship of orders (warehouse_allot.c) ---- */

/* Which warehouse ships which lines of ORDER, into its `allotments`; none when there is no
 * warehouse that is open, or nothing to ship. After stock_sell. Takes the units from free(w) and
 * writes the rows. How it is chosen: shop/warehouse_choose.h. */
int warehouse_allot(struct apply *apply, struct order *order);

/* LINES of ORDER, which their warehouse has given up, are chosen others for, of those that are
 * open; none is open: KEEPER. What each gets happens to ORDER (order_move.h). */
int warehouse_allot_again(struct apply *apply, struct order *order,
                          const struct order_quantity *lines, unsigned count, struct str keeper);
/* Whether the warehouses that are open, but for WAREHOUSE, have QUANTITY units of LINE free;
 * always for what is not counted, if there is one. */
int warehouse_is_elsewhere(struct apply *apply, struct str warehouse, const struct line *line,
                           uint32_t quantity, bool *elsewhere);

/* ORDER's allotments as their rows have them, by warehouse and line. */
int warehouse_read_allotments(struct db *db, struct arena *arena, struct order *order);

/* The rows of ORDER's allotments change, not its `allotments` in memory (its events do that:
 * order_fold); QUANTITY is at most what is open there. Shipped: the units have left. */
int warehouse_ship(struct apply *apply, const struct order *order, struct str warehouse,
                   uint32_t line_id, uint32_t quantity);
/* One more is to ship it, or so many units more. */
int warehouse_allot_more(struct apply *apply, const struct order *order, struct str warehouse,
                         uint32_t line_id, uint32_t quantity);
/* Canceled: the units are free there. */
int warehouse_cancel(struct apply *apply, const struct order *order, struct str warehouse,
                     uint32_t line_id, uint32_t quantity);

/* Shipped units are back on the shelves of WAREHOUSE (empty: of the main one). */
int warehouse_give_back(struct apply *apply, const struct order *order, struct str warehouse,
                        uint32_t line_id, uint32_t quantity);

/* What of LINE_ID is still to leave WAREHOUSE (empty: any of them). */
uint32_t warehouse_open(const struct order *order, struct str warehouse, uint32_t line_id);

/* ---- Stock by warehouse (warehouse_stock.c) ---- */

struct warehouse_count {
    int64_t free, allotted;
};
/* What WAREHOUSE has of a variant of which ON_SHELVES units (available + held) are not sold. */
int warehouse_count_of(struct db *db, struct str warehouse, bool is_main, uint64_t variant_id,
                       int64_t on_shelves, struct warehouse_count *count);
/* Units there become more, or fewer; nothing for the main one, which has the rest. */
int warehouse_add_free(struct apply *apply, struct str warehouse, uint64_t variant_id,
                       int64_t difference);

/* ---- Commands ---- */

/* The row of PUT, whose fields were decided; the list is read again. */
int warehouse_store(struct apply *apply, const struct warehouse *put);

int apply_warehouse_put(struct apply *apply);
int apply_warehouse_report(struct apply *apply);

#endif
