/* Histogram of durations, log-linear: 128 steps for each doubling, so that any value
 * from 1 ns to 18 minutes is kept within 0.8 %, in constant memory, without sampling.
 * (The idea of Gil Tene's HdrHistogram.) Pure; one thread each, merged afterwards.
 */
#ifndef STOA_BENCH_HISTOGRAM_H
#define STOA_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 128,
    HISTOGRAM_DOUBLINGS = 34,
    HISTOGRAM_CELLS = HISTOGRAM_STEPS * (HISTOGRAM_DOUBLINGS + 1)
};

struct histogram {
    uint64_t count, max, min;
    double sum;
    uint64_t cells[HISTOGRAM_CELLS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that a SHARE (0 to 1) of all values do not exceed; 0 when it is empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);
double histogram_mean(const struct histogram *histogram);

/* For a CDF: walks the cells that are not empty. *CELL is 0 at first; each call gives a
 * value and how many values do not exceed it. 0 when there are no more. */
int histogram_walk(const struct histogram *histogram, unsigned *cell, uint64_t *value,
                   uint64_t *at_most);

#endif
