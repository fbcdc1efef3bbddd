/* Prequal: probing to reduce queuing and latency (Wydrowski et al., NSDI 2024).
 *
 * A pool of what servers said of themselves lately: how many requests they have from all sides, and
 * how long such a one takes. The hot are passed over: those with more requests than the Q quantile
 * over the servers in the pool (Q 0.6: at the paper's 0.84 it was seen to herd). Among the cold the
 * lowest latency wins (for a home: the lowest place_home_load); when there are none the fewest
 * requests. The chosen one's count goes up at once. An entry is forgotten after 1 s, when 16 newer
 * ones came, and one with each request: the oldest and the worst in turn. With fewer than two
 * entries: at random.
 *
 * The paper has hundreds of servers and asks a few of them before each request. Here they are few,
 * and the reports that come are those of the checks, some a second. Four rules are ours for that;
 * without each of them the simulator showed herding that lasts:
 *   - A server's report takes the place of its last one: an old report of a busy server looks cold.
 *   - As a request that is sent there counts at once, so does an answer: between two reports the
 *     count is what the server said and what has come and gone from here since.
 *   - A pool that is used faster than it is filled keeps one entry for each usable server, up to
 *     half of its places, rather than fall back to chance.
 *   - A latency that stays exactly the same is of requests that are long over: nobody has been
 *     served there since. It counts half as much after each 200 ms. Else who was slow once gets no
 *     request that could show that he no longer is. */
#include "balance/policy_place.h"

#include <string.h>

enum { POOL = 16, KEPT_MAX = POOL / 2, HOT_PERCENT = 60 };

static const uint64_t AGE_NS = 1000000000, STALE_NS = 200000000;

struct entry {
    uint64_t server; /* id */
    uint64_t at_ns, latency_ns;
    uint32_t in_flight;
    uint32_t place; /* of the server in the view that was prepared */
};

/* What a server said last. */
struct row {
    uint64_t latency_ns, since_ns;
};

/* Entries are in the order in which they came. */
struct memory {
    struct place_ids ids;
    struct row rows[POLICY_SERVERS_MAX];
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
    places_follow(&memory->ids, view, memory->rows, sizeof *memory->rows);
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

/* What is more than this is hot: the quantile, rounded down. Rounded up, two of four servers could
 * both be cold while they drive each other up. */
static uint64_t hot_above(const struct memory *memory, const struct policy_view *view)
{
    uint64_t sorted[POOL];
    for (unsigned i = 0; i < memory->count; i++) {
        uint64_t value = burden(view, &memory->entries[i]);
        unsigned at = i;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return memory->count ? sorted[(memory->count - 1) * HOT_PERCENT / 100] : 0;
}

static double home_load(const struct policy_view *view, const struct entry *entry)
{
    return place_home_load(&view->servers[entry->place], (double)entry->latency_ns,
                           entry->in_flight);
}

/* Whether A is to be preferred. */
static bool is_better(const struct policy_view *view, const struct entry *a, const struct entry *b,
                      uint64_t hot)
{
    uint64_t mine = burden(view, a), its = burden(view, b);
    if ((mine > hot) != (its > hot))
        return mine <= hot;
    if (mine > hot || (!view->settling && a->latency_ns == b->latency_ns))
        return mine < its;
    if (!view->settling)
        return a->latency_ns < b->latency_ns;
    return home_load(view, a) < home_load(view, b);
}

static int best_entry(const struct memory *memory, const struct policy_view *view, uint64_t places)
{
    uint64_t hot = hot_above(memory, view);
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
    uint64_t hot = hot_above(memory, view);
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
    if (tried == 0) {
        memory->entries[best].in_flight++;
        forget_one(memory, view);
    }
    return (int)place;
}

static void done(void *context, unsigned at, uint64_t took_ns, bool failed, uint64_t now_ns)
{
    struct memory *memory = context;
    (void)took_ns;
    (void)failed;
    (void)now_ns;
    for (unsigned i = 0; i < memory->count; i++)
        if (memory->entries[i].place == at && memory->entries[i].in_flight)
            memory->entries[i].in_flight--;
}

/* For another report of the server at AT: in place of its last one, or of the oldest. */
static void make_room(struct memory *memory, unsigned at)
{
    for (unsigned i = 0; i < memory->count; i++) {
        if (memory->entries[i].place == at) {
            forget(memory, i);
            return;
        }
    }
    if (memory->count == POOL)
        forget(memory, 0);
}

/* What LATENCY_NS counts for. */
static uint64_t fresh_latency(struct row *row, uint64_t latency_ns, uint64_t now_ns)
{
    if (row->latency_ns != latency_ns)
        *row = (struct row){latency_ns, now_ns};
    uint64_t halves = now_ns > row->since_ns ? (now_ns - row->since_ns) / STALE_NS : 0;
    return halves < 64 ? latency_ns >> halves : 0;
}

static void probed(void *context, const struct policy_view *view, unsigned at, uint32_t in_flight,
                   uint64_t latency_ns, uint64_t now_ns)
{
    struct memory *memory = context;
    if (at >= view->count || !view->servers[at].usable || !view->servers[at].weight)
        return;
    make_room(memory, at);
    memory->entries[memory->count++] =
        (struct entry){view->servers[at].id, now_ns,
                       fresh_latency(&memory->rows[at], latency_ns, now_ns), in_flight, at};
}

const struct policy policy_prequal = {
    .name = "prequal",
    .about = "who says that it is fast and not too busy (Prequal)",
    .memory = sizeof(struct memory),
    .prepare = prepare,
    .pick = pick,
    .done = done,
    .probed = probed,
};
