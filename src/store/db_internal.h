/* What db.c and stmt.c share. Not for other folders. */
#ifndef STOA_STORE_DB_INTERNAL_H
#define STOA_STORE_DB_INTERNAL_H

#include "store/db.h"

#include <sqlite3.h>

enum { STMT_IDS = 4 };

struct stmt {
    struct db *db;
    sqlite3_stmt *handle; /* NULL: it could not be prepared; the failure is the db's */
    const char *sql;
    bool active;             /* stepped, and not ended */
    struct id ids[STMT_IDS]; /* bound to the first parameters: SQLite need not copy them */
    struct stmt *next;
};

enum {
    STMT_BUCKETS = 128,
    WAIT_FOR_LOCK_MS = 5000,
    /* Pages in the WAL from which on they are moved into the file. Measured at a tenth of
     * full load, p99 of a cart change: 4000 pages 14 ms, 1000 6 ms, 300 4 ms, as the disk is
     * kept busy in smaller pieces; at full load no difference. */
    WAL_PAGES = 400,
};

struct db {
    sqlite3 *handle;
    char *file;
    enum db_role role;
    struct failure failure;
    struct stmt *stmts[STMT_BUCKETS];  /* by the address of their text */
    struct stmt unprepared;            /* given out when there is no memory for another */
    struct checkpointer *checkpointer; /* the writer's */
    bool wide;                         /* the page cache */
    int wal_pages;                     /* after the last commit */
    int wal_due;                       /* so many: time to move them */
    uint64_t wal_moved_ns;             /* when all of it was */
    sqlite3 *freezer;                  /* store/freeze.h: holds the file; NULL: it is not held */
    sqlite3_file *freezer_file;
    bool draining;  /* after that: the checkpointer alone moves what has gathered */
    int drain_left; /* after its last round; 0: none yet */
};

/* Keeps SQLite's error CODE as the failure, unless there is one already; returns the
 * failure's err. WHAT: what was being done. */
int db_fail(struct db *db, int code, const char *what);

/* While the file was held still the WAL has grown without bound. It is moved without holding up
 * the writer, as long as each round leaves less than the one before. True: still at it. */
bool db_drain(struct db *db);

#endif
