/* Messages of a basket: what is missing, wrong or changed, in UCP's codes.
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
