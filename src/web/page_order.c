#include "base/clock.h"
#include "web/call.h"
#include "web/page.h"
#include "web/pages.h"
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

static void show_state(struct page *page, const struct order *order)
{
    value_text(page->root, "state", str_of(states[order->status].now));
    value_text(page->root, "next", str_of(states[order->status].next));
    value_bool(page->root, "canceled", order->status == ORDER_CANCELED);
    value_bool(page->root, "sent", order->status == ORDER_SHIPPED);
    value_bool(page->root, "partly", order->status == ORDER_PARTLY_SHIPPED);
}

/* "21 November 2026", and for machines "2026-11-21T19:51:39Z". */
static void show_placed(struct page *page, int64_t placed_ms)
{
    time_t seconds = (time_t)(placed_ms / 1000);
    struct tm tm;
    char day[64], exact[64];
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%-d %B %Y", &tm);
    strftime(exact, sizeof exact, "%Y-%m-%dT%H:%M:%SZ", &tm);
    value_text(page->root, "placed", arena_str(&page->x->arena, str_of(day)));
    value_text(page->root, "placed_exact", arena_str(&page->x->arena, str_of(exact)));
}

static void show_order(struct page *page, const struct order *order)
{
    const struct buyer *buyer = &order->basket.buyer;
    value_int(page->root, "number", (int64_t)order->number);
    value_text(page->root, "email", buyer->email);
    value_text(page->root, "first_name", buyer->first_name);
    show_state(page, order);
    show_placed(page, order->placed_ms);
    page_basket(page, value_map(page->root, "basket"), &order->basket);
    value_bool(page->root, "needs_shipping", order->needs_shipping);
    if (order->needs_shipping)
        visit_address(value_list(page->root, "destination"), &order->destination);
    value_text(page->root, "rate", order->rate.title);
    value_text(page->root, "brand", order->payment.brand);
    value_text(page->root, "digits", order->payment.last_digits);
}

enum app_verdict page_order(struct exchange *x)
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
    show_order(&page, &order);
    return page_reply(&page, 200);
}
