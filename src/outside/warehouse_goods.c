#include "base/arena.h"
#include "base/json_text.h"
#include "outside/warehouse_book.h"
#include "outside/warehouse_json.h"
#include "outside/warehouse_reports.h"

const char *const book_move_names[] = {
    [MOVE_ARRIVED] = "arrived",   [MOVE_COUNTED] = "counted", [MOVE_SHIPPED] = "shipped",
    [MOVE_RETURNED] = "returned", [MOVE_SHORT] = "short",
};

/* ---- Items ---- */

struct str warehouse_book_key(struct db *db, struct arena *arena, struct str code)
{
    struct str key = STR_NONE;
    struct stmt *by_key = db_stmt(db, "SELECT item FROM item WHERE item = ?");
    stmt_bind_str(by_key, 1, code);
    if (stmt_next(by_key) == 0) {
        key = arena_str(arena, stmt_str(by_key, 0));
        stmt_done(by_key);
        return key;
    }
    struct stmt *by_sku = db_stmt(db, "SELECT item FROM item WHERE sku = ? LIMIT 2");
    stmt_bind_str(by_sku, 1, code);
    for (unsigned found = 0; code.len && stmt_next(by_sku) == 0; found++)
        key = found ? STR_NONE : arena_str(arena, stmt_str(by_sku, 0));
    stmt_done(by_sku);
    return key;
}

static bool is_known(struct db *db, struct str key)
{
    struct stmt *stmt = db_stmt(db, "SELECT count(*) FROM item WHERE item = ?");
    stmt_bind_str(stmt, 1, key);
    return stmt_only_u64(stmt, 0) > 0;
}

/* Goods may arrive under a SKU before the shop has told what item that is. */
static int rename_item(struct db *db, struct str from, struct str to)
{
    struct stmt *item = db_stmt(db, "UPDATE item SET item = ?2, sku = ?1 WHERE item = ?1");
    stmt_bind_str(item, 1, from);
    stmt_bind_str(item, 2, to);
    stmt_run(item);
    struct stmt *move = db_stmt(db, "UPDATE move SET item = ?2 WHERE item = ?1");
    stmt_bind_str(move, 1, from);
    stmt_bind_str(move, 2, to);
    return stmt_run(move);
}

int warehouse_book_item(struct book *book, struct str key, struct str sku, struct str title,
                        struct str options)
{
    struct db *db = book->db;
    if (!str_eq(key, sku) && sku.len && !is_known(db, key) && is_known(db, sku))
        rename_item(db, sku, key);
    struct stmt *stmt =
        db_stmt(db, "INSERT INTO item (item, sku, title, options) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (item) DO UPDATE SET"
                    " sku = iif(?2 = '', sku, ?2), title = iif(?3 = '', title, ?3),"
                    " options = iif(?3 = '', options, ?4)");
    stmt_bind_str(stmt, 1, key);
    stmt_bind_str(stmt, 2, sku);
    stmt_bind_str(stmt, 3, title);
    stmt_bind_str(stmt, 4, options);
    return stmt_run(stmt);
}

int warehouse_book_move(struct book *book, struct str item, enum book_move kind, int64_t quantity,
                        struct id order, struct str note)
{
    struct stmt *move =
        db_stmt(book->db, "INSERT INTO move (time_ms, item, kind, quantity, order_id, note)"
                          " VALUES (?, ?, ?, ?, ?, ?)");
    stmt_bind_i64(move, 1, book->now_ms);
    stmt_bind_str(move, 2, item);
    stmt_bind_str(move, 3, str_of(book_move_names[kind]));
    stmt_bind_i64(move, 4, quantity);
    stmt_bind_id(move, 5, order);
    stmt_bind_str(move, 6, str_clip_utf8(note, BOOK_TEXT_MAX));
    stmt_run(move);
    struct stmt *total = db_stmt(book->db, "UPDATE item SET on_hand = on_hand + ?2,"
                                           " shipped = shipped + ?3 WHERE item = ?1");
    stmt_bind_str(total, 1, item);
    stmt_bind_i64(total, 2, quantity);
    stmt_bind_i64(total, 3, kind == MOVE_SHIPPED ? -quantity : 0);
    return stmt_run(total);
}

int warehouse_book_allot(struct book *book, struct str item, int64_t quantity)
{
    struct stmt *stmt =
        db_stmt(book->db, "UPDATE item SET allotted = allotted + ?2 WHERE item = ?1");
    stmt_bind_str(stmt, 1, item);
    stmt_bind_i64(stmt, 2, quantity);
    return stmt_run(stmt);
}

/* ---- What people enter ---- */

/* The key of the item that CODE means, which is new if it is not known. */
static int find_or_make(struct book *book, struct arena *arena, struct str code, struct str *key)
{
    code = str_trim(code);
    if (!code.len || code.len > BOOK_KEY_MAX)
        return fail(book->failure, ERR_INVALID, "which item? Give its SKU or its key");
    *key = warehouse_book_key(book->db, arena, code);
    if (key->at)
        return 0;
    *key = code;
    return warehouse_book_item(book, code, code, STR(""), STR(""));
}

static int report_goods(struct book *book, const char *kind, struct str item, const char *member,
                        int64_t quantity, struct str note)
{
    struct buf body;
    buf_init(&body, 8 * BOOK_TEXT_MAX);
    buf_puts(&body, "{\"kind\":");
    json_str_put(str_of(kind), &body);
    buf_puts(&body, ",\"item\":");
    json_str_put(item, &body);
    buf_printf(&body, ",\"%s\":%lld,\"note\":", member, (long long)quantity);
    json_str_put(str_clip_utf8(note, BOOK_TEXT_MAX), &body);
    buf_byte(&body, '}');
    int err = body.failed ? fail(book->failure, ERR_NOMEM, "no memory for a report")
                          : warehouse_reports_add(book, kind, (struct id){0}, buf_text(&body));
    buf_close(&body);
    return err;
}

int warehouse_book_arrive(struct book *book, struct str item, int64_t quantity, struct str note)
{
    struct arena arena;
    struct str key;
    if (quantity < 1 || quantity > BOOK_QUANTITY_MAX)
        return fail(book->failure, ERR_INVALID, "how many have arrived? 1 to %d",
                    BOOK_QUANTITY_MAX);
    arena_init(&arena, 16 * BOOK_TEXT_MAX);
    int err = find_or_make(book, &arena, item, &key);
    err = err ? err : warehouse_book_move(book, key, MOVE_ARRIVED, quantity, (struct id){0}, note);
    err = err ? err : report_goods(book, "arrived", key, "quantity", quantity, note);
    arena_close(&arena);
    return err;
}

int warehouse_book_counted(struct book *book, struct str item, int64_t on_hand, struct str note)
{
    struct arena arena;
    struct str key;
    if (on_hand < 0 || on_hand > BOOK_QUANTITY_MAX)
        return fail(book->failure, ERR_INVALID, "how many are there? 0 to %d", BOOK_QUANTITY_MAX);
    arena_init(&arena, 16 * BOOK_TEXT_MAX);
    int err = find_or_make(book, &arena, item, &key);
    int64_t was = 0;
    struct stmt *stmt = db_stmt(book->db, "SELECT on_hand FROM item WHERE item = ?");
    if (!err) {
        stmt_bind_str(stmt, 1, key);
        err = stmt_next(stmt);
        was = err ? 0 : stmt_i64(stmt, 0);
        stmt_done(stmt);
    }
    err = err ? err
              : warehouse_book_move(book, key, MOVE_COUNTED, on_hand - was, (struct id){0}, note);
    err = err ? err : report_goods(book, "counted", key, "on_hand", on_hand, note);
    arena_close(&arena);
    return err;
}

/* ---- New products ---- */

static void put_member(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    json_str_put(value, out);
}

static void put_product(struct buf *out, const struct book_product *product)
{
    buf_puts(out, "{\"kind\":\"product\",\"product\":{\"handle\":");
    json_str_put(product->handle, out);
    put_member(out, "title", product->title);
    put_member(out, "html", product->html);
    put_member(out, "vendor", product->vendor);
    put_member(out, "category", product->category);
    buf_puts(out, ",\"variants\":[");
    for (unsigned i = 0; i < product->variant_count; i++) {
        const struct book_variant *variant = &product->variants[i];
        buf_printf(out, "%s{\"key\":", i ? "," : "");
        json_str_put(variant->key, out);
        put_member(out, "sku", variant->sku);
        put_member(out, "title", variant->title);
        buf_printf(out, ",\"price\":%lld}", (long long)variant->price);
    }
    buf_puts(out, "]}}");
}

static int check_product(struct book *book, const struct book_product *product)
{
    if (!product->title.len || !product->handle.len)
        return fail(book->failure, ERR_INVALID, "a product needs a title and a handle");
    if (product->variant_count < 1 || product->variant_count > BOOK_LINES_MAX)
        return fail(book->failure, ERR_INVALID, "a product has 1 to %d variants", BOOK_LINES_MAX);
    for (unsigned i = 0; i < product->variant_count; i++) {
        const struct book_variant *variant = &product->variants[i];
        if (!variant->key.len)
            return fail(book->failure, ERR_INVALID, "variant %u needs a key", i + 1);
        if (variant->price < 0 || variant->available < 0 || variant->available > BOOK_QUANTITY_MAX)
            return fail(book->failure, ERR_INVALID,
                        "variant \"%.*s\": the price is 0 or more, the quantity 0 to %d",
                        STR_FMT(variant->key), BOOK_QUANTITY_MAX);
    }
    return 0;
}

int warehouse_book_product(struct book *book, const struct book_product *product)
{
    struct buf body;
    int err = check_product(book, product);
    if (err)
        return err;
    buf_init(&body, REPORTS_BYTES_MAX / 2);
    put_product(&body, product);
    err = body.failed ? fail(book->failure, ERR_FULL, "the product is too long to be reported")
                      : warehouse_reports_add(book, "product", (struct id){0}, buf_text(&body));
    buf_close(&body);
    for (unsigned i = 0; !err && i < product->variant_count; i++) {
        const struct book_variant *variant = &product->variants[i];
        err = warehouse_book_item(book, variant->key, variant->sku, product->title, variant->title);
        if (!err && variant->available)
            err = warehouse_book_arrive(book, variant->key, variant->available,
                                        STR("came with the product"));
    }
    return err;
}
