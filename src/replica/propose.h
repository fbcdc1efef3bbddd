/* Propose: the Raft thread's way from submissions to log entries.
 *
 * Adaptive batching: with nothing in flight, what has arrived becomes an entry at once;
 * while entries are in flight, what arrives gathers, and becomes one entry (up to
 * batch_bytes_max) when one of them is done. So a lone command does not wait, and under
 * load the entries grow until the disk keeps up.
 *
 *   submission   ready ──(propose_pump)──▶ in flight ──(propose_match)──▶ the applier
 *                  │                          └──(refused, or fate unknown)──▶ the applier
 *                  └──(propose_refuse)──▶ the applier, with an error
 *
 * All on the Raft thread.
 */
#ifndef STOA_REPLICA_PROPOSE_H
#define STOA_REPLICA_PROPOSE_H

#include "replica/applier.h"
#include "replica/ordering.h"

#include <raft.h>

/* Entries proposed and not yet committed. One is being written while the next is put
 * together; more would only make entries smaller, as libraft writes one after another. */
enum { PROPOSE_IN_FLIGHT = 2 };

struct proposal;

struct proposer {
    struct raft *raft;
    struct ordering *order;
    struct applier *applier;
    size_t batch_bytes_max;
    int64_t last_time_ms; /* of any entry, ours or not: stamps never go back */
    uint64_t origin;      /* of the next proposal */
    struct submission *ready, **ready_last;
    struct proposal *flying, **flying_last; /* in the order of their indexes */
    unsigned in_flight;
    uint64_t no_room_since_ns; /* the disk had no room for the log since; 0: it has */
    bool stopped;              /* propose nothing more */
    /* Does not return. */
    void (*fatal)(void *context, const char *reason);
    void *context;
};

/* RAFT is initialised; ORIGIN differs from that of every other start of any server. */
void propose_init(struct proposer *proposer, struct raft *raft, struct ordering *order,
                  struct applier *applier, uint64_t origin);

/* Takes what has arrived and proposes what may go. True: try again in a millisecond,
 * there is no room on the disk at the moment. */
bool propose_pump(struct proposer *proposer);

/* ENTRY of the log at INDEX is committed: gives the applier's entry of our own proposal,
 * or NULL when it is not ours. Keeps its time in mind in any case. */
struct applier_entry *propose_match(struct proposer *proposer, uint64_t index, struct str entry);

/* Gives all that has arrived and is not in flight back with ERR. */
void propose_refuse(struct proposer *proposer, int err);

#endif
