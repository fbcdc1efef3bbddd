/* Crowd report: what the crowd found, as text for people and as JSON; above all how much longer
 * shoppers waited because of each fault.
 *
 * The longest wait of all requests that were due, or on their way, from the fault until the server
 * was let go (or until it is started again) is compared with the longest one of as long as the
 * servers had been left alone before it. So what this machine does by itself is in both. "Coming
 * back" is the longest wait from then until all three servers had caught up.
 *
 * Thread: the caller's.
 */
#ifndef STOA_BENCH_CROWD_REPORT_H
#define STOA_BENCH_CROWD_REPORT_H

#include "bench/crowd.h"

#include <stdio.h>

void crowd_report_close(struct crowd_report *report);

/* Whether every promise was kept. */
bool crowd_report_good(const struct crowd_report *report);

/* Milliseconds. */
struct crowd_waits {
    unsigned rounds;
    double added_median, added_p90, added_worst; /* longest wait with the fault less that before */
    double worst, calm_worst, back_worst;        /* longest waits themselves */
    double echo_worst; /* of the machine itself (echo.h), with the faults and before them */
};

/* Of the faults that met the primary (PRIMARY), or the others. */
void crowd_report_waits(const struct crowd_report *report, const struct crowd_plan *plan,
                        bool primary, struct crowd_waits *waits);

/* Standard deviation by mean of what each of the servers has done; 0 for nothing at all. */
double crowd_report_variation(const double *of_each, unsigned count);
void crowd_report_spread(const struct crowd_report *report, double *requests, double *processor);

/* COPIES: what main/ found out about the servers' copies, "equal" or what differs. */
void crowd_report_text(const struct crowd_report *report, const struct crowd_config *config,
                       const char *copies, FILE *out);
void crowd_report_json(const struct crowd_report *report, const struct crowd_config *config,
                       const char *copies, FILE *out);

#endif
