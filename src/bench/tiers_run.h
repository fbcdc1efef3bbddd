/* Tiers run: puts every load on every arrangement of processes, by turns, and fills a report.
 *
 * Each measurement has processes of its own, started for it and ended after it. Rounds go through
 * all cells one after the other, so that what changes on the machine meanwhile falls on all. What
 * cannot be measured is a result too, and the rest goes on.
 *
 *   start ─▶ (all are ready) ─▶ idle for a moment ─▶ load ─▶ (back to the minimum) ─▶ stop
 *
 * Thread: the caller's; blocks, for minutes.
 */
#ifndef STOA_BENCH_TIERS_RUN_H
#define STOA_BENCH_TIERS_RUN_H

#include "base/buf.h"
#include "bench/tiers_report.h"

/* What processes have used of processors so far. */
struct tiers_usage {
    uint64_t fronts_ns, workers_ns;
};

/* Who starts and ends the processes. */
struct tiers_host {
    void *context;
    /* Returns when all take requests; URL: of at least TIERS_URL bytes. */
    int (*start)(void *context, const struct tiers_setup *setup, char *url,
                 struct failure *failure);
    /* Ends them, if they still run. */
    int (*stop)(void *context, struct failure *failure);
    /* Of those that run; of the one process: as fronts. */
    void (*usage)(void *context, struct tiers_usage *usage);
    /* The master's log of decisions as it is now, appended to TEXT. */
    int (*record)(void *context, struct buf *text, struct failure *failure);
};

enum { TIERS_URL = 80, TIERS_RECORD_MAX = 64 << 20 };

struct tiers_plan {
    const char *only; /* "step,hop": parts and loads; NULL or "": all */
    unsigned rounds;
    double seconds, warm_up_seconds; /* of a load that does not change */
    double limit_ms;                 /* for p99 */
    bool quick;
    uint64_t seed;
    const struct scale_load *trace; /* NULL: none */
    FILE *progress;                 /* NULL: nothing */
};

/* ERR_INVALID: PLAN names something that there is not. */
int tiers_run(const struct tiers_plan *plan, const struct tiers_host *host,
              struct tiers_report *report, struct failure *failure);

/* Fills in what is measured; for tiers_run, and for a report that is made up in a test. */
int tiers_run_lay_out(const struct tiers_plan *plan, struct tiers_report *report,
                      struct failure *failure);

#endif
