/* Change: one change of the cluster at a time, on the primary's Raft thread. For replica's API
 * (replica.h: replica_add and so on) and for the keeper, which keeps enough voters.
 */
#ifndef STOA_REPLICA_RAFT_CHANGE_H
#define STOA_REPLICA_RAFT_CHANGE_H

#include "replica/raft_thread.h"

enum change_kind { CHANGE_ADD, CHANGE_REMOVE, CHANGE_ROLE, CHANGE_HANDOVER };

struct change_wish {
    enum change_kind kind;
    uint64_t id;
    int role;     /* CHANGE_ROLE: RAFT_VOTER, RAFT_STANDBY, RAFT_SPARE */
    bool witness; /* CHANGE_ADD: it is one */
};

/* A member's address in a log that one server began alone; else it is its id in digits. */
#define MEMBER_ALONE "alone"
/* A witness's begins otherwise: raft_witness.h. */
/* Whether the log whose MEMBERS these are began with one server that was no cluster's. */
bool change_was_alone(const struct raft_configuration *members);

/* Begins it; how it ends is logged when it fails. False: another one is under way. Raft thread. */
bool change_begin(struct replica *replica, const struct change_wish *wish);

/* On who leads: the voter with a database that has most of the log, among those that are up; 0:
 * none. */
uint64_t change_successor(struct replica *replica);

/* This server stops and is primary: hands over to the best of the others, if that goes at once (all
 * of them may be stopping too). Any thread; blocks. */
void links_leave_primary(struct replica *replica);

#endif
