/* Witness: a third voter for two servers. It stores the log as every voter does, and has no
 * database: no shop is in its process. What makes it different from them, on the Raft thread.
 *
 *   follower ──(silence for long, or asked by one that lacks entries)──▶ candidate ──▶ carrier
 *      ▲                                                                                  │
 *      └───────(a whole server has all: raft_transfer)────────────────────────────────────┘
 *
 * Entries that only it and a dead primary have must reach the server that is left, and only who
 * leads can send them: so it stands, when it has what that one lacks and can give it; as a carrier
 * it takes no command (proposer.held, leading_term 0, nobody is told of a primary), gives what is
 * lacked, and hands over. On an equal log it waits, for any whole server should be primary rather
 * than it. It never sends InstallSnapshot: that would name a database that nobody has. What it
 * keeps of the log is retain.h's. Braft's witness is its closest relative (github.com/baidu/braft).
 *
 * Who is one is part of the members that Raft agrees on: its address there is "w" and its id.
 */
#ifndef STOA_REPLICA_RAFT_WITNESS_H
#define STOA_REPLICA_RAFT_WITNESS_H

#include "replica/machine.h"
#include "replica/raft_thread.h"

/* Whether this server is one. */
bool witness_here(const struct replica *replica);
/* Whether a member is; ID: whether the member with that id is. */
bool witness_is(const struct raft_server *member);
bool witness_has_id(const struct raft_configuration *members, uint64_t id);
/* The address of the member ID in the configuration. */
void witness_label(uint64_t id, bool witness, char *out, size_t size);
/* Who sells as the primary, as far as libraft knows: 0 also while a witness carries. */
uint64_t witness_no_primary(const struct raft *raft);

/* It has no machine: this one does nothing. */
extern const struct machine witness_machine;

/* All that follows does nothing, or says no, on a whole server. */
int witness_new(struct replica *replica); /* 0 or ERR_NOMEM */
void witness_free(struct replica *replica);

/* Each turn: what it learns of the others, and what it does as a carrier. */
void witness_turn(struct replica *replica, uint64_t now_ns);
/* Each time an election timeout has passed in silence (ready_waits): it does not stand yet. */
bool witness_waits(struct replica *replica);
/* Before libraft gets MESSAGE, and after it had REQUEST. */
void witness_before_message(struct replica *replica, const struct raft_message *message);
void witness_after_request(struct replica *replica, uint64_t from,
                           const struct raft_request_vote *request);
/* It leads those whom it cannot give what they lack: it hears them no more, and so steps down. */
bool witness_is_tired(const struct replica *replica);

/* Whether there is somebody whom it can give what the log has; then it may stand. */
bool witness_may_stand(struct replica *replica);
/* From which entry on its log can go on, for news. */
uint64_t witness_gives_from(const struct replica *replica);

/* Whether it should cut its log off now, and how many entries it keeps below what is committed. */
bool witness_cut_due(struct replica *replica);
uint64_t witness_trailing(struct replica *replica);

/* Whether more than half of what it can keep is kept for SERVER. */
bool witness_keeps_much(const struct replica *replica, uint64_t server);

#endif
