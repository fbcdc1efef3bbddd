/* Trio: three servers of one cluster, made for a bench on this machine and removed after it.
 *
 * Their data are in a temporary folder, their addresses are free ports of the loopback. Either as
 * processes of their own (`stoa serve`, started from this program's own file), or only founded, for
 * a bench that has the servers inside. Thread: main.
 */
#ifndef STOA_MAIN_BENCH_TRIO_H
#define STOA_MAIN_BENCH_TRIO_H

#include "main/bench_process.h"
#include "main/datadir.h"

enum { TRIO = 3, TRIO_MORE = 8 };

struct trio_server {
    char dir[DATADIR_PATH];
    char listen[64]; /* for shoppers: "127.0.0.1:PORT", the same at each start */
    struct bench_process process;
};
struct trio {
    char dir[DATADIR_PATH];
    char token[DATADIR_TOKEN];       /* the operator's */
    const char *more[TRIO_MORE + 1]; /* more words for each `stoa serve`, lent, to NULL */
    struct trio_server servers[TRIO];
};

/* Founds the cluster, in a new folder in DIR. */
int trio_found(struct trio *trio, const char *dir, struct failure *failure);
/* Kills what runs and removes the folder. */
void trio_remove(struct trio *trio);
/* That; or, with KEEP, kills what runs and says on standard error where the folder is. */
void trio_close(struct trio *trio, bool keep);

/* Starts server WHICH (from 0), without waiting for it; its log goes to stoa.log in its folder. */
int trio_start(struct trio *trio, unsigned which, struct failure *failure);
/* Waits until it says that it is ready. */
int trio_wait_ready(struct trio *trio, unsigned which, unsigned timeout_ms,
                    struct failure *failure);
/* Starts all, and waits until they are ready. */
int trio_start_all(struct trio *trio, unsigned timeout_ms, struct failure *failure);
/* SIGSTOP, or SIGCONT. */
int trio_hang(struct trio *trio, unsigned which, bool hangs, struct failure *failure);
/* "server 1" */
const char *trio_name(unsigned which);
/* kill -9, and waits for its end. */
void trio_kill(struct trio *trio, unsigned which);

#endif
