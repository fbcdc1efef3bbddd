#include "base/check.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "outside/warehouse_inner.h"
#include "outside/warehouse_reports.h"
#include "outside/warehouse_view.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LIST_USUAL = 100, LIST_MAX = 1000, COUNTED_MAX = 1000000 };

/* ---- Reading ---- */

/* The id of the operation, which makes a repeat harmless: header Idempotency-Key, or a member. */
static struct id read_operation(struct dock_call *call)
{
    struct warehouse_json *in = &call->json;
    struct str key = call->x->known[HTTP_FIELD_IDEMPOTENCY_KEY];
    struct id id = {0};
    if (!key.at)
        return warehouse_json_id(in, in->root, "", "operation", false);
    if (id_parse(key, &id) || id_is_zero(id))
        warehouse_json_wrong(in, "Idempotency-Key must be a UUID");
    return id;
}

static void read_body(struct dock_call *call, struct warehouse_act *act)
{
    struct str body = str_trim(call->x->body);
    warehouse_json_read(&call->json, &call->x->arena, body.len ? body : STR("{}"));
    act->operation = read_operation(call);
}

static void read_lines(struct warehouse_json *in, struct warehouse_act *act)
{
    yyjson_val *list = warehouse_json_list(in, in->root, "", "lines", BOOK_LINES_MAX), *at;
    size_t index, count;
    struct book_quantity *lines =
        ARENA_ARRAY(in->arena, struct book_quantity, yyjson_arr_size(list));
    if (!lines)
        warehouse_json_wrong(in, "there is no memory for the lines");
    yyjson_arr_foreach(list, index, count, at)
    {
        char where[32];
        if (in->wrong.at)
            return;
        snprintf(where, sizeof where, "lines[%zu]", index);
        lines[act->line_count++] = (struct book_quantity){
            (uint32_t)warehouse_json_int(in, at, where, "line", 1, UINT32_MAX, WAREHOUSE_NEEDED),
            (uint32_t)warehouse_json_int(in, at, where, "quantity", 1, BOOK_QUANTITY_MAX,
                                         WAREHOUSE_NEEDED)};
    }
    act->lines = lines;
}

static void read_carriage(struct warehouse_json *in, struct warehouse_act *act)
{
    act->carriage = (struct book_carriage){
        warehouse_json_text(in, in->root, "", "carrier", BOOK_TEXT_MAX),
        warehouse_json_text(in, in->root, "", "tracking", BOOK_TEXT_MAX),
        warehouse_json_text(in, in->root, "", "tracking_url", 4 * BOOK_TEXT_MAX),
    };
}

static void read_note(struct warehouse_json *in, struct warehouse_act *act)
{
    act->note = warehouse_json_text(in, in->root, "", "note", BOOK_TEXT_MAX);
}

/* ---- Acts ---- */

/* Does ACT and answers. */
static void finish(struct dock_call *call, struct warehouse_act *act)
{
    struct failure failure = {0};
    struct buf out;
    char text[ID_TEXT];
    if (call->json.wrong.at) {
        dock_error(call, 400, "invalid", call->json.wrong.at);
        return;
    }
    int err = dock_act(call, act, &failure);
    if (err) {
        bool no_report = act->kind == ACT_MEND && err == ERR_INVALID;
        dock_error(call, no_report ? 422 : dock_status(err), "refused", failure.text);
        return;
    }
    buf_init(&out, 256);
    buf_puts(&out, "{\"done\":true");
    if (!id_is_zero(act->parcel))
        buf_printf(&out, ",\"parcel\":\"%s\"", id_text(act->parcel, text));
    if (act->kind == ACT_SCAN)
        buf_printf(&out, ",\"line\":%u", act->line);
    buf_puts(&out, "}");
    dock_json(call, 200, &out);
}

static void unknown(struct dock_call *call)
{
    dock_error(call, 404, "not_found", "there is nothing here; docs/warehouse.md has the list");
}

static void read_parcel(struct dock_call *call, struct warehouse_act *act)
{
    struct warehouse_json *in = &call->json;
    act->kind = warehouse_json_bool(in, in->root, "", "ship", false) ? ACT_SEND : ACT_PACK;
    act->parcel = warehouse_json_id(in, in->root, "", "parcel", false);
    if (id_is_zero(act->parcel)) /* a repeat of the operation is the same parcel */
        act->parcel = id_is_zero(act->operation) ? id_new(clock_wall_ms()) : act->operation;
    read_lines(in, act);
    read_carriage(in, act);
}

void dock_api_order_act(struct dock_call *call)
{
    struct warehouse_act act = {0};
    struct warehouse_json *in = &call->json;
    struct str what = call->params[1];
    if (warehouse_view_find(call->db, call->params[0], &act.order)) {
        dock_error(call, 404, "not_found", "there is no such order here");
        return;
    }
    read_body(call, &act);
    if (str_eq(what, STR("parcels"))) {
        read_parcel(call, &act);
    } else if (str_eq(what, STR("pick"))) {
        act.kind = ACT_PICK;
        act.line =
            (uint32_t)warehouse_json_int(in, in->root, "", "line", 1, UINT32_MAX, WAREHOUSE_NEEDED);
        act.quantity = warehouse_json_int(in, in->root, "", "quantity", -BOOK_QUANTITY_MAX,
                                          BOOK_QUANTITY_MAX, 1);
    } else if (str_eq(what, STR("scan"))) {
        act.kind = ACT_SCAN;
        act.item = warehouse_json_text(in, in->root, "", "code", BOOK_TEXT_MAX);
    } else if (str_eq(what, STR("returns")) || str_eq(what, STR("shortages"))) {
        act.kind = what.at[0] == 'r' ? ACT_RETURN : ACT_SHORT;
        act.restock = warehouse_json_bool(in, in->root, "", "restock", true);
        read_lines(in, &act);
        read_note(in, &act);
    } else {
        unknown(call);
        return;
    }
    finish(call, &act);
}

void dock_api_parcel_act(struct dock_call *call)
{
    struct warehouse_act act = {0};
    if (id_parse(call->params[0], &act.parcel)) {
        dock_error(call, 404, "not_found", "there is no such parcel");
        return;
    }
    read_body(call, &act);
    read_carriage(&call->json, &act);
    if (!warehouse_act_of_parcel(&act, call->params[1])) {
        unknown(call);
        return;
    }
    finish(call, &act);
}

static void read_variant(struct warehouse_json *in, yyjson_val *from, const char *where,
                         struct book_variant *variant)
{
    variant->key = warehouse_json_text(in, from, where, "key", BOOK_TEXT_MAX);
    variant->sku = warehouse_json_text(in, from, where, "sku", BOOK_TEXT_MAX);
    variant->title = warehouse_json_text(in, from, where, "title", BOOK_TEXT_MAX);
    variant->price =
        warehouse_json_int(in, from, where, "price", 0, INT64_C(1) << 50, WAREHOUSE_NEEDED);
    variant->available = warehouse_json_int(in, from, where, "quantity", 0, BOOK_QUANTITY_MAX, 0);
}

static void read_product(struct dock_call *call, struct book_product *product)
{
    struct warehouse_json *in = &call->json;
    yyjson_val *from = yyjson_obj_get(in->root, "product"), *list, *at;
    size_t index, count;
    product->handle = warehouse_json_text(in, from, "product", "handle", BOOK_TEXT_MAX);
    product->title = warehouse_json_text(in, from, "product", "title", BOOK_TEXT_MAX);
    product->html = warehouse_json_text(in, from, "product", "html", 65536);
    product->vendor = warehouse_json_text(in, from, "product", "vendor", BOOK_TEXT_MAX);
    product->category = warehouse_json_text(in, from, "product", "category", BOOK_TEXT_MAX);
    list = warehouse_json_list(in, from, "product", "variants", BOOK_LINES_MAX);
    product->variants = ARENA_ARRAY(in->arena, struct book_variant, yyjson_arr_size(list));
    if (!product->variants)
        warehouse_json_wrong(in, "there is no memory for the variants");
    yyjson_arr_foreach(list, index, count, at)
    {
        char where[40];
        if (in->wrong.at)
            return;
        snprintf(where, sizeof where, "product.variants[%zu]", index);
        read_variant(in, at, where, &product->variants[product->variant_count++]);
    }
}

void dock_api_goods_act(struct dock_call *call)
{
    struct warehouse_act act = {0};
    struct book_product product = {0};
    struct warehouse_json *in = &call->json;
    read_body(call, &act);
    read_note(in, &act);
    if (str_eq(call->x->path, STR("/v1/products"))) {
        act.kind = ACT_PRODUCT;
        act.product = &product;
        read_product(call, &product);
    } else {
        bool arrives = str_eq(call->x->path, STR("/v1/arrivals"));
        act.kind = arrives ? ACT_ARRIVE : ACT_COUNT;
        act.item = warehouse_json_text(in, in->root, "", "item", BOOK_TEXT_MAX);
        act.quantity = warehouse_json_int(in, in->root, "", arrives ? "quantity" : "on_hand", 0,
                                          BOOK_QUANTITY_MAX, WAREHOUSE_NEEDED);
    }
    finish(call, &act);
}

void dock_api_report_act(struct dock_call *call)
{
    struct warehouse_act act = {0};
    struct str what = call->params[1];
    bool numbered = str_to_u64(call->params[0], &act.report) == 0 && act.report <= INT64_MAX;
    read_body(call, &act);
    if (numbered && str_eq(what, STR("drop"))) {
        act.kind = ACT_DROP;
    } else if (numbered && str_eq(what, STR("mend"))) {
        act.kind = ACT_MEND;
        yyjson_val *report = yyjson_obj_get(call->json.root, "report");
        size_t len = 0;
        char *text = report ? yyjson_val_write(report, 0, &len) : NULL;
        act.note = arena_str(&call->x->arena, str_make(text, len));
        free(text);
    } else if (!numbered && str_eq(what, STR("renew"))) {
        act.kind = ACT_RENEW;
    } else {
        unknown(call);
        return;
    }
    finish(call, &act);
}

/* ---- Looks ---- */

static unsigned read_limit(struct dock_call *call)
{
    uint64_t limit = LIST_USUAL;
    struct str text = exchange_query(call->x, STR("limit"));
    if (text.at && (str_to_u64(text, &limit) || limit < 1 || limit > LIST_MAX))
        limit = LIST_MAX;
    return (unsigned)limit;
}

void dock_api_status(struct dock_call *call)
{
    const struct warehouse_config *config = &call->server->config;
    struct reporter_state state;
    struct buf out;
    char shop[64], epoch[64];
    warehouse_reporter_look(call->server->reporter, &state);
    warehouse_book_fact(call->db, "shop", shop, sizeof shop);
    warehouse_book_fact(call->db, "epoch", epoch, sizeof epoch);
    struct stmt *waiting = db_stmt(call->db, "SELECT count(*) FROM report WHERE state = 'waiting'");
    struct stmt *fence = db_stmt(call->db, "SELECT epoch || '.' || term FROM fence LIMIT 1");
    buf_init(&out, 8192);
    buf_printf(&out, "{\"id\":\"%s\",\"shop\":\"%s\",\"fence\":\"", config->id, shop);
    if (stmt_next(fence) == 0)
        buf_str(&out, stmt_str(fence, 0));
    stmt_done(fence);
    buf_printf(&out,
               "\",\"epoch\":\"%s\",\"taken\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"open\":%" PRIu64
               ",\"packed\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"reports_well\":%s,\"trouble\":",
               epoch, warehouse_book_count(call->db, "taken"), stmt_only_u64(waiting, 0),
               warehouse_view_count(call->db, STR("open"), COUNTED_MAX),
               warehouse_view_count(call->db, STR("packed"), COUNTED_MAX),
               stmt_only_u64(db_stmt(call->db, "SELECT count(*) FROM refused"), 0),
               state.well ? "true" : "false");
    json_str_put(str_of(state.trouble), &out);
    buf_puts(&out, "}");
    dock_json(call, 200, &out);
}

void dock_api_order_list(struct dock_call *call)
{
    struct exchange *x = call->x;
    unsigned limit = read_limit(call), count = 0;
    uint64_t after = 0;
    struct str text = exchange_query(x, STR("after")), state = exchange_query(x, STR("state"));
    struct str needle = exchange_query(x, STR("q"));
    struct view_row *rows = ARENA_ARRAY(&x->arena, struct view_row, limit);
    if (!rows || (text.at && (str_to_u64(text, &after) || after > INT64_MAX))) {
        dock_error(call, 400, "invalid", "after must be the \"next\" of an earlier answer");
        return;
    }
    int err = warehouse_view_orders(call->db, &x->arena, state.at ? state : STR(""),
                                    needle.at ? needle : STR(""), after, limit, rows, &count);
    struct buf out;
    buf_init(&out, CALL_MEMORY);
    buf_puts(&out, "{\"orders\":[");
    for (unsigned i = 0; !err && i < count; i++) {
        struct view_order order;
        buf_puts(&out, i ? "," : "");
        err = warehouse_view_order(call->db, &x->arena, rows[i].id, &order);
        if (!err)
            warehouse_view_put_order(&out, &order);
    }
    buf_puts(&out, "]");
    if (count == limit)
        buf_printf(&out, ",\"next\":%" PRIu64, rows[count - 1].row);
    buf_puts(&out, "}");
    if (!err)
        dock_json(call, 200, &out);
    else
        buf_close(&out);
    if (err == ERR_NOMEM)
        dock_error(call, 400, "too_long", "too much at once: ask with a lower limit");
}

void dock_api_order(struct dock_call *call)
{
    struct view_order order;
    struct id id;
    struct buf out;
    int err = warehouse_view_find(call->db, call->params[0], &id);
    err = err ? err : warehouse_view_order(call->db, &call->x->arena, id, &order);
    if (err) {
        dock_error(call, dock_status(err), "not_found", "there is no such order here");
        return;
    }
    buf_init(&out, CALL_MEMORY);
    warehouse_view_put_order(&out, &order);
    dock_json(call, 200, &out);
}

void dock_api_stock(struct dock_call *call)
{
    struct exchange *x = call->x;
    unsigned limit = read_limit(call), count = 0;
    struct str needle = exchange_query(x, STR("q")), after = exchange_query(x, STR("after"));
    struct view_item *items = ARENA_ARRAY(&x->arena, struct view_item, limit);
    struct buf out;
    if (!items || warehouse_view_items(call->db, &x->arena, needle.at ? needle : STR(""), after,
                                       limit, items, &count))
        return;
    buf_init(&out, CALL_MEMORY);
    buf_puts(&out, "{\"items\":[");
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&out, "%s{\"item\":", i ? "," : "");
        json_str_put(items[i].item, &out);
        buf_puts(&out, ",\"sku\":");
        json_str_put(items[i].sku, &out);
        buf_puts(&out, ",\"title\":");
        json_str_put(items[i].title, &out);
        buf_printf(&out,
                   ",\"on_hand\":%" PRId64 ",\"allotted\":%" PRId64 ",\"free\":%" PRId64
                   ",\"shipped\":%" PRId64 "}",
                   items[i].on_hand, items[i].allotted, items[i].on_hand - items[i].allotted,
                   items[i].shipped);
    }
    buf_puts(&out, "]");
    if (count == limit) {
        buf_puts(&out, ",\"next\":");
        json_str_put(items[count - 1].item, &out);
    }
    buf_puts(&out, "}");
    dock_json(call, 200, &out);
}

void dock_api_reports(struct dock_call *call)
{
    struct exchange *x = call->x;
    static const char *const states[] = {"waiting", "taken", "dropped"};
    unsigned limit = read_limit(call), count = 0, state = 0;
    struct str text = exchange_query(x, STR("state"));
    for (unsigned i = 0; text.at && i < COUNT_OF(states); i++)
        if (str_eq(text, str_of(states[i])))
            state = i;
    struct view_report *reports = ARENA_ARRAY(&x->arena, struct view_report, limit);
    struct buf out;
    if (!reports ||
        warehouse_view_reports(call->db, &x->arena, states[state], limit, reports, &count))
        return;
    buf_init(&out, CALL_MEMORY);
    buf_printf(&out, "{\"state\":\"%s\",\"reports\":[", states[state]);
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&out,
                   "%s{\"id\":%" PRIu64 ",\"sequence\":%" PRIu64 ",\"made_ms\":%" PRId64
                   ",\"problem\":",
                   i ? "," : "", reports[i].id, reports[i].sequence, reports[i].made_ms);
        json_str_put(reports[i].problem, &out);
        buf_puts(&out, ",\"report\":");
        buf_str(&out, reports[i].body);
        buf_puts(&out, "}");
    }
    buf_puts(&out, "]}");
    dock_json(call, 200, &out);
}

void dock_api_refused(struct dock_call *call)
{
    unsigned limit = read_limit(call), count = 0;
    struct view_refused *rows = ARENA_ARRAY(&call->x->arena, struct view_refused, limit);
    struct buf out;
    if (!rows || warehouse_view_refused(call->db, &call->x->arena, limit, rows, &count))
        return;
    buf_init(&out, CALL_MEMORY);
    buf_puts(&out, "{\"refused\":[");
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&out, "%s{\"time_ms\":%" PRId64 ",\"peer\":", i ? "," : "", rows[i].time_ms);
        json_str_put(rows[i].peer, &out);
        buf_puts(&out, ",\"what\":");
        json_str_put(rows[i].what, &out);
        buf_puts(&out, ",\"theirs\":");
        json_str_put(rows[i].theirs, &out);
        buf_puts(&out, ",\"ours\":");
        json_str_put(rows[i].ours, &out);
        buf_puts(&out, "}");
    }
    buf_puts(&out, "]}");
    dock_json(call, 200, &out);
}
