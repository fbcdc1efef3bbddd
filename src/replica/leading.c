#include "replica/leading.h"

#include "base/clock.h"

enum { GAP_LEAST_MS = 60 }; /* the loop of an idle cluster turns each 25 ms */

uint64_t leading_gap_ns(uint32_t election_ms)
{
    uint32_t half = election_ms / 2;
    return (half > GAP_LEAST_MS ? half : GAP_LEAST_MS) * MS_NS;
}

void leading_init(struct leading *leading, uint64_t gap_ns, uint64_t beat_ns)
{
    *leading = (struct leading){.gap_ns = gap_ns, .beat_ns = beat_ns};
}

static bool was_heard(const struct leading *leading, uint64_t server)
{
    for (unsigned i = 0; i < leading->heard_count; i++)
        if (leading->heard[i] == server)
            return true;
    return false;
}

static bool is_followed(const struct leading *leading, uint64_t own,
                        const struct raft_configuration *members)
{
    unsigned voters = 0, heard = 0;
    for (unsigned i = 0; i < members->n; i++) {
        if (members->servers[i].role != RAFT_VOTER)
            continue;
        voters++;
        heard += members->servers[i].id == own || was_heard(leading, members->servers[i].id);
    }
    return heard > voters / 2;
}

void leading_turn(struct leading *leading, uint64_t now_ns, uint64_t term, uint64_t own,
                  const struct raft_configuration *members)
{
    uint64_t before = atomic_load(&leading->turn_ns);
    bool late = leading->gap_ns != 0 && before != 0 && now_ns - before > leading->gap_ns;
    if (late) {
        leading->doubt_ns = now_ns;
        leading->heard_count = 0;
    } else if (term != leading->led) {
        leading->doubt_ns = 0; /* a majority has just voted */
    } else if (leading->doubt_ns != 0 && is_followed(leading, own, members)) {
        leading->doubt_ns = 0;
    }
    leading->led = term;
    /* In this order: who finds the turn recent finds its term, or a later one. */
    atomic_store(&leading->term, leading->doubt_ns != 0 ? 0 : term);
    atomic_store(&leading->turn_ns, now_ns);
}

void leading_heard(struct leading *leading, uint64_t server, uint64_t now_ns)
{
    if (leading->doubt_ns == 0 || now_ns - leading->doubt_ns < leading->beat_ns ||
        was_heard(leading, server) || leading->heard_count == CLUSTER_SERVERS_MAX)
        return;
    leading->heard[leading->heard_count++] = server;
}

uint64_t leading_term(struct leading *leading, uint64_t now_ns)
{
    uint64_t turn = atomic_load(&leading->turn_ns);
    uint64_t term = atomic_load(&leading->term);
    bool recent = leading->gap_ns == 0 || now_ns < turn || now_ns - turn <= leading->gap_ns;
    return recent ? term : 0;
}
