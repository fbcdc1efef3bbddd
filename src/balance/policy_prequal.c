/* Prequal: probing to reduce queuing and latency (Wydrowski et al., NSDI 2024).
 *
 * A pool of what servers said of themselves lately: how many requests they have from all sides, and
 * how long such a one takes. The hot are passed over: those with more requests than the Q quantile
 * over the distinct servers in the pool (Q 0.6: at the paper's 0.84 it was seen to herd). Among the
 * cold the lowest latency wins; when there are none the fewest requests. The chosen one's count
 * goes up at once in all its entries. An entry is forgotten after 1 s, when 16 newer ones came, and
 * one with each request: the oldest and the worst in turn. With fewer than two entries: at random.
 *
 * The reports come with checks and answers (`probed`), not only when this policy asks. So a pool
 * that is used faster than it is filled keeps one entry for each usable server, up to half of its
 * places, rather than fall back to chance. */
#include "balance/policy_place.h"

#include <string.h>

enum { POOL = 16, KEPT_MAX = POOL / 2, HOT_PERCENT = 60 };

static const uint64_t AGE_NS = 1000000000;

struct entry {
    uint64_t server; /* id */
    uint64_t at_ns, latency_ns;
    uint32_t in_flight;
    uint32_t place; /* of the server in the view that was prepared */
};

/* Entries are in the order in which they came. */
struct memory {
    unsigned count;
    bool worst_next;
    struct entry entries[POOL];
};

static void forget(struct memory *memory, unsigned at)
{
    memory->count--;
    memmove(&memory->entries[at], &memory->entries[at + 1],
            (memory->count - at) * sizeof *memory->entries);
}

static void prepare(void *context, const struct policy_view *view, uint64_t now_ns)
{
    struct memory *memory = context;
    (void)now_ns;
    for (unsigned i = memory->count; i-- > 0;) {
        unsigned place = 0;
        while (place < view->count && view->servers[place].id != memory->entries[i].server)
            place++;
        if (place < view->count && view->servers[place].usable && view->servers[place].weight)
            memory->entries[i].place = place;
        else
            forget(memory, i);
    }
}

/* Requests in flight as a usual server would have them. */
static uint64_t burden(const struct policy_view *view, const struct entry *entry)
{
    return (uint64_t)entry->in_flight * POLICY_WEIGHT / view->servers[entry->place].weight;
}

/* What is more than this is hot: the quantile over the newest entry of each server. */
static uint64_t hot_above(const struct memory *memory, const struct policy_view *view,
                          uint64_t places)
{
    uint64_t sorted[POOL], seen = 0;
    unsigned count = 0;
    for (unsigned i = memory->count; i-- > 0;) {
        const struct entry *entry = &memory->entries[i];
        if (!(places >> entry->place & 1) || seen >> entry->place & 1)
            continue;
        seen |= 1ull << entry->place;
        uint64_t value = burden(view, entry);
        unsigned at = count++;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return count ? sorted[(count * HOT_PERCENT + 99) / 100 - 1] : 0;
}

/* Whether A is to be preferred. */
static bool is_better(const struct policy_view *view, const struct entry *a, const struct entry *b,
                      uint64_t hot)
{
    uint64_t mine = burden(view, a), its = burden(view, b);
    if ((mine > hot) != (its > hot))
        return mine <= hot;
    if (mine <= hot && a->latency_ns != b->latency_ns)
        return a->latency_ns < b->latency_ns;
    return mine < its;
}

static int best_entry(const struct memory *memory, const struct policy_view *view, uint64_t places)
{
    uint64_t hot = hot_above(memory, view, places);
    int best = -1;
    for (unsigned i = 0; i < memory->count; i++) {
        const struct entry *entry = &memory->entries[i];
        if (places >> entry->place & 1 &&
            (best < 0 || is_better(view, entry, &memory->entries[best], hot)))
            best = (int)i;
    }
    return best;
}

static void forget_worst(struct memory *memory, const struct policy_view *view)
{
    uint64_t hot = hot_above(memory, view, ~0ull);
    unsigned worst = 0;
    for (unsigned i = 1; i < memory->count; i++)
        if (is_better(view, &memory->entries[worst], &memory->entries[i], hot))
            worst = i;
    forget(memory, worst);
}

/* With each request, after the choice. */
static void forget_one(struct memory *memory, const struct policy_view *view)
{
    unsigned kept = (unsigned)__builtin_popcountll(places_candidates(view, 0));
    if (memory->count <= (kept < KEPT_MAX ? kept : KEPT_MAX))
        return;
    if (memory->worst_next)
        forget_worst(memory, view);
    else
        forget(memory, 0);
    memory->worst_next = !memory->worst_next;
}

static int pick(void *context, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    struct memory *memory = context;
    uint64_t places = places_candidates(view, tried);
    (void)key;
    while (memory->count && now_ns - memory->entries[0].at_ns > AGE_NS)
        forget(memory, 0);
    if (!places)
        return -1;
    int best = -1;
    if (memory->count >= 2)
        best = best_entry(memory, view, places_warm(view, places, random));
    if (best < 0)
        return (int)places_draw(view, places, random);
    unsigned place = memory->entries[best].place;
    for (unsigned i = 0; i < memory->count; i++)
        memory->entries[i].in_flight += memory->entries[i].place == place;
    forget_one(memory, view);
    return (int)place;
}

static void probed(void *context, const struct policy_view *view, unsigned at, uint32_t in_flight,
                   uint64_t latency_ns, uint64_t now_ns)
{
    struct memory *memory = context;
    if (at >= view->count || !view->servers[at].usable || !view->servers[at].weight)
        return;
    if (memory->count == POOL)
        forget(memory, 0);
    memory->entries[memory->count++] =
        (struct entry){view->servers[at].id, now_ns, latency_ns, in_flight, at};
}

const struct policy policy_prequal = {
    .name = "prequal",
    .about = "who says that it is fast and not too busy (Prequal)",
    .memory = sizeof(struct memory),
    .prepare = prepare,
    .pick = pick,
    .probed = probed,
    .probes_per_request = 3000,
};
