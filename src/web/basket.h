/* Basket: a stored cart's or checkout's basket turned back into what a command sets, for
 * changes that replace the whole. Thread: any.
 */
#ifndef STOA_WEB_BASKET_H
#define STOA_WEB_BASKET_H

#include "base/arena.h"
#include "shop/command.h"

/* All of BASKET into INPUT, its lines allocated in ARENA. 0 or ERR_NOMEM. */
int basket_input_of(struct arena *arena, const struct basket *basket, struct basket_input *input);

#endif
