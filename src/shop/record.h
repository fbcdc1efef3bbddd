/* Records: how carts, checkouts and orders are written down.
 *
 * The same bytes are kept in the database and given back in results, so that an object
 * is encoded once. Two forms:
 *  - RECORD_BRIEF: what a face may set (items and quantities, buyer, context, codes). The
 *    carts of the database, which are priced anew whenever they are read.
 *  - RECORD_FULL: with prices, totals and messages as they were decided.
 * The form is in the record; a reader takes either.
 *
 * Called by the rules (apply), by the result codec and by readers. The getters read from
 * WIRE and set its `bad` for what is not a record or passes the bounds of shop/model.h;
 * strings are lent from the record, arrays come from ARENA. No SQL in here. Thread: any.
 */
#ifndef STOA_SHOP_RECORD_H
#define STOA_SHOP_RECORD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/wire.h"
#include "shop/model.h"

enum record_form { RECORD_BRIEF, RECORD_FULL };

void record_put_cart(struct buf *out, const struct cart *cart, enum record_form form);
void record_get_cart(struct wire *in, struct arena *arena, struct cart *cart);

void record_put_checkout(struct buf *out, const struct checkout *checkout);
void record_get_checkout(struct wire *in, struct arena *arena, struct checkout *checkout);

/* As it was placed, which never changes; and, for results, with what has happened to it since.
 * The getter takes either. */
void record_put_order(struct buf *out, const struct order *order);
void record_put_whole_order(struct buf *out, const struct order *order);
void record_get_order(struct wire *in, struct arena *arena, struct order *order);

/* Without number, type, time and log entry, which its row has in columns. */
void record_put_event(struct buf *out, const struct order_event *event);
void record_get_event(struct wire *in, struct arena *arena, struct order_event *event);

/* The parts, for commands that carry them. */
void record_put_id(struct buf *out, struct id id);
struct id record_get_id(struct wire *in);
void record_put_buyer(struct buf *out, const struct buyer *buyer);
void record_get_buyer(struct wire *in, struct buyer *buyer);
void record_put_address(struct buf *out, const struct address *address);
void record_get_address(struct wire *in, struct address *address);
void record_put_payment(struct buf *out, const struct payment *payment);
void record_get_payment(struct wire *in, struct payment *payment);
void record_put_rate(struct buf *out, const struct shipping_rate *rate);
void record_get_rate(struct wire *in, struct shipping_rate *rate);

/* Reads a whole record: 0, ERR_DAMAGED (something else, or bytes left over), ERR_NOMEM. */
int record_read_cart(struct str record, struct arena *arena, struct cart *cart);
int record_read_checkout(struct str record, struct arena *arena, struct checkout *checkout);
int record_read_event(struct str record, struct arena *arena, struct order_event *event);
int record_read_order(struct str record, struct arena *arena, struct order *order);

#endif
