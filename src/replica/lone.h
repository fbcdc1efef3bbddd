/* Lone: the only voter takes a term of its own before it becomes primary.
 *
 * libraft 0.22.1 makes the only voter leader without an election, and so without a new term: after
 * a restart it is leader of the very term in which it was before, or in which another server was,
 * that has left since. What such a leader sent to others without a vote before it was on its own
 * disk, and lost, it would replace by another entry of the same index and term; nobody would
 * notice, and the copies would differ for ever. All on the Raft thread.
 */
#ifndef STOA_REPLICA_LONE_H
#define STOA_REPLICA_LONE_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>

bool lone_is(const struct raft_configuration *configuration, raft_id id);
/* The same of what was read from the disk at the start: of the last configuration in it. */
bool lone_was(const struct raft_snapshot *snapshot, const struct raft_entry *entries, size_t count,
              raft_id id);

/* Before libraft looks whether the primary is silent for too long. */
void lone_before_tick(struct raft *raft);
/* Before libraft gets MESSAGE: one that lets it become primary at once becomes one of the new
 * term. */
void lone_before_message(struct raft *raft, struct raft_message *message);

#endif
