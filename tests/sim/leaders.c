#include "leaders.h"

#include "base/clock.h"
#include "replica/leading.h"
#include "server.h"

enum { TERMS_MAX = 4096, ELECTION_MS = 300 };

/* One per process, as the world. */
static struct {
    unsigned char owner[TERMS_MAX]; /* the server's id, by term */
    uint64_t highest;
    struct stillness {
        const struct life *life;
        uint64_t since_ns, until_ns, outdone; /* what it says after it is not below that */
    } still[SERVERS_MAX];
} seen;

static void look_at_stillness(struct stillness *still, const struct life *life)
{
    if (still->life != life)
        *still = (struct stillness){.life = life};
    bool is_still = life != NULL && life->still_until_ns > world.now_ns;
    if (is_still && still->until_ns == 0)
        still->since_ns = world.now_ns;
    if (is_still) {
        still->until_ns = life->still_until_ns;
    } else if (still->until_ns != 0) {
        if (still->until_ns - still->since_ns > leading_gap_ns(ELECTION_MS))
            still->outdone = seen.highest;
        still->until_ns = 0;
    }
}

static void look_at(const struct server *server)
{
    struct stillness *still = &seen.still[server->number];
    look_at_stillness(still, server->life);
    uint64_t term = server->up && server->order != NULL ? order_leading_term(server->order) : 0;
    if (term == 0 || term >= TERMS_MAX)
        return;
    unsigned char *owner = &seen.owner[term];
    if (*owner != 0 && *owner != server->number + 1)
        world_fail("servers %u and %u both lead in term %llu", *owner, server->number + 1,
                   (unsigned long long)term);
    if (term < still->outdone)
        world_fail("server %u stood still, and leads in term %llu though there is term %llu",
                   server->number + 1, (unsigned long long)term,
                   (unsigned long long)still->outdone);
    *owner = (unsigned char)(server->number + 1);
    if (term > seen.highest)
        seen.highest = term;
}

void leaders_look(void)
{
    for (unsigned i = 0; i < cluster.count; i++)
        look_at(&cluster.servers[i]);
}
