/* Failover: for how long nobody can change anything when the primary goes.
 *
 * Three ways for it to go, each many times: its process is killed (-9), it hangs (SIGSTOP), it
 * hands over as planned. Killed and hanging: from that moment to the answer of the first change
 * that succeeds through another server; the change is sent at once, and again (under the same
 * Idempotency-Key) if it is refused. Handed over: shoppers at every server change carts all the
 * time; none may fail, and the longest of those that were on their way is compared with the others.
 *
 * Blocks. Thread: the caller's, and one for each shopper.
 */
#ifndef STOA_BENCH_FAILOVER_H
#define STOA_BENCH_FAILOVER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAILOVER_SERVERS = 3 };

/* Whose primary goes: servers of the bench's own. */
struct failover_cluster {
    void *context;
    const char *urls[FAILOVER_SERVERS];
    const char *token; /* the operator's */
    const char *item;  /* what can be put into a cart */
    int (*kill)(void *context, unsigned which, struct failure *failure);
    /* And waits until it is ready. */
    int (*start)(void *context, unsigned which, struct failure *failure);
    int (*hang)(void *context, unsigned which, bool hangs, struct failure *failure);
};

struct failover_times {
    unsigned rounds;
    double median_ms, p90_ms, worst_ms;
    uint64_t refused; /* answers before the one that succeeded */
};

struct failover_report {
    struct failover_times killed, hanging;
    struct {
        unsigned rounds;
        uint64_t changes, failed;
        double median_ms, worst_ms;          /* of changes that met no handover */
        double worst_met_ms, worst_added_ms; /* of those that did; above the median */
        double command_median_ms;            /* how long the handover itself took to be answered */
    } planned;
};

int failover_run(const struct failover_cluster *cluster, unsigned rounds,
                 struct failover_report *report, struct failure *failure);

#endif
