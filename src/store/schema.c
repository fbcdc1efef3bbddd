#include "store/schema.h"

#include <stdio.h>

/* Ids given by the shop come from counters in `meta` and are never used twice. Ids of
 * carts, checkouts and operations are 16 bytes, time-ordered, so that their trees grow
 * at the end. Rows that are found by such an id alone are kept in the tree of the key
 * (WITHOUT ROWID): one tree instead of two. */
static const char tables[] =
    /* applied_index, applied_time, catalogue_index (last change of items, settings or
     * rates), next_product, next_variant, next_category, next_order, next_move,
     * next_outbox, lapsed_order (see expire.c), and what there is: listed_products, variants, held_units, sold_units. */
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"

    /* ---- Catalogue ---- */
    "CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    "  slug TEXT NOT NULL UNIQUE, products INTEGER NOT NULL);" /* listed ones */
    /* What lists show is kept here, derived from the variants. listed: published and not
     * retired. popularity: units sold, rounded (see stock.c). title_key: to sort by. */
    "CREATE TABLE product (id INTEGER PRIMARY KEY, handle TEXT NOT NULL UNIQUE,"
    "  title TEXT NOT NULL, title_key TEXT NOT NULL, vendor TEXT NOT NULL, category_id INTEGER,"
    "  published INTEGER NOT NULL, retired INTEGER NOT NULL, listed INTEGER NOT NULL,"
    "  price_min INTEGER NOT NULL, price_max INTEGER NOT NULL, compare_at INTEGER NOT NULL,"
    "  available INTEGER NOT NULL, popularity INTEGER NOT NULL, variant_count INTEGER NOT NULL,"
    "  variant_key TEXT NOT NULL, picture_url TEXT NOT NULL, picture_alt TEXT NOT NULL,"
    "  option_names TEXT NOT NULL, seo_title TEXT NOT NULL, seo_description TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, changed_index INTEGER NOT NULL);"
    "CREATE INDEX product_price ON product (price_min, id);"
    "CREATE INDEX product_title ON product (title_key, id);"
    "CREATE INDEX product_popularity ON product (popularity, id);"
    "CREATE INDEX product_category ON product (category_id, id);"
    "CREATE INDEX product_category_price ON product (category_id, price_min, id);"
    "CREATE INDEX product_vendor ON product (vendor);"
    "CREATE TABLE product_html (product_id INTEGER PRIMARY KEY, html TEXT NOT NULL);"
    "CREATE TABLE product_tag (product_id INTEGER NOT NULL, position INTEGER NOT NULL,"
    "  tag TEXT NOT NULL, PRIMARY KEY (product_id, position)) WITHOUT ROWID;"
    "CREATE INDEX product_tag_tag ON product_tag (tag, product_id);"
    "CREATE TABLE picture (product_id INTEGER NOT NULL, position INTEGER NOT NULL,"
    "  url TEXT NOT NULL, alt TEXT NOT NULL, PRIMARY KEY (product_id, position)) WITHOUT ROWID;"
    "CREATE TABLE variant (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL,"
    "  position INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, sku TEXT NOT NULL,"
    "  barcode TEXT NOT NULL, option1 TEXT NOT NULL, option2 TEXT NOT NULL,"
    "  option3 TEXT NOT NULL, price INTEGER NOT NULL, compare_at INTEGER NOT NULL,"
    "  grams INTEGER NOT NULL, tracked INTEGER NOT NULL, sell_when_out INTEGER NOT NULL,"
    "  taxable INTEGER NOT NULL, needs_shipping INTEGER NOT NULL, picture INTEGER NOT NULL,"
    "  retired INTEGER NOT NULL);"
    "CREATE INDEX variant_product ON variant (product_id, position);"
    "CREATE INDEX variant_sku ON variant (sku) WHERE sku <> '';"
    /* What product_search indexes; rowid = product id. */
    "CREATE TABLE product_words (product_id INTEGER PRIMARY KEY, title TEXT NOT NULL,"
    "  facts TEXT NOT NULL, description TEXT NOT NULL);"
    "CREATE VIRTUAL TABLE product_search USING fts5 (title, facts, description,"
    "  content = 'product_words', content_rowid = 'product_id',"
    "  tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');"

    /* ---- Stock ---- */
    /* available + held + sold = received + adjusted, always. */
    "CREATE TABLE stock (variant_id INTEGER PRIMARY KEY, available INTEGER NOT NULL,"
    "  held INTEGER NOT NULL, sold INTEGER NOT NULL, received INTEGER NOT NULL,"
    "  adjusted INTEGER NOT NULL, changed_index INTEGER NOT NULL);"
    /* What was received and adjusted, when and why; never changed. */
    "CREATE TABLE stock_move (id INTEGER PRIMARY KEY, variant_id INTEGER NOT NULL,"
    "  received INTEGER NOT NULL, adjusted INTEGER NOT NULL, note TEXT NOT NULL,"
    "  log_index INTEGER NOT NULL, time_ms INTEGER NOT NULL);"
    "CREATE INDEX stock_move_variant ON stock_move (variant_id, id);"

    /* ---- Terms ---- */
    /* Few rows each, read whole (shop/terms.h), so the record alone is kept. */
    "CREATE TABLE discount (key TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE shipping_rate (key TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE tax_rate (country TEXT NOT NULL, region TEXT NOT NULL, record BLOB NOT NULL,"
    "  PRIMARY KEY (country, region)) WITHOUT ROWID;"

    /* ---- Carts and checkouts: the record (shop/record.h), and what queries need ---- */
    /* expires_ms is rounded up to the hour, so that most changes leave its index alone. */
    "CREATE TABLE cart (id BLOB PRIMARY KEY, expires_ms INTEGER NOT NULL, record BLOB NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE INDEX cart_expires ON cart (expires_ms);"
    /* hold_until_ms: 0 unless its goods are held. expires_ms: rounded up to the minute. */
    "CREATE TABLE checkout (id BLOB PRIMARY KEY, cart_id BLOB, status INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL, hold_until_ms INTEGER NOT NULL, record BLOB NOT NULL)"
    "  WITHOUT ROWID;"
    "CREATE INDEX checkout_expires ON checkout (expires_ms);"
    /* The rows of those that are being paid alone: through them the overdue ones are found. */
    "CREATE TABLE hold (checkout_id BLOB NOT NULL, variant_id INTEGER NOT NULL,"
    "  quantity INTEGER NOT NULL, PRIMARY KEY (checkout_id, variant_id)) WITHOUT ROWID;"

    /* ---- Orders ---- */
    "CREATE TABLE orders (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    "  status INTEGER NOT NULL, placed_ms INTEGER NOT NULL, total INTEGER NOT NULL,"
    "  email TEXT NOT NULL, record BLOB NOT NULL);"
    "CREATE TABLE order_line (number INTEGER NOT NULL, line_id INTEGER NOT NULL,"
    "  variant_id INTEGER NOT NULL, item_key TEXT NOT NULL, quantity INTEGER NOT NULL,"
    "  unit_price INTEGER NOT NULL, discount INTEGER NOT NULL,"
    "  PRIMARY KEY (number, line_id)) WITHOUT ROWID;"

    /* ---- What was asked before ---- */
    /* In the order of arrival, so that the oldest go first without an index on time. */
    "CREATE TABLE idempotency (seq INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE,"
    "  body BLOB NOT NULL, time_ms INTEGER NOT NULL, result BLOB NOT NULL);"
    "CREATE TABLE operation (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    "  time_ms INTEGER NOT NULL, result BLOB NOT NULL);"

    /* ---- Imports on their way ---- */
    /* chunks: 0 undecided, else how many there are. next_chunk, next_offset: where
     * IMPORT_STEP goes on. */
    "CREATE TABLE import (id BLOB PRIMARY KEY, started_ms INTEGER NOT NULL,"
    "  chunks INTEGER NOT NULL, next_chunk INTEGER NOT NULL, next_offset INTEGER NOT NULL,"
    "  moved INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE import_chunk (seq INTEGER PRIMARY KEY, import_id BLOB NOT NULL,"
    "  sequence INTEGER NOT NULL, products BLOB NOT NULL);"
    "CREATE UNIQUE INDEX import_chunk_place ON import_chunk (import_id, sequence);";

/* What version 2 added: few things of the cluster itself (shop/registry.c); and operations, of
 * which there is one for each change of a cart, are in one tree by their time-ordered ids. */
static const char version_2[] =
    "CREATE TABLE registry (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE operation_by_id (id BLOB PRIMARY KEY, time_ms INTEGER NOT NULL,"
    "  result BLOB NOT NULL) WITHOUT ROWID;"
    "INSERT INTO operation_by_id SELECT id, time_ms, result FROM operation;"
    "DROP TABLE operation;"
    "ALTER TABLE operation_by_id RENAME TO operation;";

/* What version 3 changed: where a key's row is, is in a tree of its own, which may lag behind
 * (shop/key_index.h); the empty key has the row up to which it does not. */
static const char version_3[] =
    "CREATE TABLE answer (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, body BLOB NOT NULL,"
    "  time_ms INTEGER NOT NULL, result BLOB NOT NULL);"
    "INSERT INTO answer SELECT seq, key, body, time_ms, result FROM idempotency ORDER BY seq;"
    "CREATE TABLE idempotency_key (key BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO idempotency_key SELECT key, seq FROM idempotency ORDER BY key;"
    "INSERT INTO idempotency_key SELECT x'', max(seq) FROM idempotency HAVING max(seq) > 0;"
    "DROP TABLE idempotency;"
    "ALTER TABLE answer RENAME TO idempotency;";

/* Version 4 changed no table: a cart's record may tell of its shopper's servers (shop/record.c),
 * which a program of before cannot read. */

/* What version 5 added: what happens to orders after the sale (shop/order_events.h), where goods
 * lie (shop/warehouse.h), and what is to leave the cluster. The columns of orders and lines are
 * the fold of their events, kept for queries. */
static const char version_5[] =
    "ALTER TABLE orders ADD COLUMN payment INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE orders ADD COLUMN captured INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE orders ADD COLUMN refunding INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE orders ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE order_line ADD COLUMN shipped INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE order_line ADD COLUMN canceled INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE order_line ADD COLUMN returned INTEGER NOT NULL DEFAULT 0;"
    /* From event 2 on: the first is the order itself. */
    "CREATE TABLE order_event (number INTEGER NOT NULL, event INTEGER NOT NULL,"
    "  type INTEGER NOT NULL, time_ms INTEGER NOT NULL, log_index INTEGER NOT NULL,"
    "  record BLOB NOT NULL, PRIMARY KEY (number, event)) WITHOUT ROWID;"
    "CREATE TABLE allotment (number INTEGER NOT NULL, warehouse TEXT NOT NULL,"
    "  line_id INTEGER NOT NULL, variant_id INTEGER NOT NULL, quantity INTEGER NOT NULL,"
    "  shipped INTEGER NOT NULL DEFAULT 0, canceled INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (number, warehouse, line_id)) WITHOUT ROWID;"
    /* What is still to leave each warehouse. */
    "CREATE INDEX allotment_open ON allotment (warehouse, variant_id)"
    "  WHERE shipped + canceled < quantity;"
    "CREATE TABLE parcel (id BLOB PRIMARY KEY, number INTEGER NOT NULL, warehouse TEXT NOT NULL,"
    "  event INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE warehouse (id TEXT PRIMARY KEY, position INTEGER NOT NULL,"
    "  record BLOB NOT NULL) WITHOUT ROWID;"
    /* free: neither held nor sold; the main warehouse has no rows. */
    "CREATE TABLE warehouse_stock (variant_id INTEGER NOT NULL, warehouse TEXT NOT NULL,"
    "  free INTEGER NOT NULL, PRIMARY KEY (variant_id, warehouse)) WITHOUT ROWID;"
    /* The last report that was taken of each. */
    "CREATE TABLE warehouse_report (warehouse TEXT PRIMARY KEY, epoch BLOB NOT NULL,"
    "  sequence INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY, lane TEXT NOT NULL, kind INTEGER NOT NULL,"
    "  number INTEGER NOT NULL, order_id BLOB NOT NULL, event INTEGER NOT NULL,"
    "  effect BLOB NOT NULL, amount INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    "  log_index INTEGER NOT NULL, record BLOB NOT NULL);"
    "CREATE INDEX outbox_lane ON outbox (lane, seq);";

static int read_pragma(struct db *db, const char *sql, int64_t *value)
{
    struct stmt *stmt = db_stmt(db, sql);
    int err = stmt_next(stmt);
    if (err)
        return err;
    *value = stmt_i64(stmt, 0);
    stmt_done(stmt);
    return 0;
}

/* From version FROM (0: an empty file) to the present one, in one transaction. */
static int make_tables(struct db *db, int64_t from)
{
    char marks[96];
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    db_begin(db);
    if (from < 1)
        db_exec(db, tables);
    if (from < 2)
        db_exec(db, version_2);
    if (from < 3)
        db_exec(db, version_3);
    if (from < 5)
        db_exec(db, version_5);
    db_exec(db, marks);
    return db_commit(db);
}

static int check(struct db *db, bool make, struct failure *failure)
{
    int64_t application = 0, version = 0, count = 0;
    read_pragma(db, "PRAGMA application_id", &application);
    read_pragma(db, "PRAGMA user_version", &version);
    int err = read_pragma(db, "SELECT count(*) FROM sqlite_schema", &count);
    bool empty = !err && application == 0 && version == 0 && count == 0;
    bool old =
        !err && application == SCHEMA_APPLICATION_ID && version > 0 && version < SCHEMA_VERSION;
    if (make && (empty || old))
        err = make_tables(db, version);
    if (err) {
        if (failure)
            *failure = *db_failure(db);
        return err;
    }
    if (old || (empty && make))
        return 0;
    if (application != SCHEMA_APPLICATION_ID)
        return fail(failure, ERR_UNSUPPORTED,
                    "%s: this is not a database of Stoa; choose another folder", db_file(db));
    if (version != SCHEMA_VERSION)
        return fail(failure, ERR_UNSUPPORTED,
                    "%s: its tables have version %lld, this program knows version %d; use the "
                    "program that made it, or a newer one",
                    db_file(db), (long long)version, SCHEMA_VERSION);
    return 0;
}

int schema_open(struct db *db, struct failure *failure)
{
    return check(db, true, failure);
}

int schema_check(struct db *db, struct failure *failure)
{
    return check(db, false, failure);
}
