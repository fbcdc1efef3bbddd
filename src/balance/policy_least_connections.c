/* Least connections: the fewest requests in flight from here, divided by the weight. Among equals,
 * for a home, the fewest shoppers who live there, and then the one that got the fewest lately, by
 * weight: without load they are all equal, and the first would get everything. What other load
 * managers have in flight it does not see. */
#include "balance/policy_place.h"

#include <math.h>

static const double RECENT_NS = 10e9;

struct row {
    double picks; /* each worth 1 when it happened, decaying */
    uint64_t at_ns;
};

struct memory {
    struct place_ids ids;
    struct row rows[POLICY_SERVERS_MAX];
};

static void prepare(void *context, const struct policy_view *view, uint64_t now_ns)
{
    struct memory *memory = context;
    (void)now_ns;
    places_follow(&memory->ids, view, memory->rows, sizeof *memory->rows);
}

static double recent(const struct row *row, uint64_t now_ns)
{
    uint64_t passed = now_ns > row->at_ns ? now_ns - row->at_ns : 0;
    return row->picks * exp(-(double)passed / RECENT_NS);
}

static bool is_better(const struct memory *memory, const struct policy_view *view, unsigned a,
                      unsigned b, uint64_t now_ns)
{
    const struct policy_server *one = &view->servers[a], *other = &view->servers[b];
    int busy = place_compare(view, a, b);
    if (busy)
        return busy < 0;
    return recent(&memory->rows[a], now_ns) * (double)place_weight(other) <
           recent(&memory->rows[b], now_ns) * (double)place_weight(one);
}

static int pick(void *context, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    struct memory *memory = context;
    uint64_t places = places_warm(view, places_candidates(view, tried), random);
    int best = -1;
    (void)key;
    while (places) {
        unsigned at = places_next(&places);
        if (best < 0 || is_better(memory, view, at, (unsigned)best, now_ns))
            best = (int)at;
    }
    if (best >= 0 && tried == 0) {
        struct row *row = &memory->rows[best];
        row->picks = recent(row, now_ns) + 1;
        row->at_ns = now_ns;
    }
    return best;
}

const struct policy policy_least_connections = {
    .name = "least-connections",
    .about = "who has the fewest requests in flight, by weight",
    .memory = sizeof(struct memory),
    .prepare = prepare,
    .pick = pick,
};
