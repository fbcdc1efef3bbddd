/* Failover: for how long nobody can change anything when the primary goes.
 *
 * Three ways for it to go, each many times: its process is killed (-9), it hangs (SIGSTOP), it
 * hands over as planned. Killed and hanging: from that moment to the answer of the first change
 * that succeeds through another server; the change is sent at once, and again (under the same
 * Idempotency-Key) if it is refused. Handed over: shoppers at every server change carts all the
 * time, and none may fail. How long they wait is compared with as long a time right before each
 * handover: of 0.3 s with and without one the longest wait counts. What a machine's pauses, other
 * programs and its disk add is then in both, and the difference is the handover's.
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

/* One for each round. */
struct failover_times {
    unsigned rounds;
    double median_ms, p90_ms, worst_ms;
    uint64_t refused; /* answers before the one that succeeded */
};

struct failover_report {
    struct failover_times killed, hanging;
    struct {
        uint64_t changes, failed;
        double median_ms;                    /* of all changes */
        struct failover_times with, without; /* the longest wait around a handover, and before */
        struct failover_times command;       /* how long the handover took to be answered */
    } planned;
};

int failover_run(const struct failover_cluster *cluster, unsigned rounds,
                 struct failover_report *report, struct failure *failure);

#endif
