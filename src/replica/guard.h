/* Guard: which messages libraft may be given in its present state. Pure, but for the
 * memory of what is left out and for the members that guard_keep_members keeps.
 *
 * Debian's build of libraft has no assertions: what they would have caught goes on as memory that
 * is read as something else. A message that is well-formed (message.h) may still be one of those.
 */
#ifndef STOA_REPLICA_GUARD_H
#define STOA_REPLICA_GUARD_H

#include <raft.h>
#include <stdbool.h>

enum guard_verdict {
    GUARD_PASS,
    GUARD_DROP,    /* of no use any more, and harmful */
    GUARD_CUT,     /* nobody who keeps to Raft sends this */
    GUARD_DAMAGED, /* the sender's log contradicts what is committed here */
};

/* FROM has sent MESSAGE; *WHY is a sentence when it does not pass. */
enum guard_verdict guard_message(const struct raft *raft, raft_id from,
                                 const struct raft_message *message, const char **why);

/* Leaves out of APPEND, which passed, what our snapshot has: all that is committed. libraft refuses
 * what follows an entry that is only in its snapshot any more, so that a leader who does not know
 * how far we are (our answers were lost) would ask for ever; and what begins with the very first
 * entry, it would take for new. */
void guard_begin_after_snapshot(const struct raft *raft, struct raft_append_entries *append);

/* Takes the change of members that is pending here for committed, if APPEND, which passed, brings
 * the next one behind it: no primary begins a change before the last one is committed (Ongaro's
 * thesis, 4.1). libraft 0.22.1 forgets it. When the next one's entry is replaced later, because its
 * primary died, it would go back to the members from before both, and count the votes of servers
 * that are no voters any more. ERR_NOMEM: nothing was changed, and APPEND must not go on. */
int guard_keep_members(struct raft *raft, const struct raft_append_entries *append);

/* Whether MESSAGE of libraft's may go out. It reads the snapshot that it sends from the disk, later
 * than it decided to; when there is a newer one by then, it sends that one's index with the term of
 * the older one. Whoever gets that has a log that contradicts all others, for good. */
bool guard_may_send(const struct raft *raft, const struct raft_message *message);

/* The term of the entry at INDEX, as libraft remembers it; 0: it is not in the log. */
raft_term guard_term_of(const struct raft *raft, raft_index index);

#endif
