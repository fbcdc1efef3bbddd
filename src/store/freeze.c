#include "store/freeze.h"

#include "base/check.h"
#include "store/checkpointer.h"
#include "store/db_internal.h"

#include <stdlib.h>

static int freeze_failed(struct db *db, int code, const char *what, struct failure *failure)
{
    int err = (code & 0xff) == SQLITE_BUSY ? ERR_BUSY : ERR_IO;
    return fail(failure, err, "%s: cannot be held still for a copy (%s: %s)", db->file, what,
                sqlite3_errstr(code));
}

/* Moves all of the WAL: the bulk on the other thread, as far as it has begun; the rest here. */
static int move_all(struct db *db, struct failure *failure)
{
    int pages = 0, moved = 0;
    checkpointer_wait(db->checkpointer);
    checkpointer_rest(db->checkpointer);
    sqlite3_busy_timeout(db->handle, FREEZE_WAIT_MS);
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_FULL, &pages, &moved);
    sqlite3_busy_timeout(db->handle, WAIT_FOR_LOCK_MS);
    if (code == SQLITE_OK && pages != moved)
        code = SQLITE_BUSY;
    if (code)
        return freeze_failed(db, code, "a reader needs older pages", failure);
    db->wal_pages = 0;
    db->wal_due = WAL_PAGES;
    return 0;
}

static int take_number(void *context, int count, char **values, char **names)
{
    (void)names;
    if (count == 1 && values[0])
        *(int64_t *)context = strtoll(values[0], NULL, 10);
    return 0;
}

/* The transaction that holds the file. Nothing can be written between the checkpoint and this:
 * we are the writer. */
static int hold(struct db *db, uint64_t *size, struct failure *failure)
{
    int64_t pages = 0, page_size = 0;
    int code = sqlite3_open_v2(
        db->file, &db->freezer,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db->freezer, "BEGIN; PRAGMA page_count", take_number, &pages, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db->freezer, "PRAGMA page_size", take_number, &page_size, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_file_control(db->freezer, NULL, SQLITE_FCNTL_FILE_POINTER, &db->freezer_file);
    sqlite3_int64 there = 0;
    if (code == SQLITE_OK)
        code = db->freezer_file->pMethods->xFileSize(db->freezer_file, &there);
    *size = (uint64_t)(pages * page_size);
    if (code == SQLITE_OK && (pages <= 0 || page_size <= 0 || there != pages * page_size))
        code = SQLITE_CORRUPT;
    return code ? freeze_failed(db, code, "begin", failure) : 0;
}

int db_freeze(struct db *db, uint64_t *size, struct failure *failure)
{
    CHECK(db->role == DB_WRITER && sqlite3_get_autocommit(db->handle));
    if (db->freezer)
        return fail(failure, ERR_BUSY, "%s: it is being copied already", db->file);
    /* Much has gathered while it was held the last time: not to be moved on this thread. */
    if (db->draining && db_drain(db))
        return fail(failure, ERR_BUSY, "%s: the last copy's changes are still moved", db->file);
    int err = move_all(db, failure);
    err = err ? err : hold(db, size, failure);
    if (err)
        db_thaw(db);
    return err;
}

void db_thaw(struct db *db)
{
    if (!db->freezer)
        return;
    sqlite3_close(db->freezer); /* ends its transaction */
    db->freezer = NULL;
    db->freezer_file = NULL;
    /* What has gathered may be much: not to be moved by the writer at once. */
    db->draining = true;
    db->drain_left = 0;
}

int db_frozen_read(struct db *db, uint64_t offset, void *out, size_t len, struct failure *failure)
{
    CHECK(db->freezer && len <= INT32_MAX);
    int code =
        db->freezer_file->pMethods->xRead(db->freezer_file, out, (int)len, (sqlite3_int64)offset);
    return code ? fail(failure, ERR_IO, "%s: cannot be read at %llu: %s", db->file,
                       (unsigned long long)offset, sqlite3_errstr(code))
                : 0;
}
