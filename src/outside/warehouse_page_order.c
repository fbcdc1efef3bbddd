#include "base/check.h"
#include "base/clock.h"
#include "outside/warehouse_barcode.h"
#include "outside/warehouse_inner.h"
#include "outside/warehouse_view.h"

#include <inttypes.h>

enum { BARCODE_HEIGHT = 40 };

/* ---- What was typed ---- */

/* The number in field "WHAT-LINE" of the form that was sent; -1: empty or not there; -2: no number
 * that can be meant. */
static int64_t typed(struct dock_call *call, const char *what, uint32_t line)
{
    char name[40];
    int64_t number;
    snprintf(name, sizeof name, "%s-%u", what, line);
    struct str text = exchange_form(call->x, str_of(name));
    text = text.at ? str_trim(text) : STR("");
    if (!text.len)
        return -1;
    return str_to_i64(text, &number) || number < 0 || number > BOOK_QUANTITY_MAX ? -2 : number;
}

/* The lines for which the form says a number above 0, into ACT. False: one is no number. */
static bool read_lines(struct dock_call *call, const struct view_order *order, const char *what,
                       struct warehouse_act *act)
{
    struct book_quantity *lines =
        ARENA_ARRAY(&call->x->arena, struct book_quantity, order->line_count);
    for (unsigned i = 0; lines && i < order->line_count; i++) {
        int64_t number = typed(call, what, order->lines[i].line);
        if (number == -2)
            return false;
        if (number > 0)
            lines[act->line_count++] =
                (struct book_quantity){order->lines[i].line, (uint32_t)number};
    }
    act->lines = lines;
    return lines != NULL;
}

static struct str field(struct dock_call *call, struct str name)
{
    struct str text = exchange_form(call->x, name);
    return text.at && str_is_utf8(text) ? str_trim(text) : STR("");
}

static void read_carriage(struct dock_call *call, struct warehouse_act *act)
{
    act->carriage = (struct book_carriage){
        field(call, STR("carrier")),
        field(call, STR("tracking")),
        field(call, STR("url")),
    };
}

static struct id read_id(struct dock_call *call, struct str name)
{
    struct id id = {0};
    struct str text = exchange_form(call->x, name);
    if (text.at)
        id_parse(text, &id);
    return id;
}

/* ---- Showing ---- */

static void put_address(struct value *root, const struct view_order *order)
{
    struct value *list = value_list(root, "address");
    const struct str *place = order->place;
    struct value *name = value_add_map(list);
    value_text(name, "first", place[PLACE_FIRST_NAME]);
    value_text(name, "second", place[PLACE_LAST_NAME]);
    static const enum book_place rest[] = {PLACE_EXTENDED, PLACE_STREET};
    for (unsigned i = 0; i < COUNT_OF(rest); i++)
        if (place[rest[i]].len)
            value_text(value_add_map(list), "first", place[rest[i]]);
    struct value *town = value_add_map(list);
    value_text(town, "first", place[PLACE_POSTAL_CODE]);
    value_text(town, "second", place[PLACE_LOCALITY]);
    struct value *land = value_add_map(list);
    value_text(land, "first", place[PLACE_REGION]);
    value_text(land, "second", place[PLACE_COUNTRY]);
}

/* Into KEY: what was typed before, if this page says what was wrong with it. */
static void put_typed(struct dock_call *call, struct value *map, const char *what, uint32_t line,
                      uint32_t usual)
{
    int64_t before = call->x->method == HTTP_POST ? typed(call, what, line) : -1;
    int64_t shown = before >= 0 ? before : usual;
    if (shown)
        value_printf(map, what, "%" PRId64, shown);
    else
        value_text(map, what, STR(""));
}

static void put_line(struct dock_call *call, struct value *list, const struct view_line *line,
                     uint64_t scanned)
{
    struct value *map = value_add_map(list);
    value_int(map, "line", line->line);
    value_text(map, "item", line->item);
    value_text(map, "sku", line->sku.len ? line->sku : line->item);
    value_text(map, "title", line->title);
    value_text(map, "options", line->options);
    value_int(map, "quantity", line->quantity);
    value_int(map, "open", line->open);
    value_int(map, "picked", line->picked);
    value_int(map, "to_pick", line->open - line->picked);
    value_int(map, "packed", line->packed - line->shipped);
    value_int(map, "shipped", line->shipped);
    value_int(map, "canceled", line->canceled);
    value_int(map, "short", line->missing);
    value_int(map, "returned", line->returned);
    value_int(map, "can_pack", line->open);
    value_int(map, "can_return", line->shipped - line->returned);
    value_bool(map, "scanned", line->line == scanned);
    value_bool(map, "ready", line->open && line->picked == line->open);
    put_typed(call, map, "pack", line->line, line->picked);
    value_int(map, "to_ship", line->quantity - line->canceled - line->missing - line->shipped);
}

static const struct view_line *find_line(const struct view_order *order, uint32_t number)
{
    for (unsigned i = 0; i < order->line_count; i++)
        if (order->lines[i].line == number)
            return &order->lines[i];
    return NULL;
}

static void put_parcel_lines(struct value *map, const struct view_order *order,
                             const struct view_parcel *parcel)
{
    struct value *list = value_list(map, "lines");
    for (unsigned i = 0; i < parcel->line_count; i++) {
        const struct view_line *line = find_line(order, parcel->lines[i].line);
        if (!line)
            continue;
        struct value *item = value_add_map(list);
        value_int(item, "quantity", parcel->lines[i].quantity);
        value_text(item, "title", line->title);
        value_text(item, "options", line->options);
        value_text(item, "sku", line->sku.len ? line->sku : line->item);
    }
}

static void put_parcel(struct value *list, const struct view_order *order,
                       const struct view_parcel *parcel)
{
    struct value *map = value_add_map(list);
    char text[ID_TEXT];
    value_printf(map, "parcel", "%s", id_text(parcel->id, text));
    value_int(map, "number", parcel->number);
    value_bool(map, "is_packed", str_eq(parcel->state, STR("packed")));
    value_bool(map, "is_shipped", str_eq(parcel->state, STR("shipped")));
    value_bool(map, "is_delivered", str_eq(parcel->state, STR("delivered")));
    value_text(map, "carrier", parcel->carrier);
    value_text(map, "tracking", parcel->tracking);
    value_text(map, "url", parcel->url);
    dock_page_when(map, "packed_at", parcel->packed_ms);
    dock_page_when(map, "shipped_at", parcel->shipped_ms);
    dock_page_when(map, "delivered_at", parcel->delivered_ms);
    put_parcel_lines(map, order, parcel);
}

static void put_order(struct dock_call *call, struct value *root, const struct view_order *order,
                      uint64_t scanned)
{
    char text[ID_TEXT];
    uint32_t open = 0, picked = 0, can_pack = 0, can_return = 0;
    struct value *lines = value_list(root, "lines"), *parcels = value_list(root, "parcels");
    for (unsigned i = 0; i < order->line_count; i++) {
        const struct view_line *line = &order->lines[i];
        put_line(call, lines, line, scanned);
        open += line->open;
        picked += line->picked;
        can_pack += line->open;
        can_return += line->shipped - line->returned;
    }
    for (unsigned i = 0; i < order->parcel_count; i++)
        put_parcel(parcels, order, &order->parcels[i]);
    value_printf(root, "order", "%s", id_text(order->id, text));
    value_printf(root, "number", "%" PRIu64, order->number);
    value_text(root, "state", order->state);
    value_text(root, "service", order->service);
    value_text(root, "email", order->email);
    value_text(root, "phone", order->place[PLACE_PHONE]);
    value_int(root, "open", open);
    value_int(root, "picked", picked);
    value_int(root, "can_pack", can_pack);
    value_int(root, "can_return", can_return);
    value_bool(root, "all_picked", open && picked == open);
    dock_page_when(root, "placed", order->placed_ms);
    dock_page_when(root, "taken", order->taken_ms);
    put_address(root, order);
}

/* The order that the path names; false: answered already. */
static bool load_order(struct dock_call *call, struct view_order *order)
{
    struct id id;
    int err = warehouse_view_find(call->db, call->params[0], &id);
    err = err ? err : warehouse_view_order(call->db, &call->x->arena, id, order);
    if (err == ERR_NOTFOUND)
        dock_page_problem(call, 404, "There is no such order here.");
    return err == 0;
}

/* Once nothing of ORDER is to be picked, the way to the oldest order of which something is. */
static void put_next(struct dock_call *call, struct value *root, const struct view_order *order)
{
    char text[ID_TEXT];
    struct view_row next;
    unsigned count = 0;
    for (unsigned i = 0; i < order->line_count; i++)
        if (order->lines[i].open)
            return;
    if (warehouse_view_orders(call->db, &call->x->arena, STR("open"), STR(""), 0, 1, &next,
                              &count) ||
        count == 0)
        return;
    struct value *map = value_map(root, "next");
    value_printf(map, "order", "%s", id_text(next.id, text));
    value_printf(map, "number", "%" PRIu64, next.number);
}

static void show_order(struct dock_call *call, const struct view_order *order, int status,
                       const char *problem)
{
    char title[64];
    uint64_t scanned = 0;
    struct str line = exchange_query(call->x, STR("line"));
    if (line.at && str_to_u64(line, &scanned))
        scanned = 0;
    snprintf(title, sizeof title, "Order %" PRIu64, order->number);
    struct value *root =
        dock_page_root(call, arena_str(&call->x->arena, str_of(title)).at, "orders");
    value_printf(root, "problem", "%s", problem);
    put_order(call, root, order, scanned);
    put_next(call, root, order);
    dock_page_show(call, status, "warehouse_order", root);
}

void dock_page_order(struct dock_call *call)
{
    struct view_order order;
    if (load_order(call, &order))
        show_order(call, &order, 200, "");
}

/* ---- The packing slip ---- */

static void put_barcode(struct dock_call *call, struct value *root, struct str text)
{
    struct buf path;
    buf_init(&path, 16384);
    unsigned width = warehouse_barcode_path(text, BARCODE_HEIGHT, &path);
    if (width && !path.failed) {
        struct value *map = value_map(root, "barcode");
        value_int(map, "width", width);
        value_int(map, "height", BARCODE_HEIGHT);
        value_text(map, "path", arena_str(&call->x->arena, buf_text(&path)));
    }
    buf_close(&path);
}

void dock_page_slip(struct dock_call *call)
{
    struct view_order order;
    struct id parcel = {0};
    char number[32];
    struct str wanted = exchange_query(call->x, STR("parcel"));
    if (!load_order(call, &order))
        return;
    if (wanted.at)
        id_parse(wanted, &parcel);
    snprintf(number, sizeof number, "%" PRIu64, order.number);
    struct value *root = dock_page_root(call, "Packing slip", "orders");
    put_order(call, root, &order, 0);
    put_barcode(call, root, str_of(number));
    for (unsigned i = 0; i < order.parcel_count; i++) {
        if (!id_eq(order.parcels[i].id, parcel))
            continue;
        struct value *map = value_map(root, "one_parcel");
        value_int(map, "number", order.parcels[i].number);
        value_int(map, "count", order.parcel_count);
        put_parcel_lines(map, &order, &order.parcels[i]);
    }
    dock_page_show(call, 200, "warehouse_slip", root);
}

/* ---- Acts ---- */

/* "3:1" or "3:-1": a line and how many more are in the hand. */
static bool read_pick(struct dock_call *call, struct warehouse_act *act)
{
    struct str rest = field(call, STR("pick")), line;
    uint64_t number;
    if (!str_cut(&rest, ':', &line) || str_to_u64(line, &number) || number > UINT32_MAX ||
        str_to_i64(rest, &act->quantity))
        return false;
    act->line = (uint32_t)number;
    return true;
}

/* What the form wants; NULL, or what is wrong with it. */
static const char *read_act(struct dock_call *call, const struct view_order *order,
                            struct warehouse_act *act)
{
    static const char no_number[] = "A number of units must be 0 or more.";
    struct str what = call->params[1];
    act->order = order->id;
    act->note = field(call, STR("note"));
    if (str_eq(what, STR("scan"))) {
        act->kind = ACT_SCAN;
        act->item = field(call, STR("code"));
        return NULL;
    }
    if (str_eq(what, STR("pick"))) {
        act->kind = ACT_PICK;
        return read_pick(call, act) ? NULL : "Which line was picked?";
    }
    if (str_eq(what, STR("return"))) {
        act->kind = ACT_RETURN;
        act->restock = field(call, STR("restock")).len > 0;
        return read_lines(call, order, "return", act) ? NULL : no_number;
    }
    if (str_eq(what, STR("short"))) {
        act->kind = ACT_SHORT;
        return read_lines(call, order, "short", act) ? NULL : no_number;
    }
    act->kind = str_eq(what, STR("send")) ? ACT_SEND : ACT_PACK;
    act->parcel = act->operation;
    read_carriage(call, act);
    return read_lines(call, order, "pack", act) ? NULL : no_number;
}

static bool is_act(struct str what)
{
    static const char *const acts[] = {"scan", "pick", "pack", "send", "return", "short"};
    for (unsigned i = 0; i < COUNT_OF(acts); i++)
        if (str_eq(what, str_of(acts[i])))
            return true;
    return false;
}

/* Scanned on an order's page, but another order's number: on to that one. */
static bool went_to_order(struct dock_call *call, const struct warehouse_act *act)
{
    struct id id;
    char text[ID_TEXT];
    if (act->kind != ACT_SCAN || warehouse_view_find(call->db, act->item, &id))
        return false;
    dock_go(call, "/orders/%s", id_text(id, text));
    return true;
}

void dock_page_order_act(struct dock_call *call)
{
    struct warehouse_act act = {.operation = read_id(call, STR("operation"))};
    struct failure failure = {0};
    struct view_order order;
    char text[ID_TEXT];
    if (!is_act(call->params[1])) {
        dock_page_problem(call, 404, "There is nothing at this address.");
        return;
    }
    if (!load_order(call, &order))
        return;
    if (id_is_zero(act.operation))
        act.operation = id_new(clock_wall_ms());
    const char *wrong = read_act(call, &order, &act);
    if (wrong) {
        show_order(call, &order, 422, wrong);
        return;
    }
    int err = dock_act(call, &act, &failure);
    if (err == ERR_NOTFOUND && went_to_order(call, &act))
        return;
    if (err)
        show_order(call, &order, err == ERR_BUSY ? 503 : 422, failure.text);
    else if (act.kind == ACT_SCAN || act.kind == ACT_PICK)
        dock_go(call, "/orders/%s?line=%u", id_text(order.id, text), act.line);
    else
        dock_go(call, "/orders/%s", id_text(order.id, text));
}

void dock_page_parcel_act(struct dock_call *call)
{
    struct warehouse_act act = {0};
    struct failure failure = {0};
    struct view_order order;
    char text[ID_TEXT];
    int err = id_parse(call->params[0], &act.parcel);
    err = err ? err : warehouse_view_parcel(call->db, act.parcel, &act.order);
    err = err ? err : warehouse_view_order(call->db, &call->x->arena, act.order, &order);
    if (err || !warehouse_act_of_parcel(&act, call->params[1])) {
        dock_page_problem(call, 404, "There is no such parcel here: was it unpacked?");
        return;
    }
    read_carriage(call, &act);
    err = dock_act(call, &act, &failure);
    if (err)
        show_order(call, &order, err == ERR_BUSY ? 503 : 422, failure.text);
    else
        dock_go(call, "/orders/%s", id_text(order.id, text));
}
