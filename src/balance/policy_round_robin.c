/* Round robin, weighted and smooth: each turn adds its weight to every server's credit, takes the
 * largest, and takes the sum of the weights from that one. Over as many turns as the weights sum
 * up to, each has had exactly its weight, spread as evenly as can be (nginx's rule). Blind to how
 * the servers do. Ties go to the first. A second choice is nobody's turn: it is made by chance, by
 * weight; as turns, a home and two away servers of three would give everybody the same home. */
#include "balance/policy_place.h"

struct memory {
    struct place_ids ids;
    int64_t credit[POLICY_SERVERS_MAX];
};

static void prepare(void *context, const struct policy_view *view, uint64_t now_ns)
{
    struct memory *memory = context;
    (void)now_ns;
    places_follow(&memory->ids, view, memory->credit, sizeof *memory->credit);
}

static int pick(void *context, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    struct memory *memory = context;
    uint64_t places = places_candidates(view, tried);
    int64_t sum = 0;
    int best = -1;
    (void)key;
    (void)now_ns;
    if (tried && places)
        return (int)places_draw(view, places, random);
    while (places) {
        unsigned at = places_next(&places);
        int64_t weight = (int64_t)place_weight(&view->servers[at]);
        memory->credit[at] += weight;
        sum += weight;
        if (best < 0 || memory->credit[at] > memory->credit[best])
            best = (int)at;
    }
    if (best >= 0)
        memory->credit[best] -= sum;
    return best;
}

const struct policy policy_round_robin = {
    .name = "round-robin",
    .about = "each in its turn, by weight",
    .memory = sizeof(struct memory),
    .prepare = prepare,
    .pick = pick,
};
