/* Tiers' record: what the log of decisions that a master front wrote (scale/decision.h, with every
 * sample) says of a run. Pure.
 */
#ifndef STOA_BENCH_TIERS_RECORD_H
#define STOA_BENCH_TIERS_RECORD_H

#include "base/err.h"
#include "base/str.h"
#include "bench/tiers_report.h"

#include <stdint.h>

/* Fills in what it says of the time FROM_NS to TO_NS: WORKER_S, MOST, BUSY, DECISIONS,
 * REVERSALS, DROPPED, and MINIMUM if MINIMUM workers were reached after that; and the series'
 * workers. */
int tiers_record_read(struct str text, uint64_t from_ns, uint64_t to_ns, unsigned minimum,
                      double figures[static TIERS_FIGURES], struct tiers_series *series,
                      struct failure *failure);

/* The sizes at the end of a record that is still written: processes that are ready, and those that
 * start or drain. False: it has no sample yet. */
struct tiers_sizes {
    uint64_t now_ns, workers, fronts, changing;
};
bool tiers_record_last(struct str text, struct tiers_sizes *sizes);

#endif
