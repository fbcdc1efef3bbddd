#include "carriers.h"

#include "base/clock.h"
#include "history.h"
#include "replica/raft_copy.h"
#include "replica/raft_links.h"
#include "replica/raft_witness.h"
#include "replica/retain.h"
#include "server.h"

/* An election timeout is 300 ms: it tries for ten, and is a follower a few later. */
enum { CARRIES_MS = 5000 };

/* One per process, as the world. */
static struct {
    uint64_t since_ns[SERVERS_MAX]; /* when it began to lead; 0: it does not */
    unsigned count;
} seen;

static bool leads(const struct server *server)
{
    return server->up && raft_state((struct raft *)&server->replica->raft) == RAFT_LEADER;
}

static void look_at(const struct server *server)
{
    uint64_t *since = &seen.since_ns[server->number];
    if (!leads(server)) {
        *since = 0;
        return;
    }
    if (*since == 0) {
        seen.count++;
        world_note("server %u, a witness, leads", server->number + 1);
    }
    if (*since == 0 || server->life->still_until_ns > world.now_ns)
        *since = world.now_ns;
    if (world.now_ns - *since > CARRIES_MS * MS_NS)
        world_fail("server %u, a witness, has led for %d ms", server->number + 1, CARRIES_MS);
    if (order_leading_term(server->order) != 0 || order_is_primary(server->order, NULL))
        world_fail("server %u, a witness, takes itself for the primary", server->number + 1);
}

void carriers_look(void)
{
    for (unsigned i = 0; i < cluster.count; i++)
        if (cluster.servers[i].witness)
            look_at(&cluster.servers[i]);
}

unsigned carriers_count(void)
{
    return seen.count;
}

void carriers_check_entry(uint64_t index, uint64_t term, bool command)
{
    int leader = history_leader(term);
    if (command && leader >= 0 && cluster.servers[leader].witness)
        world_fail("entry %llu of term %llu is a command; server %d, which led, is a witness",
                   (unsigned long long)index, (unsigned long long)term, leader + 1);
}

/* ---- What is linked in the place of the product's own functions ---- */

bool __real_raft_copy_hold(struct replica *replica, uint64_t server, struct raft_message *message);
bool __wrap_raft_copy_hold(struct replica *replica, uint64_t server, struct raft_message *message);
bool __wrap_raft_copy_hold(struct replica *replica, uint64_t server, struct raft_message *message)
{
    if (cluster.servers[server - 1].witness)
        world_fail("server %llu, a witness, sends a snapshot", (unsigned long long)server);
    return __real_raft_copy_hold(replica, server, message);
}

void __real_witness_before_message(struct replica *replica, const struct raft_message *message);
void __wrap_witness_before_message(struct replica *replica, const struct raft_message *message);
void __wrap_witness_before_message(struct replica *replica, const struct raft_message *message)
{
    __real_witness_before_message(replica, message);
    if (cluster.broken != BROKEN_vote || !witness_here(replica) ||
        message->type != RAFT_REQUEST_VOTE)
        return;
    struct raft_request_vote *asked = (struct raft_request_vote *)&message->request_vote;
    asked->last_log_term = UINT64_MAX;
}

bool __real_witness_waits(void *replica);
bool __wrap_witness_waits(void *replica);
bool __wrap_witness_waits(void *replica)
{
    bool waits = __real_witness_waits(replica);
    return waits && cluster.broken != BROKEN_copy;
}

int __real_links_send(void *context, const struct raft_message *message);
int __wrap_links_send(void *context, const struct raft_message *message);
int __wrap_links_send(void *context, const struct raft_message *message)
{
    struct replica *replica = context;
    bool witness = replica->config.witness;
    if (cluster.broken == BROKEN_copy)
        replica->config.witness = false;
    int status = __real_links_send(context, message);
    replica->config.witness = witness;
    return status;
}

uint64_t __real_retain_cut(struct retain *retain, uint64_t first, uint64_t committed, uint64_t last,
                           uint64_t given_up[CLUSTER_SERVERS_MAX], unsigned *count);
uint64_t __wrap_retain_cut(struct retain *retain, uint64_t first, uint64_t committed, uint64_t last,
                           uint64_t given_up[CLUSTER_SERVERS_MAX], unsigned *count);
uint64_t __wrap_retain_cut(struct retain *retain, uint64_t first, uint64_t committed, uint64_t last,
                           uint64_t given_up[CLUSTER_SERVERS_MAX], unsigned *count)
{
    uint64_t after = __real_retain_cut(retain, first, committed, last, given_up, count);
    return cluster.broken == BROKEN_kept || cluster.broken == BROKEN_copy ? committed : after;
}
