/* Audit of the counts: stock against what it is made of, lists against the catalogue. */
#include "shop/auditing.h"
#include "shop/model.h"

/* Rows (variant, a, b) in the order of variants: one of the sums that stock is made of. */
struct sums {
    struct stmt *stmt;
    bool ended;
    uint64_t variant;
    int64_t a, b;
};

static void advance(struct sums *sums)
{
    sums->ended = stmt_next(sums->stmt) != 0;
    if (sums->ended)
        return;
    sums->variant = stmt_u64(sums->stmt, 0);
    sums->a = stmt_i64(sums->stmt, 1);
    sums->b = stmt_i64(sums->stmt, 2);
}

static void open_sums(struct auditing *audit, struct sums *sums, const char *sql)
{
    sums->stmt = db_stmt(audit->db, sql);
    advance(sums);
}

/* Moves on to VARIANT; false when it has no rows. What is passed has no stock row at all. */
static bool find(struct auditing *audit, struct sums *sums, uint64_t variant, const char *what)
{
    for (; !sums->ended && sums->variant < variant; advance(sums))
        audit_say(audit, "variant %llu has %s but no stock row", (unsigned long long)sums->variant,
                  what);
    return !sums->ended && sums->variant == variant;
}

static void compare(struct auditing *audit, struct str key, const char *name, int64_t recorded,
                    int64_t derived, const char *source)
{
    if (recorded != derived)
        audit_say(audit, "%.*s: %s is recorded as %lld, but %s add up to %lld", STR_FMT(key), name,
                  (long long)recorded, source, (long long)derived);
}

static void check_variant(struct auditing *audit, struct stmt *row, struct sums *moves,
                          struct sums *holds, struct sums *sales)
{
    uint64_t variant = stmt_u64(row, 0);
    struct str key = arena_str(&audit->arena, stmt_str(row, 1));
    audit->report->variants++;
    bool moved = find(audit, moves, variant, "movements of stock");
    bool held = find(audit, holds, variant, "holds");
    bool sold = find(audit, sales, variant, "sales");
    if (stmt_i64(row, 7) == 0) {
        audit_say(audit, "%.*s has no stock row", STR_FMT(key));
    } else {
        compare(audit, key, "available + held + sold",
                stmt_i64(row, 2) + stmt_i64(row, 3) + stmt_i64(row, 4),
                stmt_i64(row, 5) + stmt_i64(row, 6), "received and adjusted");
        compare(audit, key, "held", stmt_i64(row, 3), held ? holds->a : 0, "open holds");
        compare(audit, key, "sold", stmt_i64(row, 4), sold ? sales->a : 0, "the lines of orders");
        compare(audit, key, "received", stmt_i64(row, 5), moved ? moves->a : 0, "its movements");
        compare(audit, key, "adjusted", stmt_i64(row, 6), moved ? moves->b : 0, "its movements");
    }
    if (moved)
        advance(moves);
    if (held)
        advance(holds);
    if (sold)
        advance(sales);
}

void audit_stock(struct auditing *audit)
{
    struct sums moves, holds, sales;
    open_sums(audit, &moves,
              "SELECT variant_id, sum(received), sum(adjusted) FROM stock_move"
              " GROUP BY variant_id ORDER BY variant_id");
    open_sums(audit, &holds,
              "SELECT variant_id, sum(quantity), 0 FROM hold"
              " GROUP BY variant_id ORDER BY variant_id");
    open_sums(audit, &sales,
              "SELECT variant_id, sum(quantity - canceled - returned), 0 FROM order_line"
              " GROUP BY variant_id ORDER BY variant_id");
    struct stmt *row = db_stmt(
        audit->db, "SELECT v.id, v.key, s.available, s.held, s.sold, s.received, s.adjusted,"
                   " s.variant_id IS NOT NULL"
                   " FROM variant v LEFT JOIN stock s ON s.variant_id = v.id ORDER BY v.id");
    while (stmt_next(row) == 0) {
        arena_reset(&audit->arena);
        check_variant(audit, row, &moves, &holds, &sales);
    }
    find(audit, &moves, INT64_MAX, "movements of stock");
    find(audit, &holds, INT64_MAX, "holds");
    find(audit, &sales, INT64_MAX, "sales");
    stmt_done(moves.stmt);
    stmt_done(holds.stmt);
    stmt_done(sales.stmt);
}

/* ---- Catalogue ---- */

/* SQL gives a sentence for each difference. */
static void say_rows(struct auditing *audit, const char *sql)
{
    struct stmt *row = db_stmt(audit->db, sql);
    while (stmt_next(row) == 0)
        audit_say(audit, "%.*s", STR_FMT(stmt_str(row, 0)));
}

void audit_catalogue(struct auditing *audit)
{
    say_rows(audit, "SELECT format('stock row of variant %d, which there is not', s.variant_id)"
                    " FROM stock s LEFT JOIN variant v ON v.id = s.variant_id WHERE v.id IS NULL");
    say_rows(audit, "SELECT format('%s belongs to product %d, which there is not', v.key,"
                    " v.product_id) FROM variant v LEFT JOIN product p ON p.id = v.product_id"
                    " WHERE p.id IS NULL");
    say_rows(audit, "SELECT format('category \"%s\" is recorded with %d products but has %d',"
                    " c.name, c.products, count(p.id)) FROM category c LEFT JOIN product p"
                    " ON p.category_id = c.id AND p.listed GROUP BY c.id"
                    " HAVING c.products <> count(p.id)");
    say_rows(audit, "SELECT format('%s is listed with prices %d to %d, but its variants cost"
                    " %d to %d', p.handle, p.price_min, p.price_max, min(v.price), max(v.price))"
                    " FROM product p JOIN variant v ON v.product_id = p.id AND NOT v.retired"
                    " WHERE p.listed GROUP BY p.id"
                    " HAVING p.price_min <> min(v.price) OR p.price_max <> max(v.price)");
    say_rows(audit, "SELECT format('%s is not in the search index as it is called', p.handle)"
                    " FROM product p LEFT JOIN product_words w ON w.product_id = p.id"
                    " LEFT JOIN product_search_docsize d ON d.id = p.id"
                    " WHERE d.id IS NULL OR w.title IS NOT p.title");
    say_rows(audit, "SELECT format('the search index has product %d, which there is not', d.id)"
                    " FROM product_search_docsize d LEFT JOIN product p ON p.id = d.id"
                    " WHERE p.id IS NULL");
}
