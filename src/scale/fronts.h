/* Fronts: how many of them go with so many workers. Pure.
 *
 * ideal = workers × ratio. F fronts stay while
 *
 *     F − 1 − band < ideal ≤ F + band
 *
 * and become ⌈ideal⌉ otherwise: without the band, F is exactly the ideal rounded up, and the band
 * widens that in both directions, so that one worker more or less does not start and end a front.
 * What they have to do themselves overrules the ratio: no fewer than keep them at most
 * `fronts-busy` busy, and at `fronts-connections` connections, on average; and none is ended unless
 * the rest are then at most at three quarters of both. Then minimum, maximum.
 */
#ifndef STOA_SCALE_FRONTS_H
#define STOA_SCALE_FRONTS_H

#include "scale/settings.h"

/* What all fronts together have. */
struct scale_fronts_load {
    double busy; /* fronts that are busy, on average */
    double connections;
};

unsigned scale_fronts(const struct scale_settings *settings, unsigned fronts, unsigned workers,
                      struct scale_fronts_load load);

#endif
