/* Balance report: every policy in every scenario of the simulator (balance_sim.h), as text, JSON, a
 * page of Markdown and a picture.
 *
 * The page has a part that is written by hand and kept: everything outside the two lines
 * BALANCE_REPORT_BEGIN and BALANCE_REPORT_END. Thread: any.
 */
#ifndef STOA_BENCH_BALANCE_REPORT_H
#define STOA_BENCH_BALANCE_REPORT_H

#include "bench/balance_sim.h"

#include <stdio.h>

enum { BALANCE_SCENARIOS_MAX = 24, BALANCE_ROWS_MAX = 12 };

#define BALANCE_REPORT_BEGIN "<!-- from here on written by: stoa bench balance -->"
#define BALANCE_REPORT_END   "<!-- until here -->"

struct balance_figures {
    double p50_ms, p99_ms, p999_ms;
    double load_spread, utilisation_spread; /* coefficients of variation */
    uint64_t requests, shed, retried, away;
};

struct balance_report {
    uint64_t seed;
    unsigned row_count, scenario_count;
    const struct policy *rows[BALANCE_ROWS_MAX]; /* yardsticks first, then the policies */
    struct balance_figures figures[BALANCE_SCENARIOS_MAX][BALANCE_ROWS_MAX];
};

/* Runs all; takes some 20 s of one core. What is done is printed to PROGRESS as it comes (NULL:
 * nothing). */
int balance_report_run(struct balance_report *report, uint64_t seed, FILE *progress,
                       struct failure *failure);

/* Whether ROW says something in SCENARIO: ideal homes do where there are homes. */
bool balance_report_has(const struct balance_report *report, unsigned scenario, unsigned row);

void balance_report_json(const struct balance_report *report, FILE *out);

/* FILE is made, or the part between the two lines is written anew. PICTURE: what it is called
 * there; NULL: none. */
int balance_report_page(const struct balance_report *report, const char *file, const char *picture,
                        struct failure *failure);

/* As SVG. */
int balance_report_picture(const struct balance_report *report, const char *file,
                           struct failure *failure);

#endif
