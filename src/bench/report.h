/* Report: what a bench found, as text for people, as JSON, and as a CDF in CSV or SVG.
 * Thread: the caller's.
 */
#ifndef STOA_BENCH_REPORT_H
#define STOA_BENCH_REPORT_H

#include "base/err.h"
#include "bench/histogram.h"

#include <stdbool.h>
#include <stdio.h>

struct bench_report {
    const char *name;      /* "http", "cart", "buy" */
    const char *target;    /* URL */
    const char *operation; /* what one operation is: "GET /x", "change of a cart" */
    unsigned connections, threads;
    bool http2, open_loop;
    double rate_wanted; /* open loop: operations/s */
    double seconds;
    uint64_t operations, requests, failed, refused; /* refused: 503 */
    uint64_t bytes_in;
    uint64_t missed;                    /* open loop: not even begun when time was up */
    uint64_t unanswered, unanswered_ns; /* on their way when time was up; age of the oldest */
    /* Shares of its time that the busiest generator thread computed, and waited for a core. */
    double generator_busy, generator_waited;
    uint64_t late_ns_p99; /* open loop: how late operations were begun for want of the generator */
    double fsyncs_per_s;  /* of the disk beside it; 0: not measured */
    struct histogram latency;
};

/* True when the figures say more about the generator than about the server. */
bool report_generator_is_limit(const struct bench_report *report);

void report_text(const struct bench_report *report, FILE *out);
void report_json(const struct bench_report *report, FILE *out);
/* "milliseconds,share" a line. */
int report_cdf_csv(const struct bench_report *report, const char *file, struct failure *failure);
/* A picture: latency (logarithmic) against the share of operations, by nines. */
int report_cdf_svg(const struct bench_report *report, const char *file, struct failure *failure);

#endif
