/* Server: one simulated server: its directory on simulated disks, and its lives, one after the
 * other. A life opens the real shop and starts the real replica on it, as main/server.c does.
 *
 *   DOWN ──(server_start)──▶ STARTING ──(replica_start)──▶ UP
 *     ▲                          │                          │
 *     └──(server_crash, a write that fails, server_stop)────┘
 */
#ifndef STOA_SIM_SERVER_H
#define STOA_SIM_SERVER_H

#include "base/buf.h"
#include "machine.h"
#include "replica/replica.h"
#include "shop/read.h"
#include "world.h"

enum { SERVERS_MAX = 8 };

struct server {
    unsigned number; /* from 0; its id is one more */
    char dir[128], database[160], book[160], address[32];
    struct life *life; /* NULL: down */
    bool up;
    bool member; /* it is to run */
    bool joined; /* it has been up: it has its copy, and knows all others */
    bool witness;
    bool kept_down; /* by a drill: nobody starts it */
    bool avoided;   /* likewise: shoppers are sent elsewhere, as by a load manager */
    struct machine_guard machine;
    struct replica *replica;
    struct ordering *order;
    struct db *reader;        /* of this life, for the checks */
    struct reader *looks;     /* the same, for shoppers who look at their carts */
    struct request *requests; /* not answered */
    unsigned starts, crashes, copies;
    bool stopping;
};

struct cluster {
    struct server servers[SERVERS_MAX];
    unsigned count, founders;
    char root[64];
    enum broken_rule broken;
    unsigned snapshot_threshold;
    unsigned trailing; /* entries kept below a snapshot, at the most; 0: as the product does */
    bool with_witness; /* the first server that joins is one */
    uint64_t log_cut, log_max;        /* the witness's */
    struct readiness_table readiness; /* as every server's registry would have it from the begin */
};
extern struct cluster cluster;

/* FOUNDERS servers, all down, with what they have on real files below ROOT. */
void cluster_open(const char *root, unsigned founders, enum broken_rule broken);

void server_start(struct server *server);
/* Its process is gone, at whatever it was. POWER_CUT: so is what was not synced. */
void server_crash(struct server *server, bool power_cut);
/* As an operator stops it. */
void server_stop(struct server *server);

/* The last entry of the log that it knows to be committed; for a witness, which applies none. */
uint64_t server_committed(const struct server *server);

/* Notes how it is, for a message. */
void server_describe(const struct server *server);

/* ---- What a shopper sends ---- */

struct request {
    struct request *next; /* server's */
    struct server *server;
    struct life *life;
    struct submission submission;
    struct buf command, result;
    bool answered;
    int err; /* of the answer; ERR_CLOSED: the connection was reset */
    uint64_t index;
};

/* Sends COMMAND (copied) to SERVER and waits for the answer, TIMEOUT_MS at the most; on a
 * shopper's fiber. NULL: there was none in time. The answer stays. */
struct request *server_ask(struct server *server, struct str command, uint32_t timeout_ms);

/* On a shopper's fiber: LOOK(CONTEXT, a reader of SERVER's copy) is called once that copy has
 * INDEX. False: it had not in time, or SERVER died. */
bool server_look(struct server *server, uint64_t index, uint32_t timeout_ms,
                 void (*look)(void *context, const struct server *server, struct reader *reader),
                 void *context);

#endif
