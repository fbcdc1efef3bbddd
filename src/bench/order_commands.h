/* Order commands: the commands that benches without HTTP submit or apply: carts, checkouts made
 * ready, and their purchases. Pure but for the clock in operation ids; thread: any.
 */
#ifndef STOA_BENCH_ORDER_COMMANDS_H
#define STOA_BENCH_ORDER_COMMANDS_H

#include "base/buf.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

enum { ORDER_COMMAND_BYTES = 4096 };
enum order_id { ORDER_ID_CART, ORDER_ID_CHECKOUT };

/* Of a visitor's cart or checkout NUMBER: ordered by number first, as ids that are made of the
 * time would be. SERVER and SEED tell apart those of other servers and runs. */
struct id order_command_id(unsigned server, unsigned visitor, unsigned number, enum order_id kind,
                           uint64_t seed);

/* Each appends one command's record to OUT. ITEM: number of the product. */
void order_put_product(struct buf *out, unsigned item);
/* A cart of one line is replaced whole. */
void order_put_cart(struct buf *out, struct id id, unsigned item);
/* A checkout of one line that is ready to be paid. */
void order_put_checkout(struct buf *out, struct id id, unsigned item);
/* HOLD, or CONFIRM (SECOND): the first asks whether the key was used, the second keeps its result
 * under it. */
void order_put_half(struct buf *out, struct id id, bool second);

#endif
