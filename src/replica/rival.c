#include "replica/rival.h"

/* Whether the log of whoever asks is shorter than ours (1), longer (-1) or the same (0): Raft
 * §5.4.1. */
static int shorter(const struct raft_request_vote *asked, raft_index last_index,
                   raft_term last_term)
{
    if (asked->last_log_term != last_term)
        return asked->last_log_term < last_term ? 1 : -1;
    if (asked->last_log_index != last_index)
        return asked->last_log_index < last_index ? 1 : -1;
    return 0;
}

void rival_before_message(struct raft *raft, raft_index last_index, raft_term last_term,
                          const struct raft_message *message)
{
    const struct raft_request_vote *asked = &message->request_vote;
    if (message->type != RAFT_REQUEST_VOTE || raft->state != RAFT_CANDIDATE)
        return;
    int rank = shorter(asked, last_index, last_term);
    /* With the same log it gets our vote, unless we have given it to ourselves. */
    bool torn = !asked->pre_vote && !raft->candidate_state.in_pre_vote &&
                asked->term == raft->current_term && raft->id < message->server_id;
    if (rank < 0 || (rank == 0 && !torn))
        return;
    raft_time now = raft->io->time(raft->io);
    raft_time timeout = raft->candidate_state.randomized_election_timeout;
    if (timeout > RIVAL_MS && raft->election_timer_start + timeout > now + RIVAL_MS)
        raft->election_timer_start = now + RIVAL_MS - timeout;
}
