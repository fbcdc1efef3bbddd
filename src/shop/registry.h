/* Registry: a small table of names and values that belongs to the cluster, not to the shop, and is
 * replicated with it: join tokens not yet used, the next server's id, the preferred primary.
 *
 * It is changed by REGISTRY_PUT alone, which can demand what was there before; of two that demand
 * the same, one wins. Read by reader_registry (shop/read.h). Keys are printable ASCII without
 * blanks, their first part says whose they are ("token/…", "cluster/…").
 */
#ifndef STOA_SHOP_REGISTRY_H
#define STOA_SHOP_REGISTRY_H

#include "store/db.h"

/* How often the shop's log was begun anew (outside/identity.h), in decimal. */
#define REGISTRY_SHOP_EPOCH "shop/epoch"

enum {
    REGISTRY_KEY_MAX = 128,
    REGISTRY_VALUE_MAX = 4096,
    REGISTRY_ENTRIES_MAX = 4096,
};

/* 0 as long as there is no entry. ERR_DAMAGED: it is no number. For commands. */
int registry_shop_epoch(struct db *db, uint64_t *epoch);

#endif
