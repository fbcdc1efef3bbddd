/* Keeper: carries out on the primary what membership.h decides: once a second, one change at a
 * time. Thread: Raft's.
 *
 * Before the first change after an election an entry of this term is committed (a barrier), whoever
 * asks for the change: without it two primaries could each have a majority of configurations that
 * do not overlap (Ongaro, "bug in single-server membership changes", raft-dev, 2015).
 */
#ifndef STOA_REPLICA_KEEPER_H
#define STOA_REPLICA_KEEPER_H

#include "replica/raft_thread.h"

struct keeper;

/* 0 or ERR_NOMEM. Freed when the thread has ended. */
int keeper_new(struct keeper **keeper);
void keeper_free(struct keeper *keeper); /* NULL is fine */

/* Whether this server is primary and its configuration may be changed; if only the barrier is
 * missing, that is begun. */
bool keeper_settled(struct replica *replica);

/* Once a second. FREE: no change is under way, so that one may begin. */
void keeper_look(struct replica *replica, uint64_t now_ns, bool free);

#endif
