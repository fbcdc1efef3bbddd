/* Outbox places: which rows of a lane with many receivers wait together.
 *
 * A receiver (a platform) has a place of its own as long as rows of it are in memory or were passed
 * over, and nobody else waits there, however slow it is. A place that is idle goes to whoever needs
 * one, the one that has been idle longest. When none is left, what is new shares a few places by
 * the remainder of its key until these are idle again: so that thousands of receivers that are all
 * away take no more memory than a few hundred.
 *
 * Pure. Thread: the outbox's. For outbox_lane.c alone.
 */
#ifndef STOA_OUTSIDE_OUTBOX_PLACES_H
#define STOA_OUTSIDE_OUTBOX_PLACES_H

#include "outside/outbox_lane.h"

/* Where rows of KEY are; NULL: nowhere yet. */
struct lane_receiver *places_find(struct outbox_lane *lane, uint64_t key);
/* The same, and a place is made for it. */
struct lane_receiver *places_take(struct outbox_lane *lane, uint64_t key);

#endif
