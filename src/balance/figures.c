#include "balance/figures.h"

#include <math.h>

unsigned latency_cell(uint64_t ns)
{
    if (ns < 1ull << LATENCY_FIRST_BIT)
        return 0;
    unsigned bit = 63 - (unsigned)__builtin_clzll(ns);
    unsigned doubling = bit - LATENCY_FIRST_BIT;
    if (doubling >= LATENCY_DOUBLINGS)
        return LATENCY_CELLS - 1;
    unsigned step = (unsigned)(ns >> (bit - 3)) & (LATENCY_STEPS - 1);
    return 1 + doubling * LATENCY_STEPS + step;
}

uint64_t latency_cell_end(unsigned cell)
{
    if (cell >= LATENCY_CELLS - 1)
        return UINT64_MAX;
    unsigned doubling = cell / LATENCY_STEPS, step = cell % LATENCY_STEPS;
    return (uint64_t)(LATENCY_STEPS + step) << (LATENCY_FIRST_BIT - 3 + doubling);
}

void latency_look(const struct latency_counts *counts, struct latency_look *look)
{
    for (unsigned i = 0; i < LATENCY_CELLS; i++)
        look->cells[i] += atomic_load_explicit(&counts->cells[i], memory_order_relaxed);
    look->sum_ns += atomic_load_explicit(&counts->sum_ns, memory_order_relaxed);
}

void latency_fade(struct latency_decay *decay, const struct latency_look *before,
                  const struct latency_look *now, uint64_t elapsed_ns)
{
    /* Half of the weight is gone after 3 s. */
    float keep = (float)exp2(-(double)elapsed_ns / 3e9);
    for (unsigned i = 0; i < LATENCY_CELLS; i++) {
        uint64_t came = now->cells[i] > before->cells[i] ? now->cells[i] - before->cells[i] : 0;
        float faded = decay->cells[i] * keep;
        decay->cells[i] = (float)came + (faded < 0.01f ? 0 : faded);
    }
}

uint64_t latency_quantile(const struct latency_decay *decay, double share)
{
    double total = 0, sum = 0;
    for (unsigned i = 0; i < LATENCY_CELLS; i++)
        total += (double)decay->cells[i];
    if (total <= 0)
        return 0;
    double wanted = total * share;
    unsigned last = 0;
    for (unsigned i = 0; i < LATENCY_CELLS; i++) {
        double here = (double)decay->cells[i];
        if (here <= 0)
            continue;
        last = i;
        if (sum + here < wanted) {
            sum += here;
            continue;
        }
        /* Within a cell they are taken to be spread evenly. */
        uint64_t from = i ? latency_cell_end(i - 1) : 0;
        uint64_t to = latency_cell_end(i);
        if (to == UINT64_MAX)
            return from;
        return from + (uint64_t)((double)(to - from) * (wanted - sum) / here);
    }
    return last ? latency_cell_end(last - 1) : 0;
}
