#include "base/clock.h"
#include "web/call.h"
#include "web/csrf.h"
#include "web/gate.h"
#include "web/page.h"
#include "web/pages.h"
#include "web/submit.h"
#include "web/visit.h"

#include <time.h>

static const struct {
    const char *now, *next;
} states[] = {
    [ORDER_PLACED] = {"Order placed", "We are packing it."},
    [ORDER_PARTLY_SHIPPED] = {"Partly sent", "A part is on its way; the rest follows."},
    [ORDER_SHIPPED] = {"Sent", "It is on its way to you."},
    [ORDER_CANCELED] = {"Canceled", "Nothing will be sent."},
};

/* ---- What it is now ---- */

static bool is_sent_whole(const struct order *order)
{
    return order->status == ORDER_SHIPPED;
}

/* All its parcels have arrived. */
static bool is_delivered(const struct order *order)
{
    unsigned shipped = 0, delivered = 0;
    for (unsigned i = 0; i < order->event_count; i++) {
        shipped += order->events[i].type == ORDER_EVENT_SHIPPED;
        delivered += order->events[i].type == ORDER_EVENT_DELIVERED;
    }
    return is_sent_whole(order) && shipped > 0 && delivered == shipped;
}

/* A cancellation that a warehouse has not answered. */
static bool is_being_canceled(const struct order *order)
{
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (order->allotments[i].asked > 0)
            return order->status == ORDER_PLACED;
    return false;
}

static void show_state(struct page *page, const struct order *order)
{
    bool delivered = is_delivered(order);
    value_text(page->root, "state",
               delivered ? STR("Delivered") : str_of(states[order->status].now));
    value_text(page->root, "next",
               delivered ? STR("We hope you like it.") : str_of(states[order->status].next));
    value_bool(page->root, "canceled", order->status == ORDER_CANCELED);
    value_bool(page->root, "sent", is_sent_whole(order));
    value_bool(page->root, "partly", order->status == ORDER_PARTLY_SHIPPED);
    value_bool(page->root, "delivered", delivered);
}

/* "21 November 2026" under KEY, and for machines "2026-11-21T19:51:39Z" under EXACT. */
static void show_time(struct page *page, struct value *map, const char *key, const char *exact_key,
                      int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    char day[64], exact[64];
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%-d %B %Y", &tm);
    strftime(exact, sizeof exact, "%Y-%m-%dT%H:%M:%SZ", &tm);
    value_text(map, key, arena_str(&page->x->arena, str_of(day)));
    value_text(map, exact_key, arena_str(&page->x->arena, str_of(exact)));
}

/* ---- What has happened ---- */

/* What the shopper is told of an event; NULL: nothing. Who wants to follow the money to the bank
 * and back is told when it is there. */
static const char *const told[ORDER_EVENT_COUNT] = {
    [ORDER_EVENT_SHIPPED] = "A parcel was sent",
    [ORDER_EVENT_DELIVERED] = "A parcel has arrived",
    [ORDER_EVENT_CANCEL_ASKED] = "You asked us to cancel",
    [ORDER_EVENT_CANCELED] = "Canceled",
    [ORDER_EVENT_CANCEL_REFUSED] = "Too late to cancel",
    [ORDER_EVENT_RETURNED] = "Came back to us",
    [ORDER_EVENT_REFUND_BEGUN] = "Your money is on its way back",
    [ORDER_EVENT_REFUNDED] = "Your money was given back",
    [ORDER_EVENT_REFUND_FAILED] = "Your bank did not take the money. We look after it",
};

static const struct line *line_of(const struct order *order, uint32_t line_id)
{
    for (unsigned i = 0; i < order->basket.line_count; i++)
        if (order->basket.lines[i].line_id == line_id)
            return &order->basket.lines[i];
    return NULL;
}

static void show_event_lines(struct value *map, const struct order *order,
                             const struct order_event *event)
{
    struct value *list = value_list(map, "lines");
    for (unsigned i = 0; i < event->line_count; i++) {
        const struct line *line = line_of(order, event->lines[i].line_id);
        if (!line)
            continue;
        struct value *one = value_add_map(list);
        value_int(one, "quantity", event->lines[i].quantity);
        value_text(one, "title", line->title);
        value_text(one, "options", line->option_text);
    }
}

/* A link only to where a browser may be sent. */
static struct str tracking_link(const struct parcel *parcel)
{
    bool web = str_starts(parcel->tracking_url, STR("https://")) ||
               str_starts(parcel->tracking_url, STR("http://"));
    return web ? parcel->tracking_url : STR("");
}

static void show_events(struct page *page, const struct order *order)
{
    struct value *list = value_list(page->root, "events");
    bool any = false;
    for (unsigned i = 0; i < order->event_count; i++) {
        const struct order_event *event = &order->events[i];
        if (!told[event->type])
            continue;
        any = true;
        struct value *map = value_add_map(list);
        bool by_shop =
            event->type == ORDER_EVENT_CANCEL_ASKED && !str_eq(event->actor, STR("shopper"));
        value_text(map, "what", by_shop ? STR("To be canceled") : str_of(told[event->type]));
        show_time(page, map, "when", "when_exact", event->time_ms);
        if (event->amount)
            page_money(page, map, "amount", event->amount);
        show_event_lines(map, order, event);
        value_text(map, "carrier", event->parcel.carrier);
        value_text(map, "tracking", event->parcel.tracking);
        value_text(map, "tracking_url", tracking_link(&event->parcel));
    }
    value_bool(page->root, "has_events", any);
}

/* ---- The page ---- */

static void show_token(struct page *page, struct id order)
{
    const struct web_settings *settings = &call_web(page->x)->settings;
    char token[CSRF_TOKEN_TEXT];
    csrf_token(settings->secret, sizeof settings->secret, order, token);
    value_text(page->root, "token", arena_str(&page->x->arena, str_of(token)));
}

static void show_order(struct page *page, const struct order *order)
{
    const struct buyer *buyer = &order->basket.buyer;
    char id[ID_TEXT];
    value_text(page->root, "id", arena_str(&page->x->arena, str_of(id_text(order->id, id))));
    value_int(page->root, "number", (int64_t)order->number);
    value_text(page->root, "email", buyer->email);
    value_text(page->root, "first_name", buyer->first_name);
    show_state(page, order);
    show_time(page, page->root, "placed", "placed_exact", order->placed_ms);
    page_basket(page, value_map(page->root, "basket"), &order->basket);
    value_bool(page->root, "needs_shipping", order->needs_shipping);
    if (order->needs_shipping)
        visit_address(value_list(page->root, "destination"), &order->destination);
    value_text(page->root, "rate", order->rate.title);
    value_text(page->root, "brand", order->payment.brand);
    value_text(page->root, "digits", order->payment.last_digits);
    if (order->refunded > 0)
        page_money(page, page->root, "refunded", order->refunded);
    show_events(page, order);
    value_bool(page->root, "being_canceled", is_being_canceled(order));
    value_bool(page->root, "cancelable", order_can_be_canceled(order));
    show_token(page, order->id);
}

/* ERROR (may be empty) says what could not be done just now. */
static enum app_verdict show(struct exchange *x, int status, struct str error)
{
    struct id id;
    if (call_param_id(x, 0, &id))
        return call_fail(x, 404, STR(""));
    struct page page;
    int err = page_begin(x, &page, "order");
    if (err)
        return call_fail_err(x, err);
    struct order order;
    err = reader_order(page.reader, &x->arena, id, &order);
    if (err) {
        page_abandon(&page);
        return call_fail_err(x, err);
    }
    page_title(&page, arena_printf(&x->arena, "Order %llu", (unsigned long long)order.number),
               STR(""));
    value_text(page.root, "error", error);
    show_order(&page, &order);
    return page_reply(&page, status);
}

enum app_verdict page_order(struct exchange *x)
{
    return show(x, 200, STR(""));
}

/* ---- Canceling ---- */

static enum app_verdict show_refusal(struct exchange *x)
{
    const struct result *result = call_of(x)->own;
    return show(x, result->err == ERR_NOTFOUND ? 404 : 409, result->text);
}

static enum app_verdict canceled(struct exchange *x, struct outcome *outcome)
{
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    call_of(x)->own = &outcome->result;
    if (outcome->result.err)
        return gate_after(x, outcome->index, show_refusal, NULL);
    return call_redirect(x, arena_printf(&x->arena, "/order/%.*s", STR_FMT(call_param(x, 0))));
}

enum app_verdict order_cancel(struct exchange *x)
{
    const struct web_settings *settings = &call_web(x)->settings;
    struct command command = {.type = COMMAND_ORDER_CANCEL};
    if (call_param_id(x, 0, &command.order.id))
        return call_fail(x, 404, STR(""));
    struct str token = exchange_form(x, STR("token"));
    if (!token.at || !csrf_token_fits(settings->secret, sizeof settings->secret, command.order.id,
                                      str_trim(token)))
        return call_fail(x, 403, STR(""));
    command.order.actor = STR("shopper");
    return submit_command(x, &command, canceled);
}
