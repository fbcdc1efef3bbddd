/* Vote: our own durable record of (term, vote), beside libraft's.
 *
 * A server that votes twice in one term makes two leaders possible. libraft keeps
 * term and vote itself; this is a second lock on the same door: a small file, written
 * and fsynced before libraft's, with rules of its own: the term never goes back, and in
 * one term there is one vote. Two slots are written in turn, so that one always holds.
 *
 * Used by the Raft thread alone.
 */
#ifndef STOA_REPLICA_VOTE_H
#define STOA_REPLICA_VOTE_H

#include "base/err.h"

#include <stdint.h>

struct vote {
    int fd;
    uint64_t version;         /* of the newest slot */
    uint64_t term, candidate; /* 0: not voted in this term */
};

/* Opens or creates FILE. ERR_IO, ERR_DAMAGED. */
int vote_open(struct vote *vote, const char *file, struct failure *failure);
void vote_close(struct vote *vote);

/* A new term begins, without a vote. ERR_STATE when it would go back; ERR_IO. */
int vote_set_term(struct vote *vote, uint64_t term, struct failure *failure);
/* ERR_STATE when another candidate has this term's vote already; ERR_IO. */
int vote_set_candidate(struct vote *vote, uint64_t candidate, struct failure *failure);

#endif
