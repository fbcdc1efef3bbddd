/* Measure: from two looks at the central queue (tier/queue.h) to a sample for the scaler. Pure.
 *
 * Counters only grow; what happened in the interval is their difference. Of who came in between
 * only the next interval is known. How busy a worker is: its thread's share of a processor, or its
 * helpers' share of the time, whichever is larger; a front's: its threads' mean share.
 *
 * Memory: the caller's, begun zeroed. Thread: one for each.
 */
#ifndef STOA_SCALE_MEASURE_H
#define STOA_SCALE_MEASURE_H

#include "scale/fleet_step.h"
#include "scale/sample.h"
#include "tier/queue.h"

struct scale_look {
    uint64_t now_ns;
    struct queue_stats stats;
    unsigned seat_count;
    struct queue_seat_view seats[QUEUE_SEATS];
    /* What the fleet knows of processes that have no seat yet; zero: there is no fleet. */
    struct fleet_sizes workers, fronts;
};

struct scale_measure {
    bool begun;
    struct scale_look before;
};

/* How long a SHARE, in thousandths, of those had waited at most who were taken between the looks.
 */
uint64_t scale_wait_quantile(const struct queue_stats *now, const struct queue_stats *before,
                             uint64_t share);
/* How busy who has SEAT was since BEFORE, in thousandths; 0: it was not there yet. */
uint64_t scale_seat_busy(const struct scale_look *before, const struct queue_seat_view *seat);
/* A front has a seat for each of its threads: whether this is the first of its process. */
bool scale_is_first_seat(const struct scale_look *look, unsigned place);

/* LOOK becomes the one before. */
void scale_measure(struct scale_measure *measure, const struct scale_look *look,
                   struct scale_sample *sample);

#endif
