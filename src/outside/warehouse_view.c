#include "outside/warehouse_view.h"

#include "base/json_text.h"
#include "outside/warehouse_json.h"

#include <inttypes.h>

/* ---- One order ---- */

static struct str text_of(struct arena *arena, struct stmt *stmt, int column)
{
    return arena_str(arena, stmt_str(stmt, column));
}

/* Whether STMT shows another row, and there is room for it beside COUNT of LIMIT others; else it
 * has ended, well or with *ERR. */
static bool has_row(struct stmt *stmt, unsigned count, unsigned limit, int *err)
{
    *err = 0;
    if (count < limit && stmt_more(stmt, err))
        return true;
    stmt_done(stmt);
    return false;
}

/* Binds ID, the only parameter, and takes the count that COUNTING gives. */
static unsigned count_of(struct stmt *counting, struct id id)
{
    stmt_bind_id(counting, 1, id);
    return (unsigned)stmt_only_u64(counting, 0);
}

static int read_head(struct db *db, struct arena *arena, struct id id, struct view_order *order)
{
    struct stmt *stmt =
        db_stmt(db, "SELECT id, number, placed_ms, taken_ms, log_index, epoch, term, state,"
                    " service, email, first_name, last_name, phone, street, extended, locality,"
                    " region, postal_code, country FROM orders WHERE order_id = ?");
    stmt_bind_id(stmt, 1, id);
    int err = stmt_next(stmt);
    if (err)
        return err;
    *order = (struct view_order){
        .id = id,
        .row = stmt_u64(stmt, 0),
        .number = stmt_u64(stmt, 1),
        .placed_ms = stmt_i64(stmt, 2),
        .taken_ms = stmt_i64(stmt, 3),
        .log_index = stmt_u64(stmt, 4),
        .epoch = stmt_u64(stmt, 5),
        .term = stmt_u64(stmt, 6),
        .state = text_of(arena, stmt, 7),
        .service = text_of(arena, stmt, 8),
        .email = text_of(arena, stmt, 9),
    };
    for (int i = 0; i < PLACE_COUNT; i++)
        order->place[i] = text_of(arena, stmt, 10 + i);
    stmt_done(stmt);
    return 0;
}

static int read_lines(struct db *db, struct arena *arena, struct view_order *order)
{
    unsigned room =
        count_of(db_stmt(db, "SELECT count(*) FROM order_line WHERE order_id = ?"), order->id);
    order->lines = ARENA_ARRAY(arena, struct view_line, room);
    if (!order->lines)
        return ERR_NOMEM;
    struct stmt *stmt = db_stmt(db, "SELECT line, quantity, picked, packed, shipped, canceled,"
                                    " short, returned, item, sku, title, options FROM order_line"
                                    " WHERE order_id = ? ORDER BY line");
    stmt_bind_id(stmt, 1, order->id);
    int err;
    while (has_row(stmt, order->line_count, room, &err)) {
        struct view_line *line = &order->lines[order->line_count++];
        uint32_t *const numbers[] = {&line->line,    &line->quantity, &line->picked,
                                     &line->packed,  &line->shipped,  &line->canceled,
                                     &line->missing, &line->returned};
        for (int i = 0; i < 8; i++)
            *numbers[i] = (uint32_t)stmt_u64(stmt, i);
        line->open = line->quantity - line->packed - line->canceled - line->missing;
        line->item = text_of(arena, stmt, 8);
        line->sku = text_of(arena, stmt, 9);
        line->title = text_of(arena, stmt, 10);
        line->options = text_of(arena, stmt, 11);
    }
    return err;
}

static int read_parcel_lines(struct db *db, struct arena *arena, struct view_parcel *parcel)
{
    unsigned room =
        count_of(db_stmt(db, "SELECT count(*) FROM parcel_line WHERE parcel = ?"), parcel->id);
    parcel->lines = ARENA_ARRAY(arena, struct book_quantity, room);
    if (!parcel->lines)
        return ERR_NOMEM;
    struct stmt *stmt =
        db_stmt(db, "SELECT line, quantity FROM parcel_line WHERE parcel = ? ORDER BY line");
    stmt_bind_id(stmt, 1, parcel->id);
    return warehouse_book_quantities(stmt, parcel->lines, room, &parcel->line_count);
}

static int read_parcels(struct db *db, struct arena *arena, struct view_order *order)
{
    unsigned room =
        count_of(db_stmt(db, "SELECT count(*) FROM parcel WHERE order_id = ?"), order->id);
    order->parcels = ARENA_ARRAY(arena, struct view_parcel, room);
    if (!order->parcels)
        return ERR_NOMEM;
    struct stmt *stmt =
        db_stmt(db, "SELECT parcel, number, state, packed_ms, shipped_ms, delivered_ms, carrier,"
                    " tracking, tracking_url FROM parcel WHERE order_id = ? ORDER BY number");
    stmt_bind_id(stmt, 1, order->id);
    int err;
    while (has_row(stmt, order->parcel_count, room, &err))
        order->parcels[order->parcel_count++] = (struct view_parcel){
            .id = stmt_id(stmt, 0),
            .number = (uint32_t)stmt_u64(stmt, 1),
            .state = text_of(arena, stmt, 2),
            .packed_ms = stmt_i64(stmt, 3),
            .shipped_ms = stmt_i64(stmt, 4),
            .delivered_ms = stmt_i64(stmt, 5),
            .carrier = text_of(arena, stmt, 6),
            .tracking = text_of(arena, stmt, 7),
            .url = text_of(arena, stmt, 8),
        };
    for (unsigned i = 0; !err && i < order->parcel_count; i++)
        err = read_parcel_lines(db, arena, &order->parcels[i]);
    return err;
}

int warehouse_view_order(struct db *db, struct arena *arena, struct id id, struct view_order *order)
{
    int err = read_head(db, arena, id, order);
    err = err ? err : read_lines(db, arena, order);
    return err ? err : read_parcels(db, arena, order);
}

int warehouse_view_find(struct db *db, struct str text, struct id *id)
{
    uint64_t number;
    text = str_trim(text);
    if (text.len && text.at[0] == '#')
        text = str_from(text, 1);
    struct stmt *stmt;
    if (str_to_u64(text, &number) == 0 && number <= INT64_MAX) {
        stmt = db_stmt(db, "SELECT order_id FROM orders WHERE number = ? ORDER BY id DESC LIMIT 1");
        stmt_bind_u64(stmt, 1, number);
    } else if (id_parse(text, id) == 0) {
        stmt = db_stmt(db, "SELECT order_id FROM orders WHERE order_id = ?");
        stmt_bind_id(stmt, 1, *id);
    } else {
        return ERR_NOTFOUND;
    }
    int err = stmt_next(stmt);
    if (err)
        return err;
    *id = stmt_id(stmt, 0);
    stmt_done(stmt);
    return 0;
}

int warehouse_view_parcel(struct db *db, struct id parcel, struct id *order)
{
    struct stmt *stmt = db_stmt(db, "SELECT order_id FROM parcel WHERE parcel = ?");
    stmt_bind_id(stmt, 1, parcel);
    int err = stmt_next(stmt);
    if (err)
        return err;
    *order = stmt_id(stmt, 0);
    stmt_done(stmt);
    return 0;
}

/* ---- Lists ---- */

#define ROW_COLUMNS                                                                          \
    "SELECT o.order_id, o.id, o.number, o.placed_ms, o.taken_ms, o.state,"                   \
    " trim(o.first_name || ' ' || o.last_name), o.locality, o.country,"                      \
    " (SELECT title FROM order_line l WHERE l.order_id = o.order_id ORDER BY line LIMIT 1)," \
    " (SELECT count(*) FROM order_line l WHERE l.order_id = o.order_id),"                    \
    " (SELECT sum(quantity) FROM order_line l WHERE l.order_id = o.order_id),"               \
    " (SELECT sum(quantity - packed - canceled - short) FROM order_line l"                   \
    "  WHERE l.order_id = o.order_id) FROM orders o WHERE o.id > ?1"

#define ROW_NEEDLE                                                                               \
    " AND (?3 = '' OR o.number = ?3 OR instr(lower(o.first_name || ' ' || o.last_name), ?3) > 0" \
    "  OR EXISTS (SELECT 1 FROM order_line l WHERE l.order_id = o.order_id"                      \
    "   AND (lower(l.sku) = ?3 OR lower(l.item) = ?3 OR instr(lower(l.title), ?3) > 0)))"        \
    " ORDER BY o.id LIMIT ?4"

static struct str in_lower_case(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = (char)(text.at[i] >= 'A' && text.at[i] <= 'Z' ? text.at[i] | 0x20 : text.at[i]);
    return copy ? str_make(copy, text.len) : STR("");
}

static struct view_row read_row(struct arena *arena, struct stmt *stmt)
{
    return (struct view_row){
        .id = stmt_id(stmt, 0),
        .row = stmt_u64(stmt, 1),
        .number = stmt_u64(stmt, 2),
        .placed_ms = stmt_i64(stmt, 3),
        .taken_ms = stmt_i64(stmt, 4),
        .state = text_of(arena, stmt, 5),
        .name = text_of(arena, stmt, 6),
        .locality = text_of(arena, stmt, 7),
        .country = text_of(arena, stmt, 8),
        .first = text_of(arena, stmt, 9),
        .lines = stmt_u64(stmt, 10),
        .units = stmt_u64(stmt, 11),
        .open = stmt_u64(stmt, 12),
    };
}

int warehouse_view_orders(struct db *db, struct arena *arena, struct str state, struct str needle,
                          uint64_t after, unsigned limit, struct view_row *rows, unsigned *count)
{
    struct stmt *stmt = state.len ? db_stmt(db, ROW_COLUMNS " AND o.state = ?2" ROW_NEEDLE)
                                  : db_stmt(db, ROW_COLUMNS " AND ?2 = ''" ROW_NEEDLE);
    stmt_bind_u64(stmt, 1, after);
    stmt_bind_str(stmt, 2, state.len ? state : STR(""));
    stmt_bind_str(stmt, 3, in_lower_case(arena, needle));
    stmt_bind_i64(stmt, 4, limit);
    int err;
    *count = 0;
    while (has_row(stmt, *count, limit, &err))
        rows[(*count)++] = read_row(arena, stmt);
    return err;
}

uint64_t warehouse_view_count(struct db *db, struct str state, uint64_t max)
{
    struct stmt *stmt =
        db_stmt(db, "SELECT count(*) FROM (SELECT 1 FROM orders WHERE state = ? LIMIT ?)");
    stmt_bind_str(stmt, 1, state);
    stmt_bind_u64(stmt, 2, max);
    return stmt_only_u64(stmt, 0);
}

#define ITEM_COLUMNS "SELECT item, sku, title, options, on_hand, allotted, shipped FROM item"

static struct view_item read_item(struct arena *arena, struct stmt *stmt)
{
    return (struct view_item){
        .item = text_of(arena, stmt, 0),
        .sku = text_of(arena, stmt, 1),
        .title = text_of(arena, stmt, 2),
        .options = text_of(arena, stmt, 3),
        .on_hand = stmt_i64(stmt, 4),
        .allotted = stmt_i64(stmt, 5),
        .shipped = stmt_i64(stmt, 6),
    };
}

int warehouse_view_items(struct db *db, struct arena *arena, struct str needle, struct str after,
                         unsigned limit, struct view_item *items, unsigned *count)
{
    struct stmt *stmt =
        db_stmt(db, ITEM_COLUMNS " WHERE item > ?1 AND (?2 = '' OR instr(lower(item), ?2) > 0"
                                 " OR instr(lower(sku), ?2) > 0 OR instr(lower(title), ?2) > 0)"
                                 " ORDER BY item LIMIT ?3");
    stmt_bind_str(stmt, 1, after.at ? after : STR(""));
    stmt_bind_str(stmt, 2, in_lower_case(arena, needle));
    stmt_bind_i64(stmt, 3, limit);
    int err;
    *count = 0;
    while (has_row(stmt, *count, limit, &err))
        items[(*count)++] = read_item(arena, stmt);
    return err;
}

int warehouse_view_item(struct db *db, struct arena *arena, struct str key, struct view_item *item)
{
    struct stmt *stmt = db_stmt(db, ITEM_COLUMNS " WHERE item = ?");
    stmt_bind_str(stmt, 1, key);
    int err = stmt_next(stmt);
    if (err)
        return err;
    *item = read_item(arena, stmt);
    stmt_done(stmt);
    return 0;
}

int warehouse_view_moves(struct db *db, struct arena *arena, struct str key, unsigned limit,
                         struct view_move *moves, unsigned *count)
{
    struct stmt *stmt =
        db_stmt(db, "SELECT time_ms, quantity, kind, note, (SELECT number FROM orders o WHERE"
                    " o.order_id = move.order_id) FROM move WHERE item = ? ORDER BY id DESC"
                    " LIMIT ?");
    stmt_bind_str(stmt, 1, key);
    stmt_bind_i64(stmt, 2, limit);
    int err;
    *count = 0;
    while (has_row(stmt, *count, limit, &err))
        moves[(*count)++] = (struct view_move){
            .time_ms = stmt_i64(stmt, 0),
            .quantity = stmt_i64(stmt, 1),
            .kind = text_of(arena, stmt, 2),
            .note = text_of(arena, stmt, 3),
            .number = stmt_u64(stmt, 4),
        };
    return err;
}

#define REPORT_COLUMNS                                                                   \
    "SELECT id, ifnull(sequence, 0), made_ms, ifnull(taken_ms, 0), kind, body, problem," \
    " (SELECT number FROM orders o WHERE o.order_id = report.order_id),"                 \
    " ifnull(json_extract(body, '$.item'), json_extract(body, '$.product.title'))"       \
    " FROM report WHERE state = ?"

static struct view_report read_report(struct arena *arena, struct stmt *stmt)
{
    return (struct view_report){
        .id = stmt_u64(stmt, 0),
        .sequence = stmt_u64(stmt, 1),
        .made_ms = stmt_i64(stmt, 2),
        .taken_ms = stmt_i64(stmt, 3),
        .kind = text_of(arena, stmt, 4),
        .body = text_of(arena, stmt, 5),
        .problem = text_of(arena, stmt, 6),
        .number = stmt_u64(stmt, 7),
        .item = text_of(arena, stmt, 8),
    };
}

int warehouse_view_reports(struct db *db, struct arena *arena, const char *state, unsigned limit,
                           struct view_report *reports, unsigned *count)
{
    struct stmt *stmt = str_eq(str_of(state), STR("waiting"))
                            ? db_stmt(db, REPORT_COLUMNS " ORDER BY id LIMIT ?")
                            : db_stmt(db, REPORT_COLUMNS " ORDER BY id DESC LIMIT ?");
    stmt_bind_str(stmt, 1, str_of(state));
    stmt_bind_i64(stmt, 2, limit);
    int err;
    *count = 0;
    while (has_row(stmt, *count, limit, &err))
        reports[(*count)++] = read_report(arena, stmt);
    return err;
}

int warehouse_view_refused(struct db *db, struct arena *arena, unsigned limit,
                           struct view_refused *rows, unsigned *count)
{
    struct stmt *stmt =
        db_stmt(db, "SELECT time_ms, peer, what, theirs, ours FROM refused ORDER BY id DESC"
                    " LIMIT ?");
    stmt_bind_i64(stmt, 1, limit);
    int err;
    *count = 0;
    while (has_row(stmt, *count, limit, &err))
        rows[(*count)++] = (struct view_refused){
            .time_ms = stmt_i64(stmt, 0),
            .peer = text_of(arena, stmt, 1),
            .what = text_of(arena, stmt, 2),
            .theirs = text_of(arena, stmt, 3),
            .ours = text_of(arena, stmt, 4),
        };
    return err;
}

/* ---- JSON ---- */

static void put_text(struct buf *out, const char *name, struct str value)
{
    buf_printf(out, ",\"%s\":", name);
    json_str_put(value, out);
}

static void put_line(struct buf *out, const struct view_line *line)
{
    buf_printf(out, "{\"line\":%u,\"item\":", line->line);
    json_str_put(line->item, out);
    put_text(out, "sku", line->sku);
    put_text(out, "title", line->title);
    put_text(out, "options", line->options);
    buf_printf(out,
               ",\"quantity\":%u,\"open\":%u,\"picked\":%u,\"packed\":%u,\"shipped\":%u,"
               "\"canceled\":%u,\"short\":%u,\"returned\":%u}",
               line->quantity, line->open, line->picked, line->packed, line->shipped,
               line->canceled, line->missing, line->returned);
}

static void put_parcel(struct buf *out, const struct view_parcel *parcel)
{
    char text[ID_TEXT];
    buf_printf(out, "{\"parcel\":\"%s\",\"number\":%u,\"state\":\"%.*s\",\"packed_ms\":%" PRId64,
               id_text(parcel->id, text), parcel->number, STR_FMT(parcel->state),
               parcel->packed_ms);
    if (parcel->shipped_ms)
        buf_printf(out, ",\"shipped_ms\":%" PRId64, parcel->shipped_ms);
    if (parcel->delivered_ms)
        buf_printf(out, ",\"delivered_ms\":%" PRId64, parcel->delivered_ms);
    put_text(out, "carrier", parcel->carrier);
    put_text(out, "tracking", parcel->tracking);
    put_text(out, "tracking_url", parcel->url);
    buf_puts(out, ",\"lines\":[");
    for (unsigned i = 0; i < parcel->line_count; i++)
        buf_printf(out, "%s{\"line\":%u,\"quantity\":%u}", i ? "," : "", parcel->lines[i].line,
                   parcel->lines[i].quantity);
    buf_puts(out, "]}");
}

void warehouse_view_put_order(struct buf *out, const struct view_order *order)
{
    char text[ID_TEXT];
    buf_printf(out,
               "{\"order\":\"%s\",\"number\":%" PRIu64 ",\"state\":\"%.*s\",\"placed_ms\":%" PRId64
               ",\"taken_ms\":%" PRId64 ",\"log_index\":%" PRIu64 ",\"fence\":\"%" PRIu64
               ".%" PRIu64 "\"",
               id_text(order->id, text), order->number, STR_FMT(order->state), order->placed_ms,
               order->taken_ms, order->log_index, order->epoch, order->term);
    put_text(out, "service", order->service);
    put_text(out, "email", order->email);
    buf_puts(out, ",\"destination\":{");
    for (unsigned i = 0; i < PLACE_COUNT; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "", book_place_names[i]);
        json_str_put(order->place[i], out);
    }
    buf_puts(out, "},\"lines\":[");
    for (unsigned i = 0; i < order->line_count; i++) {
        buf_puts(out, i ? "," : "");
        put_line(out, &order->lines[i]);
    }
    buf_puts(out, "],\"parcels\":[");
    for (unsigned i = 0; i < order->parcel_count; i++) {
        buf_puts(out, i ? "," : "");
        put_parcel(out, &order->parcels[i]);
    }
    buf_puts(out, "]}");
}
