/* Sample: what the master front has measured since the last time it looked (50 to 100 ms), and all
 * that the scaler ever learns. Whole numbers, so that a log of them can be replayed to the bit.
 *
 * Filled by whoever holds the central queue; read by scaler.h, written and read by decision.h.
 */
#ifndef STOA_SCALE_SAMPLE_H
#define STOA_SCALE_SAMPLE_H

#include <stdint.h>

/* The processes of a tier. Those that drain take nothing new; they are no capacity. */
struct scale_tier {
    uint64_t ready, starting, draining;
};

struct scale_sample {
    uint64_t now_ns;      /* on a clock that never goes back */
    uint64_t interval_ns; /* since the sample before */

    /* The central queue, now. */
    uint64_t queued, oldest_ns; /* how many wait; for how long the first of them has */
    /* Of the requests that were taken from it in the interval: how long they had waited. */
    uint64_t wait_p50_ns, wait_p90_ns, wait_p99_ns;
    /* In the interval. Arrived are those that were queued, whatever became of them; dropped, those
     * whose deadline had passed before anyone took them; refused, those the queue had no room for
     * (not among the arrived). */
    uint64_t arrived, taken, answered, dropped, refused;

    uint64_t busy;       /* share of the interval that the workers worked, in thousandths of one
                            worker, all added up, with those that drain: 2500 is two and a half */
    uint64_t service_ns; /* how long one request took a worker, on average; 0: none was answered */
    struct scale_tier workers;

    uint64_t connections; /* clients' connections at all fronts */
    uint64_t fronts_busy; /* as busy, of the fronts */
    struct scale_tier fronts;

    /* What workers have asked for since the last sample (tier/poll_rule.h). */
    uint64_t more, fewer;
};

#endif
