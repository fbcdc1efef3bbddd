/* Database: one SQLite connection, its prepared statements and its failures.
 *
 * Used by shop/ (the only writer, and one reader for each thread). A connection belongs
 * to one thread. In WAL mode, so that readers and the writer do not wait for each other;
 * synchronous=NORMAL: a commit survives kill -9, a power cut may take the last ones
 * (the log has them, see DESIGN) unless db_make_durable was called.
 *
 * Errors are sticky: the first thing that fails is kept with file, what and what to do
 * in db_failure; binds and steps after it do nothing and give the same error. So a
 * sequence of statements may be written down first and looked at once, at its end.
 * ERR_FULL (disk full), ERR_IO, ERR_DAMAGED, ERR_NOMEM, ERR_BUSY.
 */
#ifndef STOA_STORE_DB_H
#define STOA_STORE_DB_H

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct stmt;

enum db_role {
    DB_WRITER, /* creates the file; takes the write lock with each db_begin */
    DB_READER,
};

int db_open(const char *file, enum db_role role, struct db **db, struct failure *failure);
void db_close(struct db *db); /* NULL is fine */
const char *db_file(const struct db *db);

/* The first failure since the connection was opened (err 0: none), and forgetting it. */
const struct failure *db_failure(const struct db *db);
void db_forget_failure(struct db *db);
/* Failures found by a caller: no memory for what was read; rows that cannot be (WHAT); WHAT is of
 * a newer version. */
int db_fail_memory(struct db *db);
int db_fail_damaged(struct db *db, const char *what);
int db_fail_newer(struct db *db, const char *what);

/* Runs SQL without results: several statements, none with parameters. */
int db_exec(struct db *db, const char *sql);

int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db);
/* Rows changed by the last statement. */
uint64_t db_changed_rows(const struct db *db);
/* The integer key of the row that was inserted last. */
uint64_t db_last_row(const struct db *db);

/* The prepared statement of SQL, a string literal (it is found again by its address),
 * ready to be bound. Never NULL: after a failure its calls do nothing. One use of a
 * statement must have ended (last row seen, stmt_run, or stmt_done) before the next. */
struct stmt *db_stmt(struct db *db, const char *sql);
/* Of text that is put together; belongs to the caller until stmt_free. */
struct stmt *stmt_new(struct db *db, const char *sql);
void stmt_free(struct stmt *stmt);

/* Parameters count from 1. Bytes are lent until the statement has run. */
void stmt_bind_i64(struct stmt *stmt, int at, int64_t value);
void stmt_bind_u64(struct stmt *stmt, int at, uint64_t value); /* below 2^63 */
void stmt_bind_str(struct stmt *stmt, int at, struct str text);
void stmt_bind_blob(struct stmt *stmt, int at, struct str bytes);
void stmt_bind_id(struct stmt *stmt, int at, struct id id); /* 16 bytes; zero id: NULL */
void stmt_bind_null(struct stmt *stmt, int at);

/* 0: there is a row. ERR_NOTFOUND: no more (the statement has ended). Else the failure. */
int stmt_next(struct stmt *stmt);
/* Whether there is a row, in a loop over all of them: after the last *ERR is 0. Else it is the
 * failure. */
bool stmt_more(struct stmt *stmt, int *err);
/* Runs a change to its end: 0 or the failure. */
int stmt_run(struct stmt *stmt);
/* Ends a statement before its last row. */
void stmt_done(struct stmt *stmt);
/* Runs a statement that gives one row of one number: that, or OTHERWISE if there is no row (or the
 * database failed). */
uint64_t stmt_only_u64(struct stmt *stmt, uint64_t otherwise);

/* Columns count from 0. Bytes are lent until the next stmt_ call on the statement. */
int64_t stmt_i64(struct stmt *stmt, int column);
uint64_t stmt_u64(struct stmt *stmt, int column);
bool stmt_bool(struct stmt *stmt, int column);
double stmt_real(struct stmt *stmt, int column);
struct str stmt_str(struct stmt *stmt, int column);
struct str stmt_blob(struct stmt *stmt, int column);
struct id stmt_id(struct stmt *stmt, int column); /* NULL: zero */
/* Of the row that was found: how many columns, and what each holds. */
enum stmt_kind { STMT_INTEGER = 1, STMT_REAL, STMT_TEXT, STMT_BLOB, STMT_NULL };
int stmt_columns(struct stmt *stmt);
enum stmt_kind stmt_kind(struct stmt *stmt, int column);
void stmt_bind_real(struct stmt *stmt, int at, double value);

/* Writer, outside a transaction: has the WAL moved into the file when it has grown past
 * its bound. The bulk of it is done by another thread (store/checkpointer.h); what is left
 * here takes about as long as two fsyncs, seldom. */
int db_checkpoint(struct db *db);
/* Everything committed is on the disk after it. */
int db_make_durable(struct db *db);

/* The writer's page cache: WIDE while much is applied at once, so that a page which many rows of a
 * transaction change is read and written once. It is taken only as needed. */
void db_set_cache(struct db *db, bool wide);
/* Gives the page cache's memory back, outside a transaction, and it is wide no longer. The kernel
 * has the pages still. */
void db_rest(struct db *db);

/* Bytes of the file and of its WAL. */
void db_sizes(struct db *db, uint64_t *database, uint64_t *wal);

#endif
