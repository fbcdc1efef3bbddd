/* Quantile: the time that most requests of a kind do not exceed, of those lately seen. Pure.
 *
 * A log-linear histogram (the cells of figures.h) in which all counts are halved when they come to
 * QUANTILE_MEMORY: so it follows a server that becomes faster or slower within some thousand
 * requests, and costs one addition for each.
 *
 * Thread: one for each.
 */
#ifndef STOA_BALANCE_QUANTILE_H
#define STOA_BALANCE_QUANTILE_H

#include "balance/figures.h"

#include <stdint.h>

enum { QUANTILE_MEMORY = 4096, QUANTILE_LEAST = 64 };

/* Begun zeroed. */
struct quantile {
    uint32_t cells[LATENCY_CELLS];
    uint32_t total;
};

void quantile_add(struct quantile *quantile, uint64_t ns);
/* What SHARE thousandths of them do not exceed (off by at most 1/8); 0: fewer than
 * QUANTILE_LEAST are known. */
uint64_t quantile_at(const struct quantile *quantile, uint32_t share);

#endif
