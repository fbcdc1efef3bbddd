#include "replica/raft_ready.h"

#include "base/clock.h"
#include "replica/guard.h"
#include "replica/raft_links.h"
#include "replica/raft_witness.h"

enum {
    PATIENCE = 3,    /* election timeouts of silence, before one that is not hot stands */
    FRESH_MS = 1000, /* who was heard within that is alive */
};

/* ---- What is wanted ---- */

void ready_believe(struct replica *replica, const struct readiness_table *readiness)
{
    pthread_mutex_lock(&replica->links->mutex);
    replica->links->view.readiness = *readiness;
    pthread_mutex_unlock(&replica->links->mutex);
}

void replica_set_readiness(struct replica *replica, const struct readiness_table *table)
{
    if (replica->links != NULL)
        ready_believe(replica, table);
}

void replica_readiness(struct replica *replica, struct readiness_table *table)
{
    *table = (struct readiness_table){0};
    if (replica->links == NULL)
        return;
    pthread_mutex_lock(&replica->links->mutex);
    *table = replica->links->view.readiness;
    pthread_mutex_unlock(&replica->links->mutex);
}

static struct server_readiness readiness_here(const struct replica *replica, uint64_t id)
{
    struct links *links = replica->links;
    pthread_mutex_lock(&links->mutex);
    struct server_readiness readiness = readiness_of(&links->view.readiness, id);
    pthread_mutex_unlock(&links->mutex);
    return readiness;
}

enum readiness ready_kind_of(const struct replica *replica, uint64_t id)
{
    return replica->links == NULL ? READINESS_HOT : readiness_here(replica, id).kind;
}

/* ---- How it applies ---- */

static void set_aside(struct replica *replica, bool aside)
{
    if (aside != atomic_load(&replica->order.aside))
        atomic_store(&replica->order.aside, aside);
}

void ready_turn(struct replica *replica)
{
    struct links *links = replica->links;
    if (links == NULL || witness_here(replica))
        return;
    struct server_readiness own = readiness_here(replica, replica->config.id);
    bool stands = links->succession.gone != 0 && links->succession.stood;
    bool follows = raft_state(&replica->raft) == RAFT_FOLLOWER && !stands;
    bool late = own.kind == READINESS_WARM && follows && links->caught_up;
    uint32_t every_ms = late ? own.every_ms : 0;
    if (witness_no_primary(&replica->raft) != 0)
        links->silent_ns = 0;
    set_aside(replica, own.kind != READINESS_HOT &&
                           atomic_load(&replica->order.primary_id) != replica->config.id);
    if (every_ms == links->every_ms)
        return;
    links->every_ms = every_ms;
    applier_set_pace(replica->applier, every_ms);
}

/* ---- When it stands ---- */

/* 0: before all others. */
static unsigned rank_of(const struct replica *replica, uint64_t id)
{
    if (witness_has_id(&replica->raft.configuration, id))
        return 2;
    return ready_kind_of(replica, id) == READINESS_HOT ? 0 : 1;
}

bool ready_is_earlier(const struct replica *replica, uint64_t a, uint64_t b)
{
    unsigned rank_a = rank_of(replica, a), rank_b = rank_of(replica, b);
    return rank_a != rank_b ? rank_a < rank_b : a < b;
}

/* Whether its log reaches as far as ours (Raft §5.4.1). */
static bool has_as_much(const struct replica *replica, const struct news *news)
{
    uint64_t last = raft_last_index((struct raft *)&replica->raft);
    raft_term term = guard_term_of(&replica->raft, last);
    return news->last_term != term ? news->last_term > term : news->last_index >= last;
}

/* Whether a hot server is there that could be primary as well as this one. */
static bool hot_one_is_there(const struct replica *replica, uint64_t now_ns)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    for (unsigned i = 0; i < members->n; i++) {
        const struct raft_server *member = &members->servers[i];
        uint64_t heard_ns = 0;
        if (member->role != RAFT_VOTER || member->id == replica->config.id || witness_is(member) ||
            ready_kind_of(replica, member->id) != READINESS_HOT)
            continue;
        const struct news *news = links_news_of(replica, member->id, &heard_ns);
        if (news != NULL && !news->leaving && now_ns - heard_ns < FRESH_MS * MS_NS &&
            peers_link(replica->peers, member->id) != 0 &&
            peers_hears(replica->peers, member->id) && has_as_much(replica, news))
            return true;
    }
    return false;
}

bool ready_waits(void *context)
{
    struct replica *replica = context;
    struct links *links = replica->links;
    if (witness_here(replica))
        return witness_waits(replica);
    if (links == NULL || ready_kind_of(replica, replica->config.id) == READINESS_HOT)
        return false;
    uint64_t now = clock_mono_ns(), timeout = replica->config.election_ms * MS_NS;
    if (links->silent_ns == 0)
        links->silent_ns = now;
    return now - links->silent_ns < PATIENCE * timeout && hot_one_is_there(replica, now);
}
