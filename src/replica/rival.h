/* Rival: two servers stand for primary at the same time, and neither can win.
 *
 * Whoever has the longer log refuses the other its vote; but if it asked first, when the other
 * still hoped for the old primary, it was refused too, and libraft 0.22.1 lets both wait for
 * another election timeout. The same when both have voted for themselves in one term. Whoever
 * ranks higher asks again soon instead: the other will not refuse it now. Only the time of an
 * election changes, never what wins it. All on the Raft thread.
 */
#ifndef STOA_REPLICA_RIVAL_H
#define STOA_REPLICA_RIVAL_H

#include <raft.h>

enum { RIVAL_MS = 50 }; /* in which an election that can be won is won */

/* Before libraft, in the state RAFT, whose log ends with an entry LAST_INDEX of LAST_TERM, gets
 * MESSAGE. */
void rival_before_message(struct raft *raft, raft_index last_index, raft_term last_term,
                          const struct raft_message *message);

#endif
