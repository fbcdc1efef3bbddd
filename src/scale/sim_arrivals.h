/* Sim arrivals: when the next request of a load comes, and how much work it is (sim_queue.h). Pure
 * but for the state of its random numbers. */
#ifndef STOA_SCALE_SIM_ARRIVALS_H
#define STOA_SCALE_SIM_ARRIVALS_H

#include "base/random.h"
#include "scale/sim_queue.h"

struct sim_arriving {
    const struct scale_load *load;
    enum sim_arrivals arrivals;
    enum sim_service service;
    double service_ms;
    struct random moments, works;
    unsigned at;   /* the point of the load */
    double now_s;  /* of the last request */
    uint64_t left; /* as counted: requests of this point that are still to come */
};

void sim_arriving_init(struct sim_arriving *arriving, const struct sim_queue_config *config,
                       const struct scale_load *load);

/* The next; false: no more. */
bool sim_arriving_next(struct sim_arriving *arriving, uint64_t *at_ns, uint64_t *work_ns);

#endif
