/* Data directory: the files of one server, and who uses them now.
 *
 *     shop.db         the copy of the shop's database (SQLite)
 *     raft/           the log, the truth
 *     media/          files served under /media/
 *     operator.token  bearer token of the operator's API, made at creation
 *     secret          key that signs form tokens
 *     server.json     the running server's process id and address; gone when none runs
 *     lock            held by the process that uses the directory
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_DATADIR_H
#define STOA_MAIN_DATADIR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATADIR_PATH = 512, DATADIR_SECRET = 32, DATADIR_TOKEN = 65 };

struct datadir {
    char path[DATADIR_PATH], database[DATADIR_PATH], raft[DATADIR_PATH];
    char token[DATADIR_TOKEN]; /* hexadecimal text */
    unsigned char secret[DATADIR_SECRET];
    int lock;
    bool created; /* by this call */
};

/* Opens DIR, making it and what belongs in it if need be, and locks it. ERR_BUSY: a
 * process uses it. A failure says what to do about it. */
int datadir_open(const char *dir, struct datadir *datadir, struct failure *failure);
void datadir_close(struct datadir *datadir);

/* Takes DIR/lock alone, as *LOCK; it goes when that is closed. ERR_BUSY: a process has it. */
int datadir_lock(const char *dir, int *lock, struct failure *failure);

/* Whether a process holds it. Never turns one away that takes it just then. */
bool datadir_is_locked(const char *dir);

/* Says in server.json, whole or not at all, where this process serves. */
int datadir_announce(const struct datadir *datadir, const char *url, struct failure *failure);

/* The address of the server that runs on DIR, and the operator's token, without
 * locking. ERR_NOTFOUND: none runs. */
int datadir_find_server(const char *dir, char *url, size_t url_size, char token[DATADIR_TOKEN],
                        struct failure *failure);
/* Its process id; 0 when none runs. */
uint64_t datadir_pid(const char *dir);

#endif
