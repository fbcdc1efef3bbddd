#include "store/db.h"

#include "base/clock.h"
#include "store/checkpointer.h"
#include "store/db_internal.h"
#include "store/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The page size was chosen by measurement (batches of 500 cart changes): each changed page
 * is written whole to the WAL. */
#define PAGE_SIZE "4096"
/* In KiB; taken only as needed. A reader's misses are copies out of the kernel's cache. */
#define WRITER_CACHE "8192"
#define WIDE_CACHE   "65536"
#define READER_CACHE "512"
enum {
    /* Under load a page is written again and again: the longer the WAL, the fewer are moved. So
     * for a while after the last one was moved wholly it may grow to this. */
    WAL_PAGES_PAUSE = 2000,
    WAL_PAUSE_MS = 250,
    /* How many of them the writer moves itself at the end. */
    WAL_PAGES_REST = 64,
    /* From which on the writer no longer runs ahead: it waits for the other thread and moves
     * the rest, however much that is. */
    WAL_PAGES_HIGH = 4000,
    /* From which on it also waits (briefly) until readers have let go of old pages. */
    WAL_PAGES_MANY = 32000,
    WAIT_FOR_READERS_MS = 200,
    /* Between two attempts while a reader needs the old pages. */
    WAL_PAGES_AGAIN = 1000,
};

/* No mmap: a read error there is a SIGBUS instead of an error, and its pages count as the
 * server's resident memory. */
static const char writer_pragmas[] = "PRAGMA page_size = " PAGE_SIZE ";"
                                     "PRAGMA journal_mode = WAL;"
                                     "PRAGMA synchronous = NORMAL;"
                                     "PRAGMA cache_size = -" WRITER_CACHE ";"
                                     "PRAGMA wal_autocheckpoint = 0;"
                                     "PRAGMA journal_size_limit = 33554432;"
                                     "PRAGMA temp_store = MEMORY;"
                                     "PRAGMA foreign_keys = OFF;"
                                     "PRAGMA cell_size_check = ON;";
static const char reader_pragmas[] = "PRAGMA cache_size = -" READER_CACHE ";"
                                     "PRAGMA temp_store = MEMORY;"
                                     "PRAGMA query_only = ON;"
                                     "PRAGMA cell_size_check = ON;";

/* ---- Failures ---- */

struct sentence {
    int code; /* SQLite's primary result code */
    int err;
    const char *text;
};

static const struct sentence sentences[] = {
    {SQLITE_FULL, ERR_FULL, "the disk is full; free some space and start again"},
    {SQLITE_IOERR, ERR_IO, "a read or write failed; look at the disk (dmesg) and start again"},
    {SQLITE_CANTOPEN, ERR_IO, "it cannot be opened; check that its folder exists and is writable"},
    {SQLITE_PERM, ERR_DENIED, "no permission; check the owner of the file and its folder"},
    {SQLITE_READONLY, ERR_DENIED, "it may not be written; check the owner of the file"},
    {SQLITE_CORRUPT, ERR_DAMAGED,
     "the file is damaged; put it aside and let the copy be made again from the log, or restore "
     "a backup"},
    {SQLITE_NOTADB, ERR_DAMAGED, "the file is not a database; was it overwritten?"},
    {SQLITE_NOMEM, ERR_NOMEM, "out of memory"},
    {SQLITE_BUSY, ERR_BUSY, "another process holds its lock; is a second server running on it?"},
    {SQLITE_LOCKED, ERR_BUSY, "a table is locked"},
};

int db_fail(struct db *db, int code, const char *what)
{
    if (db->failure.err)
        return db->failure.err;
    int system = db->handle ? sqlite3_system_errno(db->handle) : 0;
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        if (sentences[i].code != (code & 0xff))
            continue;
        /* A full disk shows as SQLITE_IOERR where SQLite extends the WAL's index. */
        bool full = (code & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT);
        const struct sentence *s = full ? &sentences[0] : &sentences[i];
        return fail(&db->failure, s->err, "%s: %s (%s: %s)", db->file, s->text, what,
                    sqlite3_errstr(code));
    }
    return fail(&db->failure, ERR_INTERNAL, "%s: %s: %s", db->file, what,
                db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
}

const struct failure *db_failure(const struct db *db)
{
    return &db->failure;
}

void db_forget_failure(struct db *db)
{
    db->failure = (struct failure){0};
}

int db_fail_memory(struct db *db)
{
    return db->failure.err ? db->failure.err
                           : fail(&db->failure, ERR_NOMEM, "%s: out of memory", db->file);
}

int db_fail_damaged(struct db *db, const char *what)
{
    return db->failure.err ? db->failure.err
                           : fail(&db->failure, ERR_DAMAGED,
                                  "%s: the data is damaged: %s; let the copy be made again from "
                                  "the log, or restore a backup",
                                  db->file, what);
}

int db_fail_newer(struct db *db, const char *what)
{
    return db->failure.err ? db->failure.err
                           : fail(&db->failure, ERR_UNSUPPORTED,
                                  "%s: %s is of a newer version of this program; install that one "
                                  "here too, the data are as they were",
                                  db->file, what);
}

/* ---- Opening ---- */

static int keep_wal_size(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = context;
    (void)handle, (void)name;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static int set_up(struct db *db)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, WAIT_FOR_LOCK_MS);
    /* What is in the file is not trusted to be ours alone. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (db->role == DB_READER)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_LOOKASIDE, NULL, 256, 64);
    int err = db_exec(db, db->role == DB_WRITER ? writer_pragmas : reader_pragmas);
    if (err || db->role != DB_WRITER)
        return err;
    sqlite3_wal_hook(db->handle, keep_wal_size, db);
    db->wal_due = WAL_PAGES;
    return checkpointer_new(db->file, &db->checkpointer, &db->failure);
}

int db_open(const char *file, enum db_role role, struct db **out, struct failure *failure)
{
    /* SQLite counts its memory under a lock, with each allocation; nobody asks it. Only the
     * process's first call counts, the writer's; later ones are refused and change nothing. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    *out = NULL;
    struct db *db = calloc(1, sizeof *db);
    if (!db || !(db->file = strdup(file))) {
        free(db);
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    }
    db->role = role;
    db->unprepared.db = db;
    /* A reader too opens for writing where it may: it may have to recover the WAL's index. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(file, &db->handle,
                               role == DB_WRITER ? flags | SQLITE_OPEN_CREATE : flags, NULL);
    int err = code ? db_fail(db, code, "open") : set_up(db);
    if (err) {
        if (failure)
            *failure = db->failure;
        db_close(db);
        return err;
    }
    *out = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (int i = 0; i < STMT_BUCKETS; i++) {
        while (db->stmts[i]) {
            struct stmt *stmt = db->stmts[i];
            db->stmts[i] = stmt->next;
            stmt_free(stmt);
        }
    }
    db_thaw(db);
    checkpointer_free(db->checkpointer);
    sqlite3_close(db->handle);
    free(db->file);
    free(db);
}

const char *db_file(const struct db *db)
{
    return db->file;
}

/* ---- Transactions ---- */

int db_exec(struct db *db, const char *sql)
{
    if (db->failure.err)
        return db->failure.err;
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code ? db_fail(db, code, sql) : 0;
}

int db_begin(struct db *db)
{
    return stmt_run(db_stmt(db, db->role == DB_WRITER ? "BEGIN IMMEDIATE" : "BEGIN"));
}

int db_commit(struct db *db)
{
    return stmt_run(db_stmt(db, "COMMIT"));
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

uint64_t db_changed_rows(const struct db *db)
{
    return (uint64_t)sqlite3_changes64(db->handle);
}

uint64_t db_last_row(const struct db *db)
{
    return (uint64_t)sqlite3_last_insert_rowid(db->handle);
}

/* ---- To the disk ---- */

/* Moves what is left on the writer's own thread. MODE: PASSIVE, or RESTART to wait for
 * readers. */
static int move_rest(struct db *db, int mode)
{
    int pages = 0, moved = 0;
    if (mode == SQLITE_CHECKPOINT_RESTART)
        sqlite3_busy_timeout(db->handle, WAIT_FOR_READERS_MS);
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &pages, &moved);
    if (mode == SQLITE_CHECKPOINT_RESTART)
        sqlite3_busy_timeout(db->handle, WAIT_FOR_LOCK_MS);
    if (code && code != SQLITE_BUSY)
        return db_fail(db, code, "checkpoint");
    bool whole = code == 0 && pages == moved;
    if (whole) {
        db->wal_pages = 0;
        db->wal_moved_ns = clock_mono_ns();
    }
    /* While a reader still needs the old pages, not with every commit. */
    db->wal_due = whole ? WAL_PAGES : db->wal_pages + WAL_PAGES_AGAIN;
    return 0;
}

bool db_drain(struct db *db)
{
    int moved, code;
    enum checkpointer_state state = checkpointer_look(db->checkpointer, &moved, &code);
    if (state == CHECKPOINTER_BUSY)
        return true;
    int left = db->wal_pages - (state == CHECKPOINTER_DONE ? moved : 0);
    bool less = db->drain_left == 0 || left < db->drain_left;
    if (left < WAL_PAGES_HIGH || !less) {
        db->draining = false;
        return false;
    }
    if (state == CHECKPOINTER_DONE)
        db->drain_left = left;
    checkpointer_ask(db->checkpointer);
    return true;
}

static bool is_pause(const struct db *db)
{
    return db->wal_pages < WAL_PAGES_PAUSE &&
           clock_mono_ns() - db->wal_moved_ns < WAL_PAUSE_MS * MS_NS;
}

int db_checkpoint(struct db *db)
{
    int moved, code;
    if (db->failure.err || db->wal_pages < db->wal_due || db->freezer || is_pause(db))
        return db->failure.err;
    if (db->draining && db_drain(db))
        return 0;
    bool high = db->wal_pages >= WAL_PAGES_HIGH;
    if (high)
        checkpointer_wait(db->checkpointer);
    enum checkpointer_state state = checkpointer_look(db->checkpointer, &moved, &code);
    if (state == CHECKPOINTER_BUSY)
        return 0;
    if (state == CHECKPOINTER_DONE && code && code != SQLITE_BUSY)
        return db_fail(db, code, "checkpoint");
    bool small = state == CHECKPOINTER_DONE && db->wal_pages - moved <= WAL_PAGES_REST;
    if (!small && !high) {
        checkpointer_ask(db->checkpointer);
        return 0;
    }
    checkpointer_rest(db->checkpointer);
    return move_rest(db, db->wal_pages >= WAL_PAGES_MANY ? SQLITE_CHECKPOINT_RESTART
                                                         : SQLITE_CHECKPOINT_PASSIVE);
}

/* fdatasync on a descriptor of its own. SQLite has no locks on the WAL file, so closing it
 * again loses none. */
static int sync_file(struct db *db, const char *suffix)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s", db->file, suffix) >= (int)sizeof path)
        return fail(&db->failure, ERR_INVALID, "%s: the path is too long", db->file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(&db->failure, ERR_IO, "%s: open", path);
    int err = fdatasync(fd) ? fail_errno(&db->failure, ERR_IO, "%s: sync", path) : 0;
    close(fd);
    return err;
}

int db_make_durable(struct db *db)
{
    return db->failure.err ? db->failure.err : sync_file(db, "-wal");
}

void db_set_cache(struct db *db, bool wide)
{
    if (db->wide == wide)
        return;
    db->wide = wide;
    db_exec(db, wide ? "PRAGMA cache_size = -" WIDE_CACHE : "PRAGMA cache_size = -" WRITER_CACHE);
}

void db_rest(struct db *db)
{
    db_set_cache(db, false);
    sqlite3_db_release_memory(db->handle);
}

static uint64_t file_size(const char *file, const char *suffix)
{
    char path[PATH_MAX];
    struct stat status;
    if (snprintf(path, sizeof path, "%s%s", file, suffix) >= (int)sizeof path ||
        stat(path, &status))
        return 0;
    return (uint64_t)status.st_size;
}

void db_sizes(struct db *db, uint64_t *database, uint64_t *wal)
{
    *database = file_size(db->file, "");
    *wal = file_size(db->file, "-wal");
}
