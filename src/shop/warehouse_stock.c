/* Stock by warehouse: the rows of all but the main one, and what the main one has. */
#include "shop/warehouse.h"

static int64_t only_number(struct stmt *row)
{
    int64_t number = stmt_next(row) ? 0 : stmt_i64(row, 0);
    stmt_done(row);
    return number;
}

int warehouse_count_of(struct db *db, struct str warehouse, bool is_main, uint64_t variant_id,
                       int64_t on_shelves, struct warehouse_count *count)
{
    struct stmt *row = db_stmt(db, "SELECT coalesce(sum(free), 0) FROM warehouse_stock"
                                   " WHERE variant_id = ?1 AND (?2 = '' OR warehouse = ?2)");
    stmt_bind_u64(row, 1, variant_id);
    stmt_bind_str(row, 2, is_main ? STR("") : warehouse);
    int64_t free = only_number(row);
    count->free = is_main ? on_shelves - free : free;
    row = db_stmt(db, "SELECT coalesce(sum(quantity - shipped - canceled), 0) FROM allotment"
                      " WHERE warehouse = ? AND variant_id = ? AND shipped + canceled < quantity");
    stmt_bind_str(row, 1, warehouse);
    stmt_bind_u64(row, 2, variant_id);
    count->allotted = only_number(row);
    return db_failure(db)->err;
}

int warehouse_add_free(struct apply *apply, struct str warehouse, uint64_t variant_id,
                       int64_t difference)
{
    struct warehouse *list;
    unsigned count;
    int err = warehouse_load(apply, &list, &count);
    if (err || count == 0 || difference == 0 || str_eq(list[0].id, warehouse))
        return err;
    struct stmt *row =
        db_stmt(apply->db, "INSERT INTO warehouse_stock (variant_id, warehouse, free)"
                           " VALUES (?1, ?2, ?3) ON CONFLICT (variant_id, warehouse)"
                           " DO UPDATE SET free = free + ?3");
    stmt_bind_u64(row, 1, variant_id);
    stmt_bind_str(row, 2, warehouse);
    stmt_bind_i64(row, 3, difference);
    return stmt_run(row) ? apply_failed(apply) : 0;
}
