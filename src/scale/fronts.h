/* Fronts: how many of them go with so many workers. Pure.
 *
 * ideal = workers × ratio. F fronts stay while
 *
 *     F − 1 − band < ideal ≤ F + band
 *
 * and become ⌈ideal⌉ otherwise: without the band, F is exactly the ideal rounded up, and the band
 * widens that in both directions, so that one worker more or less does not start and end a front.
 * Their own work overrules the ratio: no fewer than keep them at most `fronts-busy` busy on
 * average, and none is ended unless the rest are then at most three quarters of that. Then minimum,
 * maximum.
 */
#ifndef STOA_SCALE_FRONTS_H
#define STOA_SCALE_FRONTS_H

#include "scale/settings.h"

/* BUSY: fronts that are busy, on average. */
unsigned scale_fronts(const struct scale_settings *settings, unsigned fronts, unsigned workers,
                      double busy);

#endif
