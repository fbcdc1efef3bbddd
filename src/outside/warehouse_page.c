#include "base/check.h"
#include "base/clock.h"
#include "outside/warehouse_inner.h"
#include "outside/warehouse_view.h"

#include <inttypes.h>

enum { PAGE_BYTES_MAX = 8 << 20, ORDERS_SHOWN = 50, COUNTED_MAX = 10000 };

#define HTML STR("text/html; charset=utf-8")

/* ---- What all pages have ---- */

/* "2026-11-22 18:30" as text, and exactly for machines; nothing for 0. */
void dock_page_when(struct value *map, const char *key, int64_t wall_ms)
{
    char text[32];
    if (!wall_ms)
        return;
    clock_rfc3339(wall_ms, text, sizeof text);
    struct value *when = value_map(map, key);
    value_printf(when, "exact", "%s", text);
    value_printf(when, "text", "%.10s %.5s UTC", text, text + 11);
}

/* Reports that do not get through concern whoever looks at any page. */
static void put_trouble(struct dock_call *call, struct value *root)
{
    struct reporter_state state;
    warehouse_reporter_look(call->server->reporter, &state);
    if (!state.well && call->csrf[0])
        value_printf(root, "trouble", "%s", state.trouble);
}

struct value *dock_page_root(struct dock_call *call, const char *title, const char *here)
{
    struct value *root = value_root(&call->x->arena);
    char key[40], operation[ID_TEXT];
    value_text(root, "title", str_of(title));
    value_text(root, "id", str_of(call->server->config.id));
    value_printf(root, "token", "%s", call->csrf);
    value_printf(root, "operation", "%s", id_text(id_new(clock_wall_ms()), operation));
    value_bool(root, "inside", call->csrf[0] != '\0');
    snprintf(key, sizeof key, "at_%s", here);
    struct str lent = arena_str(&call->x->arena, str_of(key));
    if (lent.at)
        value_bool(root, lent.at, true);
    put_trouble(call, root);
    return root;
}

void dock_page_show(struct dock_call *call, int status, const char *template, struct value *root)
{
    struct buf out;
    buf_init(&out, PAGE_BYTES_MAX);
    const struct template *found = template_find(call->server->templates, str_of(template));
    CHECK(found);
    if (template_render(found, root, &out))
        out.failed = true;
    dock_answer(call, status, HTML, &out);
}

void dock_page_problem(struct dock_call *call, int status, const char *text)
{
    struct value *root =
        dock_page_root(call, status == 404 ? "Not found" : "That did not work", "none");
    value_text(root, "text", str_of(text));
    dock_page_show(call, status, "warehouse_problem", root);
}

/* ---- The list of orders ---- */

static const struct {
    const char *state, *title;
} tabs[] = {
    {"open", "To pick"}, {"packed", "Packed"},     {"shipped", "Shipped"},
    {"short", "Short"},  {"canceled", "Canceled"}, {"all", "All"},
};

static struct str chosen_state(struct dock_call *call)
{
    struct str state = exchange_query(call->x, STR("state"));
    for (unsigned i = 0; state.at && i < COUNT_OF(tabs); i++)
        if (str_eq(state, str_of(tabs[i].state)))
            return state;
    return STR("open");
}

static void put_tabs(struct dock_call *call, struct value *root, struct str state)
{
    struct value *list = value_list(root, "tabs");
    for (unsigned i = 0; i < COUNT_OF(tabs); i++) {
        struct value *map = value_add_map(list);
        value_text(map, "state", str_of(tabs[i].state));
        value_text(map, "title", str_of(tabs[i].title));
        value_bool(map, "chosen", str_eq(state, str_of(tabs[i].state)));
        if (i > 1) /* those that wait for somebody are counted */
            continue;
        uint64_t count = warehouse_view_count(call->db, str_of(tabs[i].state), COUNTED_MAX);
        value_printf(map, "count", "%" PRIu64 "%s", count, count == COUNTED_MAX ? "+" : "");
    }
}

static void put_row(struct value *list, const struct view_row *row)
{
    struct value *map = value_add_map(list);
    char text[ID_TEXT];
    value_printf(map, "order", "%s", id_text(row->id, text));
    value_printf(map, "number", "%" PRIu64, row->number);
    value_text(map, "state", row->state);
    value_text(map, "name", row->name);
    value_text(map, "locality", row->locality);
    value_text(map, "country", row->country);
    value_text(map, "first", row->first);
    if (row->lines > 1)
        value_printf(map, "more", "%" PRIu64, row->lines - 1);
    value_int(map, "units", (int64_t)row->units);
    value_int(map, "open", (int64_t)row->open);
    value_bool(map, "one", row->units == 1);
    dock_page_when(map, "placed", row->placed_ms);
}

void dock_page_orders(struct dock_call *call)
{
    struct exchange *x = call->x;
    struct str state = chosen_state(call), needle = exchange_query(x, STR("q"));
    struct str text = exchange_query(x, STR("after"));
    uint64_t after = 0;
    unsigned count = 0;
    struct view_row *rows = ARENA_ARRAY(&x->arena, struct view_row, ORDERS_SHOWN);
    if (text.at && (str_to_u64(text, &after) || after > INT64_MAX))
        after = 0;
    needle = needle.at ? str_trim(needle) : STR("");
    if (!rows ||
        warehouse_view_orders(call->db, &x->arena, str_eq(state, STR("all")) ? STR("") : state,
                              needle, after, ORDERS_SHOWN, rows, &count))
        return;
    struct value *root = dock_page_root(call, "Orders", "orders");
    put_tabs(call, root, state);
    value_text(root, "state", state);
    value_text(root, "q", needle);
    struct value *list = value_list(root, "orders");
    for (unsigned i = 0; i < count; i++)
        put_row(list, &rows[i]);
    if (count == ORDERS_SHOWN)
        value_printf(root, "next", "%" PRIu64, rows[count - 1].row);
    dock_page_show(call, 200, "warehouse_orders", root);
}

/* A scanner types into the field at the top: an order's number, or an item. */
void dock_page_scan(struct dock_call *call)
{
    struct str code = exchange_form(call->x, STR("code"));
    struct id order;
    char text[ID_TEXT];
    struct buf path;
    code = code.at ? str_trim(code) : STR("");
    if (warehouse_view_find(call->db, code, &order) == 0) {
        dock_go(call, "/orders/%s", id_text(order, text));
        return;
    }
    struct str key = warehouse_book_key(call->db, &call->x->arena, code);
    if (!key.at) {
        dock_page_problem(call, 404,
                          "This is neither the number of an order nor an item that is known "
                          "here.");
        return;
    }
    buf_init(&path, 4096);
    buf_puts(&path, "/item?item=");
    url_encode(&path, key);
    dock_go(call, "%.*s", STR_FMT(buf_text(&path)));
    buf_close(&path);
}
