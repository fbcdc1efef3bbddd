/* Identity: who this shop is to the world outside, in the registry (shop/registry.h):
 *
 *   shop/id      random, put once, when the shop is opened by a program that knows of it
 *   shop/epoch   0 at first; `stoa restore` and `stoa recover` raise it, because the log and its
 *                terms begin anew with them (replica/fence.h). It is in the ids of all that is
 *                decided from then on (shop/order_events.h, order_effect_id)
 *
 * A receiver outside knows the shop by its id, however its servers and their clusters change.
 */
#ifndef STOA_OUTSIDE_IDENTITY_H
#define STOA_OUTSIDE_IDENTITY_H

#include "replica/order.h"
#include "shop/read.h"
#include "shop/registry.h"

#define IDENTITY_SHOP_ID "shop/id"
#define IDENTITY_EPOCH   REGISTRY_SHOP_EPOCH

/* ERR_NOTFOUND: it was not put yet; ERR_DAMAGED: it is none. Thread: the reader's. */
int identity_read(struct reader *reader, struct id *shop, uint64_t *epoch);

/* Puts what is not there; what is there stays. Submits and waits: not on replica's threads. */
int identity_put(struct ordering *order, struct failure *failure);

#endif
