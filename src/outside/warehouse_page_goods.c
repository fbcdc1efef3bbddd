#include "base/check.h"
#include "base/clock.h"
#include "outside/warehouse_inner.h"
#include "outside/warehouse_view.h"

#include <inttypes.h>

enum { ITEMS_SHOWN = 100, MOVES_SHOWN = 50, REPORTS_SHOWN = 100, REFUSED_SHOWN = 20 };

static struct str field(struct dock_call *call, struct str name)
{
    struct str text = exchange_form(call->x, name);
    return text.at && str_is_utf8(text) ? str_trim(text) : STR("");
}

static struct id read_operation(struct dock_call *call)
{
    struct id id = {0};
    struct str text = exchange_form(call->x, STR("operation"));
    return text.at && id_parse(text, &id) == 0 ? id : id_new(clock_wall_ms());
}

/* ---- Stock ---- */

/* What was refused stands in the form again. */
static void put_typed(struct dock_call *call, struct value *root)
{
    value_text(root, "typed_item", field(call, STR("item")));
    value_text(root, "typed_quantity", field(call, STR("quantity")));
    value_text(root, "typed_note", field(call, STR("note")));
}

static void put_item(struct value *map, const struct view_item *item)
{
    value_text(map, "item", item->item);
    value_text(map, "sku", item->sku);
    value_text(map, "title", item->title.len ? item->title : item->item);
    value_text(map, "options", item->options);
    value_int(map, "on_hand", item->on_hand);
    value_int(map, "allotted", item->allotted);
    value_int(map, "free", item->on_hand - item->allotted);
    value_int(map, "shipped", item->shipped);
    value_bool(map, "below", item->on_hand < 0);
    value_bool(map, "lacks", item->on_hand < item->allotted);
}

static void show_stock(struct dock_call *call, int status, const char *problem)
{
    struct exchange *x = call->x;
    struct str needle = exchange_query(x, STR("q")), after = exchange_query(x, STR("after"));
    struct view_item *items = ARENA_ARRAY(&x->arena, struct view_item, ITEMS_SHOWN);
    unsigned count = 0;
    needle = needle.at ? str_trim(needle) : STR("");
    if (!items ||
        warehouse_view_items(call->db, &x->arena, needle, after, ITEMS_SHOWN, items, &count))
        return;
    struct value *root = dock_page_root(call, "Stock", "stock");
    value_text(root, "q", needle);
    value_printf(root, "problem", "%s", problem);
    put_typed(call, root);
    struct value *list = value_list(root, "items");
    for (unsigned i = 0; i < count; i++)
        put_item(value_add_map(list), &items[i]);
    if (count == ITEMS_SHOWN)
        value_text(root, "next", items[count - 1].item);
    dock_page_show(call, status, "warehouse_stock", root);
}

void dock_page_stock(struct dock_call *call)
{
    show_stock(call, 200, "");
}

static void put_move(struct value *list, const struct view_move *move)
{
    struct value *map = value_add_map(list);
    value_text(map, "kind", move->kind);
    value_printf(map, "quantity", "%+" PRId64, move->quantity);
    value_text(map, "note", move->note);
    if (move->number)
        value_printf(map, "number", "%" PRIu64, move->number);
    dock_page_when(map, "when", move->time_ms);
}

static void show_item(struct dock_call *call, struct str code, int status, const char *problem)
{
    struct arena *arena = &call->x->arena;
    struct str key = warehouse_book_key(call->db, arena, code);
    struct view_move *moves = ARENA_ARRAY(arena, struct view_move, MOVES_SHOWN);
    struct view_item item;
    unsigned count = 0;
    if (!key.at || warehouse_view_item(call->db, arena, key, &item)) {
        if (!db_failure(call->db)->err)
            dock_page_problem(call, 404, "There is no such item here.");
        return;
    }
    if (!moves || warehouse_view_moves(call->db, arena, key, MOVES_SHOWN, moves, &count))
        return;
    struct value *root = dock_page_root(call, "Item", "stock");
    put_item(root, &item);
    value_printf(root, "problem", "%s", problem);
    put_typed(call, root);
    struct value *list = value_list(root, "moves");
    for (unsigned i = 0; i < count; i++)
        put_move(list, &moves[i]);
    dock_page_show(call, status, "warehouse_item", root);
}

void dock_page_item(struct dock_call *call)
{
    struct str code = exchange_query(call->x, STR("item"));
    show_item(call, code.at ? code : STR(""), 200, "");
}

/* ---- Arrivals, counts, products ---- */

static const char *const product_fields[] = {"title", "handle", "vendor", "category",
                                             "html",  "sku",    "price",  "quantity"};

static void show_product(struct dock_call *call, int status, const char *problem)
{
    struct value *root = dock_page_root(call, "New product", "product");
    struct value *typed = value_map(root, "typed");
    value_printf(root, "problem", "%s", problem);
    for (unsigned i = 0; i < COUNT_OF(product_fields); i++)
        value_text(typed, product_fields[i], field(call, str_of(product_fields[i])));
    dock_page_show(call, status, "warehouse_product", root);
}

void dock_page_product(struct dock_call *call)
{
    show_product(call, 200, "");
}

/* "Blue Mug, large" gives "blue-mug-large". */
static struct str handle_of(struct arena *arena, struct str title)
{
    char *text = arena_alloc(arena, title.len + 1);
    size_t len = 0;
    for (size_t i = 0; text && i < title.len; i++) {
        char c = title.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain)
            text[len++] = c;
        else if (len && text[len - 1] != '-')
            text[len++] = '-';
    }
    while (len && text[len - 1] == '-')
        len--;
    return str_make(text ? text : "", len);
}

static void take_product(struct dock_call *call)
{
    struct arena *arena = &call->x->arena;
    struct book_variant variant = {.sku = field(call, STR("sku")), .price = -1};
    struct book_product product = {
        .handle = field(call, STR("handle")),
        .title = field(call, STR("title")),
        .html = field(call, STR("html")),
        .vendor = field(call, STR("vendor")),
        .category = field(call, STR("category")),
        .variants = &variant,
        .variant_count = 1,
    };
    struct warehouse_act act = {
        .kind = ACT_PRODUCT, .operation = read_operation(call), .product = &product};
    struct failure failure = {0};
    struct str price = field(call, STR("price")), quantity = field(call, STR("quantity"));
    if (!product.handle.len)
        product.handle = handle_of(arena, product.title);
    variant.key = variant.sku.len ? variant.sku : product.handle;
    if (str_to_i64(price, &variant.price) || variant.price < 0) {
        show_product(call, 422, "The price is a whole number in the smallest unit: 1250 for 12.50");
        return;
    }
    if (quantity.len && str_to_i64(quantity, &variant.available)) {
        show_product(call, 422, "How many have come is a whole number.");
        return;
    }
    int err = dock_act(call, &act, &failure);
    if (err)
        show_product(call, err == ERR_BUSY ? 503 : 422, failure.text);
    else
        dock_go(call, "/stock");
}

static void take_goods(struct dock_call *call, enum act_kind kind)
{
    struct warehouse_act act = {
        .kind = kind,
        .operation = read_operation(call),
        .item = field(call, STR("item")),
        .note = field(call, STR("note")),
    };
    struct failure failure = {0};
    bool from_item = field(call, STR("from")).len > 0;
    int err = 0;
    if (str_to_i64(field(call, STR("quantity")), &act.quantity))
        err = fail(&failure, ERR_INVALID, "How many? Type a whole number.");
    err = err ? err : dock_act(call, &act, &failure);
    if (!err) {
        struct buf path;
        buf_init(&path, 8192);
        buf_puts(&path, "/item?item=");
        url_encode(&path, act.item);
        dock_go(call, "%.*s", STR_FMT(path.failed ? STR("/stock") : buf_text(&path)));
        buf_close(&path);
    } else if (from_item) {
        show_item(call, act.item, 422, failure.text);
    } else {
        show_stock(call, 422, failure.text);
    }
}

void dock_page_goods_act(struct dock_call *call)
{
    struct str what = call->params[0];
    if (str_eq(what, STR("arrive")))
        take_goods(call, ACT_ARRIVE);
    else if (str_eq(what, STR("count")))
        take_goods(call, ACT_COUNT);
    else if (str_eq(what, STR("product")))
        take_product(call);
    else
        dock_page_problem(call, 404, "There is nothing at this address.");
}

/* ---- Reports ---- */

static void put_report(struct value *list, const struct view_report *report)
{
    struct value *map = value_add_map(list);
    value_printf(map, "id", "%" PRIu64, report->id);
    if (report->sequence)
        value_printf(map, "sequence", "%" PRIu64, report->sequence);
    value_text(map, "kind", report->kind);
    value_text(map, "body", report->body);
    value_text(map, "item", report->item);
    if (report->number)
        value_printf(map, "number", "%" PRIu64, report->number);
    value_text(map, "problem", report->problem);
    dock_page_when(map, "made", report->made_ms);
    dock_page_when(map, "taken", report->taken_ms);
}

static bool put_reports(struct dock_call *call, struct value *root, const char *state,
                        unsigned limit)
{
    struct view_report *reports = ARENA_ARRAY(&call->x->arena, struct view_report, limit);
    unsigned count = 0;
    if (!reports ||
        warehouse_view_reports(call->db, &call->x->arena, state, limit, reports, &count))
        return false;
    struct value *list = value_list(root, state);
    for (unsigned i = 0; i < count; i++)
        put_report(list, &reports[i]);
    return true;
}

static bool put_refused(struct dock_call *call, struct value *root)
{
    struct view_refused *rows = ARENA_ARRAY(&call->x->arena, struct view_refused, REFUSED_SHOWN);
    unsigned count = 0;
    if (!rows || warehouse_view_refused(call->db, &call->x->arena, REFUSED_SHOWN, rows, &count))
        return false;
    struct value *list = value_list(root, "refused");
    for (unsigned i = 0; i < count; i++) {
        struct value *map = value_add_map(list);
        value_text(map, "peer", rows[i].peer);
        value_text(map, "what", rows[i].what);
        value_text(map, "theirs", rows[i].theirs);
        value_text(map, "ours", rows[i].ours);
        dock_page_when(map, "when", rows[i].time_ms);
    }
    return true;
}

static void show_reports(struct dock_call *call, int status, const char *problem)
{
    struct reporter_state state;
    struct value *root = dock_page_root(call, "Reports to the shop", "reports");
    warehouse_reporter_look(call->server->reporter, &state);
    value_printf(root, "problem", "%s", problem);
    char epoch[64];
    warehouse_book_fact(call->db, "epoch", epoch, sizeof epoch);
    value_printf(root, "epoch", "%s", epoch);
    value_bool(root, "silent", call->server->config.shop_count == 0);
    dock_page_when(root, "tried", state.tried_ms);
    dock_page_when(root, "well", state.well_ms);
    struct stmt *waiting = db_stmt(call->db, "SELECT count(*) FROM report WHERE state = 'waiting'");
    value_printf(root, "waiting_count", "%" PRIu64, stmt_only_u64(waiting, 0));
    value_printf(root, "taken_count", "%" PRIu64, warehouse_book_count(call->db, "taken"));
    if (put_reports(call, root, "waiting", REPORTS_SHOWN) &&
        put_reports(call, root, "taken", REFUSED_SHOWN) && put_refused(call, root))
        dock_page_show(call, status, "warehouse_reports", root);
}

void dock_page_reports(struct dock_call *call)
{
    show_reports(call, 200, "");
}

void dock_page_report_act(struct dock_call *call)
{
    struct warehouse_act act = {.operation = read_operation(call)};
    struct failure failure = {0};
    struct str what = call->params[0];
    bool numbered =
        str_to_u64(field(call, STR("report")), &act.report) == 0 && act.report <= INT64_MAX;
    act.note = field(call, STR("body"));
    if (numbered && str_eq(what, STR("drop"))) {
        act.kind = ACT_DROP;
    } else if (numbered && str_eq(what, STR("mend"))) {
        act.kind = ACT_MEND;
    } else if (str_eq(what, STR("renew"))) {
        act.kind = ACT_RENEW;
    } else {
        dock_page_problem(call, 404, "There is nothing at this address.");
        return;
    }
    int err = dock_act(call, &act, &failure);
    if (err)
        show_reports(call, err == ERR_BUSY ? 503 : 422, failure.text);
    else
        dock_go(call, "/reports");
}
