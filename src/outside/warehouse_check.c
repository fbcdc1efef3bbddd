#include "outside/warehouse_book.h"

#include <inttypes.h>
#include <stdio.h>

/* A rule of the book as a query for what breaks it: two columns, what it is about and how. */
struct rule {
    const char *sql;
};

static const struct rule rules[] = {
    {"SELECT 'order ' || number || ' line ' || line, 'of ' || quantity || ' units ' || packed ||"
     " ' are packed, ' || canceled || ' canceled, ' || short || ' short, ' || picked || ' picked, '"
     " || shipped || ' shipped, ' || returned || ' returned' FROM order_line"
     " JOIN orders USING (order_id) WHERE quantity < 1 OR min(picked, packed, shipped, canceled,"
     " short, returned) < 0 OR packed + canceled + short > quantity OR shipped > packed"
     " OR returned > shipped OR picked > quantity - packed - canceled - short"},
    {"SELECT 'a line of order ' || lower(hex(order_id)), 'there is no such order' FROM order_line"
     " WHERE order_id NOT IN (SELECT order_id FROM orders)"},
    {"SELECT 'order ' || number, 'it has no lines' FROM orders WHERE order_id NOT IN"
     " (SELECT order_id FROM order_line)"},
    {"SELECT 'order ' || number, 'it is said to be ' || state || ', its lines say otherwise' FROM"
     " (SELECT number, state, sum(quantity - packed - canceled - short) AS open,"
     "  sum(packed - shipped) AS waiting, sum(shipped) AS gone, sum(short) AS lacks"
     "  FROM orders JOIN order_line USING (order_id) GROUP BY orders.order_id) WHERE state <> CASE"
     " WHEN open > 0 THEN 'open' WHEN waiting > 0 THEN 'packed' WHEN gone > 0 THEN 'shipped'"
     " WHEN lacks > 0 THEN 'short' ELSE 'canceled' END"},
    /* Parcels hold what the lines say is packed, and what has left of it. */
    {"SELECT 'order ' || number || ' line ' || line, packed || ' packed and ' || shipped ||"
     " ' shipped, but ' || inside || ' and ' || gone || ' in its parcels' FROM (SELECT o.number,"
     "  l.line, l.packed, l.shipped, ifnull(sum(p.quantity), 0) AS inside,"
     "  ifnull(sum(iif(p.state <> 'packed', p.quantity, 0)), 0) AS gone"
     "  FROM order_line l JOIN orders o USING (order_id) LEFT JOIN (SELECT order_id, line,"
     "   quantity, state FROM parcel JOIN parcel_line USING (parcel)) p"
     "   ON p.order_id = l.order_id AND p.line = l.line GROUP BY l.order_id, l.line)"
     " WHERE inside <> packed OR gone <> shipped"},
    {"SELECT 'parcel ' || lower(hex(parcel)), 'it holds nothing, or nothing that was ordered' FROM"
     " parcel p WHERE NOT EXISTS (SELECT 1 FROM parcel_line l JOIN order_line o ON"
     " o.order_id = p.order_id AND o.line = l.line WHERE l.parcel = p.parcel)"},
    /* The stock book. */
    {"SELECT 'item ' || item, on_hand || ' on hand, but its moves add up to ' || moved FROM"
     " (SELECT i.item, i.on_hand, ifnull(sum(m.quantity), 0) AS moved FROM item i"
     "  LEFT JOIN move m ON m.item = i.item GROUP BY i.item) WHERE on_hand <> moved"},
    {"SELECT 'item ' || item, allotted || ' allotted, but its orders want ' || wanted FROM"
     " (SELECT i.item, i.allotted, ifnull(sum(l.quantity - l.shipped - l.canceled - l.short), 0)"
     "  AS wanted FROM item i LEFT JOIN order_line l ON l.item = i.item GROUP BY i.item)"
     " WHERE allotted <> wanted"},
    {"SELECT 'item ' || item, shipped || ' shipped, but its orders say ' || gone FROM"
     " (SELECT i.item, i.shipped, ifnull(sum(l.shipped), 0) AS gone FROM item i"
     "  LEFT JOIN order_line l ON l.item = i.item GROUP BY i.item) WHERE shipped <> gone"},
    {"SELECT 'item ' || item, 'an order has it and the stock book has not' FROM order_line"
     " WHERE item NOT IN (SELECT item FROM item)"},
    /* Every parcel that left was reported once, and nothing else was reported as one that left. */
    {"SELECT 'parcel ' || lower(hex(parcel)), reports || ' reports say that it has left' FROM"
     " (SELECT p.parcel, p.state, ifnull(r.count, 0) AS reports FROM parcel p LEFT JOIN"
     "   (SELECT json_extract(body, '$.parcel') AS parcel, count(*) AS count FROM report"
     "    WHERE kind = 'shipped' GROUP BY 1) r ON r.parcel = lower(hex(p.parcel))"
     "  WHERE p.state = 'packed' OR p.shipped_ms > (SELECT min(made_ms) FROM report))"
     " WHERE reports <> iif(state = 'packed', 0, 1)"},
    {"SELECT 'report ' || id, 'it was taken as ' || sequence || ', of ' || taken FROM report,"
     " (SELECT ifnull((SELECT value FROM meta WHERE name = 'taken'), 0) AS taken)"
     " WHERE sequence > taken OR (sequence IS NOT NULL AND state <> 'taken')"},
    {"SELECT 'number ' || sequence, 'two reports were taken as it' FROM report WHERE sequence IS"
     " NOT NULL GROUP BY sequence HAVING count(*) > 1"},
    {"SELECT 'order ' || number, 'it was taken under the fence ' || o.epoch || '.' || o.term ||"
     " ', ours is ' || f.epoch || '.' || f.term FROM orders o, fence f WHERE"
     " (o.epoch, o.term) > (f.epoch, f.term)"},
};

static int apply_rule(struct db *db, const struct rule *rule,
                      void (*tell)(void *context, const char *text), void *context, uint64_t *wrong)
{
    char text[512];
    int err;
    struct stmt *stmt = stmt_new(db, rule->sql);
    while (stmt_more(stmt, &err)) {
        snprintf(text, sizeof text, "%.*s: %.*s", STR_FMT(stmt_str(stmt, 0)),
                 STR_FMT(stmt_str(stmt, 1)));
        tell(context, text);
        ++*wrong;
    }
    stmt_free(stmt);
    return err;
}

int warehouse_book_check(struct db *db, void (*tell)(void *context, const char *text),
                         void *context, struct book_counts *counts, struct failure *failure)
{
    *counts = (struct book_counts){
        .orders = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM orders"), 0),
        .lines = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM order_line"), 0),
        .parcels = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM parcel"), 0),
        .items = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM item"), 0),
        .reports = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM report"), 0),
    };
    int err = db_failure(db)->err;
    for (size_t i = 0; !err && i < sizeof rules / sizeof *rules; i++)
        err = apply_rule(db, &rules[i], tell, context, &counts->wrong);
    return err ? fail(failure, err, "%s", db_failure(db)->text) : 0;
}
