#include "web/ucp.h"

static void put_quantity(struct json *json, yyjson_mut_val *line_item, const struct line *line)
{
    yyjson_mut_val *quantity = json_put_object(json, line_item, "quantity");
    json_put_int(json, quantity, "original", line->quantity);
    json_put_int(json, quantity, "total", line->quantity);
    json_put_int(json, quantity, "fulfilled", line->fulfilled);
}

static struct str status_of(const struct line *line)
{
    if (!line->quantity)
        return STR("removed");
    if (line->fulfilled >= line->quantity)
        return STR("fulfilled");
    return line->fulfilled ? STR("partial") : STR("processing");
}

static void put_lines(struct ucp_view *view, const struct order *order)
{
    struct json *json = &view->json;
    yyjson_mut_val *list = json_put_list(json, json->root, "line_items");
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        yyjson_mut_val *line_item = json_add_object(json, list);
        json_put_text(json, line_item, "id", ucp_line_id(json->arena, line));
        ucp_put_item(view, line_item, line);
        put_quantity(json, line_item, line);
        ucp_put_line_totals(json, line_item, line);
        json_put_text(json, line_item, "status", status_of(line));
    }
}

static void put_expectation(struct json *json, yyjson_mut_val *fulfillment,
                            const struct order *order)
{
    yyjson_mut_val *list = json_put_list(json, fulfillment, "expectations");
    if (!order->needs_shipping || order->status == ORDER_CANCELED)
        return;
    yyjson_mut_val *one = json_add_object(json, list);
    json_put_text(json, one, "id", STR("exp_1"));
    yyjson_mut_val *lines = json_put_list(json, one, "line_items");
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        if (!line->needs_shipping || !line->quantity)
            continue;
        yyjson_mut_val *part = json_add_object(json, lines);
        json_put_text(json, part, "id", ucp_line_id(json->arena, line));
        json_put_int(json, part, "quantity", line->quantity);
    }
    json_put_text(json, one, "method_type", STR("shipping"));
    ucp_put_address(json, json_put_object(json, one, "destination"), &order->destination);
    json_put_text(json, one, "description",
                  order->rate.title.len ? order->rate.title : order->rate.key);
    json_put_text(json, one, "fulfillable_on", STR("now"));
}

static enum app_verdict show(struct exchange *x, const struct order *order)
{
    struct ucp_view view;
    int err = ucp_answer(x, &view, UCP_ORDER);
    if (err)
        return call_fail_err(x, err);
    struct json *json = &view.json;
    struct str id = ucp_id(json->arena, order->id);
    json_put_text(json, json->root, "id", id);
    json_put_text(json, json->root, "label",
                  arena_printf(json->arena, "#%llu", (unsigned long long)order->number));
    json_put_text(json, json->root, "checkout_id", id);
    json_put_text(json, json->root, "permalink_url",
                  ARENA_JOIN(json->arena, view.base, STR("/order/"), id));
    put_lines(&view, order);
    yyjson_mut_val *fulfillment = json_put_object(json, json->root, "fulfillment");
    put_expectation(json, fulfillment, order);
    json_put_list(json, fulfillment, "events");
    json_put_text(json, json->root, "currency", order->currency);
    ucp_put_totals(json, json->root, &order->basket);
    return ucp_send(&view, 200);
}

enum app_verdict ucp_order_get(struct exchange *x)
{
    struct id id;
    struct order *order = ARENA_NEW(&x->arena, struct order);
    if (!ucp_begin(x))
        return APP_DONE;
    if (!order)
        return call_fail_err(x, ERR_NOMEM);
    int err = call_param_id(x, 0, &id) ? ERR_NOTFOUND
                                       : reader_order(call_reader(x), &x->arena, id, order);
    if (err == ERR_NOTFOUND)
        return ucp_not_found(x, UCP_ORDER, "Order");
    return err ? call_fail_err(x, err) : show(x, order);
}
