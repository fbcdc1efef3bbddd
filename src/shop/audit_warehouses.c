/* Audit of warehouses, and of where goods lie. */
#include "shop/auditing.h"
#include "shop/warehouse.h"

static void say_rows(struct auditing *audit, const char *sql)
{
    struct stmt *row = db_stmt(audit->db, sql);
    while (stmt_next(row) == 0)
        audit_say(audit, "%.*s", STR_FMT(stmt_str(row, 0)));
}

static void check_positions(struct auditing *audit, const struct warehouse *list, unsigned count)
{
    struct stmt *row = db_stmt(audit->db, "SELECT id, position FROM warehouse"
                                          " ORDER BY position, id");
    for (unsigned i = 0; i < count && stmt_next(row) == 0; i++)
        if (!str_eq(list[i].id, stmt_str(row, 0)) || list[i].position != stmt_u64(row, 1))
            audit_say(audit, "warehouse %.*s: its row and its record differ",
                      STR_FMT(stmt_str(row, 0)));
    stmt_done(row);
}

/* It has what no other has, so that it has no rows. */
static void check_main(struct auditing *audit, const struct warehouse *main)
{
    struct stmt *row = db_stmt(audit->db, "SELECT count(*) FROM warehouse_stock"
                                          " WHERE warehouse = ?");
    stmt_bind_str(row, 1, main->id);
    uint64_t rows = stmt_only_u64(row, 0);
    if (rows > 0)
        audit_say(audit, "%.*s is the main warehouse, but has %llu rows of stock of its own",
                  STR_FMT(main->id), (unsigned long long)rows);
}

void audit_warehouses(struct auditing *audit)
{
    struct warehouse *list;
    unsigned count;
    arena_reset(&audit->arena);
    if (warehouse_read_all(audit->db, &audit->arena, &list, &count)) {
        audit_say(audit, "a warehouse cannot be read");
        return;
    }
    check_positions(audit, list, count);
    if (count > 0)
        check_main(audit, &list[0]);
    say_rows(audit, "SELECT format('variant %d lies at warehouse %s, which there is not',"
                    " s.variant_id, s.warehouse) FROM warehouse_stock s"
                    " LEFT JOIN warehouse w ON w.id = s.warehouse WHERE w.id IS NULL");
    say_rows(audit, "SELECT format('variant %d, which there is not, lies at warehouse %s',"
                    " s.variant_id, s.warehouse) FROM warehouse_stock s"
                    " LEFT JOIN variant v ON v.id = s.variant_id WHERE v.id IS NULL");
    say_rows(audit, "SELECT format('warehouse %s, which there is not, has %d lines to ship',"
                    " a.warehouse, count(*)) FROM allotment a"
                    " LEFT JOIN warehouse w ON w.id = a.warehouse WHERE w.id IS NULL"
                    " GROUP BY a.warehouse");
    say_rows(audit, "SELECT format('reports of warehouse %s, which there is not', r.warehouse)"
                    " FROM warehouse_report r LEFT JOIN warehouse w ON w.id = r.warehouse"
                    " WHERE w.id IS NULL");
}
