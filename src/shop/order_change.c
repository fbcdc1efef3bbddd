#include "shop/order.h"
#include "shop/order_changing.h"
#include "shop/order_events.h"
#include "shop/stock.h"
#include "shop/warehouse.h"

/* What people ask for ends here. Each such event is followed by five others at most (a cancellation
 * asked for: CANCELED, REFUND_BEGUN, REFUNDED and REFUND_FAILED, CANCEL_REFUSED), and the last that
 * is let in may be one for each warehouse, so that all of it together is within ORDER_EVENTS_MAX.
 *
 * What others tell is no choice of the shop's and has room beyond that: a parcel that left, whoever
 * sent it, and arrived, what a warehouse has back or has not, the answers of warehouses and bank.
 * None of it is refused for its number, which the units of the order bound. */
enum { EVENTS_BY_HAND = ORDER_EVENTS_MAX / 6 - SHOP_WAREHOUSES_MAX };

/* ---- What is asked for ---- */

struct str changing_actor(const struct order_change *change)
{
    return change->actor.len > 0 ? change->actor : STR("operator");
}

static bool is_text(struct str text, size_t max)
{
    return text.len <= max && str_is_utf8(text) && str_find_byte(text, 0) < 0;
}

static bool is_bounded(const struct order_change *change)
{
    const struct parcel *parcel = &change->parcel;
    return is_text(change->actor, SHOP_KEY_MAX) && is_text(change->text, SHOP_TEXT_MAX) &&
           is_text(parcel->warehouse, SHOP_WAREHOUSE_ID_MAX) &&
           is_text(parcel->carrier, SHOP_KEY_MAX) && is_text(parcel->tracking, SHOP_KEY_MAX) &&
           is_text(parcel->tracking_url, SHOP_TEXT_MAX);
}

static int check_lines(struct apply *apply, const struct order *order,
                       const struct order_change *change)
{
    for (unsigned i = 0; i < change->line_count; i++) {
        uint32_t line_id = change->lines[i].line_id;
        if (!order_line(order, line_id))
            return apply_refuse(apply, ERR_INVALID, "order %llu has no line %u",
                                (unsigned long long)order->number, line_id);
        if (change->lines[i].quantity == 0)
            return apply_refuse(apply, ERR_INVALID, "line %u: give a quantity from 1", line_id);
        for (unsigned j = 0; j < i; j++)
            if (change->lines[j].line_id == line_id)
                return apply_refuse(apply, ERR_INVALID, "line %u is named twice", line_id);
    }
    return ERR_OK;
}

int changing_check(struct apply *apply, const struct order *order,
                   const struct order_change *change)
{
    if (!is_bounded(change))
        return apply_refuse(apply, ERR_INVALID,
                            "a text is not UTF-8, or longer than %d bytes (a reason, an address) "
                            "or %d (a carrier, a number)",
                            SHOP_TEXT_MAX, SHOP_KEY_MAX);
    return check_lines(apply, order, change);
}

static bool is_person(struct str actor)
{
    return !str_starts(actor, STR("warehouse/")) && !str_eq(actor, STR("bank")) &&
           !str_eq(actor, STR("shop"));
}

static bool is_asked_by_hand(const struct order_event *event)
{
    switch (event->type) {
    case ORDER_EVENT_CANCEL_ASKED:
    case ORDER_EVENT_CANCELED:
    case ORDER_EVENT_RETURNED:
    case ORDER_EVENT_CREDITED:
    case ORDER_EVENT_RETRIED:
        return is_person(event->actor);
    default:
        return false;
    }
}

int changing_check_room(struct apply *apply, const struct order *order,
                        const struct order_change *change)
{
    unsigned asked = 0;
    for (unsigned i = 0; i < order->event_count; i++)
        asked += is_asked_by_hand(&order->events[i]);
    if (asked < EVENTS_BY_HAND || !is_person(changing_actor(change)))
        return ERR_OK;
    return apply_refuse(
        apply, ERR_FULL,
        "order %llu was canceled, returned, refunded or retried %u times already; nothing "
        "more of that can be done with it here",
        (unsigned long long)order->number, asked);
}

void picked_add(struct picked *picked, uint32_t line_id, uint32_t quantity)
{
    if (quantity > 0)
        picked->lines[picked->count++] = (struct order_quantity){line_id, quantity};
}

int picked_keep(struct apply *apply, const struct picked *picked, struct order_event *event)
{
    event->lines = ARENA_ARRAY(apply->arena, struct order_quantity, picked->count);
    if (!event->lines)
        return ERR_NOMEM;
    memcpy(event->lines, picked->lines, picked->count * sizeof *event->lines);
    event->line_count = picked->count;
    return ERR_OK;
}

int changing_ask(struct apply *apply, struct order *order, const struct picked *lines,
                 struct order_event *event)
{
    int err = picked_keep(apply, lines, event);
    if (!err)
        err = order_happened(apply, order, event);
    if (err)
        return err;
    struct outbox_row row = {.kind = OUTBOX_CANCEL,
                             .event = event->number,
                             .lines = event->lines,
                             .line_count = event->line_count};
    return outbox_put_warehouse(apply, order, event->parcel.warehouse, &row);
}

uint32_t changing_open(const struct order *order, const struct line *line, struct str warehouse)
{
    if (warehouse.len > 0)
        return warehouse_open(order, warehouse, line->line_id);
    uint32_t open = order_open(line), allotted = warehouse_open(order, STR(""), line->line_id);
    return open > allotted ? open - allotted : 0;
}

uint32_t changing_unasked(const struct allotment *one)
{
    uint32_t gone = one->shipped + one->canceled + one->asked + one->recalled;
    return gone < one->quantity ? one->quantity - gone : 0;
}

int changing_refuse_line(struct apply *apply, uint32_t line_id, uint32_t left, const char *what)
{
    return apply_refuse(apply, ERR_STATE, "line %u: only %u can be %s", line_id, left, what);
}

int changing_pick(struct apply *apply, const struct order *order, const struct order_change *change,
                  const char *what, struct picked *picked)
{
    struct str warehouse = change->parcel.warehouse;
    picked->count = 0;
    for (unsigned i = 0; i < change->line_count; i++) {
        const struct line *line = order_line(order, change->lines[i].line_id);
        uint32_t left = changing_open(order, line, warehouse);
        if (change->lines[i].quantity > left)
            return changing_refuse_line(apply, line->line_id, left, what);
        picked_add(picked, line->line_id, change->lines[i].quantity);
    }
    for (unsigned i = 0; i < order->basket.line_count && change->line_count == 0; i++) {
        const struct line *line = &order->basket.lines[i];
        if (line->needs_shipping)
            picked_add(picked, line->line_id, changing_open(order, line, warehouse));
    }
    if (picked->count == 0)
        return apply_refuse(apply, ERR_STATE, "nothing of order %llu is left there to be %s",
                            (unsigned long long)order->number, what);
    return ERR_OK;
}

/* ---- Goods ---- */

int changing_unsell(struct apply *apply, const struct order *order,
                    const struct order_quantity *lines, unsigned count, bool lost)
{
    for (unsigned i = 0; i < count; i++) {
        const struct line *line = order_line(order, lines[i].line_id);
        struct item *item = items_by_id(apply->items, line->variant_id);
        if (!item)
            return apply_failed(apply);
        stock_unsell(apply, item, lines[i].quantity);
        if (lost)
            stock_adjust(apply, item, -(int64_t)lines[i].quantity, STR("returned, not restocked"));
    }
    return ERR_OK;
}

/* ---- Parcels ---- */

/* The number of the order whose parcel it is; 0: it is not known. */
static uint64_t order_of_parcel(struct apply *apply, struct id parcel)
{
    struct stmt *row = db_stmt(apply->db, "SELECT number FROM parcel WHERE id = ?");
    stmt_bind_id(row, 1, parcel);
    return stmt_only_u64(row, 0);
}

static int refuse_parcel(struct apply *apply, struct id parcel, uint64_t number)
{
    char id[ID_TEXT];
    return apply_refuse(apply, ERR_CONFLICT,
                        "parcel %s is of order %llu; give each parcel an id of its own",
                        id_text(parcel, id), (unsigned long long)number);
}

int order_ship(struct apply *apply, struct order *order, const struct order_change *change)
{
    struct picked picked;
    int err = changing_check(apply, order, change);
    if (err)
        return err;
    if (id_is_zero(change->parcel.id))
        return apply_refuse(apply, ERR_INVALID, "a parcel needs an id");
    uint64_t known = order_of_parcel(apply, change->parcel.id);
    if (known == order->number)
        return ERR_OK;
    if (known != 0)
        return refuse_parcel(apply, change->parcel.id, known);
    struct order_event event = {.type = ORDER_EVENT_SHIPPED,
                                .actor = changing_actor(change),
                                .parcel = change->parcel,
                                .text = change->text};
    err = changing_pick(apply, order, change, "sent", &picked);
    if (!err)
        err = picked_keep(apply, &picked, &event);
    return err ? err : order_happened(apply, order, &event);
}

static const struct order_event *find_parcel(const struct order *order, enum order_event_type type,
                                             struct id parcel)
{
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].type == type && id_eq(order->events[i].parcel.id, parcel))
            return &order->events[i];
    return NULL;
}

int order_deliver(struct apply *apply, struct order *order, const struct order_change *change)
{
    int err = changing_check(apply, order, change);
    if (err)
        return err;
    const struct order_event *sent = find_parcel(order, ORDER_EVENT_SHIPPED, change->parcel.id);
    if (!sent || id_is_zero(change->parcel.id)) {
        char id[ID_TEXT];
        return apply_refuse(apply, ERR_NOTFOUND, "order %llu has no parcel %s",
                            (unsigned long long)order->number, id_text(change->parcel.id, id));
    }
    if (find_parcel(order, ORDER_EVENT_DELIVERED, change->parcel.id))
        return ERR_OK;
    struct order_event event = {.type = ORDER_EVENT_DELIVERED,
                                .actor = changing_actor(change),
                                .lines = sent->lines,
                                .line_count = sent->line_count,
                                .parcel = sent->parcel,
                                .of = sent->number,
                                .text = change->text};
    return order_happened(apply, order, &event);
}

/* ---- What comes back ---- */

static int check_return(struct apply *apply, const struct order *order,
                        const struct order_change *change)
{
    int64_t due = order_due(order);
    if (change->line_count == 0)
        return apply_refuse(apply, ERR_INVALID, "say which lines came back, and how many of each");
    for (unsigned i = 0; i < change->line_count; i++) {
        const struct line *line = order_line(order, change->lines[i].line_id);
        uint32_t sent = line->fulfilled > line->returned ? line->fulfilled - line->returned : 0;
        if (change->lines[i].quantity > sent)
            return changing_refuse_line(apply, line->line_id, sent, "back: no more were sent");
    }
    if (change->amount < -1 || change->amount > due)
        return apply_refuse(apply, ERR_INVALID,
                            "%lld cannot be given back for it: at most %lld of the order's price "
                            "is left",
                            (long long)change->amount, (long long)due);
    return ERR_OK;
}

static int64_t amount_of_return(const struct order *order, const struct order_change *change)
{
    int64_t due = order_due(order), share = 0;
    if (change->amount >= 0)
        return change->amount;
    for (unsigned i = 0; i < change->line_count; i++)
        share += order_share(order, order_line(order, change->lines[i].line_id),
                             change->lines[i].quantity);
    return share < due ? share : due;
}

int order_take_back(struct apply *apply, struct order *order, const struct order_change *change)
{
    int err = changing_check(apply, order, change);
    if (!err)
        err = changing_check_room(apply, order, change);
    if (!err)
        err = check_return(apply, order, change);
    if (err)
        return err;
    struct order_event event = {.type = ORDER_EVENT_RETURNED,
                                .actor = changing_actor(change),
                                .lines = change->lines,
                                .line_count = change->line_count,
                                .parcel = {.warehouse = change->parcel.warehouse},
                                .amount = amount_of_return(order, change),
                                .restock = change->restock,
                                .text = change->text};
    err = changing_unsell(apply, order, change->lines, change->line_count, !change->restock);
    for (unsigned i = 0; i < change->line_count && change->restock && !err; i++)
        err = warehouse_give_back(apply, order, change->parcel.warehouse, change->lines[i].line_id,
                                  change->lines[i].quantity);
    return err ? err : order_happened(apply, order, &event);
}

/* ---- Commands ---- */

static int load(struct apply *apply, struct id id, struct order *order)
{
    int err = order_load(apply->db, apply->arena, id, order);
    return err == ERR_NOTFOUND ? apply_refuse(apply, err, "There is no such order.") : err;
}

int apply_show_order(struct apply *apply, struct id id)
{
    struct order order;
    int err = load(apply, id, &order);
    return err ? err : order_show(apply, &order);
}

static int run(struct apply *apply,
               int (*change)(struct apply *, struct order *, const struct order_change *))
{
    struct order order;
    int err = load(apply, apply->command->order.id, &order);
    if (!err)
        err = change(apply, &order, &apply->command->order);
    return err ? err : order_show(apply, &order);
}

int apply_order_ship(struct apply *apply)
{
    return run(apply, order_ship);
}

int apply_order_deliver(struct apply *apply)
{
    return run(apply, order_deliver);
}

int apply_order_return(struct apply *apply)
{
    return run(apply, order_take_back);
}

static int refund(struct apply *apply, struct order *order, const struct order_change *change)
{
    int64_t kept = order->captured - order->refunding - order->refunded - order->unrefunded;
    int64_t due = order_due(order), most = kept < due ? kept : due;
    int err = changing_check(apply, order, change);
    if (!err)
        err = changing_check_room(apply, order, change);
    if (err)
        return err;
    if (order->payment_state != PAYMENT_CAPTURED)
        return apply_refuse(apply, ERR_STATE,
                            "the payment of order %llu is %s: only money that was taken can be "
                            "given back; cancel what is not to be sent",
                            (unsigned long long)order->number,
                            payment_state_name(order->payment_state));
    if (change->amount <= 0 || change->amount > most)
        return apply_refuse(apply, ERR_INVALID,
                            "%lld cannot be given back; give an amount from 1 to %lld, which is "
                            "what was taken and not given back",
                            (long long)change->amount, (long long)most);
    struct order_event event = {.type = ORDER_EVENT_CREDITED,
                                .actor = changing_actor(change),
                                .amount = change->amount,
                                .text = change->text};
    return order_happened(apply, order, &event);
}

int apply_order_refund(struct apply *apply)
{
    return run(apply, refund);
}
