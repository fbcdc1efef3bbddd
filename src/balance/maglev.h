/* Maglev: the consistent hash of Google's load balancer (Eisenbud et al., NSDI 2016).
 *
 * A table of a prime number of slots, far more than servers. Each server has its own order of all
 * the slots (from two hashes of its id); in turn each claims the next one in its order that is
 * still free, until all are taken. So each has as many as its weight is due, and at least one; and
 * when a server comes or goes few of the others' slots change hands.
 *
 * The table is made of ids and weights alone, whatever the order they are listed in, and the hashes
 * have the same key everywhere: all load managers place alike, without talking. Who is unusable
 * keeps its slots and is passed over: each of its keys goes on to other slots at a stride of its
 * own, so that they are spread evenly, and no other key moves at all. Pure.
 */
#ifndef STOA_BALANCE_MAGLEV_H
#define STOA_BALANCE_MAGLEV_H

#include "balance/policy_place.h"

enum { MAGLEV_SLOTS = 65537 };

struct maglev {
    unsigned count; /* of servers in it */
    uint64_t ids[POLICY_SERVERS_MAX];
    uint32_t weights[POLICY_SERVERS_MAX];
    uint8_t places[MAGLEV_SLOTS];
};

/* Made anew only when ids, places or weights are others than before. */
void maglev_prepare(struct maglev *maglev, const struct policy_view *view);

/* The first server from KEY's slot on, at KEY's own stride, that is one of PLACES (none: -1). One
 * that warms up takes only `share` of the keys that come to it. */
int maglev_find(const struct maglev *maglev, const struct policy_view *view, uint64_t key,
                uint64_t places);

#endif
