/* Bridge giver: the end of a bridge (bridge.h) that stands in a queue as a front: it grants the
 * other end how many requests may come, puts those into its queue, and sends back what workers
 * answer.
 *
 * It keeps nothing of a request: one whose worker died goes back to the other end, whose front has
 * it still.
 *
 *   grants   as many as keep its workers busy while others are on the way, and no more: what waits
 *            here could be worked on there. See bridge_grant.
 *
 * Thread: its loop's, as all here.
 */
#ifndef STOA_TIER_BRIDGE_GIVE_H
#define STOA_TIER_BRIDGE_GIVE_H

#include "tier/bridge_link.h"

struct bridge_give;

/* How many requests there may be, granted ones among them. */
struct bridge_appetite {
    uint32_t work;  /* at work at once: for those who do not only wait for others */
    uint32_t ahead; /* waiting besides, whatever is at work; 0: that does not count */
    uint32_t most;  /* of both, in any case */
};

/* How many more are to be granted, when GRANTED have not come yet, OPEN are here and WAITING of
 * them were not begun. Pure. */
uint32_t bridge_grant(const struct bridge_appetite *appetite, uint32_t granted, uint32_t open,
                      uint32_t waiting);

/* WINDOW: what the taker has room for of each answer. FAR: whom the seat is for, NULL: for this
 * process. LINK is lent.
 * Of APPETITE, ahead is the most that it may be: how many it is follows from the way and from how
 * fast the workers are (bridge_ahead). */
int bridge_give_new(struct loop *loop, struct queue *queue, struct bridge_link *link,
                    uint32_t window, const struct queue_far *far,
                    const struct bridge_appetite *appetite, struct bridge_give **give,
                    struct failure *failure);
void bridge_give_free(struct bridge_give *give); /* NULL is fine */
/* False: that message does not belong here. */
bool bridge_give_receive(struct bridge_give *give, const struct bridge_message *message);
void bridge_give_drained(struct bridge_give *give);
/* Some times a second. */
void bridge_give_tick(struct bridge_give *give, uint64_t now_ns);
/* As it was measured. */
void bridge_give_set_way(struct bridge_give *give, uint64_t way_ns);

/* Wants no more. */
void bridge_give_drain(struct bridge_give *give);
/* All that had come was answered, and no more comes. */
bool bridge_give_is_drained(const struct bridge_give *give);

#endif
