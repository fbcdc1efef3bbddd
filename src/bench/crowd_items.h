/* Crowd items: what of a shop the crowd can put into carts: variants of which there are plenty.
 * Blocks. Thread: any.
 */
#ifndef STOA_BENCH_CROWD_ITEMS_H
#define STOA_BENCH_CROWD_ITEMS_H

#include "base/err.h"
#include "bench/crowd_cart.h"

/* Reads them by the operator's API of URL with TOKEN. ERR_NOTFOUND: there are none. */
int crowd_items_read(const char *url, const char *token, struct crowd_items *items,
                     struct failure *failure);

#endif
