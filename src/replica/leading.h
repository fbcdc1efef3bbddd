/* Leading: as which primary, in which term, this server may act on the world outside the cluster.
 * One fact, read by any thread: never its successor's term, and never the term of a leadership
 * that has not been looked at for long.
 *
 * A process that was stopped (SIGSTOP, a sleeping machine, a starved one) wakes up as what it was;
 * another may be primary by then. libraft finds out within an election timeout and a heartbeat.
 * Until then:
 *  - whoever asks when the Raft loop has not turned for longer than the gap hears 0;
 *  - a turn that comes so late publishes 0, until a majority of the voters has answered later than
 *    a heartbeat after it: what was waiting in the sockets has been read by then.
 * That narrows what a deposed primary may send to what it had begun; the receiver's fence
 * (fence.h) refuses the rest.
 *
 * Times are by clock_boot_ns. Thread: the Raft thread's, but for leading_term.
 */
#ifndef STOA_REPLICA_LEADING_H
#define STOA_REPLICA_LEADING_H

#include "replica/hello.h"

#include <raft.h>
#include <stdatomic.h>
#include <stdint.h>

struct leading {
    atomic_uint_fast64_t term;    /* 0: it does not lead, or that is not sure */
    atomic_uint_fast64_t turn_ns; /* when the term was looked at last; 0: never */
    uint64_t gap_ns;              /* 0: alone, there is nobody who could take over */
    uint64_t beat_ns;             /* of the heartbeat */

    uint64_t led;                        /* the term in which it leads, as of the last turn */
    uint64_t doubt_ns;                   /* the turn that came too late; 0: all is well */
    uint64_t heard[CLUSTER_SERVERS_MAX]; /* servers, since the doubt */
    unsigned heard_count;
};

/* Half an election timeout: so long nobody else is elected. */
uint64_t leading_gap_ns(uint32_t election_ms);
void leading_init(struct leading *leading, uint64_t gap_ns, uint64_t beat_ns);
/* Each turn of the loop: it leads in TERM (0: it does not) the servers of MEMBERS, OWN is one. */
void leading_turn(struct leading *leading, uint64_t now_ns, uint64_t term, uint64_t own,
                  const struct raft_configuration *members);
/* SERVER has answered as a follower of this term. */
void leading_heard(struct leading *leading, uint64_t server, uint64_t now_ns);

/* Any thread. */
uint64_t leading_term(struct leading *leading, uint64_t now_ns);

#endif
