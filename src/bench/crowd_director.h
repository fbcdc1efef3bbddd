/* Crowd director: what the servers live through while the crowd clicks: a warm-up, then the plan's
 * faults (crowd_faults.h), or a time without any.
 *
 * It does so on a thread of its own, from crowd_director_start to crowd_director_end. Until the
 * latter has come back the report's `faults` are read under their lock only, and its `begin_ns` and
 * `processor_ns` not at all.
 */
#ifndef STOA_BENCH_CROWD_DIRECTOR_H
#define STOA_BENCH_CROWD_DIRECTOR_H

#include "bench/crowd.h"

#include <pthread.h>
#include <stdatomic.h>

struct crowd_director {
    const struct crowd_config *config;
    struct crowd_report *report;
    pthread_t thread;
    struct failure failure;
    int err;
    atomic_bool stop, finished;
};

int crowd_director_start(struct crowd_director *director, const struct crowd_config *config,
                         struct crowd_report *report, struct failure *failure);

/* Whether all has happened, or something has failed. */
static inline bool crowd_director_finished(const struct crowd_director *director)
{
    return atomic_load(&director->finished);
}

/* Ends it, after the round under way if it has not finished; what has failed. */
int crowd_director_end(struct crowd_director *director, struct failure *failure);

#endif
