/* Pair: two servers and a witness on this machine, made for a bench and removed after it: the
 * smallest shop that outlives the death of any one of its processes.
 *
 * All are processes of their own (`stoa serve`, `stoa witness`, from this program's file), with
 * their data in a temporary folder and free ports of the loopback. The witness wakes the second
 * server by a pipe that the bench listens to, so that the bench is its parent. Thread: main.
 */
#ifndef STOA_MAIN_BENCH_PAIR_H
#define STOA_MAIN_BENCH_PAIR_H

#include "bench/ask.h"
#include "main/bench_process.h"
#include "main/datadir.h"

enum pair_member { PAIR_FIRST, PAIR_SECOND, PAIR_WITNESS };
enum { PAIR = 3, PAIR_SERVERS = 2, PAIR_ADDRESS = 64 };

struct pair {
    char dir[DATADIR_PATH];
    char token[DATADIR_TOKEN]; /* the operator's */
    int wakes;                 /* the pipe's end; -1: none */
    struct pair_process {
        char dir[DATADIR_PATH];
        char listen[PAIR_ADDRESS], url[PAIR_ADDRESS + 8]; /* for shoppers; a witness has none */
        char peer[PAIR_ADDRESS];                          /* for the others */
        struct bench_process process;
    } members[PAIR];
    struct ask *operators[PAIR_SERVERS];
};

/* Makes a folder in DIR; MAKE makes the first server's database, in the file that it is told. Then
 * founds the cluster, starts all and waits until they are ready. */
int pair_begin(struct pair *pair, const char *dir,
               int (*make)(void *context, const char *database, struct failure *failure),
               void *context, struct failure *failure);
/* Kills what runs and removes the folder. */
void pair_end(struct pair *pair);

/* Starts a server, without waiting for it; nothing when it runs. */
int pair_start(struct pair *pair, enum pair_member which, struct failure *failure);
int pair_wait_ready(struct pair *pair, enum pair_member which, struct failure *failure);
/* kill -9; SIGTERM, also one that has ended by itself. */
void pair_kill(struct pair *pair, enum pair_member which);
int pair_stop(struct pair *pair, enum pair_member which, struct failure *failure);

/* Starts the second server when the witness has asked for it since. */
int pair_heed_wakes(struct pair *pair, struct failure *failure);
/* Forgets what it asked for until now. */
void pair_forget_wakes(struct pair *pair);

/* What one server says of the cluster. */
struct pair_view {
    unsigned primary; /* id; 0: none */
    unsigned voters;
    struct {
        bool up, vote;
        char ready[16];
        uint64_t index, lag_entries;
    } servers[PAIR_SERVERS];
};
/* False: it does not answer. */
bool pair_look(struct pair *pair, enum pair_member which, struct pair_view *view);
/* Waits until the first server is primary: it is asked to be. */
int pair_lead_by_first(struct pair *pair, struct failure *failure);
/* Posts to the first server; ERR_STATE with what it said instead of 200. */
int pair_post(struct pair *pair, const char *path, const char *body, struct failure *failure);

#endif
