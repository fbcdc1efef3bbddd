/* Bell: how whoever has a seat at the central queue hears news there: the seat's bell, on its loop.
 * When it rings, the slots that there is news of are looked at, and all of them when somebody has
 * died; then the seat is parked, and the next news rings again.
 *
 *   ring ─▶ queue_wake ─▶ look(slot) … ─▶ queue_park ─▶ looked()
 *                            ▲                │
 *                            └─ (news, again) ┘ some rounds in a turn, the rest soon
 *
 * Until there is none, but not for ever: while long answers go through, there always is some, and
 * others on the loop want their turn as well.
 *
 * Memory: the caller's, within whatever has the seat. Thread: its loop's, as the seat.
 */
#ifndef STOA_TIER_BELL_H
#define STOA_TIER_BELL_H

#include "net/loop.h"
#include "tier/queue.h"

struct bell;

struct bell_kind {
    /* Also of slots that were those of who had the seat before. */
    void (*look)(struct bell *bell, unsigned slot);
    /* There may be news of any slot that nobody told. */
    void (*look_at_all)(struct bell *bell);
    /* After a ring's news, or the rest of it. NULL: nothing is to be done then. */
    void (*looked)(struct bell *bell);
};

struct bell {
    const struct bell_kind *kind; /* lent, as the loop and the queue */
    struct loop *loop;
    struct queue *queue;
    unsigned seat;
    uint64_t deaths; /* of the queue, as they were when all was looked at */
    struct watch watch;
    struct soon rest; /* there is more news than one turn is for */
};

/* After the seat was taken: looks at what there is, without looked(), and is rung from then on. */
int bell_start(struct bell *bell, const struct bell_kind *kind, struct loop *loop,
               struct queue *queue, unsigned seat, struct failure *failure);
/* Before the seat is left. Harmless after a start that failed. */
void bell_stop(struct bell *bell);

#endif
