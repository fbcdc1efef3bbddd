/* What being hot, warm or cold (readiness.h) means for this server, on the Raft thread:
 *
 *   - one that is not hot and not primary applies late when it is warm (pace.h), and nobody is
 *     shown its copy (order_is_aside): at once again as soon as it is primary or stands for it;
 *   - it stands for primary later than a hot one that is there and has as much.
 */
#ifndef STOA_REPLICA_RAFT_READY_H
#define STOA_REPLICA_RAFT_READY_H

#include "replica/raft_thread.h"
#include "replica/readiness.h"

/* Each turn. */
void ready_turn(struct replica *replica);
/* As the operator wants the server ID. */
enum readiness ready_kind_of(const struct replica *replica, uint64_t id);
/* What the primary has told, or a newer registry. */
void ready_believe(struct replica *replica, const struct readiness_table *readiness);

/* Whether server A should be primary rather than B when both have the same log: hot before warm or
 * cold, and those before a witness; then by id. */
bool ready_is_earlier(const struct replica *replica, uint64_t a, uint64_t b);

/* io.c's, each time an election timeout has passed in silence: it does not stand yet. Of a witness
 * too (raft_witness.h). */
bool ready_waits(void *replica);

#endif
