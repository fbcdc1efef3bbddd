/* Load pace: an open loop whose rate changes with time, and what became of its operations window by
 * window (load.h). Pure.
 */
#ifndef STOA_BENCH_LOAD_PACE_H
#define STOA_BENCH_LOAD_PACE_H

#include "scale/load.h"
#include "scale/waits.h"

/* When the operation after that of AT_NS is due, by a SHARE of the load, which began at BEGUN_NS:
 * where the area under the rate has grown by GAP. With gaps of an exponential distribution of mean
 * 1 it is a Poisson process of that rate. UINT64_MAX: none comes any more. */
uint64_t load_pace_next(const struct scale_load *pace, double share, uint64_t begun_ns,
                        uint64_t at_ns, double gap);

/* Of the operations that were due in a window of time. */
struct load_window {
    uint64_t done, lost;      /* lost: refused or failed; done: those, too, that are still waited
                                 for when time is up, for as long as they have been */
    struct scale_waits waits; /* of those done, from when they were due */
};

/* The caller's memory, begun zeroed. */
struct load_timeline {
    uint64_t window_ns, begun_ns; /* begun_ns: filled in by the load, on clock_mono_ns */
    unsigned count;               /* of windows; what is due later is in the last */
    struct load_window *windows;
};

/* TIMELINE may be NULL. */
void load_timeline_note(struct load_timeline *timeline, uint64_t due_ns, uint64_t now_ns,
                        bool done);

#endif
