/* What db.c and stmt.c share. Not for other folders. */
#ifndef STOA_STORE_DB_INTERNAL_H
#define STOA_STORE_DB_INTERNAL_H

#include "store/db.h"

#include <sqlite3.h>

struct stmt {
    struct db *db;
    sqlite3_stmt *handle; /* NULL: it could not be prepared; the failure is the db's */
    const char *sql;
    bool active; /* stepped, and not ended */
    struct stmt *next;
};

enum { STMT_BUCKETS = 128 };

struct db {
    sqlite3 *handle;
    char *file;
    enum db_role role;
    struct failure failure;
    struct stmt *stmts[STMT_BUCKETS];  /* by the address of their text */
    struct stmt unprepared;            /* given out when there is no memory for another */
    struct checkpointer *checkpointer; /* the writer's */
    int wal_pages;                     /* after the last commit */
    int wal_due;                       /* so many: time to move them */
};

/* Keeps SQLite's error CODE as the failure, unless there is one already; returns the
 * failure's err. WHAT: what was being done. */
int db_fail(struct db *db, int code, const char *what);

#endif
