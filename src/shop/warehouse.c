#include "shop/warehouse.h"

#include "shop/coder.h"
#include "shop/reader.h"
#include "shop/stock.h"
#include "shop/warehouse_clear.h"

enum { WAREHOUSES_MEMORY = 1 << 20, URL_MAX = 500, PIN_MAX = 100 };

/* ---- Reading ---- */

static int read_row(struct stmt *row, struct arena *arena, struct warehouse *warehouse)
{
    struct str record = arena_str(arena, stmt_blob(row, 0));
    if (!record.at)
        return ERR_NOMEM;
    *warehouse = (struct warehouse){0};
    struct coder coder = coder_reading(arena, record);
    code_warehouse(&coder, warehouse);
    warehouse->epoch = stmt_id(row, 1);
    warehouse->reported = stmt_u64(row, 2);
    int err = coder_end(&coder);
    return err == ERR_INVALID ? ERR_DAMAGED : err;
}

int warehouse_read_all(struct db *db, struct arena *arena, struct warehouse **list, unsigned *count)
{
    *count = 0;
    *list = ARENA_ARRAY(arena, struct warehouse, SHOP_WAREHOUSES_MAX);
    if (!*list)
        return ERR_NOMEM;
    struct stmt *row = db_stmt(db, "SELECT w.record, r.epoch, coalesce(r.sequence, 0)"
                                   " FROM warehouse w LEFT JOIN warehouse_report r"
                                   " ON r.warehouse = w.id ORDER BY w.position, w.id");
    int err = stmt_next(row);
    for (; !err; err = stmt_next(row)) {
        err = *count < SHOP_WAREHOUSES_MAX ? read_row(row, arena, &(*list)[*count]) : ERR_DAMAGED;
        if (err) {
            stmt_done(row);
            return err;
        }
        (*count)++;
    }
    return err == ERR_NOTFOUND ? ERR_OK : err;
}

void warehouses_init(struct warehouses *warehouses)
{
    *warehouses = (struct warehouses){0};
    arena_init(&warehouses->memory, WAREHOUSES_MEMORY);
}

void warehouses_close(struct warehouses *warehouses)
{
    arena_close(&warehouses->memory);
}

int warehouse_load(struct apply *apply, struct warehouse **list, unsigned *count)
{
    struct warehouses *known = shop_warehouses(apply->shop);
    if (!known->known) {
        arena_reset(&known->memory);
        int err = warehouse_read_all(apply->db, &known->memory, &known->list, &known->count);
        if (err)
            return err;
        known->known = true;
    }
    *list = known->list;
    *count = known->count;
    return 0;
}

const struct warehouse *warehouse_find(const struct warehouse *list, unsigned count, struct str id)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(list[i].id, id))
            return &list[i];
    return NULL;
}

/* ---- WAREHOUSE_PUT ---- */

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return id.len > 0 && id.len <= SHOP_WAREHOUSE_ID_MAX;
}

static bool is_line(struct str text, size_t max)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return false;
    return text.len <= max && str_is_utf8(text);
}

/* Of this machine: then nobody listens in, and no certificate is asked for. */
static bool is_here(struct str url)
{
    static const struct str hosts[] = {
        {"http://127.0.0.1", 16}, {"http://localhost", 16}, {"http://[::1]", 12}};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (str_starts(url, hosts[i]) &&
            (url.len == hosts[i].len || url.at[hosts[i].len] == ':' || url.at[hosts[i].len] == '/'))
            return true;
    return false;
}

static bool is_url(struct str url)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.at[i] <= 0x20 || (unsigned char)url.at[i] >= 0x7f)
            return false;
    return url.len <= URL_MAX &&
           (is_here(url) || (str_starts(url, STR("https://")) && url.len > 8));
}

static int check(struct apply *apply, const struct warehouse *put)
{
    if (!is_id(put->id))
        return apply_refuse(apply, ERR_INVALID,
                            "a warehouse's id is 1 to %d of a-z, 0-9 and \"-\", not \"%.*s\"",
                            SHOP_WAREHOUSE_ID_MAX, STR_FMT(str_sub(put->id, 0, 100)));
    if (!is_line(put->name, SHOP_KEY_MAX))
        return apply_refuse(apply, ERR_INVALID,
                            "the name of warehouse \"%.*s\" is longer than %d bytes, or has "
                            "control characters",
                            STR_FMT(put->id), SHOP_KEY_MAX);
    if (!is_url(put->url))
        return apply_refuse(apply, ERR_INVALID,
                            "the address of warehouse \"%.*s\" is no https:// address of at most "
                            "%d characters",
                            STR_FMT(put->id), URL_MAX);
    bool pinned = str_starts(put->pin, STR("sha256//")) && is_line(put->pin, PIN_MAX);
    if (put->pin.len > 0 && !pinned)
        return apply_refuse(apply, ERR_INVALID,
                            "the pin of warehouse \"%.*s\" is not of the form sha256//<base64>",
                            STR_FMT(put->id));
    return 0;
}

int warehouse_store(struct apply *apply, const struct warehouse *put)
{
    struct warehouse kept = *put;
    shop_warehouses(apply->shop)->known = false;
    kept.epoch = (struct id){{0}};
    buf_clear(apply->scratch);
    struct coder coder = coder_writing(apply->scratch);
    code_warehouse(&coder, &kept);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct stmt *row = db_stmt(apply->db, "INSERT OR REPLACE INTO warehouse (id, position, record)"
                                          " VALUES (?, ?, ?)");
    stmt_bind_str(row, 1, put->id);
    stmt_bind_u64(row, 2, put->position);
    stmt_bind_blob(row, 3, buf_text(apply->scratch));
    return stmt_run(row) ? apply_failed(apply) : 0;
}

/* What comes of another database is counted from 1. A repeat does not begin again. */
static int pair(struct apply *apply, const struct warehouse *put)
{
    if (id_is_zero(put->epoch))
        return 0;
    struct stmt *row =
        db_stmt(apply->db, "INSERT INTO warehouse_report (warehouse, epoch, sequence)"
                           " VALUES (?1, ?2, 0) ON CONFLICT (warehouse) DO UPDATE"
                           " SET epoch = ?2, sequence = 0 WHERE epoch <> ?2");
    stmt_bind_str(row, 1, put->id);
    stmt_bind_id(row, 2, put->epoch);
    return stmt_run(row) ? apply_failed(apply) : 0;
}

/* WAS was the main warehouse and had what no other had; IS has that now. What each has stays what
 * it was: one row more for each variant of which WAS has any. */
static int change_main(struct apply *apply, struct str was, struct str is)
{
    int err = stock_write_back(apply->shop, apply->index);
    if (err)
        return err;
    struct stmt *row = db_stmt(
        apply->db, "INSERT INTO warehouse_stock (variant_id, warehouse, free)"
                   " SELECT s.variant_id, ?1, s.available + s.held - coalesce(o.free, 0)"
                   " FROM stock s LEFT JOIN (SELECT variant_id, sum(free) AS free"
                   " FROM warehouse_stock GROUP BY variant_id) o ON o.variant_id = s.variant_id"
                   " WHERE s.available + s.held <> coalesce(o.free, 0)");
    stmt_bind_str(row, 1, was);
    stmt_run(row);
    row = db_stmt(apply->db, "DELETE FROM warehouse_stock WHERE warehouse = ?");
    stmt_bind_str(row, 1, is);
    return stmt_run(row) ? apply_failed(apply) : 0;
}

int apply_warehouse_put(struct apply *apply)
{
    const struct warehouse *put = &apply->command->warehouse;
    struct warehouse *list;
    unsigned count;
    int err = check(apply, put);
    if (!err)
        err = warehouse_load(apply, &list, &count);
    if (err)
        return err;
    if (count == SHOP_WAREHOUSES_MAX && !warehouse_find(list, count, put->id))
        return apply_refuse(apply, ERR_FULL, "there are %u warehouses, more are not possible",
                            count);
    struct str was = count > 0 ? arena_str(apply->arena, list[0].id) : STR("");
    if (!was.at)
        return ERR_NOMEM;
    struct warehouse kept = *put;
    const struct warehouse *known = warehouse_find(list, count, put->id);
    if (known && kept.token < known->token) /* whoever did not know that it was renewed */
        kept.token = known->token;
    err = warehouse_clear_decide(apply, list, count, known, &kept);
    if (!err)
        err = warehouse_store(apply, &kept);
    if (!err)
        err = pair(apply, put);
    if (!err)
        err = warehouse_load(apply, &list, &count);
    if (!err && was.len > 0 && !str_eq(list[0].id, was))
        err = change_main(apply, was, list[0].id);
    return err;
}
