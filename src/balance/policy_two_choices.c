/* Two choices: of two different servers drawn at random (by weight), the one with fewer requests in
 * flight by weight; among equals, for a home, where fewer shoppers live; then the first drawn. With
 * n requests on n servers the most that one has is about log log n instead of log n (Mitzenmacher,
 * 1996). It has no memory, and several load managers that each see only a part do not all run to
 * the same server. */
#include "balance/policy_place.h"

static int pick(void *memory, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    uint64_t places = places_candidates(view, tried);
    (void)memory;
    (void)key;
    (void)now_ns;
    if (!places)
        return -1;
    unsigned first = places_draw(view, places, random);
    places &= ~(1ull << first);
    if (!places)
        return (int)first;
    unsigned second = places_draw(view, places, random);
    return (int)(place_compare(view, second, first) < 0 ? second : first);
}

const struct policy policy_two_choices = {
    .name = "two-choices",
    .about = "of two at random the one with fewer requests in flight",
    .pick = pick,
};
