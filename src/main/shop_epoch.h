/* Shop epoch: counts the times that a shop's log was begun anew (outside/identity.h). Written into
 * the file itself: when it is, there is no cluster and no log to say it to.
 */
#ifndef STOA_MAIN_SHOP_EPOCH_H
#define STOA_MAIN_SHOP_EPOCH_H

#include "base/err.h"

#include <stdint.h>

/* Raises it in the database FILE, which nobody else has open: by one at least, and to the seconds
 * since 1970, so that of two restores of one backup the later outranks the earlier. *EPOCH (may be
 * NULL) is the new one. */
int shop_epoch_raise(const char *file, int64_t wall_ms, uint64_t *epoch, struct failure *failure);

#endif
