/* Demo plan: which servers a demo has, where each keeps its data and where it listens.
 *
 *     DIR/server-1, DIR/server-2, …   a server's data each (main/datadir.h), by id
 *     DIR/demo.json                   the demo's process, and each server's address, which it gets
 *                                     again the next time if it is free
 *     DIR/operator.token              of all servers (a link)
 *     DIR/lock                        held by the demo that runs
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_DEMO_PLAN_H
#define STOA_MAIN_DEMO_PLAN_H

#include "main/cluster.h"
#include "main/settings.h"

enum { DEMO_SERVERS_MAX = 9, DEMO_SERVERS = 3 };

struct demo_server {
    uint64_t id;
    char dir[DATADIR_PATH];
    char listen[OPTION_TEXT_SIZE];      /* HTTP */
    char peer_listen[OPTION_TEXT_SIZE]; /* for the other servers */
    bool given;                         /* `listen` is what the user asked for */
};

struct demo_plan {
    char dir[DATADIR_PATH];
    int lock;
    unsigned count, wanted; /* wanted: what count is to become, by joining or removing */
    struct demo_server servers[CLUSTER_SERVERS_MAX];
};

/* Locks DIR (made if need be), moves what a server of its own left there to server 1, and founds
 * the cluster if there is none yet. WANTED 0: as many as there are, in a new one DEMO_SERVERS.
 * LISTEN: the first server's address, as the user gave it. */
int demo_plan_open(const char *dir, unsigned wanted, const char *listen, struct demo_plan *plan,
                   struct failure *failure);
void demo_plan_close(struct demo_plan *plan);

/* Plans for the server ID, whose data are in DIR/server-ID now. */
int demo_plan_add(struct demo_plan *plan, uint64_t id, struct failure *failure);
/* Forgets server AT. */
void demo_plan_drop(struct demo_plan *plan, unsigned at);
/* As well, and for good: it left the cluster. Its data stay, as DIR/removed-ID. */
void demo_plan_retire(struct demo_plan *plan, unsigned at);

/* Chooses server AT's addresses anew, but for what the user gave: they are taken. */
int demo_plan_move(struct demo_plan *plan, unsigned at, struct failure *failure);

/* Writes demo.json. */
int demo_plan_write(const struct demo_plan *plan, struct failure *failure);

#endif
