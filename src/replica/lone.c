#include "replica/lone.h"

bool lone_is(const struct raft_configuration *configuration, raft_id id)
{
    bool own = false;
    unsigned voters = 0;
    for (unsigned i = 0; i < configuration->n; i++) {
        voters += configuration->servers[i].role == RAFT_VOTER;
        own = own ||
              (configuration->servers[i].role == RAFT_VOTER && configuration->servers[i].id == id);
    }
    return own && voters == 1;
}

bool lone_was(const struct raft_snapshot *snapshot, const struct raft_entry *entries, size_t count,
              raft_id id)
{
    struct raft_configuration configuration;
    for (size_t i = count; i > 0; i--) {
        if (entries[i - 1].type != RAFT_CHANGE)
            continue;
        raft_configuration_init(&configuration);
        if (raft_configuration_decode(&entries[i - 1].buf, &configuration) != 0)
            return false; /* libraft says what is wrong */
        bool lone = lone_is(&configuration, id);
        raft_configuration_close(&configuration);
        return lone;
    }
    return snapshot != NULL && lone_is(&snapshot->configuration, id);
}

/* Does what an election begins with. */
static bool take_term(struct raft *raft)
{
    raft_term term = raft->current_term + 1;
    if (raft->io->set_term(raft->io, term) != 0 || raft->io->set_vote(raft->io, raft->id) != 0)
        return false;
    raft->current_term = term;
    raft->voted_for = raft->id;
    return true;
}

void lone_before_tick(struct raft *raft)
{
    raft_time now = raft->io->time(raft->io);
    if (raft->state == RAFT_FOLLOWER && lone_is(&raft->configuration, raft->id) &&
        now - raft->election_timer_start >= raft->follower_state.randomized_election_timeout)
        take_term(raft);
}

void lone_before_message(struct raft *raft, struct raft_message *message)
{
    if (message->type == RAFT_TIMEOUT_NOW && raft->state == RAFT_FOLLOWER &&
        message->timeout_now.term == raft->current_term &&
        lone_is(&raft->configuration, raft->id) && take_term(raft))
        message->timeout_now.term = raft->current_term;
}
