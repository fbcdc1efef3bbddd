/* Fence: what goes with every effect that leaves the cluster, so that a primary which was deposed
 * and does not know it yet can do no harm (the fencing token of Gray and Cheriton's leases, 1989;
 * Chubby's sequencer, Burrows 2006).
 *
 *   shop    random, given once when the shop was opened: whose effects these are
 *   epoch   counts the restores and recoveries of the shop, after which the log and its terms
 *           begin anew; in the registry as shop/epoch
 *   term    Raft's, of the primary that sends, read as one fact with being primary
 *           (order_leading_term): never of its successor
 *
 * The receiver keeps the highest (epoch, term) of each shop in the transaction of the effect, and
 * refuses what is lower. On HTTP it is the header
 *
 *   Stoa-Fence: <shop, 32 hex digits> <epoch>.<term>
 *
 * Pure; thread: any.
 */
#ifndef STOA_REPLICA_FENCE_H
#define STOA_REPLICA_FENCE_H

#include "base/buf.h"
#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fence {
    struct id shop;
    uint64_t epoch, term;
};

enum { FENCE_TEXT_SIZE = 80 };

/* Negative, 0, positive: A is older than, the same as, newer than B. The shops must be the same. */
int fence_compare(const struct fence *a, const struct fence *b);
void fence_write(const struct fence *fence, char text[static FENCE_TEXT_SIZE]);
/* ERR_INVALID for what is none. */
int fence_parse(struct str text, struct fence *fence);

#endif
