#include "scale/waits.h"

#include <math.h>

enum { STEP_BITS = 4 };

static unsigned cell_of(uint64_t ns)
{
    if (ns < WAITS_STEPS)
        return (unsigned)ns;
    unsigned top = 63 - (unsigned)__builtin_clzll(ns);
    unsigned step = (unsigned)(ns >> (top - STEP_BITS)) & (WAITS_STEPS - 1);
    unsigned cell = (top - STEP_BITS + 1) * WAITS_STEPS + step;
    return cell < WAITS_CELLS ? cell : WAITS_CELLS - 1;
}

/* The largest time that is counted in CELL. */
static uint64_t edge_of(unsigned cell)
{
    if (cell < WAITS_STEPS)
        return cell;
    unsigned top = cell / WAITS_STEPS + STEP_BITS - 1, step = cell % WAITS_STEPS;
    return ((uint64_t)(WAITS_STEPS + step + 1) << (top - STEP_BITS)) - 1;
}

void scale_waits_add(struct scale_waits *waits, uint64_t ns)
{
    waits->count++;
    waits->cells[cell_of(ns)]++;
}

uint64_t scale_waits_quantile(const struct scale_waits *waits, double share)
{
    double wanted = ceil(share * (double)waits->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < WAITS_CELLS; i++) {
        seen += waits->cells[i];
        if (seen > 0 && (double)seen >= wanted)
            return edge_of(i);
    }
    return 0;
}
