/* Sim queue: the central queue and its workers on simulated time, for rules to be tried on.
 *
 * A queue with many servers whose number changes:
 *
 * - Requests come as the load says: at random moments (a Poisson process whose rate is the
 *   load's), evenly, or as many as were counted; each with work of its own, the same for every
 *   rule. Refused when the queue is full; dropped when their deadline has passed before anyone
 *   takes them.
 * - Workers poll: take the oldest request, or wait for one until the poll's time is over (a quarter
 *   more or less by chance, so that they do not go in step); what comes then is given to whoever
 *   has waited longest. They follow tier/poll_rule.h.
 * - The fleet: a new worker starts for a while; one too many ends once it has nothing to do. First
 *   one that starts, then one that asked to leave, then one that waits, then the youngest.
 * - Fronts are counted; they start in no time and have nothing to do.
 *
 * Everything is decided by the seed. What it cannot know: that workers share processors, memory and
 * database, so that one more makes the others slower. Thread: any; each has its own memory.
 */
#ifndef STOA_SCALE_SIM_QUEUE_H
#define STOA_SCALE_SIM_QUEUE_H

#include "base/err.h"
#include "scale/load.h"
#include "scale/sample.h"
#include "scale/waits.h"

#include <stdbool.h>

enum sim_arrivals { SIM_ARRIVALS_RANDOM, SIM_ARRIVALS_EVEN };
enum sim_service {
    SIM_SERVICE_EXPONENTIAL,
    SIM_SERVICE_LOGNORMAL, /* sigma 1: one in a hundred takes 6 times the mean or more */
    SIM_SERVICE_FIXED,
};

struct sim_queue_config {
    uint64_t seed;
    enum sim_arrivals arrivals; /* of a load that was counted: only how they lie in an interval */
    enum sim_service service;
    double service_ms;    /* where the load does not say */
    uint64_t start_up_ns; /* from being wanted to being ready */
    uint64_t poll_ns;     /* how long a poll waits */
    uint64_t deadline_ns; /* from arrival; 0: none */
    uint64_t queue_max;   /* requests that wait, at most; up to SIM_QUEUE_MAX */
    uint64_t queue_long;  /* threshold of the workers' own rule */
    uint64_t limit_ns;    /* waiting longer than this is late */
};

enum { SIM_QUEUE_MAX = 1 << 20 };

/* Of the whole run so far. */
struct sim_queue_totals {
    struct scale_waits waits;
    uint64_t arrived, answered, dropped, refused;
    double worker_s; /* seconds of workers, from being wanted to their end */
};

struct sim_queue;

/* With WORKERS that are ready. LOAD is lent until the end. */
int sim_queue_new(const struct sim_queue_config *config, const struct scale_load *load,
                  unsigned workers, struct sim_queue **out, struct failure *failure);
void sim_queue_free(struct sim_queue *sim);

/* Runs on until NOW_NS and tells what a master front would have measured since the last call;
 * *LATE: of the requests taken, dropped and refused, those that came late or not at all. */
void sim_queue_run(struct sim_queue *sim, uint64_t now_ns, struct scale_sample *sample,
                   uint64_t *late);

/* WORKERS and FRONTS are wanted from now on. */
void sim_queue_resize(struct sim_queue *sim, unsigned workers, unsigned fronts);

const struct sim_queue_totals *sim_queue_totals(const struct sim_queue *sim);

#endif
