/* Holds: the rows of what is held for checkouts that are being paid.
 *
 * Most holds end soon: by the commands that follow in the same transaction, when much is applied
 * at once. So rows that are new wait here until the transaction's end, and those whose checkout's
 * hold has ended by then are never written. Whoever reads the table by SQL before that calls
 * holds_write_back first.
 *
 * Of one checkout either all rows wait or all are in the table. For the one writer, within a
 * transaction. Bounded: when too few places are free, all are written.
 */
#ifndef STOA_SHOP_HOLDS_H
#define STOA_SHOP_HOLDS_H

#include "base/hash.h"
#include "shop/basket.h"
#include "store/db.h"

struct hold;

struct holds {
    struct db *db;
    struct hash_key hash;
    struct hold *waiting; /* in the order of arrival; NULL until the first */
    uint16_t *slots;      /* by hash of the checkout: 0, or 1 + the place of its last row */
    unsigned count;
};

void holds_init(struct holds *holds, struct db *db);
/* What waits is written, or its transaction is given up. It can be used again. */
void holds_clear(struct holds *holds);

/* What COUNT of NEEDS says is held for CHECKOUT, for which nothing was. Errors are the database's.
 */
int holds_begin(struct holds *holds, struct id checkout, const struct basket_need *needs,
                unsigned count);
/* Nothing is held for CHECKOUT any more. */
int holds_end(struct holds *holds, struct id checkout);
int holds_write_back(struct holds *holds);

#endif
