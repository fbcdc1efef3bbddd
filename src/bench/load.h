/* Load: a generator of load with any number of connections, closed or open loop.
 *
 * Closed loop: each visitor begins its next operation when the last one ended; the rate
 * is what the server gives. Open loop: operations are due at random moments of a given
 * mean rate whatever the server does, and are timed from when they were due, so that a
 * server that stalls is not spared the waiting (Schroeder et al., NSDI 2006; "coordinated
 * omission").
 *
 * Each thread has an event loop and its share of the connections; nothing is shared
 * while it runs. Blocks until it is over. Thread: the caller's.
 */
#ifndef STOA_BENCH_LOAD_H
#define STOA_BENCH_LOAD_H

#include "base/err.h"
#include "bench/load_pace.h"
#include "bench/report.h"
#include "bench/script.h"

enum { LOAD_ALSO_MAX = 15, LOAD_KINDS = 2 };

/* What a run finds of its parts; added to what is there. */
struct load_tally {
    uint64_t *done; /* lent, [connections × streams]: operations of each visitor that succeeded */
    struct histogram latency[LOAD_KINDS]; /* by visitor.kind */
};

struct load_config {
    const char *url;                 /* "http://127.0.0.1:8080" */
    const char *also[LOAD_ALSO_MAX]; /* others of its kind, each with as many connections */
    unsigned also_count;
    const struct script *script;
    const void *script_context;
    unsigned connections; /* each with one visitor; with HTTP/2, `streams` of them */
    unsigned streams;
    unsigned threads; /* 1 to connections */
    bool http2;
    double seconds, warm_up_seconds;
    double rate; /* operations/s in all; 0: closed loop */
    /* May be NULL: an open loop whose rate changes as this load says, without a warm-up. */
    const struct scale_load *pace;
    struct load_timeline *timeline; /* may be NULL; of one thread alone */
    uint64_t seed;
    struct load_tally *tally; /* may be NULL */
    /* May be NULL: a path that each connection is asked for once, uncounted, before it begins: a
     * connection stands when the kernel has it, which says nothing of the server. */
    const char *greeting;
    /* May be NULL. Called once when time is up and all connections still stand. */
    void (*standing)(void *context);
    void *standing_context;
    /* May be NULL. Called once when it begins to count, on a thread of the generator. */
    void (*counting)(void *context);
    void *counting_context;
};

/* Runs and adds what it found to REPORT (whose names the caller has set). Lasts as long as
 * CONFIG says and at most 20 s more, for the connections to stand; whatever the server
 * does meanwhile. Raises the limit of open descriptors as far as the system lets it. */
int load_run(const struct load_config *config, struct bench_report *report,
             struct failure *failure);

#endif
