/* Silence: who hangs: its process lives, and the beats of its loops (queue_report) do not change.
 * Pure.
 *
 * A process that cannot be asked for a part of what it does is ended whole; so it counts as silent
 * when all its seats are. One loop of a front that hangs alone does not make it so: ending it would
 * cut off all who are served by the others.
 *
 * Only time in which somebody looked counts. After a while in which nobody did (this process was
 * stopped as well, or the whole machine was) counting begins anew: the others had no chance to beat
 * either. A limit so takes three looks at least.
 *
 * Memory: the caller's, begun zeroed. Thread: one for each.
 */
#ifndef STOA_TIER_SILENCE_H
#define STOA_TIER_SILENCE_H

#include "tier/queue.h"

struct silence {
    uint64_t looked_ns;
    struct silence_seat {
        uint32_t pid;
        uint64_t beat_ns, since_ns; /* the last beat, and when it was seen first */
    } seats[QUEUE_SEATS];
};

/* How often to look for a limit: five times in it, and not more often than once a second. */
uint64_t silence_pause_ns(uint64_t limit_ns);

/* Of COUNT SEATS, the workers of this system's whose beat has not changed for LIMIT_NS go to PIDS
 * (room for COUNT); how many. Each is named once in LIMIT_NS. For a process that watches its own
 * loops. */
unsigned silence_look(struct silence *silence, const struct queue_seat_view *seats, unsigned count,
                      uint64_t now_ns, uint64_t limit_ns, uint32_t *pids);

/* Who looks, and who leads. The leader watches all others of this system, they watch the leader. */
struct silence_watch {
    struct queue_process self, leader;
};
/* Of those who are watched the processes that are silent, each by the first of its seats: its place
 * in SEATS goes to PLACES (room for COUNT); how many. Each is named once in LIMIT_NS. Looks at all
 * seats of this system, so that who leads next knows already since when they have been silent. */
unsigned silence_look_at_processes(struct silence *silence, const struct silence_watch *watch,
                                   const struct queue_seat_view *seats, unsigned count,
                                   uint64_t now_ns, uint64_t limit_ns, unsigned *places);

/* The last look, with SEATS of now: whether PROCESS is still there, and has not beaten since. */
bool silence_goes_on(const struct silence *silence, struct queue_process process,
                     const struct queue_seat_view *seats, unsigned count);

#endif
