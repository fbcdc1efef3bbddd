/* Figures: latencies counted while requests run, and what is made of the counters each second.
 *
 * A latency_counts is written by loops (relaxed, no lock) and read by any thread at any time. It is
 * log-linear: eight steps for each doubling, from 16 us to 137 s, so that a quantile read from it
 * is off by at most 1/16. The rest is pure: latency_decay is the memory of one who looks each
 * second, in which what is older weighs less and less (half after 3 s, a tenth after 10 s).
 */
#ifndef STOA_BALANCE_FIGURES_H
#define STOA_BALANCE_FIGURES_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    LATENCY_FIRST_BIT = 14, /* the first step ends at 2^14 ns */
    LATENCY_DOUBLINGS = 23,
    LATENCY_STEPS = 8,
    LATENCY_CELLS = LATENCY_DOUBLINGS * LATENCY_STEPS + 2 /* below, and above all */
};

struct latency_counts {
    _Atomic uint64_t cells[LATENCY_CELLS];
    _Atomic uint64_t sum_ns;
};

/* A copy of one, taken at some moment. */
struct latency_look {
    uint64_t cells[LATENCY_CELLS];
    uint64_t sum_ns;
};

struct latency_decay {
    float cells[LATENCY_CELLS];
};

/* The cell of NS, and the least time that is above all of a cell (UINT64_MAX for the last). */
unsigned latency_cell(uint64_t ns);
uint64_t latency_cell_end(unsigned cell);

/* Any thread. */
static inline void latency_count(struct latency_counts *counts, uint64_t ns)
{
    atomic_fetch_add_explicit(&counts->cells[latency_cell(ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->sum_ns, ns, memory_order_relaxed);
}
/* Adds what COUNTS has to LOOK: several counters give one look. */
void latency_look(const struct latency_counts *counts, struct latency_look *look);

/* What came between BEFORE and NOW goes in; what was there fades by ELAPSED_NS. */
void latency_fade(struct latency_decay *decay, const struct latency_look *before,
                  const struct latency_look *now, uint64_t elapsed_ns);
/* The time that a SHARE (0 to 1) of them do not exceed; 0 when there are none. */
uint64_t latency_quantile(const struct latency_decay *decay, double share);

#endif
