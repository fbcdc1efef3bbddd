/* Engines run: measures every engine at every load, by turns, and fills a report.
 *
 * Each measurement has a server of its own, started for it and ended after it, so that none begins
 * with what another left behind. Within a round the cells follow each other, and within a cell the
 * contestants, each round beginning with another one: what changes on the machine meanwhile falls
 * on all. What cannot be measured is a result too (a server that dies, connections that it does not
 * take), and the rest goes on.
 *
 * Thread: the caller's; blocks, for minutes.
 */
#ifndef STOA_BENCH_ENGINES_RUN_H
#define STOA_BENCH_ENGINES_RUN_H

#include "base/str.h"
#include "bench/engines_report.h"

/* What a server has used in its life, children included. */
struct engines_usage {
    uint64_t requests, voluntary, involuntary;
    double cpu_s;
};

/* Who starts and ends the servers: processes of their own with a struct engines_app. */
struct engines_host {
    void *context;
    /* URL: of at least 80 bytes. */
    int (*start)(void *context, const struct engines_contestant *contestant, char *url, pid_t *pid,
                 struct failure *failure);
    /* Ends it, if it still runs. A failure: it had died, or did not end when asked to. */
    int (*stop)(void *context, struct engines_usage *usage, struct failure *failure);
};

struct engines_plan {
    const char *only; /* "event,pool"; NULL or "": all */
    const char *dir;  /* where the set of files is made */
    unsigned rounds;
    double seconds, warm_up_seconds;
    bool quick;
    uint64_t seed;
    FILE *progress; /* NULL: nothing */
};

/* ERR_INVALID: PLAN names an engine that there is not. */
int engines_run(const struct engines_plan *plan, const struct engines_host *host,
                struct engines_report *report, struct failure *failure);

/* Fills in who takes part and what is measured; for engines_run, and for a report that is made up
 * in a test. */
int engines_run_lay_out(const struct engines_plan *plan, struct engines_report *report,
                        struct failure *failure);

/* ERR_INVALID: there is no engine NAME; FAILURE says which there are. */
int engines_run_unknown(struct str name, struct failure *failure);

#endif
