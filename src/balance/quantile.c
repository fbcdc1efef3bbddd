#include "balance/quantile.h"

void quantile_add(struct quantile *quantile, uint64_t ns)
{
    quantile->cells[latency_cell(ns)]++;
    if (++quantile->total < QUANTILE_MEMORY)
        return;
    quantile->total = 0;
    for (unsigned i = 0; i < LATENCY_CELLS; i++)
        quantile->total += quantile->cells[i] /= 2;
}

uint64_t quantile_at(const struct quantile *quantile, uint32_t share)
{
    uint64_t wanted = ((uint64_t)quantile->total * share + 999) / 1000, seen = 0;
    if (quantile->total < QUANTILE_LEAST)
        return 0;
    for (unsigned i = 0; i < LATENCY_CELLS; i++) {
        seen += quantile->cells[i];
        if (seen >= wanted)
            return latency_cell_end(i);
    }
    return UINT64_MAX;
}
