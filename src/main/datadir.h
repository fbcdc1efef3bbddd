/* Data directory: the files of one server, and who uses them now.
 *
 *     shop.db         the copy of the shop's database (SQLite)
 *     raft/           the log, the truth
 *     media/          files served under /media/
 *     operator.token  bearer token of the operator's API, made at creation
 *     secret          key that signs form tokens
 *     changes, readers/   if several processes have it (main/shared.h)
 *
 * and what every service has (main/service.h).
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_DATADIR_H
#define STOA_MAIN_DATADIR_H

#include "main/service.h"

#include <stdint.h>

enum { DATADIR_PATH = FILE_PATH, DATADIR_SECRET = 32, DATADIR_TOKEN = 65 };

struct datadir {
    struct service service; /* its directory and the lock */
    char database[DATADIR_PATH], raft[DATADIR_PATH];
    char token[DATADIR_TOKEN]; /* hexadecimal text */
    unsigned char secret[DATADIR_SECRET];
};

/* Opens DIR, making it and what belongs in it if need be, and locks it. ERR_BUSY: a
 * process uses it. A failure says what to do about it. */
int datadir_open(const char *dir, struct datadir *datadir, struct failure *failure);
/* The same under LOCK, which holds DIR/lock and is handed over; -1: it is taken. */
int datadir_open_with(const char *dir, int lock, struct datadir *datadir, struct failure *failure);
void datadir_close(struct datadir *datadir);

/* Says in server.json, whole or not at all, where this process serves. */
int datadir_announce(const struct datadir *datadir, const char *url, struct failure *failure);

/* The address of the server that runs on DIR, and the operator's token, without
 * locking. ERR_NOTFOUND: none runs. */
int datadir_find_server(const char *dir, char *url, size_t url_size, char token[DATADIR_TOKEN],
                        struct failure *failure);
/* Its process id; 0 when none runs. */
uint64_t datadir_pid(const char *dir);

#endif
