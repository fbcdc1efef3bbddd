/* Tiers' shapes: the loads that change, which `stoa bench scale` puts on the tiers. Rates are
 * multiples of what one worker can do. Pure: what is random in one is decided by a seed.
 *
 *   step      a tenth, then three times what one worker can do, then a tenth again
 *   ramp      the same, but it rises and falls evenly
 *   spike     a third, and for two seconds four times what one worker can do
 *   day       a day in a minute's fraction: a night, a morning's rise, a midday's and an evening's
 *             peak, with noise
 *   steady    one and a half, with noise: whether sizes stay
 *   bursts    two and a half for two seconds, a fifth for three, and again: what polls see
 *   trace     a recorded load (scale/load.h), its highest rate laid to three times
 */
#ifndef STOA_BENCH_TIERS_SHAPE_H
#define STOA_BENCH_TIERS_SHAPE_H

#include "scale/load.h"

#define TIERS_SHAPE_LIST(X) \
    X(STEP, "step")         \
    X(RAMP, "ramp")         \
    X(SPIKE, "spike")       \
    X(DAY, "day")           \
    X(STEADY, "steady")     \
    X(TRACE, "trace")       \
    X(BURSTS, "bursts")

enum tiers_shape {
#define X(name, word) TIERS_##name,
    TIERS_SHAPE_LIST(X)
#undef X
        TIERS_SHAPES
};
extern const char *const tiers_shape_names[TIERS_SHAPES];

struct tiers_load {
    struct scale_load load;
    double rise_s; /* when it rises at once; NAN: it does not */
};

/* TRACE: of TIERS_TRACE alone; it takes at most a third of a minute, or two seconds if QUICK, by
 * going faster. ERR_NOMEM. To be closed by scale_load_close. */
int tiers_shape_make(enum tiers_shape shape, bool quick, uint64_t seed,
                     const struct scale_load *trace, struct tiers_load *out,
                     struct failure *failure);

/* In place: FACTOR times the rate. */
void tiers_shape_multiply(struct scale_load *load, double factor);

#endif
