/* What will not come: canceled by the shop, the shopper, or a warehouse. */
#include "shop/order.h"
#include "shop/order_changing.h"
#include "shop/order_events.h"
#include "shop/warehouse.h"

/* EVENT, which is CANCELED, happens with its goods and its money. */
static int happen_canceled(struct apply *apply, struct order *order, const struct picked *picked,
                           struct order_event *event)
{
    int err = picked_keep(apply, picked, event);
    if (err)
        return err;
    event->type = ORDER_EVENT_CANCELED;
    event->amount = order_share_canceled(order, picked->lines, picked->count);
    err = changing_unsell(apply, order, picked->lines, picked->count, false);
    return err ? err : order_happened(apply, order, event);
}

/* ---- What will not come ---- */

int order_drop(struct apply *apply, struct order *order, const struct order_change *change)
{
    struct picked picked;
    int err = changing_check(apply, order, change);
    if (!err)
        err = changing_pick(apply, order, change, "left out", &picked);
    if (err)
        return err;
    struct order_event event = {.actor = changing_actor(change),
                                .parcel = {.warehouse = change->parcel.warehouse},
                                .text = change->text};
    return happen_canceled(apply, order, &picked, &event);
}

int order_drop_all(struct apply *apply, struct order *order, struct str warehouse, struct str text)
{
    struct picked picked = {.count = 0};
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        uint32_t line_id = order->basket.lines[i].line_id;
        picked_add(&picked, line_id, warehouse_open(order, warehouse, line_id));
    }
    if (picked.count == 0)
        return ERR_OK;
    struct order_event event = {.actor = ARENA_JOIN(apply->arena, STR("warehouse/"), warehouse),
                                .parcel = {.warehouse = warehouse},
                                .text = text};
    return event.actor.at ? happen_canceled(apply, order, &picked, &event) : ERR_NOMEM;
}

static uint32_t quantity_of(const struct order_quantity *lines, unsigned count, uint32_t line_id)
{
    uint64_t quantity = 0;
    for (unsigned i = 0; i < count; i++)
        if (lines[i].line_id == line_id)
            quantity += lines[i].quantity;
    return quantity < SHOP_QUANTITY_MAX ? (uint32_t)quantity : SHOP_QUANTITY_MAX;
}

int order_cancel_answered(struct apply *apply, struct order *order, uint32_t asked,
                          const struct order_quantity *canceled, unsigned count, struct str text)
{
    if (asked == 0 || asked > order->event_count)
        return ERR_DAMAGED;
    const struct order_event question = order->events[asked - 1];
    struct str warehouse = question.parcel.warehouse;
    struct order_event event = {.actor = ARENA_JOIN(apply->arena, STR("warehouse/"), warehouse),
                                .parcel = {.warehouse = warehouse},
                                .of = asked,
                                .text = text};
    struct order_event refused = event;
    struct picked gone = {.count = 0}, kept = {.count = 0};
    if (!event.actor.at)
        return ERR_NOMEM;
    for (unsigned i = 0; i < question.line_count; i++) {
        struct order_quantity line = question.lines[i];
        uint32_t open = warehouse_open(order, warehouse, line.line_id);
        uint32_t given = quantity_of(canceled, count, line.line_id);
        given = given < line.quantity ? given : line.quantity;
        given = given < open ? given : open;
        picked_add(&gone, line.line_id, given);
        picked_add(&kept, line.line_id, line.quantity - given);
    }
    int err = gone.count > 0 ? happen_canceled(apply, order, &gone, &event) : ERR_OK;
    if (err || kept.count == 0)
        return err;
    refused.type = ORDER_EVENT_CANCEL_REFUSED;
    err = picked_keep(apply, &kept, &refused);
    return err ? err : order_happened(apply, order, &refused);
}

/* ---- ORDER_CANCEL ---- */

/* How often a warehouse may refuse to cancel a line before it is not asked for it again: each
 * question is a row for the warehouse, and each answer is told to the shopper. The operator may
 * have called there and know better than the first answer. */
enum { REFUSALS_SHOPPER = 1, REFUSALS_OPERATOR = 10 };

/* Whether the warehouse of ORDER's allotment ONE has refused MOST times to cancel it. */
static bool is_closed(const struct order *order, const struct allotment *one, unsigned most)
{
    unsigned refusals = 0;
    for (unsigned i = 0; i < order->event_count && refusals < most; i++) {
        const struct order_event *event = &order->events[i];
        refusals += event->type == ORDER_EVENT_CANCEL_REFUSED &&
                    str_eq(one->warehouse, event->parcel.warehouse) &&
                    quantity_of(event->lines, event->line_count, one->line_id) > 0;
    }
    return refusals >= most;
}

/* By an order's allotment: whether ACTOR cannot have its warehouse asked for it again. */
static int find_closed(struct apply *apply, const struct order *order, struct str actor,
                       bool **closed)
{
    unsigned most = str_eq(actor, STR("shopper")) ? REFUSALS_SHOPPER : REFUSALS_OPERATOR;
    *closed = ARENA_ARRAY(apply->arena, bool, order->allotment_count);
    if (!*closed)
        return ERR_NOMEM;
    for (unsigned i = 0; i < order->allotment_count; i++)
        (*closed)[i] = is_closed(order, &order->allotments[i], most);
    return ERR_OK;
}

static uint32_t closed_units(const struct order *order, const bool *closed, uint32_t line_id)
{
    uint32_t units = 0;
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (order->allotments[i].line_id == line_id && closed[i])
            units += changing_unasked(&order->allotments[i]);
    return units;
}

static uint32_t asked_for(const struct order *order, uint32_t line_id)
{
    uint32_t asked = 0;
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (order->allotments[i].line_id == line_id)
            asked += order->allotments[i].asked + order->allotments[i].recalled;
    return asked;
}

/* Units of LINE that can be canceled, or asked to be: what is asked already is not asked again. */
static uint32_t cancelable(const struct order *order, const struct line *line)
{
    uint32_t open = order_open(line), asked = asked_for(order, line->line_id);
    return open > asked ? open - asked : 0;
}

bool order_can_be_canceled(const struct order *order)
{
    bool can = false;
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        uint32_t left = cancelable(order, line), late = 0;
        for (unsigned j = 0; j < order->allotment_count && left > late; j++) {
            const struct allotment *one = &order->allotments[j];
            if (one->line_id == line->line_id && is_closed(order, one, REFUSALS_SHOPPER))
                late += changing_unasked(one);
        }
        if (line->fulfilled > 0)
            return false;
        can |= left > late;
    }
    return can;
}

/* How many of each line are to go, in the order of the order's lines. */
static int want(struct apply *apply, const struct order *order, const struct order_change *change,
                const bool *closed, struct picked *wanted)
{
    wanted->count = 0;
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        uint32_t left = cancelable(order, line), late = closed_units(order, closed, line->line_id);
        left = left > late ? left - late : 0;
        uint32_t quantity = left;
        if (change->line_count > 0)
            quantity = quantity_of(change->lines, change->line_count, line->line_id);
        if (quantity > left)
            return changing_refuse_line(apply, line->line_id, left,
                                        "canceled: the others are sent, canceled, asked to be, or "
                                        "refused by the warehouse again and again");
        picked_add(wanted, line->line_id, quantity);
    }
    return ERR_OK;
}

/* Nothing can be asked for: it is done, or under way, or not to be had. */
static int refuse_nothing(struct apply *apply, const struct order *order, const bool *closed)
{
    unsigned long long number = order->number;
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (order->allotments[i].asked > 0)
            return ERR_OK;
    if (order->status == ORDER_CANCELED)
        return ERR_OK;
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (closed[i] && changing_unasked(&order->allotments[i]) > 0)
            return apply_refuse(apply, ERR_STATE,
                                "It is too late to cancel order %llu: the warehouse has refused "
                                "it. What arrives of it can be sent back.",
                                number);
    return apply_refuse(apply, ERR_STATE, "Nothing of order %llu is left to be canceled.", number);
}

/* While units change hands nobody can be asked for them; a moment later another warehouse can. */
static int check_moving(struct apply *apply, const struct order *order,
                        const struct order_change *change)
{
    for (unsigned i = 0; i < order->allotment_count && change->line_count == 0; i++)
        if (order->allotments[i].recalled > 0)
            return apply_refuse(apply, ERR_STATE,
                                "Order %llu is just being given to another warehouse. Try again "
                                "in a minute.",
                                (unsigned long long)order->number);
    return ERR_OK;
}

static int check_shopper(struct apply *apply, const struct order *order,
                         const struct order_change *change)
{
    if (!str_eq(change->actor, STR("shopper")))
        return ERR_OK;
    if (change->line_count > 0)
        return apply_refuse(apply, ERR_STATE, "An order can only be canceled as a whole here.");
    for (unsigned i = 0; i < order->basket.line_count; i++)
        if (order->basket.lines[i].fulfilled > 0)
            return apply_refuse(apply, ERR_STATE,
                                "Something of the order was sent already; send it back instead.");
    return ERR_OK;
}

/* Takes up to QUANTITY units of line LINE_ID out of WANTED; how many there were. */
static uint32_t take_wanted(struct picked *wanted, uint32_t line_id, uint32_t quantity)
{
    for (unsigned i = 0; i < wanted->count; i++) {
        if (wanted->lines[i].line_id != line_id)
            continue;
        uint32_t *left = &wanted->lines[i].quantity;
        uint32_t taken = quantity < *left ? quantity : *left;
        *left -= taken;
        return taken;
    }
    return 0;
}

/* What of WANTED no warehouse has. */
static int cancel_at_once(struct apply *apply, struct order *order,
                          const struct order_change *change, struct picked *wanted)
{
    struct picked picked = {.count = 0};
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        uint32_t here = changing_open(order, line, STR(""));
        picked_add(&picked, line->line_id, take_wanted(wanted, line->line_id, here));
    }
    if (picked.count == 0)
        return ERR_OK;
    struct order_event event = {.actor = changing_actor(change), .text = change->text};
    return happen_canceled(apply, order, &picked, &event);
}

/* The warehouse of the allotments from FIRST to END is asked for what of WANTED it has. */
static int ask(struct apply *apply, struct order *order, const struct order_change *change,
               const bool *closed, unsigned first, unsigned end, struct picked *wanted)
{
    struct picked picked = {.count = 0};
    for (unsigned i = first; i < end; i++) {
        const struct allotment *one = &order->allotments[i];
        if (!closed[i])
            picked_add(&picked, one->line_id,
                       take_wanted(wanted, one->line_id, changing_unasked(one)));
    }
    if (picked.count == 0)
        return ERR_OK;
    struct order_event event = {.type = ORDER_EVENT_CANCEL_ASKED,
                                .actor = changing_actor(change),
                                .parcel = {.warehouse = order->allotments[first].warehouse},
                                .text = change->text};
    return changing_ask(apply, order, &picked, &event);
}

static int ask_warehouses(struct apply *apply, struct order *order,
                          const struct order_change *change, const bool *closed,
                          struct picked *wanted)
{
    int err = ERR_OK;
    for (unsigned first = 0, end; first < order->allotment_count && !err; first = end) {
        end = order_allotments_end(order, first);
        err = ask(apply, order, change, closed, first, end, wanted);
    }
    return err;
}

static int cancel(struct apply *apply, struct order *order, const struct order_change *change)
{
    struct picked wanted;
    bool *closed;
    int err = changing_check(apply, order, change);
    if (!err)
        err = check_shopper(apply, order, change);
    if (!err)
        err = check_moving(apply, order, change);
    if (!err)
        err = find_closed(apply, order, changing_actor(change), &closed);
    if (!err)
        err = want(apply, order, change, closed, &wanted);
    if (err)
        return err;
    if (wanted.count == 0)
        return refuse_nothing(apply, order, closed);
    err = changing_check_room(apply, order, change);
    if (!err)
        err = cancel_at_once(apply, order, change, &wanted);
    return err ? err : ask_warehouses(apply, order, change, closed, &wanted);
}

int apply_order_cancel(struct apply *apply)
{
    struct order order;
    int err = order_load(apply->db, apply->arena, apply->command->order.id, &order);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such order.");
    if (!err)
        err = cancel(apply, &order, &apply->command->order);
    return err ? err : order_show(apply, &order);
}
