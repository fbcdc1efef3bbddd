/* Log clock: the time that a primary stamps its entries with. Pure.
 *
 * It follows the wall clock and never goes back. It may not leap forward either: holds, carts and
 * remembered operations expire by it, and a primary whose clock is an hour wrong would forget all
 * of them at once; an operation sent again after the change of primary would happen twice. So, from
 * the last stamp on that was seen when it was fresh, log time runs at most a tenth faster than
 * time passes (CLOCK_BOOTTIME), and a wrong clock is approached slowly.
 *
 * Before any fresh stamp was seen it leaps to the wall clock: the shop may have been closed for
 * days.
 */
#ifndef STOA_REPLICA_LOG_CLOCK_H
#define STOA_REPLICA_LOG_CLOCK_H

#include <stdint.h>

struct log_clock {
    int64_t last_ms; /* of any entry that we know of */
    /* A stamp, and when it was fresh; 0: none was seen yet. */
    int64_t fresh_ms;
    uint64_t fresh_ns;
};

/* An entry or a snapshot has TIME_MS; it may be of long ago. */
void log_clock_note(struct log_clock *clock, int64_t time_ms);

/* A primary that runs has just given an entry TIME_MS. */
void log_clock_saw(struct log_clock *clock, int64_t time_ms, uint64_t now_ns);

/* The stamp of a new entry. */
int64_t log_clock_stamp(struct log_clock *clock, int64_t wall_ms, uint64_t now_ns);

#endif
