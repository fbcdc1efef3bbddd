/* What order_change.c, order_cancel.c and order_move.c share. Not for other files. */
#ifndef STOA_SHOP_ORDER_CHANGING_H
#define STOA_SHOP_ORDER_CHANGING_H

#include "shop/order_change.h"

struct str changing_actor(const struct order_change *change);

/* Refuses what passes the bounds, or names lines that ORDER has not. */
int changing_check(struct apply *apply, const struct order *order,
                   const struct order_change *change);
/* Refuses a person who has asked for enough of ORDER; never a warehouse. */
int changing_check_room(struct apply *apply, const struct order *order,
                        const struct order_change *change);

/* Lines put together one by one; each line once. */
struct picked {
    struct order_quantity lines[SHOP_LINES_MAX];
    unsigned count;
};
/* Nothing for a quantity of 0. */
void picked_add(struct picked *picked, uint32_t line_id, uint32_t quantity);
/* As EVENT's lines; they outlive the function. ERR_NOMEM. */
int picked_keep(struct apply *apply, const struct picked *picked, struct order_event *event);
/* EVENT happens, of LINES, and its warehouse is asked whether it lets them go. */
int changing_ask(struct apply *apply, struct order *order, const struct picked *lines,
                 struct order_event *event);

/* Units of LINE that are to be sent by WAREHOUSE; empty: by none of them. */
uint32_t changing_open(const struct order *order, const struct line *line, struct str warehouse);
/* Units of ONE that are neither sent nor canceled, and that its warehouse is asked nothing about.
 */
uint32_t changing_unasked(const struct allotment *one);
/* Of what is to leave CHANGE's warehouse its lines, or, when it names none, all. Refuses when that
 * is less than CHANGE says, or nothing. WHAT is to become of them: "sent". */
int changing_pick(struct apply *apply, const struct order *order, const struct order_change *change,
                  const char *what, struct picked *picked);
int changing_refuse_line(struct apply *apply, uint32_t line_id, uint32_t left, const char *what);

/* Sold units of LINES are on the shelves again; LOST: they are not, and the count says so. */
int changing_unsell(struct apply *apply, const struct order *order,
                    const struct order_quantity *lines, unsigned count, bool lost);

#endif
