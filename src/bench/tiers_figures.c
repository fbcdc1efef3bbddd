#include "bench/tiers_figures.h"

#include "base/check.h"

#include <math.h>

/* ---- Confidence ---- */

/* The 97.5 % quantile of Student's t with so many degrees of freedom. */
static double student_t(unsigned freedom)
{
    static const double table[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
    return table[freedom <= COUNT_OF(table) ? freedom - 1 : COUNT_OF(table) - 1];
}

struct tiers_mean tiers_mean_of(const double *values, size_t count)
{
    struct tiers_mean result = {0, NAN, NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i])) {
            sum += values[i];
            result.count++;
        }
    if (result.count == 0)
        return result;
    result.mean = sum / result.count;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            squares += (values[i] - result.mean) * (values[i] - result.mean);
    if (result.count > 1)
        result.half =
            student_t(result.count - 1) * sqrt(squares / (result.count - 1) / result.count);
    return result;
}

enum { RUNS_MAX = 64 };

struct tiers_mean tiers_mean_difference(const double *a, const double *b, size_t count)
{
    double differences[RUNS_MAX];
    CHECK(count <= RUNS_MAX);
    for (size_t i = 0; i < count; i++)
        differences[i] = a[i] - b[i];
    return tiers_mean_of(differences, count);
}

/* ---- Windows ---- */

size_t tiers_settle(const bool *over, size_t count, size_t from, size_t good, bool *back)
{
    size_t in_a_row = 0;
    for (size_t i = from; i < count; i++) {
        in_a_row = over[i] ? 0 : in_a_row + 1;
        if (in_a_row == good || (in_a_row > 0 && i + 1 == count)) {
            *back = true;
            return i + 1 - in_a_row - from;
        }
    }
    *back = false;
    return count > from ? count - from : 0;
}

/* ---- Curves ---- */

size_t tiers_knee(const double *x, const double *y, size_t count)
{
    size_t knee = count;
    double farthest = 0;
    if (count < 3)
        return count;
    double width = x[count - 1] - x[0], height = y[count - 1] - y[0];
    if (width <= 0 || height <= 0)
        return count;
    for (size_t i = 1; i + 1 < count; i++) {
        double below = (x[i] - x[0]) / width - (y[i] - y[0]) / height;
        if (below > farthest) {
            farthest = below;
            knee = i;
        }
    }
    return knee;
}

double tiers_crossing(const double *x, const double *y, size_t count, double limit)
{
    if (count == 0 || !(y[0] <= limit))
        return NAN;
    for (size_t i = 1; i < count; i++) {
        if (y[i] <= limit)
            continue;
        double low = log(y[i - 1]), high = log(y[i]);
        return high > low ? x[i - 1] + (x[i] - x[i - 1]) * (log(limit) - low) / (high - low)
                          : x[i - 1];
    }
    return x[count - 1];
}
