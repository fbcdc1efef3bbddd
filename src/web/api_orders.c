#include "base/clock.h"
#include "web/api.h"

enum { PAGE_DEFAULT = 20, PAGE_MAX = 100 };

static void put_address(struct json *json, yyjson_mut_val *object, const char *key,
                        const struct address *address)
{
    yyjson_mut_val *one = json_put_object(json, object, key);
    json_put_some(json, one, "first_name", address->first_name);
    json_put_some(json, one, "last_name", address->last_name);
    json_put_some(json, one, "phone", address->phone);
    json_put_some(json, one, "street", address->street);
    json_put_some(json, one, "extended", address->extended);
    json_put_some(json, one, "locality", address->locality);
    json_put_some(json, one, "region", address->region);
    json_put_some(json, one, "postal_code", address->postal_code);
    json_put_some(json, one, "country", address->country);
}

static void put_lines(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    yyjson_mut_val *list = json_put_list(json, object, "lines");
    for (unsigned i = 0; i < basket->line_count; i++) {
        const struct line *line = &basket->lines[i];
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_int(json, one, "line", line->line_id);
        json_put_text(json, one, "item", line->item_key);
        json_put_some(json, one, "sku", line->sku);
        json_put_text(json, one, "title", line->title);
        json_put_some(json, one, "options", line->option_text);
        json_put_int(json, one, "quantity", line->quantity);
        json_put_int(json, one, "fulfilled", line->fulfilled);
        json_put_int(json, one, "canceled", line->canceled);
        json_put_int(json, one, "returned", line->returned);
        json_put_int(json, one, "unit_price", line->unit_price);
        json_put_int(json, one, "discount", line->discount);
        json_put_int(json, one, "total", line->subtotal - line->discount);
    }
}

static void put_totals(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    yyjson_mut_val *list = json_put_list(json, object, "totals");
    for (unsigned i = 0; i < basket->total_count; i++) {
        const struct total *total = &basket->totals[i];
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "type", str_of(total_type_name(total->type)));
        json_put_text(json, one, "text", total->text);
        json_put_int(json, one, "amount", total->amount);
        if (total->included)
            json_put_bool(json, one, "included", true);
    }
}

static void put_buyer(struct json *json, yyjson_mut_val *object, const struct buyer *buyer)
{
    yyjson_mut_val *one = json_put_object(json, object, "buyer");
    json_put_some(json, one, "email", buyer->email);
    json_put_some(json, one, "phone", buyer->phone);
    json_put_some(json, one, "first_name", buyer->first_name);
    json_put_some(json, one, "last_name", buyer->last_name);
}

static void put_payment(struct json *json, yyjson_mut_val *object, const struct order *order)
{
    const struct payment *payment = &order->payment;
    yyjson_mut_val *one = json_put_object(json, object, "payment");
    json_put_some(json, one, "handler", payment->handler_id);
    json_put_some(json, one, "brand", payment->brand);
    json_put_some(json, one, "last_digits", payment->last_digits);
    json_put_some(json, one, "reference", payment->reference);
    json_put_text(json, one, "state", str_of(payment_state_name(order->payment_state)));
    json_put_int(json, one, "captured", order->captured);
    json_put_int(json, one, "refunding", order->refunding);
    json_put_int(json, one, "refunded", order->refunded);
    json_put_int(json, one, "unrefunded", order->unrefunded);
}

static void put_allotments(struct json *json, yyjson_mut_val *object, const struct order *order)
{
    yyjson_mut_val *list = json_put_list(json, object, "allotments");
    for (unsigned i = 0; i < order->allotment_count; i++) {
        const struct allotment *allotment = &order->allotments[i];
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "warehouse", allotment->warehouse);
        json_put_int(json, one, "line", allotment->line_id);
        json_put_int(json, one, "quantity", allotment->quantity);
        json_put_int(json, one, "shipped", allotment->shipped);
        json_put_int(json, one, "canceled", allotment->canceled);
    }
}

static void put_parcel(struct json *json, yyjson_mut_val *event, const struct parcel *parcel)
{
    char id[ID_TEXT];
    if (id_is_zero(parcel->id))
        return;
    yyjson_mut_val *one = json_put_object(json, event, "parcel");
    json_put_text(json, one, "id", arena_str(json->arena, str_of(id_text(parcel->id, id))));
    json_put_some(json, one, "warehouse", parcel->warehouse);
    json_put_some(json, one, "carrier", parcel->carrier);
    json_put_some(json, one, "tracking", parcel->tracking);
    json_put_some(json, one, "tracking_url", parcel->tracking_url);
}

static void put_events(struct json *json, yyjson_mut_val *object, const struct order *order)
{
    yyjson_mut_val *list = json_put_list(json, object, "events");
    for (unsigned i = 0; i < order->event_count; i++) {
        const struct order_event *event = &order->events[i];
        yyjson_mut_val *one = json_add_object(json, list);
        char time[32];
        clock_rfc3339(event->time_ms, time, sizeof time);
        json_put_int(json, one, "number", event->number);
        json_put_text(json, one, "type", str_of(order_event_name(event->type)));
        json_put_text(json, one, "at", arena_str(json->arena, str_of(time)));
        json_put_some(json, one, "actor", event->actor);
        if (event->line_count) {
            yyjson_mut_val *lines = json_put_list(json, one, "lines");
            for (unsigned j = 0; j < event->line_count; j++) {
                yyjson_mut_val *line = json_add_object(json, lines);
                json_put_int(json, line, "line", event->lines[j].line_id);
                json_put_int(json, line, "quantity", event->lines[j].quantity);
            }
        }
        put_parcel(json, one, &event->parcel);
        if (event->amount)
            json_put_int(json, one, "amount", event->amount);
        if (event->of)
            json_put_int(json, one, "of", event->of);
        json_put_some(json, one, "text", event->text);
    }
}

void api_put_order(struct json *json, yyjson_mut_val *object, const struct order *order)
{
    char id[ID_TEXT], time[32];
    clock_rfc3339(order->placed_ms, time, sizeof time);
    json_put_int(json, object, "number", (int64_t)order->number);
    json_put_text(json, object, "id", arena_str(json->arena, str_of(id_text(order->id, id))));
    json_put_text(json, object, "status", str_of(order_status_name(order->status)));
    json_put_text(json, object, "placed_at", arena_str(json->arena, str_of(time)));
    json_put_text(json, object, "currency", order->currency);
    json_put_int(json, object, "total", basket_total(&order->basket, TOTAL_TOTAL));
    put_buyer(json, object, &order->basket.buyer);
    put_lines(json, object, &order->basket);
    put_totals(json, object, &order->basket);
    if (order->needs_shipping) {
        put_address(json, object, "destination", &order->destination);
        yyjson_mut_val *rate = json_put_object(json, object, "shipping");
        json_put_text(json, rate, "key", order->rate.key);
        json_put_text(json, rate, "title", order->rate.title);
    }
    put_payment(json, object, order);
    put_allotments(json, object, order);
    put_events(json, object, order);
}

/* Newest first; with stuck=1 those whose money waits for a person. */
enum app_verdict api_orders(struct exchange *x)
{
    uint64_t limit, before, stuck;
    struct order *orders;
    unsigned count;
    struct json json;
    if (!api_number(x, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit) ||
        !api_number(x, "before", 1, INT64_MAX, 0, &before) ||
        !api_number(x, "stuck", 0, 1, 0, &stuck))
        return APP_DONE;
    int err = (stuck ? reader_stuck_orders : reader_orders)(call_reader(x), &x->arena, before,
                                                            (unsigned)limit, &orders, &count);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *list = json_put_list(&json, json.root, "orders");
    for (unsigned i = 0; i < count; i++)
        api_put_order(&json, json_add_object(&json, list), &orders[i]);
    if (count == limit)
        json_put_int(&json, json.root, "next", (int64_t)orders[count - 1].number);
    return api_send(x, &json);
}

int api_find_order(struct exchange *x, struct order *order)
{
    struct str name = call_param(x, 0);
    struct id id;
    uint64_t number;
    if (name.len >= 32 && id_parse(name, &id) == 0)
        return reader_order(call_reader(x), &x->arena, id, order);
    if (str_to_u64(name, &number) == 0)
        return reader_order_by_number(call_reader(x), &x->arena, number, order);
    return ERR_NOTFOUND;
}

enum app_verdict api_order_get(struct exchange *x)
{
    struct order *order = ARENA_NEW(&x->arena, struct order);
    struct json json;
    int err = order ? api_find_order(x, order) : ERR_NOMEM;
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    api_put_order(&json, json.root, order);
    return api_send(x, &json);
}
