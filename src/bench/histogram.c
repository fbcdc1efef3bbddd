#include "bench/histogram.h"

#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->min = UINT64_MAX;
}

/* Values below 256 have a cell each; above, the 7 bits after the leading one choose. */
static unsigned cell_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned doublings = 56u - (unsigned)__builtin_clzll(value);
    uint64_t cell = doublings * HISTOGRAM_STEPS + (value >> doublings);
    return cell < HISTOGRAM_CELLS ? (unsigned)cell : HISTOGRAM_CELLS - 1;
}

/* The largest value that falls into CELL. */
static uint64_t value_of(unsigned cell)
{
    if (cell < 2 * HISTOGRAM_STEPS)
        return cell;
    unsigned doublings = cell / HISTOGRAM_STEPS - 1;
    uint64_t step = cell - doublings * HISTOGRAM_STEPS;
    return ((step + 1) << doublings) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->cells[cell_of(ns)]++;
    histogram->count++;
    histogram->sum += (double)ns;
    if (ns > histogram->max)
        histogram->max = ns;
    if (ns < histogram->min)
        histogram->min = ns;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++)
        into->cells[i] += from->cells[i];
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
    if (from->min < into->min)
        into->min = from->min;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count + 0.5), seen = 0;
    if (histogram->count == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cells[i];
        if (seen >= wanted) {
            uint64_t value = value_of(i);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? histogram->sum / (double)histogram->count : 0;
}

int histogram_walk(const struct histogram *histogram, unsigned *cell, uint64_t *value,
                   uint64_t *at_most)
{
    for (; *cell < HISTOGRAM_CELLS; (*cell)++) {
        if (!histogram->cells[*cell])
            continue;
        *at_most += histogram->cells[*cell];
        uint64_t upper = value_of(*cell);
        *value = upper < histogram->max ? upper : histogram->max;
        (*cell)++;
        return 1;
    }
    return 0;
}
