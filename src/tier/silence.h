/* Silence: which workers hang: their process lives, and their loop's beat (queue_report) does not
 * change. Pure.
 *
 * After a while in which nobody looked (this process was stopped as well, or the whole machine was)
 * counting begins anew: the others had no chance to beat either.
 *
 * Memory: the caller's, begun zeroed. Thread: one for each.
 */
#ifndef STOA_TIER_SILENCE_H
#define STOA_TIER_SILENCE_H

#include "tier/queue.h"

enum { SILENCE_GAP_MS = 500 };

struct silence {
    uint64_t looked_ns;
    struct silence_seat {
        uint32_t pid;
        uint64_t beat_ns, since_ns; /* the last beat, and when it was seen first */
    } seats[QUEUE_SEATS];
};

/* Of COUNT SEATS, the workers of this system's whose beat has not changed for LIMIT_NS go to PIDS
 * (room for COUNT); how many. Each is named once in LIMIT_NS. */
unsigned silence_look(struct silence *silence, const struct queue_seat_view *seats, unsigned count,
                      uint64_t now_ns, uint64_t limit_ns, uint32_t *pids);

#endif
