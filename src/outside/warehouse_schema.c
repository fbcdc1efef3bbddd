#include "base/random.h"
#include "outside/warehouse_book.h"

enum { BOOK_VERSION = 1, EPOCH_BYTES = 16 };

const char *const book_place_names[PLACE_COUNT] = {
    [PLACE_FIRST_NAME] = "first_name", [PLACE_LAST_NAME] = "last_name",
    [PLACE_PHONE] = "phone",           [PLACE_STREET] = "street",
    [PLACE_EXTENDED] = "extended",     [PLACE_LOCALITY] = "locality",
    [PLACE_REGION] = "region",         [PLACE_POSTAL_CODE] = "postal_code",
    [PLACE_COUNTRY] = "country",
};

/* Orders are worked on in the order of their rows; `state` follows from lines and parcels:
 *   open      something is to be picked or packed
 *   packed    all is in parcels, of which some have not left
 *   shipped   all has left that was not canceled or short
 *   short     nothing was there to ship
 *   canceled  nothing was left to ship
 * epoch and term are those of the fence that it came with. In `report`, sequence is set when the
 * shop has taken it; that of a waiting one follows from its place (warehouse_reports.h). */
static const char tables[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE fence (shop BLOB PRIMARY KEY, epoch INTEGER NOT NULL, term INTEGER NOT NULL,"
    " raised_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE refused (id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, peer TEXT NOT NULL,"
    " what TEXT NOT NULL, theirs TEXT NOT NULL, ours TEXT NOT NULL);"
    "CREATE TABLE effect (effect BLOB PRIMARY KEY, kind TEXT NOT NULL, order_id BLOB,"
    " time_ms INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_id BLOB NOT NULL UNIQUE,"
    " number INTEGER NOT NULL, placed_ms INTEGER NOT NULL, taken_ms INTEGER NOT NULL,"
    " log_index INTEGER NOT NULL, epoch INTEGER NOT NULL, term INTEGER NOT NULL,"
    " state TEXT NOT NULL,"
    " service TEXT NOT NULL, email TEXT NOT NULL, first_name TEXT NOT NULL,"
    " last_name TEXT NOT NULL, phone TEXT NOT NULL, street TEXT NOT NULL, extended TEXT NOT NULL,"
    " locality TEXT NOT NULL, region TEXT NOT NULL, postal_code TEXT NOT NULL,"
    " country TEXT NOT NULL);"
    "CREATE INDEX orders_state ON orders (state, id);"
    "CREATE INDEX orders_number ON orders (number);"
    "CREATE TABLE order_line (order_id BLOB NOT NULL, line INTEGER NOT NULL, item TEXT NOT NULL,"
    " sku TEXT NOT NULL, title TEXT NOT NULL, options TEXT NOT NULL, quantity INTEGER NOT NULL,"
    " picked INTEGER NOT NULL DEFAULT 0, packed INTEGER NOT NULL DEFAULT 0,"
    " shipped INTEGER NOT NULL DEFAULT 0, canceled INTEGER NOT NULL DEFAULT 0,"
    " short INTEGER NOT NULL DEFAULT 0, returned INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (order_id, line)) WITHOUT ROWID;"
    /* Line 0: all that comes of the order. */
    "CREATE TABLE early_cancel (order_id BLOB NOT NULL, line INTEGER NOT NULL,"
    " quantity INTEGER NOT NULL, PRIMARY KEY (order_id, line)) WITHOUT ROWID;"
    "CREATE TABLE parcel (parcel BLOB PRIMARY KEY, order_id BLOB NOT NULL,"
    " number INTEGER NOT NULL, state TEXT NOT NULL, packed_ms INTEGER NOT NULL,"
    " shipped_ms INTEGER, delivered_ms INTEGER, carrier TEXT NOT NULL DEFAULT '',"
    " tracking TEXT NOT NULL DEFAULT '', tracking_url TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
    "CREATE INDEX parcel_order ON parcel (order_id, number);"
    "CREATE INDEX parcel_state ON parcel (state, shipped_ms);"
    "CREATE TABLE parcel_line (parcel BLOB NOT NULL, line INTEGER NOT NULL,"
    " quantity INTEGER NOT NULL, PRIMARY KEY (parcel, line)) WITHOUT ROWID;"
    "CREATE TABLE item (item TEXT PRIMARY KEY, sku TEXT NOT NULL, title TEXT NOT NULL,"
    " options TEXT NOT NULL, on_hand INTEGER NOT NULL DEFAULT 0,"
    " allotted INTEGER NOT NULL DEFAULT 0, shipped INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX item_sku ON item (sku);"
    "CREATE TABLE move (id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, item TEXT NOT NULL,"
    " kind TEXT NOT NULL, quantity INTEGER NOT NULL, order_id BLOB, note TEXT NOT NULL);"
    "CREATE INDEX move_item ON move (item, id);"
    "CREATE TABLE report (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, order_id BLOB,"
    " body TEXT NOT NULL, made_ms INTEGER NOT NULL, state TEXT NOT NULL, sequence INTEGER,"
    " taken_ms INTEGER, problem TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX report_state ON report (state, id);"
    "CREATE INDEX report_sequence ON report (sequence);";

void warehouse_book_fact(struct db *db, const char *name, char *out, size_t size)
{
    struct stmt *stmt = db_stmt(db, "SELECT value FROM meta WHERE name = ?");
    stmt_bind_str(stmt, 1, str_of(name));
    out[0] = '\0';
    if (stmt_next(stmt) == 0) {
        str_copy(out, size, stmt_str(stmt, 0));
        stmt_done(stmt);
    }
}

uint64_t warehouse_book_count(struct db *db, const char *name)
{
    struct stmt *stmt = db_stmt(db, "SELECT value FROM meta WHERE name = ?");
    stmt_bind_str(stmt, 1, str_of(name));
    return stmt_only_u64(stmt, 0);
}

int warehouse_book_put_fact(struct db *db, const char *name, struct str value)
{
    struct stmt *stmt = db_stmt(db, "INSERT INTO meta (name, value) VALUES (?1, ?2)"
                                    " ON CONFLICT (name) DO UPDATE SET value = ?2");
    stmt_bind_str(stmt, 1, str_of(name));
    stmt_bind_str(stmt, 2, value);
    return stmt_run(stmt);
}

int warehouse_book_put_count(struct db *db, const char *name, uint64_t value)
{
    struct stmt *stmt = db_stmt(db, "INSERT INTO meta (name, value) VALUES (?1, ?2)"
                                    " ON CONFLICT (name) DO UPDATE SET value = ?2");
    stmt_bind_str(stmt, 1, str_of(name));
    stmt_bind_u64(stmt, 2, value);
    return stmt_run(stmt);
}

/* Which copy of the book the shop counts reports of: another one after each making. */
static int draw_epoch(struct db *db)
{
    unsigned char bytes[EPOCH_BYTES];
    char text[2 * EPOCH_BYTES + 1];
    random_secret(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, text);
    return warehouse_book_put_fact(db, "epoch", str_of(text));
}

int warehouse_book_make(struct db *db, struct failure *failure)
{
    uint64_t there =
        stmt_only_u64(db_stmt(db, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'"), 0);
    uint64_t version = there ? warehouse_book_count(db, "version") : 0;
    if (version > BOOK_VERSION)
        return fail(failure, ERR_UNSUPPORTED,
                    "%s is of a newer version of this program; install that one here too",
                    db_file(db));
    if (!there && !db_exec(db, tables) && !draw_epoch(db))
        warehouse_book_put_count(db, "version", BOOK_VERSION);
    const struct failure *why = db_failure(db);
    return why->err ? fail(failure, why->err, "%s", why->text) : 0;
}
