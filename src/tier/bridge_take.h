/* Bridge taker: the end of a bridge (bridge.h) that stands in a queue as a worker: it pulls as many
 * requests as the giver at the other end has granted, sends them over the link, and puts what comes
 * back into the slots' pipes. To fronts it is a worker like any other.
 *
 * When the link breaks its seat is left, as if a worker had died: the fronts push what it had
 * again.
 *
 * Thread: its loop's, as all here.
 */
#ifndef STOA_TIER_BRIDGE_TAKE_H
#define STOA_TIER_BRIDGE_TAKE_H

#include "tier/bridge_link.h"

struct bridge_take;

/* WINDOW: what the giver has room for of each request. FAR: whom the seat is for, NULL: for this
 * process. LINK is lent. */
int bridge_take_new(struct loop *loop, struct queue *queue, struct bridge_link *link,
                    uint32_t window, const struct queue_far *far, struct bridge_take **take,
                    struct failure *failure);
void bridge_take_free(struct bridge_take *take); /* NULL is fine */
/* False: that message does not belong here. */
bool bridge_take_receive(struct bridge_take *take, const struct bridge_message *message);
/* Pulls no more. */
void bridge_take_drain(struct bridge_take *take);
/* How many requests are at the other end, or on their way. */
unsigned bridge_take_open(const struct bridge_take *take);
void bridge_take_drained(struct bridge_take *take);
/* Some times a second. */
void bridge_take_tick(struct bridge_take *take, uint64_t now_ns);

#endif
