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
#include "net/channel.h"
#include "replica/hello.h"
#include "replica/machine.h"
#include "replica/order.h"
#include "replica/readiness.h"

struct replica;
struct copy_tail;
struct copies;

/* With whom this server is one cluster. */
struct replica_cluster {
    struct id id;
    uint64_t generation;
    const char *listen;                        /* for the other servers: "HOST:PORT" */
    const char *address;                       /* how they reach it; NULL: listen */
    const char *url;                           /* for shoppers; see replica_announce */
    const char *certificate, *key, *authority; /* PEM files (net/tls.h) */
    const char *book; /* file where it keeps where the others were last (replica/book.h) */
    /* The servers at the cluster's begin, all voters, the same on each of them; for a server that
     * joins later: none. */
    const struct server_place *founders;
    unsigned founder_count;
    uint64_t preferred;  /* who shall be primary when it is healthy; 0: nobody */
    unsigned voters_max; /* 3 or 5; 0: 3 with up to four servers, else 5 */
    uint32_t replace_ms; /* a voter down for so long is replaced by a standby; 0: 60000 */
    uint32_t steady_ms;  /* up and caught up for so long is healthy (membership.h); 0: 5000 */
    uint64_t copy_rate;  /* bytes a second that a copy is sent with; 0: 64 MiB */
    /* A join (main/join.h); on a thread that may block. May be NULL. */
    void (*join)(void *context, struct channel *channel);
    void *join_context;
};

struct replica_config {
    const struct replica_cluster *cluster; /* copied; its strings are lent. NULL: alone */
    const char *dir;                       /* holds raft's segments and metadata; exists */
    uint64_t id;                           /* of this server, from 1 */
    uint32_t election_ms, heartbeat_ms;
    uint32_t batch_bytes_max;    /* 0: 256 KiB */
    uint32_t waiting_max;        /* commands not yet answered, at the most. 0: 65536 */
    uint64_t waiting_bytes_max;  /* 0: 64 MiB */
    uint32_t wait_ms;            /* how long a command may wait; see admission.h. 0: 1000 */
    uint32_t snapshot_threshold; /* entries between snapshots; 0: 65536 */
    const struct log *log;
    /* Called on replica's own threads when it cannot go on (failed write of log, term
     * or vote; the machine failed). Must end the process soon; nothing is answered any
     * more. */
    void (*fatal)(void *context, const char *reason);
    void *fatal_context;
    /* A copy of the database is needed (that is noted): the process shall begin anew, with
     * replica_fetch_first. Called on the Raft thread; does not return, or in vain. May be NULL. */
    void (*again)(void *fatal_context);
    /* It is a witness (replica/raft_witness.h): it has no machine. */
    bool witness;
    uint64_t log_max;       /* of a witness: bytes of log it keeps for a server; 0: 256 MiB */
    uint64_t log_cut;       /* bytes that nobody needs, above which it cuts; 0: 1 MiB */
    struct copy_tail *tail; /* from replica_fetch_first; the replica's from replica_start on */
};

/* Before the database is opened: fetches a copy of it from another server into FILE when one was
 * found to be needed, or when FILE is missing though this server has been running before or has
 * joined a cluster. Takes as long as it takes; may be cut off at any moment, and goes on then. Sets
 * config->tail. Nothing to do for a server that is alone. */
int replica_fetch_first(struct replica_config *config, const char *file, struct failure *failure);

/* Starts; returns when the copy has caught up with its own log and, with one server, it is
 * primary. MACHINE is copied; its context is lent until replica_stop returned. NULL: a witness's.
 */
int replica_start(const struct replica_config *config, const struct machine *machine,
                  struct replica **replica, struct failure *failure);
struct ordering *replica_order(struct replica *replica);
/* For backups. */
struct copies *replica_copies(struct replica *replica);
/* Takes nothing new, answers what is on its way (at most 5 s), stops the threads. */
void replica_stop(struct replica *replica);

/* Waits until there is a primary and this copy has caught up with it, at most TIMEOUT_MS:
 * 0, or ERR_TIMEOUT with what it waits for. */
int replica_wait_ready(struct replica *replica, unsigned timeout_ms, struct failure *failure);
/* What it would wait for now. Any thread; returns ERR_TIMEOUT. */
int replica_missing(struct replica *replica, struct failure *failure);
/* Where shoppers reach this server, once it is known. */
void replica_announce(struct replica *replica, const char *url);
/* Whether this server leaves the cluster on purpose, from before it asks to be removed until it
 * stops: the others are told, and that it is removed is then no failure. */
void replica_leaving(struct replica *replica, bool leaving);

/* ---- The cluster, as this server sees it. Any thread ---- */

enum server_role { SERVER_PRIMARY, SERVER_SECONDARY, SERVER_STANDBY, SERVER_WITNESS };
enum server_state { SERVER_UP, SERVER_DOWN, SERVER_JOINING, SERVER_COPYING, SERVER_LEAVING };
extern const char *const server_role_names[], *const server_state_names[];

struct server_status {
    struct server_place place;
    enum server_role role;
    enum server_state state;
    uint64_t term, index; /* the last entry that its copy has applied */
    uint64_t lag_entries, lag_ms;
    uint64_t copied_bytes, copy_bytes; /* when COPYING */
    bool preferred;
    bool vote;
    enum readiness ready;           /* as the operator wants it */
    uint32_t every_ms;              /* warm and cold: readiness.h */
    uint64_t last_index, last_term; /* of its log, as it was heard last */
    uint64_t gives_from;            /* a witness: its log goes on from that entry */
    bool overdue; /* this server is a witness, and keeps more than half of what it can for it */
};
struct cluster_status {
    struct id cluster;
    uint64_t own, primary; /* ids; primary 0: none */
    enum failback failback;
    unsigned count;
    struct server_status servers[CLUSTER_SERVERS_MAX]; /* by id */
};
void replica_status(struct replica *replica, struct cluster_status *status);
/* The one of STATUS that is primary; NULL: none. */
const struct server_status *cluster_primary(const struct cluster_status *status);

/* ---- Changes of the cluster: on the primary (ERR_STATE elsewhere); block, at most 10 s ---- */

/* Adds SERVER, without a vote at first; the rest goes by itself. */
int replica_add(struct replica *replica, const struct server_place *server,
                struct failure *failure);
/* The same for a witness. */
int replica_add_witness(struct replica *replica, const struct server_place *server,
                        struct failure *failure);
/* Not the primary itself (ERR_STATE): it hands over, and the next one removes it. */
int replica_remove(struct replica *replica, uint64_t id, struct failure *failure);
/* Makes TO (0: the best of the others) the primary. */
int replica_handover(struct replica *replica, uint64_t to, struct failure *failure);
/* Any server: what `preferred` is from now on, here. */
void replica_prefer(struct replica *replica, uint64_t id);

#endif
