/* Waits: how long requests waited, as a histogram of constant size. Pure.
 *
 * Sixteen steps for each doubling: a quantile is at most 1/16 too large, never too small; what is
 * longer than 39 hours counts as that. Memory: the caller's, begun zeroed; it may be thrown away
 * and begun anew for each interval. Thread: one for each.
 */
#ifndef STOA_SCALE_WAITS_H
#define STOA_SCALE_WAITS_H

#include <stdint.h>

enum { WAITS_STEPS = 16, WAITS_DOUBLINGS = 44, WAITS_CELLS = WAITS_STEPS * WAITS_DOUBLINGS };

struct scale_waits {
    uint64_t count;
    uint32_t cells[WAITS_CELLS];
};

void scale_waits_add(struct scale_waits *waits, uint64_t ns);
/* What a SHARE (0 to 1) of them do not exceed; 0 when there are none. */
uint64_t scale_waits_quantile(const struct scale_waits *waits, double share);

#endif
