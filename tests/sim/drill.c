/* See carriers.h. */
#include "base/clock.h"
#include "carriers.h"
#include "network.h"
#include "replica/raft_thread.h"
#include "replica/raft_witness.h"
#include "server.h"

enum {
    CALM_MS = 6000,  /* for the cluster to be well again before it */
    AWAY_MS = 4000,  /* one of two is cut off, at the most */
    TAKES_MS = 4000, /* for it to be primary */
    LOOK_MS = 5,
};

static struct {
    struct life life;
    bool wanted, done;
    unsigned count;
} drill = {.life = {.server = SERVERS_MAX}};

uint64_t drill_ns(void)
{
    /* With a small bound of its log the witness may well have nothing to give. */
    drill.wanted = cluster.with_witness && cluster.founders == 2 && cluster.log_max == 0;
    drill.done = !drill.wanted;
    return drill.wanted ? (CALM_MS + AWAY_MS + TAKES_MS) * MS_NS : 0;
}

bool drill_done(void)
{
    return drill.done;
}

unsigned drill_count(void)
{
    return drill.count;
}

static void rest(uint64_t least_ms, uint64_t most_ms)
{
    uint64_t until = world.now_ns + world_between(least_ms * 1000, most_ms * 1000) * 1000;
    fiber_wait(&until, until);
}

struct roles {
    struct server *primary, *other, *witness;
};

static bool votes(const struct server *primary, const struct server *server)
{
    const struct raft_configuration *members = &primary->replica->raft.configuration_committed;
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == server->number + 1)
            return members->servers[i].role == RAFT_VOTER;
    return false;
}

static bool has_all(const struct server *primary, const struct server *server)
{
    raft_index match = 0;
    return server == primary ||
           (raft_match_index(&primary->replica->raft, server->number + 1, &match) == 0 &&
            match >= raft_commit_index(&primary->replica->raft));
}

/* Whether there are two servers and a witness, all well. */
static bool find_roles(struct roles *roles)
{
    *roles = (struct roles){0};
    for (unsigned i = 0; i < cluster.count; i++) {
        struct server *server = &cluster.servers[i];
        if (!server->member)
            continue;
        if (!server->up)
            return false;
        struct server **place = server->witness                          ? &roles->witness
                                : order_leading_term(server->order) != 0 ? &roles->primary
                                                                         : &roles->other;
        if (*place != NULL)
            return false;
        *place = server;
    }
    if (roles->primary == NULL || roles->other == NULL || roles->witness == NULL)
        return false;
    for (unsigned i = 0; i < cluster.count; i++) {
        const struct server *server = &cluster.servers[i];
        if (server->member && (!votes(roles->primary, server) || !has_all(roles->primary, server)))
            return false;
    }
    return true;
}

static void cut_off(const struct server *server, bool cut)
{
    for (unsigned i = 0; i < SERVERS_MAX; i++)
        if (i != server->number) {
            network_cut(server->number, i, cut);
            network_cut(i, server->number, cut);
        }
}

static void expect_primary(const struct server *server, const struct server *witness)
{
    uint64_t until = world.now_ns + TAKES_MS * MS_NS;
    uint64_t begun = world.now_ns;
    while (!server->up || order_leading_term(server->order) == 0) {
        if (world.now_ns > until)
            world_fail("server %u is not primary after %d ms, though server %u, the witness, is "
                       "there",
                       server->number + 1, TAKES_MS, witness->number + 1);
        rest(LOOK_MS, LOOK_MS);
    }
    world_note("drill: server %u is primary after %llu ms", server->number + 1,
               (unsigned long long)((world.now_ns - begun) / MS_NS));
    drill.count++;
}

static void run_with(const struct roles *roles)
{
    struct server *dies = roles->primary;
    world_note("drill: server %u is cut off, server %u is primary, server %u the witness",
               roles->other->number + 1, dies->number + 1, roles->witness->number + 1);
    roles->other->avoided = true;
    uint64_t until = world.now_ns + world_between(500, AWAY_MS) * MS_NS;
    while (world.now_ns < until) {
        cut_off(roles->other, true); /* the end of a storm may have mended it */
        rest(LOOK_MS, LOOK_MS);
    }
    dies->kept_down = true;
    server_crash(dies, world_one_in(2));
    rest(0, 300);
    cut_off(roles->other, false);
    roles->other->avoided = false;
    expect_primary(roles->other, roles->witness);
    rest(100, 1000);
    dies->kept_down = false;
    if (dies->life == NULL)
        server_start(dies);
}

static void *run(void *argument)
{
    uint64_t until = world.now_ns + CALM_MS * MS_NS;
    struct roles roles;
    (void)argument;
    while (!find_roles(&roles) && world.now_ns < until)
        rest(LOOK_MS, LOOK_MS);
    if (find_roles(&roles))
        run_with(&roles);
    else
        world_note("drill: there are not two servers and a witness");
    drill.done = true;
    return NULL;
}

void drill_start(void)
{
    if (drill.wanted)
        fiber_start(&drill.life, run, NULL);
}
