/* Front door for operators: the status door of `stoa front` (--status, admin/tiers_door.h) with its
 * engine. Fronts of one queue may have it at the same address: each of them answers for all.
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_FRONT_DOOR_H
#define STOA_MAIN_FRONT_DOOR_H

#include "base/err.h"
#include "base/log.h"
#include "tier/queue.h"

struct front_door_config {
    const char *address; /* "ADDR:PORT"; lent, as all here */
    const char *dir;     /* the shop's, where its operator's token is */
    struct queue *queue;
    const struct log *log;
};

struct front_door;
int front_door_open(const struct front_door_config *config, struct front_door **door,
                    struct failure *failure);
/* NULL is fine. */
void front_door_close(struct front_door *door);

#endif
