#include "shop/operations.h"

#include <stdlib.h>

enum { YOUNG = 32768, SLOTS = 2 * YOUNG, AT_ONCE = 32 };

struct operation {
    struct id id;
    int64_t time_ms;
    bool waits; /* it has no result, and is not in the table yet */
};

_Static_assert(YOUNG < UINT16_MAX, "each place has a number");

void operations_init(struct operations *operations, struct db *db)
{
    /* A seed of its own for each process: clients may choose ids. It decides nothing else. */
    uint64_t here = (uint64_t)(uintptr_t)operations;
    *operations = (struct operations){.db = db, .hash = {here, ~here * 0x9e3779b97f4a7c15u}};
}

void operations_clear(struct operations *operations)
{
    free(operations->young);
    free(operations->sorted);
    free(operations->slots);
    operations_init(operations, operations->db);
}

static bool is_after(struct id id, struct id other)
{
    return memcmp(id.bytes, other.bytes, sizeof id.bytes) > 0;
}

static struct id last_in_table(struct db *db)
{
    struct id last = {{0}};
    struct stmt *row = db_stmt(db, "SELECT id FROM operation ORDER BY id DESC LIMIT 1");
    if (stmt_next(row) == 0) {
        last = stmt_id(row, 0);
        stmt_done(row);
    }
    return last;
}

/* False: no memory; the table alone has all. */
static bool ready(struct operations *operations)
{
    if (operations->young)
        return true;
    operations->young = malloc(YOUNG * sizeof operations->young[0]);
    operations->sorted = malloc(YOUNG * sizeof operations->sorted[0]);
    operations->slots = calloc(SLOTS, sizeof operations->slots[0]);
    operations->last = last_in_table(operations->db);
    if (operations->young && operations->sorted && operations->slots)
        return true;
    operations_clear(operations);
    return false;
}

/* The slot of ID, or the free one where it belongs: half of them are free. */
static uint16_t *slot_of(const struct operations *operations, struct id id)
{
    unsigned slot =
        (unsigned)hash_fast(operations->hash, str_make(id.bytes, sizeof id.bytes)) % SLOTS;
    while (operations->slots[slot] != 0 &&
           !id_eq(operations->young[operations->slots[slot] - 1].id, id))
        slot = (slot + 1) % SLOTS;
    return &operations->slots[slot];
}

static struct operation *young_of(const struct operations *operations, struct id id)
{
    uint16_t number = operations->young ? *slot_of(operations, id) : 0;
    return number ? &operations->young[number - 1] : NULL;
}

/* ---- Asking ---- */

static enum operation_known ask_table(struct db *db, struct id id, int64_t oldest_ms,
                                      struct buf *out)
{
    struct stmt *row = db_stmt(db, "SELECT result, time_ms FROM operation WHERE id = ?");
    stmt_bind_id(row, 1, id);
    if (stmt_next(row))
        return OPERATION_NEW;
    bool old = stmt_i64(row, 1) <= oldest_ms;
    if (!old)
        buf_str(out, stmt_blob(row, 0));
    stmt_done(row);
    if (out->failed)
        db_fail_memory(db);
    return old ? OPERATION_OLD : OPERATION_KNOWN;
}

enum operation_known operations_find(struct operations *operations, struct id id, int64_t oldest_ms,
                                     struct buf *out)
{
    if (ready(operations)) {
        const struct operation *young = young_of(operations, id);
        if (young && young->waits)
            return young->time_ms <= oldest_ms ? OPERATION_OLD : OPERATION_KNOWN;
        if (!young && is_after(id, operations->last))
            return OPERATION_NEW;
    }
    return ask_table(operations->db, id, oldest_ms, out);
}

/* ---- Writing ---- */

static int write_row(struct db *db, struct id id, int64_t time_ms, struct str result)
{
    struct stmt *row =
        db_stmt(db, "INSERT OR REPLACE INTO operation (id, time_ms, result) VALUES (?, ?, ?)");
    stmt_bind_id(row, 1, id);
    stmt_bind_i64(row, 2, time_ms);
    stmt_bind_blob(row, 3, result);
    return stmt_run(row);
}

#define ROW     "(?, ?, x'')"
#define ROWS_4  ROW ", " ROW ", " ROW ", " ROW
#define ROWS_16 ROWS_4 ", " ROWS_4 ", " ROWS_4 ", " ROWS_4

static int write_rows(struct db *db, struct operation *const rows[AT_ONCE])
{
    struct stmt *stmt =
        db_stmt(db, "INSERT INTO operation (id, time_ms, result) VALUES " ROWS_16 ", " ROWS_16);
    for (int i = 0; i < AT_ONCE; i++) {
        const struct id *id = &rows[i]->id;
        stmt_bind_blob(stmt, 2 * i + 1, str_make(id->bytes, sizeof id->bytes));
        stmt_bind_i64(stmt, 2 * i + 2, rows[i]->time_ms);
    }
    return stmt_run(stmt);
}

static int by_id(const void *a, const void *b)
{
    const struct operation *const *one = a, *const *other = b;
    return memcmp((*one)->id.bytes, (*other)->id.bytes, sizeof(struct id));
}

int operations_write_back(struct operations *operations)
{
    struct operation **rows = operations->sorted;
    unsigned count = 0, done = 0;
    int err = 0;
    for (unsigned i = operations->written; i < operations->count; i++) {
        struct operation *young = &operations->young[i];
        if (young->waits)
            rows[count++] = young;
        young->waits = false;
    }
    operations->written = operations->count;
    if (count > 1)
        qsort(rows, count, sizeof rows[0], by_id);
    for (; !err && count - done >= AT_ONCE; done += AT_ONCE)
        err = write_rows(operations->db, rows + done);
    for (; !err && done < count; done++)
        err = write_row(operations->db, rows[done]->id, rows[done]->time_ms, STR(""));
    return err;
}

void operations_forget(struct operations *operations)
{
    for (unsigned i = 0; i < operations->count; i++)
        if (is_after(operations->young[i].id, operations->last))
            operations->last = operations->young[i].id;
    if (operations->count > 0)
        memset(operations->slots, 0, SLOTS * sizeof operations->slots[0]);
    operations->count = operations->written = 0;
}

/* ---- Adding ---- */

int operations_add(struct operations *operations, struct id id, int64_t time_ms)
{
    if (!ready(operations))
        return operations_put(operations, id, time_ms, STR(""));
    if (operations->count == YOUNG) {
        int err = operations_write_back(operations);
        if (err)
            return err;
        operations_forget(operations);
    }
    uint16_t *slot = slot_of(operations, id);
    if (*slot != 0)
        return operations_put(operations, id, time_ms, STR(""));
    operations->young[operations->count++] = (struct operation){id, time_ms, true};
    *slot = (uint16_t)operations->count;
    return 0;
}

int operations_put(struct operations *operations, struct id id, int64_t time_ms, struct str result)
{
    struct operation *young = young_of(operations, id);
    if (young)
        young->waits = false;
    else if (operations->young && is_after(id, operations->last))
        operations->last = id; /* the table has it, and memory has not */
    return write_row(operations->db, id, time_ms, result);
}
