/* Replica: this server's part in the cluster: Raft on a thread of its own, the applier
 * on another. main/ starts and stops it; faces see only replica/order.h.
 *
 * Raft (Ongaro and Ousterhout, USENIX ATC 2014) comes from libraft. Its loop never
 * waits: the database is written by the applier, and snapshots are taken there.
 */
#ifndef STOA_REPLICA_REPLICA_H
#define STOA_REPLICA_REPLICA_H

#include "base/err.h"
#include "base/log.h"
#include "replica/machine.h"
#include "replica/order.h"

struct replica;

struct replica_config {
    const char *dir; /* holds raft's segments and metadata; exists */
    uint64_t id;     /* of this server, from 1 */
    uint32_t election_ms, heartbeat_ms;
    uint32_t batch_bytes_max;    /* 0: 256 KiB */
    uint32_t waiting_max;        /* commands not yet answered, at the most. 0: 65536 */
    uint64_t waiting_bytes_max;  /* 0: 64 MiB */
    uint32_t wait_ms;            /* how long a command may wait; see admission.h. 0: 1000 */
    uint32_t snapshot_threshold; /* entries between snapshots; 0: 8192 */
    const struct log *log;
    /* Called on replica's own threads when it cannot go on (failed write of log, term
     * or vote; the machine failed). Must end the process soon; nothing is answered any
     * more. */
    void (*fatal)(void *context, const char *reason);
    void *fatal_context;
};

/* Starts; returns when the copy has caught up with the log and, with one server, it is
 * primary. MACHINE is copied; its context is lent until replica_stop returned. */
int replica_start(const struct replica_config *config, const struct machine *machine,
                  struct replica **replica, struct failure *failure);
struct ordering *replica_order(struct replica *replica);
/* Takes nothing new, answers what is on its way (at most 5 s), stops the threads. */
void replica_stop(struct replica *replica);

#endif
