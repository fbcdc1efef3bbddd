/* What warehouses report of orders: shipped, delivered, returned, short. */
#include "shop/order.h"
#include "shop/order_change.h"
#include "shop/order_events.h"
#include "shop/stock.h"
#include "shop/warehouse_report.h"

/* The report's order, and the change as its warehouse makes it. */
static int load(struct apply *apply, const struct warehouse_report *report, struct order *order,
                struct order_change *change)
{
    char text[ID_TEXT];
    *change = report->change;
    change->parcel.warehouse = report->warehouse;
    change->amount = -1;
    change->actor = ARENA_JOIN(apply->arena, STR("warehouse/"), report->warehouse);
    if (!change->actor.at)
        return ERR_NOMEM;
    int err = order_load(apply->db, apply->arena, change->id, order);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "there is no order %s", id_text(change->id, text));
    return err;
}

/* It becomes a link on pages and in mails. */
static int check_tracking_url(struct apply *apply, struct str url)
{
    if (url.len == 0 || str_starts(url, STR("https://")) || str_starts(url, STR("http://")))
        return 0;
    return apply_refuse(apply, ERR_INVALID,
                        "the tracking address is no https:// or http:// address");
}

int warehouse_take_shipped(struct apply *apply, const struct warehouse_report *report)
{
    struct order order;
    struct order_change change;
    int err = load(apply, report, &order, &change);
    if (!err)
        err = check_tracking_url(apply, change.parcel.tracking_url);
    return err ? err : order_ship(apply, &order, &change);
}

int warehouse_take_delivered(struct apply *apply, const struct warehouse_report *report)
{
    struct order order;
    struct order_change change;
    int err = load(apply, report, &order, &change);
    return err ? err : order_deliver(apply, &order, &change);
}

int warehouse_take_returned(struct apply *apply, const struct warehouse_report *report)
{
    struct order order;
    struct order_change change;
    int err = load(apply, report, &order, &change);
    return err ? err : order_take_back(apply, &order, &change);
}

/* The units are not there: what was just made free of them is counted away. */
static int count_away(struct apply *apply, const struct order *order,
                      const struct warehouse_report *report, const struct order_quantity *one)
{
    struct item *item = items_by_id(apply->items, order_line(order, one->line_id)->variant_id);
    struct str note = arena_printf(apply->arena, "warehouse/%.*s: short for order %llu",
                                   STR_FMT(report->warehouse), (unsigned long long)order->number);
    if (!item)
        return apply_failed(apply);
    if (!note.at)
        return ERR_NOMEM;
    int err = stock_adjust(apply, item, -(int64_t)one->quantity, note);
    if (err)
        return err;
    return warehouse_add_free(apply, report->warehouse, item->variant_id, -(int64_t)one->quantity);
}

int warehouse_take_short(struct apply *apply, const struct warehouse_report *report)
{
    struct order order;
    struct order_change change;
    int err = load(apply, report, &order, &change);
    if (err)
        return err;
    if (change.line_count == 0)
        return apply_refuse(apply, ERR_INVALID, "say which lines are short, and by how many");
    if (change.text.len == 0)
        change.text = STR("it is not in stock after all");
    err = order_drop(apply, &order, &change);
    for (unsigned i = 0; i < change.line_count && !err; i++)
        err = count_away(apply, &order, report, &change.lines[i]);
    return err;
}
