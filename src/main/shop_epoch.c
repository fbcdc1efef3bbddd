#include "main/shop_epoch.h"

#include "outside/identity.h"
#include "store/db.h"

#include <inttypes.h>
#include <stdio.h>

static int read_epoch(struct db *db, uint64_t *epoch)
{
    struct stmt *stmt = db_stmt(db, "SELECT value FROM registry WHERE key = ?");
    stmt_bind_str(stmt, 1, STR(IDENTITY_EPOCH));
    int err = stmt_next(stmt);
    *epoch = 0;
    if (err == 0) {
        if (str_to_u64(stmt_blob(stmt, 0), epoch) != 0)
            err = ERR_DAMAGED;
        stmt_done(stmt);
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

static int write_epoch(struct db *db, uint64_t epoch)
{
    char text[24];
    struct stmt *stmt = db_stmt(db, "INSERT OR REPLACE INTO registry (key, value) VALUES (?, ?)");
    snprintf(text, sizeof text, "%" PRIu64, epoch);
    stmt_bind_str(stmt, 1, STR(IDENTITY_EPOCH));
    stmt_bind_blob(stmt, 2, str_of(text));
    return stmt_run(stmt);
}

int shop_epoch_raise(const char *file, int64_t wall_ms, uint64_t *epoch, struct failure *failure)
{
    struct db *db;
    uint64_t now = wall_ms > 0 ? (uint64_t)wall_ms / 1000 : 0, before = 0;
    int err = db_open(file, DB_WRITER, &db, failure);
    if (err)
        return err;
    db_begin(db);
    err = read_epoch(db, &before);
    uint64_t raised = before + 1 > now ? before + 1 : now;
    err = err ? err : write_epoch(db, raised);
    db_commit(db);
    if (db_failure(db)->err) {
        *failure = *db_failure(db);
        err = failure->err;
    } else if (err) {
        fail(failure, err, "%s: the registry's entry \"%s\" is no number", file, IDENTITY_EPOCH);
    }
    db_close(db);
    if (epoch)
        *epoch = raised;
    return err;
}
