/* Tier door: where workers and fronts of other machines come to the queue of the shop here
 * (`stoa front --link`).
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_TIER_DOOR_H
#define STOA_MAIN_TIER_DOOR_H

#include "base/err.h"
#include "base/log.h"
#include "tier/queue.h"

struct tier_door_config {
    const char *address; /* "ADDR:PORT"; lent, as all here */
    const char *dir;     /* the shop's */
    struct queue *queue;
    const struct log *log;
};

struct tier_door;
int tier_door_open(const struct tier_door_config *config, struct tier_door **door,
                   struct failure *failure);
/* Takes in nobody else, and waits until what far fronts have asked is answered, for GRACE_MS:
 * before the workers here go. NULL is fine, as for the next. */
void tier_door_drain_fronts(struct tier_door *door, uint64_t grace_ms);
/* After that: as long for what far workers have begun. */
void tier_door_drain(struct tier_door *door, uint64_t grace_ms);
/* NULL is fine. */
void tier_door_close(struct tier_door *door);

#endif
