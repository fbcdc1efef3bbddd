#include "shop/remember.h"

#include "shop/operations.h"
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
    uint64_t seq = key_index_find(shop_keys(apply->shop), key_of(command));
    if (!seq)
        return false;
    struct stmt *row = db_stmt(apply->db, "SELECT body, result, time_ms FROM idempotency"
                                          " WHERE seq = ? AND key = ?");
    stmt_bind_u64(row, 1, seq);
    stmt_bind_blob(row, 2, key_of(command));
    if (stmt_next(row))
        return false;
    apply->key_row = seq;
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

static void forget_row(struct apply *apply, uint64_t seq)
{
    struct stmt *row = db_stmt(apply->db, "DELETE FROM idempotency WHERE seq = ?");
    stmt_bind_u64(row, 1, seq);
    stmt_run(row);
}

void remember_idempotent(struct apply *apply, struct str record)
{
    struct stmt *row = db_stmt(apply->db, "INSERT INTO idempotency (key, body, time_ms, result)"
                                          " VALUES (?, ?, ?, ?)");
    stmt_bind_blob(row, 1, key_of(apply->command));
    stmt_bind_blob(row, 2, body_of(apply->command));
    stmt_bind_i64(row, 3, apply->now);
    stmt_bind_blob(row, 4, record);
    if (stmt_run(row))
        return;
    key_index_add(shop_keys(apply->shop), key_of(apply->command), db_last_row(apply->db));
    /* After it: the last row must not go, as the next one's number follows it. */
    if (apply->key_row)
        forget_row(apply, apply->key_row);
}

enum recalled recall_operation(struct apply *apply, struct buf *out)
{
    struct operations *operations = shop_operations(apply->shop);
    struct id id = apply->command->operation;
    size_t start = out->len;
    switch (operations_find(operations, id, apply->now - OPERATION_MS, out)) {
    case OPERATION_KNOWN:
        return out->len > start ? RECALL_DONE : RECALL_SHOW;
    case OPERATION_NEW:
        operations_add(operations, id, apply->now);
        break;
    case OPERATION_OLD: /* but not yet swept away */
        operations_put(operations, id, apply->now, STR(""));
        break;
    }
    return RECALL_NONE;
}

void remember_operation(struct apply *apply, struct str record)
{
    if (record.len > 0) /* else it is there as recall_operation wrote it */
        operations_put(shop_operations(apply->shop), apply->command->operation, apply->now, record);
}

/* ---- Forgetting ---- */

/* The last of the first LIMIT rows that are past their time; 0: none. */
static uint64_t last_old_key(struct apply *apply, uint64_t limit)
{
    struct stmt *row =
        db_stmt(apply->db, "SELECT max(seq) FROM (SELECT seq, time_ms FROM"
                           " idempotency ORDER BY seq LIMIT ?2) WHERE time_ms <= ?1");
    stmt_bind_i64(row, 1, apply->now - IDEMPOTENCY_MS);
    stmt_bind_u64(row, 2, limit > EXPIRE_MAX ? EXPIRE_MAX : limit);
    return stmt_only_u64(row, 0);
}

static bool is_any_key(struct apply *apply)
{
    struct stmt *row = db_stmt(apply->db, "SELECT 1 FROM idempotency LIMIT 1");
    bool any = stmt_next(row) == 0;
    stmt_done(row);
    return any;
}

static uint64_t expire_keys(struct apply *apply, uint64_t limit)
{
    struct key_index *keys = shop_keys(apply->shop);
    uint64_t last = last_old_key(apply, limit);
    if (!last)
        return 0;
    key_index_sweep(keys, last);
    struct stmt *row = db_stmt(apply->db, "DELETE FROM idempotency WHERE seq <= ?");
    stmt_bind_u64(row, 1, last);
    if (stmt_run(row))
        return 0;
    uint64_t removed = db_changed_rows(apply->db);
    if (!is_any_key(apply))
        key_index_empty(keys);
    return removed;
}

static uint64_t expire_operations(struct apply *apply, uint64_t limit)
{
    struct stmt *row =
        db_stmt(apply->db, "DELETE FROM operation WHERE id IN (SELECT id FROM"
                           " (SELECT id, time_ms FROM operation ORDER BY id LIMIT ?2)"
                           " WHERE time_ms <= ?1)");
    stmt_bind_i64(row, 1, apply->now - OPERATION_MS);
    stmt_bind_u64(row, 2, limit > EXPIRE_MAX ? EXPIRE_MAX : limit);
    if (stmt_run(row))
        return 0;
    uint64_t removed = db_changed_rows(apply->db);
    operations_forget(shop_operations(apply->shop));
    return removed;
}

/* Rows were made in the order of time, or have ids in the order of time, so the oldest are the
 * first: only LIMIT rows are looked at. */
int expire_idempotency(struct apply *apply, uint64_t limit, uint64_t *removed)
{
    uint64_t done = expire_keys(apply, limit);
    done += expire_operations(apply, limit - done);
    *removed += done;
    return db_failure(apply->db)->err;
}
