/* Propose: the Raft thread's way from submissions to log entries.
 *
 * Adaptive batching: with nothing in flight, what has arrived becomes an entry at once;
 * while entries are in flight, what arrives gathers, and becomes one entry (up to
 * batch_bytes_max) when one of them is done. So a lone command does not wait, and under
 * load the entries grow until the disk keeps up.
 *
 *   submission   ready ──(propose_pump)──▶ in flight ──(propose_match)──▶ the applier
 *                │ ▲                        │  │
 *                │ └──(no room)─────────────┘  ├──(leadership lost)──▶ propose_lost
 *                ├──(propose_lost)             └──(propose_expire)──▶ done; the entry goes on alone
 *                └──(propose_refuse, propose_expire)──▶ done, with an error
 *
 * Submissions are our own shoppers' (replica/forward.h) and other servers' (replica/guest.h).
 *
 * All on the Raft thread.
 */
#ifndef STOA_REPLICA_PROPOSE_H
#define STOA_REPLICA_PROPOSE_H

#include "replica/applier.h"
#include "replica/log_clock.h"
#include "replica/ordering.h"

#include <raft.h>

/* Entries proposed and not yet committed. libraft writes one after another to the disk, for which
 * two are enough: one is written while the next is put together. The others cover the round trip
 * to the secondaries. With three servers on one machine of two cores 2, 4 and 8 did not differ in
 * throughput (the databases are the limit); more only makes entries smaller. */
enum { PROPOSE_IN_FLIGHT = 4 };

struct proposal;

struct proposer {
    struct raft *raft;
    struct ordering *order;
    struct applier *applier;
    size_t batch_bytes_max;
    struct log_clock clock;    /* our stamps */
    uint64_t history_index;    /* entries up to here were in the log when this server started */
    int64_t committed_time_ms; /* the latest stamp up to the last committed entry: a former
                                * primary's clock may have been ahead of ours */
    uint64_t origin;           /* of the next proposal */
    struct submission *ready, **ready_last;
    struct submission *lost, **lost_last;   /* were in flight when leadership was lost */
    struct proposal *flying, **flying_last; /* in the order of their indexes */
    unsigned in_flight;
    uint64_t no_room_since_ns; /* the disk had no room for the log since; 0: it has */
    bool stopped;              /* propose nothing more */
    bool held;                 /* for now: a handover begins */
    /* Does not return. */
    void (*fatal)(void *context, const char *reason);
    void *context;
};

/* RAFT is initialised; ORIGIN differs from that of every other start of any server. */
void propose_init(struct proposer *proposer, struct raft *raft, struct ordering *order,
                  struct applier *applier, uint64_t origin);

/* A chain, oldest first, is to be proposed. */
void propose_add(struct proposer *proposer, struct submission *first);

/* Proposes what may go, while we are the primary and no handover is under way. True: try again in
 * a millisecond, there is no room on the disk at the moment. */
bool propose_pump(struct proposer *proposer);

/* ENTRY of the log at INDEX is committed: gives the applier's entry of our own proposal,
 * or NULL when it is not ours (any more). Keeps its time in mind in any case:
 * committed_time_ms is what it is applied with. */
struct applier_entry *propose_match(struct proposer *proposer, uint64_t index, struct str entry);

/* What is committed up to here has stamps up to TIME_MS: by an entry, or by a snapshot that stands
 * in the place of entries. */
void propose_note_time(struct proposer *proposer, int64_t time_ms);

/* We are not the primary any more: all that was in flight (its fate unknown, `sent`), and all that
 * was ready, oldest first. */
struct submission *propose_lost(struct proposer *proposer);

/* Ends what was submitted before BEGUN_NS and is still here. What is in libraft's hands cannot be
 * taken back: if it is committed one day, it is applied like another server's. */
void propose_expire(struct proposer *proposer, uint64_t begun_ns);

/* Ends all that is not in flight with ERR. */
void propose_refuse(struct proposer *proposer, int err);

#endif
