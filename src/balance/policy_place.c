#include "balance/policy_place.h"

#include "base/check.h"

#include <string.h>

uint64_t places_candidates(const struct policy_view *view, uint64_t tried)
{
    uint64_t usable = 0;
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].usable && view->servers[i].weight)
            usable |= 1ull << i;
    return usable & ~tried ? usable & ~tried : usable;
}

uint64_t places_warm(const struct policy_view *view, uint64_t places, struct random *random)
{
    uint64_t weights = 0, warm = 0;
    uint32_t most = 1;
    for (uint64_t left = places; left;) {
        const struct policy_server *server = &view->servers[places_next(&left)];
        weights += server->weight;
        most = server->share > most ? server->share : most;
    }
    if (most > PLACE_SHARE_FULL)
        most = PLACE_SHARE_FULL;
    for (uint64_t left = places; left;) {
        unsigned at = places_next(&left);
        const struct policy_server *server = &view->servers[at];
        /* Among servers that are all fresh the warmest sets the measure. */
        if (server->share >= most ||
            random_below(random, weights * most) < (uint64_t)server->weight * server->share)
            warm |= 1ull << at;
    }
    return warm;
}

unsigned places_draw(const struct policy_view *view, uint64_t places, struct random *random)
{
    uint64_t sum = 0;
    CHECK(places);
    for (uint64_t left = places; left;)
        sum += place_weight(&view->servers[places_next(&left)]);
    uint64_t lot = random_below(random, sum);
    for (;;) {
        unsigned at = places_next(&places);
        uint64_t weight = place_weight(&view->servers[at]);
        if (lot < weight)
            return at;
        lot -= weight;
    }
}

static int compare(uint64_t a, const struct policy_server *one, uint64_t b,
                   const struct policy_server *other)
{
    uint64_t mine = a * other->weight, its = b * one->weight;
    return mine < its ? -1 : mine > its;
}

int place_compare(const struct policy_view *view, unsigned a, unsigned b)
{
    const struct policy_server *one = &view->servers[a], *other = &view->servers[b];
    int busy = compare(one->in_flight, one, other->in_flight, other);
    return busy || !view->settling ? busy : compare(one->homes, one, other->homes, other);
}

double place_home_load(const struct policy_server *server, double time_ns, uint32_t in_flight)
{
    double shoppers = (double)server->homes + in_flight + 1;
    return (time_ns + PLACE_CHANCE_NS) * shoppers * (in_flight + 1.0) / server->weight;
}

void places_follow(struct place_ids *ids, const struct policy_view *view, void *rows,
                   size_t row_size)
{
    unsigned char before[POLICY_SERVERS_MAX * PLACE_ROW_MAX], *now = rows;
    CHECK(view->count <= POLICY_SERVERS_MAX && row_size <= PLACE_ROW_MAX);
    memcpy(before, rows, ids->count * row_size);
    struct place_ids old = *ids;
    memset(rows, 0, POLICY_SERVERS_MAX * row_size);
    ids->count = view->count;
    for (unsigned i = 0; i < view->count; i++) {
        ids->ids[i] = view->servers[i].id;
        for (unsigned j = 0; j < old.count; j++)
            if (old.ids[j] == ids->ids[i])
                memcpy(now + i * row_size, before + j * row_size, row_size);
    }
}
