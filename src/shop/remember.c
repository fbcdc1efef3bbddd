#include "shop/remember.h"

#include "shop/result.h"

enum {
    HOUR_MS = 3600000,
    IDEMPOTENCY_MS = 24 * HOUR_MS,
    OPERATION_MS = HOUR_MS,
    EXPIRE_MAX = 100000
};

static struct str key_of(const struct command *command)
{
    return str_make(command->idempotency_key, sizeof command->idempotency_key);
}

static struct str body_of(const struct command *command)
{
    return str_make(command->idempotency_body, sizeof command->idempotency_body);
}

bool recall_idempotent(struct apply *apply, struct buf *out)
{
    const struct command *command = apply->command;
    struct stmt *row = db_stmt(apply->db, "SELECT body, result, time_ms FROM idempotency"
                                          " WHERE key = ?");
    stmt_bind_blob(row, 1, key_of(command));
    if (stmt_next(row))
        return false;
    bool same = str_eq(stmt_blob(row, 0), body_of(command));
    bool old = stmt_i64(row, 2) <= apply->now - IDEMPOTENCY_MS;
    size_t start = out->len;
    if (same && !old)
        buf_str(out, stmt_blob(row, 1));
    stmt_done(row);
    /* Past its time, but not yet swept away: whether it was must not show. A second half
     * whose first half was let pass is never refused: its goods are paid for. */
    if (old || (!same && command->idempotency == IDEMPOTENCY_KEEP))
        return false;
    if (out->failed) {
        db_fail_memory(apply->db);
    } else if (same) {
        result_mark_replayed(out->at + start, out->len - start);
    } else {
        apply_refuse(apply, ERR_CONFLICT,
                     "this Idempotency-Key was used before with another request; use a new key "
                     "for a new request");
        result_encode(out, apply->result);
    }
    return true;
}

void remember_idempotent(struct apply *apply, struct str record)
{
    struct stmt *row =
        db_stmt(apply->db, "INSERT OR REPLACE INTO idempotency (key, body, time_ms, result)"
                           " VALUES (?, ?, ?, ?)");
    stmt_bind_blob(row, 1, key_of(apply->command));
    stmt_bind_blob(row, 2, body_of(apply->command));
    stmt_bind_i64(row, 3, apply->now);
    stmt_bind_blob(row, 4, record);
    stmt_run(row);
}

static void write_operation(struct apply *apply, struct str record)
{
    struct stmt *row =
        db_stmt(apply->db, "UPDATE operation SET time_ms = ?2, result = ?3 WHERE id = ?1");
    stmt_bind_id(row, 1, apply->command->operation);
    stmt_bind_i64(row, 2, apply->now);
    stmt_bind_blob(row, 3, record);
    stmt_run(row);
}

/* Most are new: their row is written at once, which finds that out by the way. */
static bool is_new_operation(struct apply *apply)
{
    struct stmt *row = db_stmt(apply->db, "INSERT INTO operation (id, time_ms, result)"
                                          " VALUES (?, ?, x'') ON CONFLICT (id) DO NOTHING");
    stmt_bind_id(row, 1, apply->command->operation);
    stmt_bind_i64(row, 2, apply->now);
    return stmt_run(row) || db_changed_rows(apply->db) > 0;
}

enum recalled recall_operation(struct apply *apply, struct buf *out)
{
    if (is_new_operation(apply))
        return RECALL_NONE;
    struct stmt *row = db_stmt(apply->db, "SELECT result, time_ms FROM operation WHERE id = ?");
    stmt_bind_id(row, 1, apply->command->operation);
    if (stmt_next(row))
        return RECALL_NONE;
    struct str record = stmt_blob(row, 0);
    enum recalled recalled = record.len ? RECALL_DONE : RECALL_SHOW;
    if (stmt_i64(row, 1) <= apply->now - OPERATION_MS)
        recalled = RECALL_NONE;
    if (recalled == RECALL_DONE)
        buf_str(out, record);
    stmt_done(row);
    if (out->failed)
        db_fail_memory(apply->db);
    if (recalled == RECALL_NONE) /* past its time, but not yet swept away */
        write_operation(apply, STR(""));
    return recalled;
}

void remember_operation(struct apply *apply, struct str record)
{
    if (record.len > 0) /* else it is there as recall_operation wrote it */
        write_operation(apply, record);
}

/* ---- Forgetting ---- */

static uint64_t run_counted(struct apply *apply, struct stmt *row, int64_t before, uint64_t limit)
{
    stmt_bind_i64(row, 1, before);
    stmt_bind_u64(row, 2, limit > EXPIRE_MAX ? EXPIRE_MAX : limit);
    return stmt_run(row) ? 0 : db_changed_rows(apply->db);
}

/* Rows were made in the order of time, or have ids in the order of time, so the oldest are the
 * first: only LIMIT rows are looked at. */
int expire_idempotency(struct apply *apply, uint64_t limit, uint64_t *removed)
{
    static const char keys[] =
        "DELETE FROM idempotency WHERE seq <= (SELECT max(seq) FROM"
        " (SELECT seq, time_ms FROM idempotency ORDER BY seq LIMIT ?2) WHERE time_ms <= ?1)";
    static const char operations[] =
        "DELETE FROM operation WHERE id IN (SELECT id FROM"
        " (SELECT id, time_ms FROM operation ORDER BY id LIMIT ?2) WHERE time_ms <= ?1)";
    uint64_t done =
        run_counted(apply, db_stmt(apply->db, keys), apply->now - IDEMPOTENCY_MS, limit);
    done +=
        run_counted(apply, db_stmt(apply->db, operations), apply->now - OPERATION_MS, limit - done);
    *removed += done;
    return db_failure(apply->db)->err;
}
