/* Bounded load: IP hash (maglev.h), but who already has its fair part of the requests in flight and
 * a quarter more is passed over (Mirrokni, Thorup and Zadimoghaddam, 2016: consistent hashing with
 * bounded loads). The bound is ⌈(1 + ε) × mean⌉ with the new request counted in, the mean being
 * by weight. Somebody is always below it. For a home the shoppers who live there are bounded in the
 * same way, among those with room: in a quiet moment nothing is in flight. */
#include "balance/maglev.h"

enum { MORE_PERCENT = 25 };

static void prepare(void *memory, const struct policy_view *view, uint64_t now_ns)
{
    (void)now_ns;
    maglev_prepare(memory, view);
}

static uint64_t count_of(const struct policy_server *server, bool homes)
{
    return homes ? server->homes : server->in_flight;
}

static uint64_t below_bound(const struct policy_view *view, uint64_t places, bool homes)
{
    uint64_t requests = 1, weights = 0, below = 0;
    for (uint64_t left = places; left;) {
        const struct policy_server *server = &view->servers[places_next(&left)];
        requests += count_of(server, homes);
        weights += place_weight(server);
    }
    for (uint64_t left = places; left;) {
        unsigned at = places_next(&left);
        const struct policy_server *server = &view->servers[at];
        /* in_flight < ⌈x⌉ is in_flight < x. */
        unsigned __int128 bound =
            (unsigned __int128)((100 + MORE_PERCENT) * requests) * place_weight(server);
        if ((unsigned __int128)count_of(server, homes) * 100 * weights < bound)
            below |= 1ull << at;
    }
    return below;
}

static int pick(void *memory, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    (void)now_ns;
    (void)random;
    uint64_t places = below_bound(view, places_candidates(view, tried), false);
    if (view->settling)
        places = below_bound(view, places, true);
    return maglev_find(memory, view, key, places);
}

const struct policy policy_bounded_load = {
    .name = "bounded-load",
    .about = "as ip-hash, but passes over who has a quarter more than the others",
    .memory = sizeof(struct maglev),
    .prepare = prepare,
    .pick = pick,
};
