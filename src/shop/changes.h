/* Changes: what a transaction changed, each thing once, told after the commit.
 *
 * Used by shop.c, on the applier's thread.
 */
#ifndef STOA_SHOP_CHANGES_H
#define STOA_SHOP_CHANGES_H

#include "base/arena.h"
#include "shop/shop.h"

struct change;

enum { CHANGE_BUCKETS = 256 };

struct changes {
    struct arena memory;
    struct change *products[CHANGE_BUCKETS];  /* by id */
    struct change *first, **last;             /* in the order of their first change */
    uint64_t catalogue_index, settings_index, outbox_index; /* 0: unchanged */
    bool lost; /* no memory for a product: everything is told to have changed */
};

void changes_init(struct changes *changes);
void changes_close(struct changes *changes);

void changes_product(struct changes *changes, uint64_t product_id, struct str handle,
                     uint64_t index);

/* Tells LISTENER (its function may be NULL) and forgets. */
void changes_tell(struct changes *changes, const struct shop_listener *listener, uint64_t index);

#endif
