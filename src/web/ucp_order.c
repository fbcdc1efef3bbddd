#include "web/ucp_order.h"

#include "web/ucp.h"

/* ---- Lines ---- */

/* "original" stays, "total" is what the shopper is to have in the end, "fulfilled" what of it has
 * been sent; what came back is in neither. */
static uint32_t total_of(const struct line *line)
{
    return line->quantity - line->canceled - line->returned;
}

static uint32_t fulfilled_of(const struct line *line)
{
    return line->fulfilled - line->returned;
}

static struct str status_of(const struct line *line)
{
    if (!total_of(line))
        return STR("removed");
    if (fulfilled_of(line) >= total_of(line))
        return STR("fulfilled");
    return fulfilled_of(line) ? STR("partial") : STR("processing");
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
        yyjson_mut_val *quantity = json_put_object(json, line_item, "quantity");
        json_put_int(json, quantity, "original", line->quantity);
        json_put_int(json, quantity, "total", total_of(line));
        json_put_int(json, quantity, "fulfilled", fulfilled_of(line));
        ucp_put_line_totals(json, line_item, line);
        json_put_text(json, line_item, "status", status_of(line));
    }
}

static void add_part(struct json *json, yyjson_mut_val *list, uint32_t line_id, int64_t quantity)
{
    yyjson_mut_val *part = json_add_object(json, list);
    json_put_text(json, part, "id", arena_printf(json->arena, "li_%u", line_id));
    json_put_int(json, part, "quantity", quantity);
}

/* ---- Expectations: one for each place that things are sent from ---- */

static yyjson_mut_val *add_expectation(struct json *json, yyjson_mut_val *list, unsigned number,
                                       const struct order *order)
{
    yyjson_mut_val *one = json_add_object(json, list);
    json_put_text(json, one, "id", arena_printf(json->arena, "exp_%u", number));
    yyjson_mut_val *lines = json_put_list(json, one, "line_items");
    json_put_text(json, one, "method_type", STR("shipping"));
    ucp_put_address(json, json_put_object(json, one, "destination"), &order->destination);
    json_put_text(json, one, "description",
                  order->rate.title.len ? order->rate.title : order->rate.key);
    json_put_text(json, one, "fulfillable_on", STR("now"));
    return lines;
}

/* No warehouse is known: all in one. */
static void put_single(struct json *json, yyjson_mut_val *list, const struct order *order)
{
    yyjson_mut_val *lines = NULL;
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        if (!line->needs_shipping || line->quantity == line->canceled)
            continue;
        lines = lines ? lines : add_expectation(json, list, 1, order);
        add_part(json, lines, line->line_id, line->quantity - line->canceled);
    }
}

/* Allotments of a warehouse stand together. */
static void put_split(struct json *json, yyjson_mut_val *list, const struct order *order)
{
    yyjson_mut_val *lines = NULL;
    struct str warehouse = STR_NONE;
    unsigned number = 0;
    for (unsigned i = 0; i < order->allotment_count; i++) {
        const struct allotment *part = &order->allotments[i];
        if (part->quantity == 0) /* given to it later than the event that this is about */
            continue;
        if (!warehouse.at || !str_eq(part->warehouse, warehouse)) {
            warehouse = part->warehouse;
            number++; /* the same number, whichever of them are canceled */
            lines = NULL;
        }
        if (part->quantity == part->canceled)
            continue;
        lines = lines ? lines : add_expectation(json, list, number, order);
        add_part(json, lines, part->line_id, part->quantity - part->canceled);
    }
}

/* ---- What happened ---- */

static void put_parts(struct json *json, yyjson_mut_val *object, const struct order_event *event,
                      int sign)
{
    yyjson_mut_val *list = json_put_list(json, object, "line_items");
    for (unsigned i = 0; i < event->line_count; i++)
        add_part(json, list, event->lines[i].line_id, sign * (int64_t)event->lines[i].quantity);
}

static yyjson_mut_val *add_event(struct json *json, yyjson_mut_val *list,
                                 const struct order_event *event, struct str type)
{
    yyjson_mut_val *one = json_add_object(json, list);
    json_put_text(json, one, "id", ucp_id(json->arena, event->id));
    json_put_text(json, one, "type", type);
    json_put_text(json, one, "occurred_at", ucp_time(json->arena, event->time_ms));
    return one;
}

static void put_events(struct json *json, yyjson_mut_val *fulfillment, const struct order *order)
{
    yyjson_mut_val *list = json_put_list(json, fulfillment, "events");
    for (unsigned i = 0; i < order->event_count; i++) {
        const struct order_event *event = &order->events[i];
        if (event->type != ORDER_EVENT_SHIPPED && event->type != ORDER_EVENT_DELIVERED)
            continue;
        struct str type = event->type == ORDER_EVENT_SHIPPED ? STR("shipped") : STR("delivered");
        yyjson_mut_val *one = add_event(json, list, event, type);
        put_parts(json, one, event, 1);
        json_put_some(json, one, "tracking_number", event->parcel.tracking);
        json_put_some(json, one, "tracking_url", event->parcel.tracking_url);
        json_put_some(json, one, "carrier", event->parcel.carrier);
        json_put_some(json, one, "description", event->text);
    }
}

/* ---- Adjustments ---- */

/* Whether an event of ORDER answers its event NUMBER; TYPE: one of this type alone, or
 * ORDER_EVENT_COUNT. */
static bool is_answered(const struct order *order, uint32_t number, enum order_event_type type)
{
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].of == number &&
            (type == ORDER_EVENT_COUNT || order->events[i].type == type))
            return true;
    return false;
}

/* "completed", … of the refund that EVENT begins. */
static struct str refund_status(const struct order *order, const struct order_event *event)
{
    if (is_answered(order, event->number, ORDER_EVENT_REFUND_FAILED)) /* it may have been made */
        return STR("failed");
    if (is_answered(order, event->number, ORDER_EVENT_REFUNDED))
        return STR("completed");
    return STR("pending");
}

/* How an event shows as an adjustment; type at == NULL: not at all. Those that ask are shown until
 * their answers, which are events of their own; a refund is one entry, from its begin on. */
static void describe(const struct order *order, const struct order_event *event, struct str *type,
                     struct str *status)
{
    *type = STR_NONE;
    *status = STR("completed");
    switch (event->type) {
    case ORDER_EVENT_CANCEL_ASKED:
        if (!is_answered(order, event->number, ORDER_EVENT_COUNT))
            *type = STR("cancellation");
        *status = STR("pending");
        break;
    case ORDER_EVENT_CANCELED:
        *type = STR("cancellation");
        break;
    case ORDER_EVENT_CANCEL_REFUSED:
        *type = STR("cancellation");
        *status = STR("failed");
        break;
    case ORDER_EVENT_RETURNED:
        *type = STR("return");
        break;
    case ORDER_EVENT_CREDITED:
        *type = STR("credit");
        break;
    case ORDER_EVENT_REFUND_BEGUN:
        *type = STR("refund");
        *status = refund_status(order, event);
        break;
    default:
        break;
    }
}

static void put_adjustments(struct json *json, const struct order *order)
{
    yyjson_mut_val *list = json_put_list(json, json->root, "adjustments");
    for (unsigned i = 0; i < order->event_count; i++) {
        const struct order_event *event = &order->events[i];
        struct str type, status;
        describe(order, event, &type, &status);
        if (!type.at)
            continue;
        yyjson_mut_val *one = add_event(json, list, event, type);
        json_put_text(json, one, "status", status);
        if (event->line_count)
            put_parts(json, one, event, -1);
        /* What a cancellation or return is worth is told once, by the refund, if there is one. */
        bool money = event->type == ORDER_EVENT_REFUND_BEGUN || event->type == ORDER_EVENT_CREDITED;
        if (money && event->amount > 0) {
            yyjson_mut_val *total = json_add_object(json, json_put_list(json, one, "totals"));
            json_put_text(json, total, "type", STR("total"));
            json_put_int(json, total, "amount", -event->amount);
        }
        json_put_some(json, one, "description", event->text);
    }
}

/* ---- The whole ---- */

static void put_order(struct ucp_view *view, const struct order *order)
{
    struct json *json = &view->json;
    struct str id = ucp_id(json->arena, order->id);
    json_put_text(json, json->root, "id", id);
    json_put_text(json, json->root, "label",
                  arena_printf(json->arena, "#%llu", (unsigned long long)order->number));
    json_put_text(json, json->root, "checkout_id", id);
    json_put_text(json, json->root, "permalink_url",
                  ARENA_JOIN(json->arena, view->base, STR("/order/"), id));
    put_lines(view, order);
    yyjson_mut_val *fulfillment = json_put_object(json, json->root, "fulfillment");
    yyjson_mut_val *expectations = json_put_list(json, fulfillment, "expectations");
    if (order->needs_shipping && order->allotment_count)
        put_split(json, expectations, order);
    else if (order->needs_shipping)
        put_single(json, expectations, order);
    put_events(json, fulfillment, order);
    put_adjustments(json, order);
    json_put_text(json, json->root, "currency", order->currency);
    ucp_put_totals(json, json->root, &order->basket);
}

struct str ucp_order_text(struct arena *arena, struct str base, const struct order *order,
                          const struct order_event *event)
{
    struct ucp_view view = {.base = base};
    json_begin(&view.json, arena);
    ucp_put_meta(&view.json, UCP_ORDER, true);
    json_put_text(&view.json, view.json.root, "event_id", ucp_id(arena, event->id));
    json_put_text(&view.json, view.json.root, "created_time", ucp_time(arena, event->time_ms));
    put_order(&view, order);
    return json_end(&view.json);
}

static enum app_verdict show(struct exchange *x, const struct order *order)
{
    struct ucp_view view;
    int err = ucp_answer(x, &view, UCP_ORDER);
    if (err)
        return call_fail_err(x, err);
    put_order(&view, order);
    return ucp_send(&view, 200);
}

/* What another platform has sold is none of PROFILE's business; to it there is no such order. One
 * that was bought on the pages is shown to whoever has its id, as its page is: the id has 74 random
 * bits (base/id.h), and nobody is told it but the shopper and those who deliver and bank it. */
static bool may_see(struct str profile, const struct order *order)
{
    return order->platform.len == 0 || str_eq(order->platform, profile);
}

enum app_verdict ucp_order_get(struct exchange *x)
{
    struct id id;
    struct order *order = ARENA_NEW(&x->arena, struct order);
    struct ucp *ucp = ucp_begin(x);
    if (!ucp)
        return APP_DONE;
    if (!order)
        return call_fail_err(x, ERR_NOMEM);
    int err = call_param_id(x, 0, &id) ? ERR_NOTFOUND
                                       : reader_order(call_reader(x), &x->arena, id, order);
    if (!err && !may_see(ucp->profile, order))
        err = ERR_NOTFOUND;
    if (err == ERR_NOTFOUND)
        return ucp_not_found(x, UCP_ORDER, "Order");
    return err ? call_fail_err(x, err) : show(x, order);
}
