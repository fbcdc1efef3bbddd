/* Server directories: what a command's --dir DIR means: the data of one server, or the folder of
 * a demo, which holds several (DIR/server-1, DIR/server-2, …; see main/demo_plan.h).
 * Thread: any.
 */
#ifndef STOA_MAIN_SERVER_DIRS_H
#define STOA_MAIN_SERVER_DIRS_H

#include "main/cluster.h"
#include "main/datadir.h"

struct server_dir {
    uint64_t id;
    char path[DATADIR_PATH];
};

struct server_dirs {
    bool demo;
    unsigned count;
    struct server_dir at[CLUSTER_SERVERS_MAX]; /* by id */
};

/* ERR_NOTFOUND: DIR is neither. */
int server_dirs_find(const char *dir, struct server_dirs *dirs, struct failure *failure);

/* Those of a demo in DIR, whether it has ever been started or not; maybe none. */
int server_dirs_of_demo(const char *dir, struct server_dirs *dirs, struct failure *failure);

#endif
