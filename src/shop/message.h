/* Messages of a basket: what is missing, wrong or changed, in UCP's codes.
 *
 * The codes, of UCP where it has one:
 *   errors    missing, invalid          something of the shopper's is wanted, or not understood
 *             not_found                 there is no such item
 *             item_unavailable          it is no longer sold
 *             out_of_stock              sold out, or fewer are left (in a cart: a warning)
 *             address_undeliverable     no shipping rate goes there
 *             total_too_high            above SHOP_MONEY_MAX
 *             payment_failed            what the bank said last time
 *   warnings  discount_code_invalid, _expired, _already_applied, _user_ineligible,
 *             _combination_disallowed   why a code does not count
 *             fulfillment_changed       the shipping option asked for is not offered there
 *             price_changed             the total is another than the one agreed to
 *
 * Called by the rules while they decide. Codes and paths are literals or in the caller's
 * arena; the text is formatted into ARENA. Past SHOP_MESSAGES_MAX only errors are still
 * taken, in the place of the last one that is none, so that a basket that cannot be bought
 * never looks as if it could. Thread: any.
 */
#ifndef STOA_SHOP_MESSAGE_H
#define STOA_SHOP_MESSAGE_H

#include "base/arena.h"
#include "shop/model.h"

/* "$.line_items[3]" + FIELD */
struct str message_line_path(struct arena *arena, unsigned line, const char *field);

void message_error(struct basket *basket, struct arena *arena, struct str code, struct str path,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
void message_warning(struct basket *basket, struct arena *arena, struct str code, struct str path,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* True when an error stands in the way of buying. */
bool message_any_error(const struct basket *basket);
/* True when there is a message with CODE. */
bool message_has(const struct basket *basket, struct str code);

#endif
