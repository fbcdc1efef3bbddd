/* Copies, as far as Raft has to do with them: a server sends them, or finds that it needs one.
 *
 * Raft's own InstallSnapshot carries a few bytes that name an entry (snapshot.h). Where the
 * database has that entry it goes to libraft, and the log goes on from there. Where it has not:
 *   while the tail of a copy comes, or the applier has not yet done what is committed, it waits
 *   else a copy is needed: that is noted on disk, and the process begins anew with fetching it
 */
#ifndef STOA_REPLICA_RAFT_COPY_H
#define STOA_REPLICA_RAFT_COPY_H

#include "replica/copy.h"
#include "replica/raft_thread.h"

struct raft_copying {      /* replica->copying */
    struct copies *copies; /* NULL: the machine has no copies */
    struct copy_sender *sender;
    struct copy_tail *tail; /* of the copy that we got; NULL: none */
    bool ahead;             /* the database may be, of its log: it is a copy */
    bool holding;           /* an InstallSnapshot that waits: */
    uint64_t from, index;   /* who sent it, and what the database must have */
    struct raft_message held;
};

/* main's thread: between the applier's start and Raft's. */
int raft_copy_begin(struct replica *replica, struct failure *failure);
/* The door's: replica_config's. */
void raft_copy_serve(void *replica, const struct server_place *other, struct channel *channel);

/* The Raft thread: an InstallSnapshot of SERVER's. True: it is taken, and will be passed later or
 * freed. */
bool raft_copy_hold(struct replica *replica, uint64_t server, struct raft_message *message);
/* Each turn. */
void raft_copy_watch(struct replica *replica);

/* Any thread: what is sent and received ends soon. Then, when the door is closed and the Raft
 * thread has ended, before the applier stops: the rest. */
void raft_copy_stop(struct replica *replica);
void raft_copy_free(struct replica *replica);

#endif
