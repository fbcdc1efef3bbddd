/* Begun: a server of a cluster that has had a log and a record of votes does not begin again
 * without them. It might vote a second time in a term in which it has voted, and what it has
 * confirmed to have is gone: with its vote the others could elect one that lacks an acknowledged
 * change. That it has begun is noted beside the book, in a file of its own, for a disk that is
 * lost or a directory that is wiped by mistake takes log and votes together.
 *
 * Thread: any, before Raft's runs and on Raft's at the start; it waits for the disk.
 */
#ifndef STOA_REPLICA_BEGUN_H
#define STOA_REPLICA_BEGUN_H

#include "base/err.h"
#include "replica/replica.h"

/* Before the first start of CONFIG's server, when there is no record of votes: ERR_DAMAGED if it
 * is not the first. */
int begun_refuse(const struct replica_config *config, struct failure *failure);
/* The database is gone too, and the log ends at LAST_INDEX: the same if it is a founder's and
 * empty, for a founder's begins with who they are. */
int begun_refuse_empty(const struct replica_config *config, uint64_t last_index,
                       struct failure *failure);
/* Once log and record of votes are on disk; noted once. */
int begun_note(const struct replica_config *config, struct failure *failure);

#endif
