#include "replica/guard.h"

#include "base/err.h"

#include <string.h>

raft_term guard_term_of(const struct raft *raft, raft_index index)
{
    const struct raft_trail *trail = &raft->trail;
    raft_term term = index == trail->snapshot.index ? trail->snapshot.term : 0;
    raft_index before = trail->offset; /* each record reaches from the one before to its index */
    for (unsigned i = trail->front; i != trail->back; i = (i + 1) % trail->size) {
        if (index > before && index <= trail->records[i].index)
            return trail->records[i].term;
        before = trail->records[i].index;
    }
    return term;
}

/* What is committed must not be replaced. libraft ends with an error here, and frees the entries
 * twice on its way. */
static bool contradicts(const struct raft *raft, const struct raft_append_entries *append)
{
    raft_index index = append->prev_log_index;
    raft_term ours = index == 0 || index > raft->commit_index ? 0 : guard_term_of(raft, index);
    if (ours != 0 && ours != append->prev_log_term)
        return true;
    for (unsigned i = 0; i < append->n_entries && ++index <= raft->commit_index; i++) {
        ours = guard_term_of(raft, index);
        if (ours != 0 && ours != append->entries[i].term)
            return true;
    }
    return false;
}

static enum guard_verdict leaders(const struct raft *raft, raft_term term, const char **why)
{
    if (raft->state != RAFT_LEADER || term != raft->current_term)
        return GUARD_PASS;
    *why = "it takes itself for the primary of a term in which this server is";
    return GUARD_CUT;
}

static enum guard_verdict vote_result(const struct raft *raft,
                                      const struct raft_request_vote_result *result,
                                      const char **why)
{
    /* A late answer to a pre-vote bears the term that would have been; taken for a real one it
     * ends the term that is. libraft tells them apart by a field that only a candidate has. */
    if (raft->state != RAFT_CANDIDATE) {
        *why = "a vote that nobody waits for";
        return GUARD_DROP;
    }
    if (result->vote_granted && result->term > raft->current_term + 1) {
        *why = "a vote for a term that is not";
        return GUARD_CUT;
    }
    return GUARD_PASS;
}

enum guard_verdict guard_message(const struct raft *raft, raft_id from,
                                 const struct raft_message *message, const char **why)
{
    enum guard_verdict verdict;
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        verdict = leaders(raft, message->append_entries.term, why);
        if (verdict == GUARD_PASS && message->append_entries.term >= raft->current_term &&
            contradicts(raft, &message->append_entries)) {
            *why = "its log contradicts what is committed here";
            return GUARD_DAMAGED;
        }
        return verdict;
    case RAFT_INSTALL_SNAPSHOT:
        return leaders(raft, message->install_snapshot.term, why);
    case RAFT_REQUEST_VOTE:
        if (message->request_vote.candidate_id == from)
            return GUARD_PASS;
        *why = "it asks for votes for somebody else";
        return GUARD_CUT;
    case RAFT_REQUEST_VOTE_RESULT:
        return vote_result(raft, &message->request_vote_result, why);
    case RAFT_APPEND_ENTRIES_RESULT:
    case RAFT_TIMEOUT_NOW:
        break;
    }
    return GUARD_PASS;
}

void guard_begin_after_snapshot(const struct raft *raft, struct raft_append_entries *append)
{
    raft_index before = append->prev_log_index, snapshot = raft->trail.snapshot.index;
    if (append->term < raft->current_term || before >= snapshot ||
        (before > 0 && guard_term_of(raft, before) != 0))
        return;
    raft_index known = snapshot - before;
    append->prev_log_index = snapshot;
    append->prev_log_term = raft->trail.snapshot.term;
    if (append->n_entries == 0)
        return;
    if (known >= append->n_entries) {
        raft_free(append->entries[0].batch);
        raft_free(append->entries);
        append->entries = NULL;
        append->n_entries = 0;
        return;
    }
    append->n_entries -= (unsigned)known;
    memmove(append->entries, append->entries + known, append->n_entries * sizeof *append->entries);
}

static bool brings_change(const struct raft_append_entries *append)
{
    for (unsigned i = 0; i < append->n_entries; i++)
        if (append->entries[i].type == RAFT_CHANGE)
            return true;
    return false;
}

int guard_keep_members(struct raft *raft, const struct raft_append_entries *append)
{
    raft_index before = append->prev_log_index, pending = raft->configuration_uncommitted_index;
    if (append->term < raft->current_term || pending == 0 || pending > before ||
        guard_term_of(raft, before) != append->prev_log_term || !brings_change(append))
        return 0;
    struct raft_configuration members;
    raft_configuration_init(&members);
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        if (raft_configuration_add(&members, server->id, server->address, server->role) != 0) {
            raft_configuration_close(&members);
            return ERR_NOMEM;
        }
    }
    raft_configuration_close(&raft->configuration_committed);
    raft->configuration_committed = members;
    raft->configuration_committed_index = pending;
    raft->configuration_uncommitted_index = 0;
    return 0;
}

bool guard_may_send(const struct raft *raft, const struct raft_message *message)
{
    const struct raft_install_snapshot *install = &message->install_snapshot;
    if (message->type != RAFT_INSTALL_SNAPSHOT)
        return true;
    raft_term ours = guard_term_of(raft, install->last_index);
    return ours == 0 || ours == install->last_term; /* 0: the log begins after it by now */
}
