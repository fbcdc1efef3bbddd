#include "base/json_text.h"
#include "outside/warehouse_book.h"
#include "outside/warehouse_json.h"
#include "outside/warehouse_lines.h"
#include "outside/warehouse_reports.h"

#include <stdio.h>

/* ---- Lines ---- */

int warehouse_lines_find(struct book *book, struct id order, uint32_t number,
                         struct warehouse_line *line)
{
    struct stmt *stmt =
        db_stmt(book->db, "SELECT quantity, picked, packed, shipped, canceled, short, returned,"
                          " item FROM order_line WHERE order_id = ? AND line = ?");
    stmt_bind_id(stmt, 1, order);
    stmt_bind_i64(stmt, 2, number);
    int err = stmt_next(stmt);
    if (err)
        return err;
    *line = (struct warehouse_line){
        .line = number,
        .quantity = (uint32_t)stmt_u64(stmt, 0),
        .picked = (uint32_t)stmt_u64(stmt, 1),
        .packed = (uint32_t)stmt_u64(stmt, 2),
        .shipped = (uint32_t)stmt_u64(stmt, 3),
        .canceled = (uint32_t)stmt_u64(stmt, 4),
        .missing = (uint32_t)stmt_u64(stmt, 5),
        .returned = (uint32_t)stmt_u64(stmt, 6),
    };
    str_copy(line->item, sizeof line->item, stmt_str(stmt, 7));
    stmt_done(stmt);
    return 0;
}

int warehouse_lines_put(struct book *book, struct id order, const struct warehouse_line *line)
{
    struct stmt *stmt =
        db_stmt(book->db, "UPDATE order_line SET picked = ?, packed = ?, shipped = ?, canceled = ?,"
                          " short = ?, returned = ? WHERE order_id = ? AND line = ?");
    if (line->packed + line->canceled + line->missing > line->quantity ||
        line->picked > warehouse_lines_open(line) || line->shipped > line->packed ||
        line->returned > line->shipped)
        return fail(book->failure, ERR_DAMAGED,
                    "the units of line %u do not add up: run stoa warehouse --check", line->line);
    stmt_bind_i64(stmt, 1, line->picked);
    stmt_bind_i64(stmt, 2, line->packed);
    stmt_bind_i64(stmt, 3, line->shipped);
    stmt_bind_i64(stmt, 4, line->canceled);
    stmt_bind_i64(stmt, 5, line->missing);
    stmt_bind_i64(stmt, 6, line->returned);
    stmt_bind_id(stmt, 7, order);
    stmt_bind_i64(stmt, 8, line->line);
    return stmt_run(stmt);
}

int warehouse_lines_settle(struct book *book, struct id order)
{
    struct stmt *stmt =
        db_stmt(book->db, "UPDATE orders SET state = (SELECT CASE"
                          " WHEN sum(quantity - packed - canceled - short) > 0 THEN 'open'"
                          " WHEN sum(packed - shipped) > 0 THEN 'packed'"
                          " WHEN sum(shipped) > 0 THEN 'shipped'"
                          " WHEN sum(short) > 0 THEN 'short' ELSE 'canceled' END"
                          " FROM order_line WHERE order_line.order_id = ?1) WHERE order_id = ?1");
    stmt_bind_id(stmt, 1, order);
    return stmt_run(stmt);
}

/* One of a person's order; says so when it is not there. */
static int find_line(struct book *book, struct id order, uint32_t number,
                     struct warehouse_line *line)
{
    int err = warehouse_lines_find(book, order, number, line);
    return err == ERR_NOTFOUND ? fail(book->failure, err, "the order has no line %u here", number)
                               : err;
}

static int check_quantity(struct book *book, const struct book_quantity *asked)
{
    return asked->quantity >= 1 && asked->quantity <= BOOK_QUANTITY_MAX
               ? 0
               : fail(book->failure, ERR_INVALID, "line %u: how many? 1 to %d", asked->line,
                      BOOK_QUANTITY_MAX);
}

/* ---- Picking ---- */

int warehouse_book_pick(struct book *book, struct id order, uint32_t number, int64_t quantity)
{
    struct warehouse_line line;
    int err = find_line(book, order, number, &line);
    if (err)
        return err;
    int64_t picked = line.picked + quantity, open = warehouse_lines_open(&line);
    if (picked < 0 || picked > open)
        return fail(book->failure, ERR_STATE,
                    "line %u: %lld to pick, of which %u are picked already", number,
                    (long long)open, line.picked);
    line.picked = (uint32_t)picked;
    return warehouse_lines_put(book, order, &line);
}

int warehouse_book_scan(struct book *book, struct id order, struct str code, uint32_t *line)
{
    struct stmt *stmt =
        db_stmt(book->db, "SELECT line, quantity - packed - canceled - short - picked FROM"
                          " order_line WHERE order_id = ?1 AND (item = ?2 OR sku = ?2)"
                          " ORDER BY 2 > 0 DESC, line LIMIT 1");
    code = str_trim(code);
    if (!code.len)
        return fail(book->failure, ERR_INVALID, "nothing was scanned");
    stmt_bind_id(stmt, 1, order);
    stmt_bind_str(stmt, 2, code);
    int err = stmt_next(stmt);
    if (err == ERR_NOTFOUND)
        return fail(book->failure, err, "\"%.*s\" is not in this order", STR_FMT(code));
    if (err)
        return err;
    *line = (uint32_t)stmt_u64(stmt, 0);
    bool wanted = stmt_i64(stmt, 1) > 0;
    stmt_done(stmt);
    if (!wanted)
        return fail(book->failure, ERR_STATE, "enough of \"%.*s\" is picked: put it back",
                    STR_FMT(code));
    return warehouse_book_pick(book, order, *line, 1);
}

/* ---- Packing ---- */

/* What goes into a parcel for which nobody named lines: what was picked, else all that is open. */
static int usual_lines(struct book *book, struct id order, struct book_quantity *lines,
                       unsigned *count)
{
    struct stmt *stmt = db_stmt(
        book->db, "WITH some AS (SELECT sum(picked) > 0 AS any FROM order_line WHERE order_id = ?1)"
                  " SELECT line, iif(some.any, picked, quantity - packed - canceled - short) AS q"
                  " FROM order_line, some WHERE order_id = ?1 AND q > 0 ORDER BY line LIMIT ?2");
    stmt_bind_id(stmt, 1, order);
    stmt_bind_i64(stmt, 2, BOOK_LINES_MAX);
    return warehouse_book_quantities(stmt, lines, BOOK_LINES_MAX, count);
}

static int insert_parcel(struct book *book, struct id order, struct id parcel)
{
    struct stmt *stmt = db_stmt(
        book->db, "INSERT INTO parcel (parcel, order_id, number, state, packed_ms) VALUES (?1, ?2,"
                  " (SELECT ifnull(max(number), 0) + 1 FROM parcel WHERE order_id = ?2),"
                  " 'packed', ?3)");
    stmt_bind_id(stmt, 1, parcel);
    stmt_bind_id(stmt, 2, order);
    stmt_bind_i64(stmt, 3, book->now_ms);
    return stmt_run(stmt);
}

static int pack_line(struct book *book, struct id order, struct id parcel,
                     const struct book_quantity *asked)
{
    struct warehouse_line line;
    int err = check_quantity(book, asked);
    err = err ? err : find_line(book, order, asked->line, &line);
    if (err)
        return err;
    uint32_t open = warehouse_lines_open(&line);
    if (asked->quantity > open)
        return fail(book->failure, ERR_STATE,
                    "line %u: %u are to be packed, not %u (of %u, %u are packed and %u canceled)",
                    line.line, open, asked->quantity, line.quantity, line.packed, line.canceled);
    line.packed += asked->quantity;
    line.picked = line.picked > asked->quantity ? line.picked - asked->quantity : 0;
    if (line.picked > warehouse_lines_open(&line))
        line.picked = warehouse_lines_open(&line);
    err = warehouse_lines_put(book, order, &line);
    struct stmt *stmt = db_stmt(book->db, "INSERT INTO parcel_line (parcel, line, quantity)"
                                          " VALUES (?1, ?2, ?3) ON CONFLICT (parcel, line)"
                                          " DO UPDATE SET quantity = quantity + ?3");
    stmt_bind_id(stmt, 1, parcel);
    stmt_bind_i64(stmt, 2, asked->line);
    stmt_bind_i64(stmt, 3, asked->quantity);
    return err ? err : stmt_run(stmt);
}

static bool has_row(struct stmt *count, struct id id)
{
    stmt_bind_id(count, 1, id);
    return stmt_only_u64(count, 0) > 0;
}

int warehouse_book_pack(struct book *book, struct id order, struct id parcel,
                        const struct book_quantity *lines, unsigned count)
{
    struct book_quantity usual[BOOK_LINES_MAX];
    int err = 0;
    if (has_row(db_stmt(book->db, "SELECT count(*) FROM parcel WHERE parcel = ?"), parcel))
        return 0; /* the same once more */
    if (!has_row(db_stmt(book->db, "SELECT count(*) FROM orders WHERE order_id = ?"), order))
        return fail(book->failure, ERR_NOTFOUND, "there is no such order here");
    if (count > BOOK_LINES_MAX)
        return fail(book->failure, ERR_INVALID, "a parcel holds %d lines at most", BOOK_LINES_MAX);
    if (!count) {
        err = usual_lines(book, order, usual, &count);
        lines = usual;
    }
    if (!err && !count)
        return fail(book->failure, ERR_STATE, "nothing of this order is left to be packed");
    err = err ? err : insert_parcel(book, order, parcel);
    for (unsigned i = 0; !err && i < count; i++)
        err = pack_line(book, order, parcel, &lines[i]);
    return err ? err : warehouse_lines_settle(book, order);
}

/* ---- Parcels ---- */

enum parcel_state { PARCEL_PACKED, PARCEL_SHIPPED, PARCEL_DELIVERED };

struct parcel_row {
    struct id order;
    enum parcel_state state;
    struct book_quantity lines[BOOK_LINES_MAX];
    unsigned count;
};

static int load_parcel(struct book *book, struct id parcel, struct parcel_row *row)
{
    struct stmt *stmt = db_stmt(book->db, "SELECT order_id, state FROM parcel WHERE parcel = ?");
    stmt_bind_id(stmt, 1, parcel);
    int err = stmt_next(stmt);
    if (err == ERR_NOTFOUND)
        return fail(book->failure, err, "there is no such parcel");
    if (err)
        return err;
    row->order = stmt_id(stmt, 0);
    row->state = str_eq(stmt_str(stmt, 1), STR("packed"))    ? PARCEL_PACKED
                 : str_eq(stmt_str(stmt, 1), STR("shipped")) ? PARCEL_SHIPPED
                                                             : PARCEL_DELIVERED;
    stmt_done(stmt);
    struct stmt *lines = db_stmt(book->db, "SELECT line, quantity FROM parcel_line WHERE parcel = ?"
                                           " ORDER BY line LIMIT ?");
    stmt_bind_id(lines, 1, parcel);
    stmt_bind_i64(lines, 2, BOOK_LINES_MAX);
    return warehouse_book_quantities(lines, row->lines, BOOK_LINES_MAX, &row->count);
}

int warehouse_book_unpack(struct book *book, struct id parcel)
{
    struct parcel_row row;
    struct warehouse_line line;
    int err = load_parcel(book, parcel, &row);
    if (err)
        return err;
    if (row.state != PARCEL_PACKED)
        return fail(book->failure, ERR_STATE, "this parcel has left already");
    for (unsigned i = 0; !err && i < row.count; i++) {
        err = find_line(book, row.order, row.lines[i].line, &line);
        if (err)
            break;
        line.packed -= row.lines[i].quantity;
        err = warehouse_lines_put(book, row.order, &line);
    }
    struct stmt *lines = db_stmt(book->db, "DELETE FROM parcel_line WHERE parcel = ?");
    stmt_bind_id(lines, 1, parcel);
    err = err ? err : stmt_run(lines);
    struct stmt *itself = db_stmt(book->db, "DELETE FROM parcel WHERE parcel = ?");
    stmt_bind_id(itself, 1, parcel);
    err = err ? err : stmt_run(itself);
    return err ? err : warehouse_lines_settle(book, row.order);
}

static int ship_line(struct book *book, struct id order, const struct book_quantity *packed)
{
    struct warehouse_line line;
    int err = find_line(book, order, packed->line, &line);
    if (err)
        return err;
    line.shipped += packed->quantity;
    err = warehouse_lines_put(book, order, &line);
    err = err ? err
              : warehouse_book_move(book, str_of(line.item), MOVE_SHIPPED,
                                    -(int64_t)packed->quantity, order, STR(""));
    return err ? err : warehouse_book_allot(book, str_of(line.item), -(int64_t)packed->quantity);
}

static int report_shipped(struct book *book, struct id parcel, const struct parcel_row *row,
                          const struct book_carriage *carriage)
{
    struct buf body;
    char order[ID_TEXT], text[ID_TEXT];
    buf_init(&body, REPORTS_BYTES_MAX);
    buf_printf(&body, "{\"kind\":\"shipped\",\"order\":\"%s\",\"parcel\":\"%s\",\"lines\":[",
               id_text(row->order, order), id_text(parcel, text));
    for (unsigned i = 0; i < row->count; i++)
        buf_printf(&body, "%s{\"line\":%u,\"quantity\":%u}", i ? "," : "", row->lines[i].line,
                   row->lines[i].quantity);
    buf_puts(&body, "],\"carrier\":");
    json_str_put(carriage->carrier, &body);
    buf_puts(&body, ",\"tracking\":");
    json_str_put(carriage->tracking, &body);
    buf_puts(&body, ",\"tracking_url\":");
    json_str_put(carriage->url, &body);
    buf_puts(&body, "}");
    int err = body.failed ? fail(book->failure, ERR_NOMEM, "no memory for a report")
                          : warehouse_reports_add(book, "shipped", row->order, buf_text(&body));
    buf_close(&body);
    return err;
}

static int mark_shipped(struct book *book, struct id parcel, const struct book_carriage *carriage)
{
    struct stmt *stmt = db_stmt(book->db, "UPDATE parcel SET state = 'shipped', shipped_ms = ?,"
                                          " carrier = ?, tracking = ?, tracking_url = ?"
                                          " WHERE parcel = ?");
    stmt_bind_i64(stmt, 1, book->now_ms);
    stmt_bind_str(stmt, 2, carriage->carrier);
    stmt_bind_str(stmt, 3, carriage->tracking);
    stmt_bind_str(stmt, 4, carriage->url);
    stmt_bind_id(stmt, 5, parcel);
    return stmt_run(stmt);
}

static bool is_web_address(struct str url)
{
    if (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://")))
        return false;
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.at[i] <= ' ' || strchr("\"<>\\", url.at[i]))
            return false;
    return true;
}

int warehouse_book_ship(struct book *book, struct id parcel, const struct book_carriage *given)
{
    struct parcel_row row;
    int err = load_parcel(book, parcel, &row);
    if (err)
        return err;
    if (row.state != PARCEL_PACKED)
        return 0; /* the same once more */
    struct book_carriage carriage = {
        str_clip_utf8(str_trim(given->carrier), BOOK_KEY_MAX),
        str_clip_utf8(str_trim(given->tracking), BOOK_KEY_MAX),
        str_trim(given->url),
    };
    if (carriage.url.len && (!is_web_address(carriage.url) || carriage.url.len > 1000))
        return fail(book->failure, ERR_INVALID,
                    "the address for tracking must begin with https:// and have no blanks");
    for (unsigned i = 0; !err && i < row.count; i++)
        err = ship_line(book, row.order, &row.lines[i]);
    err = err ? err : mark_shipped(book, parcel, &carriage);
    err = err ? err : report_shipped(book, parcel, &row, &carriage);
    return err ? err : warehouse_lines_settle(book, row.order);
}

int warehouse_book_deliver(struct book *book, struct id parcel)
{
    struct parcel_row row;
    char order[ID_TEXT], text[ID_TEXT], body[200];
    int err = load_parcel(book, parcel, &row);
    if (err)
        return err;
    if (row.state == PARCEL_DELIVERED)
        return 0;
    if (row.state == PARCEL_PACKED)
        return fail(book->failure, ERR_STATE, "this parcel has not left yet");
    struct stmt *stmt = db_stmt(book->db, "UPDATE parcel SET state = 'delivered', delivered_ms = ?"
                                          " WHERE parcel = ?");
    stmt_bind_i64(stmt, 1, book->now_ms);
    stmt_bind_id(stmt, 2, parcel);
    err = stmt_run(stmt);
    snprintf(body, sizeof body, "{\"kind\":\"delivered\",\"order\":\"%s\",\"parcel\":\"%s\"}",
             id_text(row.order, order), id_text(parcel, text));
    return err ? err : warehouse_reports_add(book, "delivered", row.order, str_of(body));
}

/* ---- Returns and shortages ---- */

static int return_line(struct book *book, struct id order, const struct book_quantity *back,
                       bool restock, struct str note)
{
    struct warehouse_line line;
    int err = check_quantity(book, back);
    err = err ? err : find_line(book, order, back->line, &line);
    if (err)
        return err;
    if (back->quantity > line.shipped - line.returned)
        return fail(book->failure, ERR_STATE, "line %u: %u were shipped, and %u came back already",
                    line.line, line.shipped, line.returned);
    line.returned += back->quantity;
    err = warehouse_lines_put(book, order, &line);
    return err || !restock ? err
                           : warehouse_book_move(book, str_of(line.item), MOVE_RETURNED,
                                                 back->quantity, order, note);
}

int warehouse_book_return(struct book *book, struct id order, const struct book_quantity *lines,
                          unsigned count, bool restock, struct str note)
{
    int err = count >= 1 && count <= BOOK_LINES_MAX
                  ? 0
                  : fail(book->failure, ERR_INVALID, "what came back? Name a line and how many");
    for (unsigned i = 0; !err && i < count; i++)
        err = return_line(book, order, &lines[i], restock, note);
    return err ? err
               : warehouse_reports_add_lines(book, "returned", order, lines, count, &restock, note);
}

static int short_line(struct book *book, struct id order, const struct book_quantity *lacks,
                      struct str note)
{
    struct warehouse_line line;
    int err = check_quantity(book, lacks);
    err = err ? err : find_line(book, order, lacks->line, &line);
    if (err)
        return err;
    uint32_t open = warehouse_lines_open(&line);
    if (lacks->quantity > open)
        return fail(book->failure, ERR_STATE, "line %u: only %u are still to be packed", line.line,
                    open);
    line.missing += lacks->quantity;
    if (line.picked > open - lacks->quantity)
        line.picked = open - lacks->quantity;
    err = warehouse_lines_put(book, order, &line);
    if (!err)
        err = warehouse_book_allot(book, str_of(line.item), -(int64_t)lacks->quantity);
    /* The shop counts them away, too: whoever finds them counts them, or lets them arrive. */
    return err ? err
               : warehouse_book_move(book, str_of(line.item), MOVE_SHORT, -(int64_t)lacks->quantity,
                                     order, note);
}

int warehouse_book_short(struct book *book, struct id order, const struct book_quantity *lines,
                         unsigned count, struct str note)
{
    int err = count >= 1 && count <= BOOK_LINES_MAX
                  ? 0
                  : fail(book->failure, ERR_INVALID, "what is missing? Name a line and how many");
    for (unsigned i = 0; !err && i < count; i++)
        err = short_line(book, order, &lines[i], note);
    err = err ? err : warehouse_lines_settle(book, order);
    return err ? err : warehouse_reports_add_lines(book, "short", order, lines, count, NULL, note);
}
