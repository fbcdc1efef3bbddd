#include "shop/reader.h"

#include "shop/warehouse.h"
#include "store/schema.h"

#include <stdlib.h>

enum { ITEMS_MAX = 512, TERMS_MEMORY = 64 << 20 };

int reader_open(const char *file, struct reader **out, struct failure *failure)
{
    *out = NULL;
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    arena_init(&reader->terms_memory, TERMS_MEMORY);
    int err = db_open(file, DB_READER, &reader->db, failure);
    if (!err)
        err = schema_check(reader->db, failure);
    items_init(&reader->items, reader->db, ITEMS_MAX, false);
    if (err) {
        reader_close(reader);
        return err;
    }
    *out = reader;
    return 0;
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    items_close(&reader->items);
    arena_close(&reader->terms_memory);
    db_close(reader->db);
    free(reader);
}

static uint64_t read_meta(struct reader *reader, const char *key)
{
    struct stmt *row = db_stmt(reader->db, "SELECT value FROM meta WHERE key = ?");
    stmt_bind_str(row, 1, str_of(key));
    return stmt_only_u64(row, 0);
}

/* Items and terms read from an earlier view are still true if the catalogue is the same. */
static void look_at_catalogue(struct reader *reader)
{
    uint64_t index = read_meta(reader, "catalogue_index");
    if (index != reader->catalogue_index) {
        items_clear(&reader->items);
        reader->terms_known = false;
        reader->catalogue_index = index;
    }
    items_trim(&reader->items);
}

int reader_enter(struct reader *reader)
{
    if (reader->depth++ > 0)
        return 0;
    db_begin(reader->db);
    look_at_catalogue(reader);
    int err = db_failure(reader->db)->err;
    return err ? reader_leave(reader, err) : 0;
}

int reader_leave(struct reader *reader, int err)
{
    int failed = db_failure(reader->db)->err;
    if (--reader->depth == 0 && failed) {
        db_rollback(reader->db);
        db_forget_failure(reader->db);
    } else if (reader->depth == 0) {
        db_commit(reader->db);
    }
    return failed ? failed : err;
}

int reader_begin(struct reader *reader, uint64_t *index)
{
    int err = reader_enter(reader);
    if (!err && index)
        *index = read_meta(reader, "applied_index");
    return err;
}

void reader_end(struct reader *reader)
{
    reader_leave(reader, 0);
}

const struct terms *reader_terms(struct reader *reader)
{
    if (!reader->terms_known) {
        arena_reset(&reader->terms_memory);
        int err = terms_load(reader->db, &reader->terms_memory, &reader->terms);
        if (err == ERR_DAMAGED)
            db_fail_damaged(reader->db, "settings, a discount or a rate cannot be read");
        else if (err)
            db_fail_memory(reader->db);
        reader->terms_known = !err;
    }
    return reader->terms_known ? &reader->terms : NULL;
}

int64_t reader_applied_time(struct reader *reader)
{
    return (int64_t)read_meta(reader, "applied_time");
}

/* ---- Terms ---- */

int reader_settings(struct reader *reader, struct arena *arena, struct shop_settings *settings)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, terms_load_settings(reader->db, arena, settings));
}

int reader_discounts(struct reader *reader, struct arena *arena, struct discount **list,
                     unsigned *count)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, terms_load_discounts(reader->db, arena, list, count));
}

int reader_shipping_rates(struct reader *reader, struct arena *arena, struct shipping_rate **list,
                          unsigned *count)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, terms_load_rates(reader->db, arena, list, count));
}

int reader_tax_rates(struct reader *reader, struct arena *arena, struct tax_rate **list,
                     unsigned *count)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, terms_load_taxes(reader->db, arena, list, count));
}

/* ---- What the primary looks after ---- */

enum { DUE_MAX = 100 };

static int read_ids(struct stmt *row, struct arena *arena, struct id **ids, unsigned *count)
{
    *count = 0;
    *ids = ARENA_ARRAY(arena, struct id, DUE_MAX);
    int err;
    while (!(err = stmt_next(row)) && *ids && *count < DUE_MAX)
        (*ids)[(*count)++] = stmt_id(row, 0);
    stmt_done(row);
    return !*ids ? ERR_NOMEM : err == ERR_NOTFOUND ? 0 : err;
}

static uint64_t count_expirable(struct reader *reader, int64_t now_ms)
{
    struct stmt *row = db_stmt(
        reader->db,
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM cart WHERE expires_ms <= ?1 LIMIT 10000))"
        " + (SELECT count(*) FROM (SELECT 1 FROM checkout WHERE expires_ms <= ?1 AND status <> ?2"
        "    LIMIT 10000))"
        " + (SELECT count(*) FROM (SELECT time_ms FROM idempotency ORDER BY seq LIMIT 10000)"
        "    WHERE time_ms <= ?1 - 86400000)"
        " + (SELECT count(*) FROM (SELECT time_ms FROM operation ORDER BY id LIMIT 10000)"
        "    WHERE time_ms <= ?1 - 3600000)"
        /* The oldest that EXPIRE has not looked at: they are in the order of time. */
        " + (SELECT count(*) FROM (SELECT placed_ms FROM orders WHERE number >"
        "    coalesce((SELECT value FROM meta WHERE key = 'lapsed_order'), 0)"
        "    ORDER BY number LIMIT 1) WHERE placed_ms <= ?1 - ?3)"
        " + (SELECT count(*) FROM import WHERE chunks = 0 AND started_ms <= ?1 - 86400000)");
    stmt_bind_i64(row, 1, now_ms);
    stmt_bind_i64(row, 2, CHECKOUT_PAYING);
    stmt_bind_i64(row, 3, ORDER_LAPSES_MS);
    uint64_t count = stmt_next(row) ? 0 : stmt_u64(row, 0);
    stmt_done(row);
    return count;
}

static int read_due(struct reader *reader, struct arena *arena, int64_t now_ms, struct due *due)
{
    struct warehouse *list;
    unsigned count;
    int err = warehouse_read_all(reader->db, arena, &list, &count);
    if (err)
        return err;
    due->expirable = count_expirable(reader, now_ms);
    for (unsigned i = 0; i < count; i++)
        due->expirable += list[i].clearing;
    struct stmt *row = db_stmt(reader->db, "SELECT id FROM checkout WHERE id IN (SELECT checkout_id"
                                           " FROM hold) AND hold_until_ms > 0"
                                           " AND hold_until_ms <= ? ORDER BY hold_until_ms");
    stmt_bind_i64(row, 1, now_ms);
    err = read_ids(row, arena, &due->overdue, &due->overdue_count);
    if (err)
        return err;
    row = db_stmt(reader->db, "SELECT id FROM import WHERE chunks > 0 ORDER BY id");
    return read_ids(row, arena, &due->imports, &due->import_count);
}

int reader_due(struct reader *reader, struct arena *arena, int64_t now_ms, struct due *due)
{
    *due = (struct due){0};
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, read_due(reader, arena, now_ms, due));
}

static int read_overdue(struct reader *reader, struct arena *arena, int64_t now_ms,
                        const struct overdue_place *after, struct overdue_place **places,
                        unsigned *count)
{
    struct stmt *row = db_stmt(reader->db, "SELECT hold_until_ms, id FROM checkout WHERE id IN"
                                           " (SELECT checkout_id FROM hold) AND hold_until_ms > 0"
                                           " AND hold_until_ms <= ?1"
                                           " AND (hold_until_ms, id) > (?2, ?3)"
                                           " ORDER BY hold_until_ms, id LIMIT ?4");
    int err = 0;
    *count = 0;
    *places = ARENA_ARRAY(arena, struct overdue_place, OVERDUE_PAGE);
    stmt_bind_i64(row, 1, now_ms);
    stmt_bind_i64(row, 2, after->hold_until_ms);
    stmt_bind_id(row, 3, after->checkout);
    stmt_bind_i64(row, 4, OVERDUE_PAGE);
    while (*places != NULL && *count < OVERDUE_PAGE && stmt_more(row, &err))
        (*places)[(*count)++] = (struct overdue_place){stmt_i64(row, 0), stmt_id(row, 1)};
    stmt_done(row);
    return *places == NULL ? ERR_NOMEM : err;
}

int reader_overdue(struct reader *reader, struct arena *arena, int64_t now_ms,
                   const struct overdue_place *after, struct overdue_place **places,
                   unsigned *count)
{
    *count = 0;
    int err = reader_enter(reader);
    return err ? err
               : reader_leave(reader, read_overdue(reader, arena, now_ms, after, places, count));
}

/* ---- Counts ---- */

static uint64_t number(struct reader *reader, const char *sql)
{
    struct stmt *row = db_stmt(reader->db, sql);
    uint64_t value = stmt_next(row) ? 0 : stmt_u64(row, 0);
    stmt_done(row);
    return value;
}

int reader_counts(struct reader *reader, struct shop_counts *counts)
{
    *counts = (struct shop_counts){0};
    int err = reader_enter(reader);
    if (err)
        return err;
    counts->products = read_meta(reader, "listed_products");
    counts->variants = read_meta(reader, "variants");
    counts->held_units = read_meta(reader, "held_units");
    counts->sold_units = read_meta(reader, "sold_units");
    /* Counted by pages of an index, not by rows. */
    counts->carts = number(reader, "SELECT count(*) FROM cart");
    counts->checkouts = number(reader, "SELECT count(*) FROM checkout");
    counts->orders = number(reader, "SELECT count(*) FROM orders");
    counts->applied_index = read_meta(reader, "applied_index");
    counts->applied_time_ms = reader_applied_time(reader);
    db_sizes(reader->db, &counts->database_bytes, &counts->wal_bytes);
    return reader_leave(reader, 0);
}
