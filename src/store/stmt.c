#include "base/check.h"
#include "store/db_internal.h"

#include <stdlib.h>

static int prepare(struct stmt *stmt, const char *sql, unsigned flags)
{
    struct db *db = stmt->db;
    if (db->failure.err)
        return db->failure.err;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, flags, &stmt->handle, NULL);
    return code ? db_fail(db, code, sql) : 0;
}

struct stmt *db_stmt(struct db *db, const char *sql)
{
    struct stmt **bucket = &db->stmts[((uintptr_t)sql >> 3) % STMT_BUCKETS];
    struct stmt *stmt = *bucket;
    while (stmt && stmt->sql != sql)
        stmt = stmt->next;
    if (!stmt) {
        stmt = calloc(1, sizeof *stmt);
        if (!stmt) {
            db_fail(db, SQLITE_NOMEM, sql);
            return &db->unprepared;
        }
        stmt->db = db;
        stmt->sql = sql;
        stmt->next = *bucket;
        *bucket = stmt;
    }
    CHECK(!stmt->active);
    if (!stmt->handle)
        prepare(stmt, sql, SQLITE_PREPARE_PERSISTENT);
    return stmt;
}

struct stmt *stmt_new(struct db *db, const char *sql)
{
    struct stmt *stmt = calloc(1, sizeof *stmt);
    if (!stmt) {
        db_fail(db, SQLITE_NOMEM, sql);
        return &db->unprepared;
    }
    stmt->db = db;
    prepare(stmt, sql, 0);
    return stmt;
}

void stmt_free(struct stmt *stmt)
{
    if (!stmt || stmt == &stmt->db->unprepared)
        return;
    sqlite3_finalize(stmt->handle);
    free(stmt);
}

/* ---- Parameters ---- */

static void bound(struct stmt *stmt, int code)
{
    if (code)
        db_fail(stmt->db, code, "bind a parameter");
}

void stmt_bind_i64(struct stmt *stmt, int at, int64_t value)
{
    if (stmt->handle)
        bound(stmt, sqlite3_bind_int64(stmt->handle, at, value));
}

void stmt_bind_u64(struct stmt *stmt, int at, uint64_t value)
{
    CHECK(value <= INT64_MAX);
    stmt_bind_i64(stmt, at, (int64_t)value);
}

void stmt_bind_real(struct stmt *stmt, int at, double value)
{
    if (stmt->handle)
        bound(stmt, sqlite3_bind_double(stmt->handle, at, value));
}

/* An empty text is '' and an empty blob x'': NULL pointers would bind NULL. */
void stmt_bind_str(struct stmt *stmt, int at, struct str text)
{
    if (stmt->handle)
        bound(stmt, sqlite3_bind_text64(stmt->handle, at, text.at ? text.at : "", text.len,
                                        SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_bind_blob(struct stmt *stmt, int at, struct str bytes)
{
    if (stmt->handle)
        bound(stmt, sqlite3_bind_blob64(stmt->handle, at, bytes.at ? bytes.at : "", bytes.len,
                                        SQLITE_STATIC));
}

/* Copied, since it is passed by value. */
void stmt_bind_id(struct stmt *stmt, int at, struct id id)
{
    if (!stmt->handle)
        return;
    bool ours = at >= 1 && at <= STMT_IDS;
    if (ours)
        stmt->ids[at - 1] = id;
    if (id_is_zero(id))
        bound(stmt, sqlite3_bind_null(stmt->handle, at));
    else
        bound(stmt, sqlite3_bind_blob(stmt->handle, at, ours ? stmt->ids[at - 1].bytes : id.bytes,
                                      sizeof id.bytes, ours ? SQLITE_STATIC : SQLITE_TRANSIENT));
}

void stmt_bind_null(struct stmt *stmt, int at)
{
    if (stmt->handle)
        bound(stmt, sqlite3_bind_null(stmt->handle, at));
}

/* ---- Running ---- */

int stmt_next(struct stmt *stmt)
{
    struct db *db = stmt->db;
    int code = db->failure.err || !stmt->handle ? SQLITE_ERROR : sqlite3_step(stmt->handle);
    if (code == SQLITE_ROW) {
        stmt->active = true;
        return 0;
    }
    if (code == SQLITE_DONE) {
        stmt_done(stmt);
        return ERR_NOTFOUND;
    }
    int err = db_fail(db, code, stmt->handle ? sqlite3_sql(stmt->handle) : "prepare");
    stmt_done(stmt);
    return err;
}

bool stmt_more(struct stmt *stmt, int *err)
{
    *err = stmt_next(stmt);
    if (*err == 0)
        return true;
    if (*err == ERR_NOTFOUND)
        *err = 0;
    return false;
}

int stmt_run(struct stmt *stmt)
{
    int err;
    while (stmt_more(stmt, &err))
        ;
    return err;
}

void stmt_done(struct stmt *stmt)
{
    stmt->active = false;
    if (stmt->handle)
        sqlite3_reset(stmt->handle);
}

uint64_t stmt_only_u64(struct stmt *stmt, uint64_t otherwise)
{
    if (stmt_next(stmt))
        return otherwise;
    uint64_t value = stmt_u64(stmt, 0);
    stmt_done(stmt);
    return value;
}

/* ---- Columns ---- */

int64_t stmt_i64(struct stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

uint64_t stmt_u64(struct stmt *stmt, int column)
{
    return (uint64_t)stmt_i64(stmt, column);
}

bool stmt_bool(struct stmt *stmt, int column)
{
    return stmt_i64(stmt, column) != 0;
}

double stmt_real(struct stmt *stmt, int column)
{
    return sqlite3_column_double(stmt->handle, column);
}

struct str stmt_str(struct stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt->handle, column);
    int len = sqlite3_column_bytes(stmt->handle, column);
    return text ? str_make(text, (size_t)len) : STR("");
}

struct str stmt_blob(struct stmt *stmt, int column)
{
    const void *bytes = sqlite3_column_blob(stmt->handle, column);
    int len = sqlite3_column_bytes(stmt->handle, column);
    return bytes ? str_make(bytes, (size_t)len) : STR("");
}

struct id stmt_id(struct stmt *stmt, int column)
{
    struct id id = {{0}};
    struct str bytes = stmt_blob(stmt, column);
    if (bytes.len == sizeof id.bytes)
        memcpy(id.bytes, bytes.at, sizeof id.bytes);
    return id;
}

_Static_assert(STMT_INTEGER == SQLITE_INTEGER && STMT_REAL == SQLITE_FLOAT &&
                   STMT_TEXT == SQLITE_TEXT && STMT_BLOB == SQLITE_BLOB && STMT_NULL == SQLITE_NULL,
               "the kinds of values are SQLite's");

int stmt_columns(struct stmt *stmt)
{
    return sqlite3_column_count(stmt->handle);
}

enum stmt_kind stmt_kind(struct stmt *stmt, int column)
{
    return (enum stmt_kind)sqlite3_column_type(stmt->handle, column);
}
