/* Board: what the master front knows of the tiers and has decided, told to all fronts through the
 * queue's memory (tier/queue.h), so that any of them can show it, and the next master goes on with
 * it.
 *
 * Written by who scales (main/scaling.h) at each look; read by status doors (admin/tiers.h). Pure
 * but for the queue. Thread: any; one writes.
 */
#ifndef STOA_SCALE_BOARD_H
#define STOA_SCALE_BOARD_H

#include "scale/fleet.h"
#include "scale/sample.h"
#include "scale/scaler.h"
#include "tier/queue.h"

enum { SCALE_EVENTS = 32, SCALE_RULE_NAME = 16 };

/* A decision that changed a size, with what it was made from. */
struct scale_event {
    int64_t wall_ms;
    struct scale_decision decision;
    struct scale_sample sample;
};

struct scale_board {
    struct queue_process master;
    char rule[SCALE_RULE_NAME];
    uint64_t told_ns; /* when, monotonic */
    unsigned workers_wanted, fronts_wanted;
    struct fleet_tier_view tiers[FLEET_TIERS]; /* FLEET_FRONT: without the master */
    uint64_t decisions; /* that changed a size, of all masters since the queue was made */
    unsigned count;     /* of the last of them, oldest first */
    struct scale_event events[SCALE_EVENTS];
};

/* One more decision; the oldest is given up for it. */
void scale_board_add(struct scale_board *board, const struct scale_event *event);

void scale_board_write(struct queue *queue, const struct scale_board *board);
/* False: nobody scales, or it cannot be read at this moment; BOARD is as it was. */
bool scale_board_read(const struct queue *queue, struct scale_board *board);

#endif
