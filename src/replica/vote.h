/* Vote: our own durable record of (term, vote), beside libraft's.
 *
 * A server that votes twice in one term makes two leaders possible. libraft keeps
 * term and vote itself; this is a second lock on the same door: a small file, written
 * and fsynced before libraft's, with rules of its own: the term never goes back, and in
 * one term there is one vote. Two slots are written in turn, so that one always holds.
 *
 * An election begins with a term and a vote for it on each side, and nobody can change anything
 * until they are on disk: the two go there in one write.
 *
 * Used by the Raft thread alone.
 */
#ifndef STOA_REPLICA_VOTE_H
#define STOA_REPLICA_VOTE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vote {
    int fd;
    uint64_t version;         /* of the newest slot */
    uint64_t term, candidate; /* 0: not voted in this term */
    bool unwritten;           /* vote_begin_term was, vote_keep or a vote not yet */
};

/* Opens or creates FILE. ERR_IO, ERR_DAMAGED. */
int vote_open(struct vote *vote, const char *file, struct failure *failure);
void vote_close(struct vote *vote);

/* A new term begins, without a vote. ERR_STATE when it would go back; ERR_IO. */
int vote_set_term(struct vote *vote, uint64_t term, struct failure *failure);
/* The same but for the disk: the vote in it follows, or vote_keep; before that nobody may hear of
 * the term. ERR_STATE. */
int vote_begin_term(struct vote *vote, uint64_t term, struct failure *failure);
/* What vote_begin_term left is on disk then. ERR_IO. */
int vote_keep(struct vote *vote, struct failure *failure);
/* ERR_STATE when another candidate has this term's vote already; ERR_IO. */
int vote_set_candidate(struct vote *vote, uint64_t candidate, struct failure *failure);

#endif
