#include "bench/engines_figures.h"

#include <math.h>
#include <stdlib.h>

double engines_jain(const double *shares, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += shares[i];
        squares += shares[i] * shares[i];
    }
    return squares > 0 ? sum * sum / ((double)count * squares) : 1;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double engines_median(double *values, size_t count)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

uint64_t engines_within(const struct histogram *histogram, uint64_t ns)
{
    unsigned cell = 0;
    uint64_t value, at_most = 0, within = 0;
    while (histogram_walk(histogram, &cell, &value, &at_most) && value <= ns)
        within = at_most;
    return within;
}

unsigned engines_cdf(const struct histogram *histogram,
                     struct engines_cdf_point points[static ENGINES_CDF_MAX])
{
    static const double tenths[] = {0, 0.2, 0.35, 0.5, 0.65, 0.8};
    unsigned count = 0;
    double part = 1; /* of the values, that are beyond the last full nine */
    for (unsigned nine = 0; nine <= 4; nine++, part /= 10)
        for (unsigned i = 0; i < sizeof tenths / sizeof tenths[0]; i++) {
            double beyond = part * (1 - tenths[i]);
            if (nine == 4 && i > 0) /* p99.99 is the last */
                break;
            if (nine > 0 && beyond * (double)histogram->count < 1)
                break;
            points[count].share = 1 - beyond;
            points[count++].ms = (double)histogram_quantile(histogram, 1 - beyond) / 1e6;
        }
    return histogram->count ? count : 0;
}

bool engines_search_next(struct engines_search *search)
{
    unsigned next = search->connections ? 2 * search->connections : 1;
    if (search->flat >= 2 || next > search->most)
        return false;
    search->connections = next;
    return true;
}

void engines_search_found(struct engines_search *search, double per_s)
{
    search->flat = per_s < 1.05 * search->best ? search->flat + 1 : 0;
    if (per_s > search->best) {
        search->best = per_s;
        search->best_connections = search->connections;
    }
}
