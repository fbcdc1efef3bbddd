/* Demo plan: which servers and load managers a demo has, which bank and warehouse beside them,
 * where each keeps its data and where each of them listens.
 *
 *     DIR/server-1, DIR/server-2, …   a server's data each (main/datadir.h), by id
 *     DIR/bank, DIR/warehouse          a `stoa bank`'s and a `stoa warehouse`'s (demo_services.h)
 *     DIR/demo.json                   the demo's process, and everybody's address, which they get
 *                                     again the next time if it is free
 *     DIR/operator.token              of all servers (a link to one that is there)
 *     DIR/lock                        held by the demo that runs
 *
 * The address that the user gave is the first load manager's, and the servers have the ports after
 * it (8080: 8081, 8082, …) if those are free, else any. Without load managers it is the first
 * server's. The bank has the port 1200 above it, the warehouse 1220, for this machine alone.
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_DEMO_PLAN_H
#define STOA_MAIN_DEMO_PLAN_H

#include "main/cluster.h"
#include "main/settings.h"
#include "net/tls.h"

enum { DEMO_SERVERS_MAX = 9, DEMO_SERVERS = 3, DEMO_MANAGERS_MAX = 4 };

struct demo_server {
    uint64_t id;
    char dir[DATADIR_PATH];
    char listen[OPTION_TEXT_SIZE];      /* HTTP */
    char peer_listen[OPTION_TEXT_SIZE]; /* for the other servers */
    bool given;                         /* `listen` is what the user asked for */
    unsigned process; /* of several over this directory: which, from 1; 0: it is the only one */
};

struct demo_manager {
    char listen[OPTION_TEXT_SIZE]; /* HTTP, for shoppers */
    char status[OPTION_TEXT_SIZE]; /* HTTP, for operators: its status door */
    bool given;                    /* `listen` is what the user asked for */
    uint64_t pid;                  /* of the process that takes requests; 0: none does now */
    char url[OPTION_TEXT_SIZE];    /* where shoppers reach it, as it says; empty: not known */
};

enum demo_service_kind { DEMO_BANK, DEMO_WAREHOUSE, DEMO_SERVICES };
struct demo_service {
    bool wanted;                   /* it is to run; what follows but `listen` is set only then */
    char listen[OPTION_TEXT_SIZE]; /* HTTPS */
    char dir[OPTION_TEXT_SIZE];
    char url[OPTION_TEXT_SIZE + 16], pin[TLS_PIN];
    uint64_t pid; /* of the process that takes requests; 0: none does now */
};

struct demo_plan {
    char dir[DATADIR_PATH];
    int lock;
    unsigned count, wanted; /* wanted: what count is to become, by joining or removing */
    struct demo_server servers[CLUSTER_SERVERS_MAX];
    unsigned manager_count;
    struct demo_manager managers[DEMO_MANAGERS_MAX];
    struct demo_service services[DEMO_SERVICES];
    bool shared; /* the servers are processes over one directory: demo_plan_share */
    bool fresh;  /* a new shop, whose settings are not made yet */
};

/* Locks DIR (made if need be), moves what a server of its own left there to server 1, and founds
 * the cluster if there is none yet. WANTED 0: as many as there are, in a new one DEMO_SERVERS.
 * MANAGERS: how many load managers. LISTEN: the address that the user gave. */
int demo_plan_open(const char *dir, unsigned wanted, unsigned managers, const char *listen,
                   struct demo_plan *plan, struct failure *failure);
void demo_plan_close(struct demo_plan *plan);

/* In place of its one server there are COUNT processes over that one's directory (main/shared.h).
 * ERR_STATE: it has several servers. */
int demo_plan_share(struct demo_plan *plan, unsigned count, struct failure *failure);

/* Plans for the server ID, whose data are in DIR/server-ID now. */
int demo_plan_add(struct demo_plan *plan, uint64_t id, struct failure *failure);
/* Server AT does not run and is not of the cluster any more: forgets it and removes its data. An
 * error says what of it could not be done; it is forgotten in any case. */
int demo_plan_drop(struct demo_plan *plan, unsigned at, struct failure *failure);
/* The same of one that left by itself, for good. Its data stay, as DIR/removed-ID. */
int demo_plan_retire(struct demo_plan *plan, unsigned at, struct failure *failure);

/* Chooses server AT's addresses anew, but for what the user gave: they are taken. */
int demo_plan_move(struct demo_plan *plan, unsigned at, struct failure *failure);

/* The same for load manager AT. */
int demo_plan_move_manager(struct demo_plan *plan, unsigned at, struct failure *failure);

/* Which services there are to be, and where they listen: where they did before, if that is free.
 * They stay there while the demo runs, because the servers are told. */
int demo_plan_services(struct demo_plan *plan, const bool wanted[static DEMO_SERVICES],
                       struct failure *failure);

/* The first load manager's status door is to be at STATUS. */
int demo_plan_status(struct demo_plan *plan, const char *status, struct failure *failure);

#endif
