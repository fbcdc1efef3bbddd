/* Tiers' figures: what is made of the measurements of `stoa bench scale`. Pure. Thread: any.
 */
#ifndef STOA_BENCH_TIERS_FIGURES_H
#define STOA_BENCH_TIERS_FIGURES_H

#include <stdbool.h>
#include <stddef.h>

/* The mean of some runs, and half the width of its 95 % confidence interval: by Student's t
 * distribution (Student 1908), which fits few runs if what they vary by is about normal. What was
 * not measured (NAN) is left out. */
struct tiers_mean {
    unsigned count;
    double mean; /* NAN of none */
    double half; /* NAN of fewer than two: one run says nothing of how far others lie */
};
struct tiers_mean tiers_mean_of(const double *values, size_t count);

/* The same of what each run of A was above that run of B: what changes on the machine from one run
 * to the next falls on both, and drops out. */
struct tiers_mean tiers_mean_difference(const double *a, const double *b, size_t count);

/* Windows of time one after the other, each over a limit or not: from window FROM on, how many pass
 * until GOOD in a row are not over it, or all that are left. Those that are left when it never
 * comes so far; *BACK says whether it does. */
size_t tiers_settle(const bool *over, size_t count, size_t from, size_t good, bool *back);

/* The knee of a curve that rises: the point farthest below the line from its first to its last
 * point, both axes taken as 0 to 1 (Satopää, Albrecht, Irwin, Raghavan: Finding a "Kneedle" in a
 * Haystack, ICDCS workshops 2011). X grows. Returns COUNT where there is none: fewer than three
 * points, or none below the line. */
size_t tiers_knee(const double *x, const double *y, size_t count);

/* Where a curve that rises crosses LIMIT: X, laid straight between points, of the logarithm of Y.
 * The last X where it stays below; NAN where the first point is above. */
double tiers_crossing(const double *x, const double *y, size_t count, double limit);

#endif
