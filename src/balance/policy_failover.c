/* Chained failover: the first in the operator's order gets everything; the next one only when it is
 * down or has refused (TRIED). While the first warms up after a pause it takes its share, and the
 * next one the rest. */
#include "balance/policy_place.h"

static int pick(void *memory, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    uint64_t places = places_candidates(view, tried);
    int first = -1;
    (void)memory;
    (void)key;
    (void)now_ns;
    while (places) {
        unsigned at = places_next(&places);
        uint32_t share = view->servers[at].share;
        if (share >= PLACE_SHARE_FULL || random_below(random, PLACE_SHARE_FULL) < share)
            return (int)at;
        first = first < 0 ? (int)at : first;
    }
    return first;
}

const struct policy policy_failover = {
    .name = "failover",
    .about = "the first in the list; the next one only when it cannot",
    .pick = pick,
};
