/* IP hash: the key alone decides (maglev.h): the same shopper, cart or address comes to the same
 * server, through any load manager, for as long as it is usable. Blind to load. Whoever can choose
 * his key can choose his server: against that there is bounded-load. */
#include "balance/maglev.h"

static void prepare(void *memory, const struct policy_view *view, uint64_t now_ns)
{
    (void)now_ns;
    maglev_prepare(memory, view);
}

static int pick(void *memory, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    (void)now_ns;
    (void)random;
    return maglev_find(memory, view, key, places_candidates(view, tried));
}

const struct policy policy_ip_hash = {
    .name = "ip-hash",
    .about = "always the same one for the same shopper or address (Maglev)",
    .memory = sizeof(struct maglev),
    .prepare = prepare,
    .pick = pick,
};
