/* Engines' figures: what is made of measurements, and how the next one is chosen. Pure.
 */
#ifndef STOA_BENCH_ENGINES_FIGURES_H
#define STOA_BENCH_ENGINES_FIGURES_H

#include "bench/histogram.h"

#include <stdbool.h>
#include <stddef.h>

/* Jain's index of fairness (Jain, Chiu, Hawe 1984): 1 when all have the same, 1/COUNT when one has
 * all. 1 where there is nothing to share. */
double engines_jain(const double *shares, size_t count);

/* Sorts VALUES; the mean of the middle two of an even number. 0 of none. */
double engines_median(double *values, size_t count);

/* How many of the values do not exceed NS, to the histogram's 0.8 %. */
uint64_t engines_within(const struct histogram *histogram, uint64_t ns);

/* A CDF's points, by nines up to p99.99; those that so few values cannot say anything about are
 * left out. */
enum { ENGINES_CDF_MAX = 32 };
struct engines_cdf_point {
    double share, ms;
};
unsigned engines_cdf(const struct histogram *histogram,
                     struct engines_cdf_point points[static ENGINES_CDF_MAX]);

/* The search for a server's capacity in a closed loop: twice as many connections each time, from 1
 * to MOST, until two steps in succession have brought less than a twentieth more than the best.
 *
 *   struct engines_search search = {.most = 64};
 *   while (engines_search_next(&search))
 *       engines_search_found(&search, measure(search.connections));
 *   // search.best and search.best_connections
 */
struct engines_search {
    unsigned most, connections, best_connections, flat;
    double best;
};
bool engines_search_next(struct engines_search *search);
void engines_search_found(struct engines_search *search, double per_s);

#endif
