/* What an order is now: its record and its events (shop/order_events.h). Pure. */
#include "shop/order_events.h"

struct line *order_line(const struct order *order, uint32_t line_id)
{
    for (unsigned i = 0; i < order->basket.line_count; i++)
        if (order->basket.lines[i].line_id == line_id)
            return &order->basket.lines[i];
    return NULL;
}

uint32_t order_open(const struct line *line)
{
    uint64_t gone = (uint64_t)line->fulfilled + line->canceled;
    return gone < line->quantity ? (uint32_t)(line->quantity - gone) : 0;
}

int order_begin(struct arena *arena, struct order *order)
{
    struct order_event *placed = ARENA_NEW(arena, struct order_event);
    if (!placed)
        return ERR_NOMEM;
    *placed = (struct order_event){.number = 1,
                                   .type = ORDER_EVENT_PLACED,
                                   .time_ms = order->placed_ms,
                                   .log_index = order->placed_index,
                                   .epoch = order->epoch,
                                   .id = order_effect_id(order->id, order->epoch, 1, 0),
                                   .actor = STR("shopper"),
                                   .amount = basket_total(&order->basket, TOTAL_TOTAL)};
    order->events = placed;
    order->event_count = 1;
    order->status = ORDER_PLACED;
    order->payment_state = id_is_zero(order->payment_key) ? PAYMENT_NONE : PAYMENT_AUTHORISED;
    order->given_up = order->capturing = order->captured = 0;
    order->refunding = order->refunded = order->unrefunded = 0;
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        struct line *line = &order->basket.lines[i];
        line->fulfilled = line->canceled = line->returned = 0;
    }
    for (unsigned i = 0; i < order->allotment_count; i++) {
        struct allotment *allotment = &order->allotments[i];
        allotment->shipped = allotment->canceled = 0;
        allotment->asked = allotment->recalled = 0;
    }
    return ERR_OK;
}

/* ---- Goods ---- */

struct allotment *order_allotment(const struct order *order, struct str warehouse, uint32_t line_id)
{
    for (unsigned i = 0; i < order->allotment_count && warehouse.len > 0; i++)
        if (order->allotments[i].line_id == line_id &&
            str_eq(order->allotments[i].warehouse, warehouse))
            return &order->allotments[i];
    return NULL;
}

unsigned order_allotments_end(const struct order *order, unsigned first)
{
    unsigned end = first + 1;
    while (end < order->allotment_count &&
           str_eq(order->allotments[end].warehouse, order->allotments[first].warehouse))
        end++;
    return end;
}

/* So that what a damaged event says never goes below 0. */
static void take(uint32_t *count, uint32_t quantity)
{
    *count -= quantity < *count ? quantity : *count;
}

static void fold_allotment(struct allotment *allotment, const struct order_event *event,
                           uint32_t quantity)
{
    switch (event->type) {
    case ORDER_EVENT_SHIPPED:
        allotment->shipped += quantity;
        return;
    case ORDER_EVENT_CANCEL_ASKED:
        allotment->asked += quantity;
        return;
    case ORDER_EVENT_CANCELED:
        allotment->canceled += quantity;
        if (event->of)
            take(&allotment->asked, quantity);
        return;
    case ORDER_EVENT_CANCEL_REFUSED:
        take(&allotment->asked, quantity);
        return;
    case ORDER_EVENT_RECALLED:
        allotment->recalled += quantity;
        return;
    case ORDER_EVENT_GIVEN_UP: /* canceled there, not for the shopper */
        allotment->canceled += quantity;
        if (event->of)
            take(&allotment->recalled, quantity);
        return;
    case ORDER_EVENT_KEPT:
        take(&allotment->recalled, quantity);
        return;
    case ORDER_EVENT_ALLOTTED:
        allotment->quantity += quantity;
        return;
    default:
        return;
    }
}

static void fold_lines(struct order *order, const struct order_event *event)
{
    for (unsigned i = 0; i < event->line_count; i++) {
        uint32_t quantity = event->lines[i].quantity;
        struct line *line = order_line(order, event->lines[i].line_id);
        struct allotment *allotment =
            order_allotment(order, event->parcel.warehouse, event->lines[i].line_id);
        if (allotment)
            fold_allotment(allotment, event, quantity);
        if (!line)
            continue;
        if (event->type == ORDER_EVENT_SHIPPED)
            line->fulfilled += quantity;
        else if (event->type == ORDER_EVENT_CANCELED)
            line->canceled += quantity;
        else if (event->type == ORDER_EVENT_RETURNED)
            line->returned += quantity;
    }
}

uint32_t order_allotted_later(const struct order_event *events, unsigned count,
                              const struct allotment *allotment)
{
    uint32_t units = 0;
    for (unsigned i = 0; i < count; i++) {
        if (events[i].type != ORDER_EVENT_ALLOTTED ||
            !str_eq(events[i].parcel.warehouse, allotment->warehouse))
            continue;
        for (unsigned k = 0; k < events[i].line_count; k++)
            units +=
                events[i].lines[k].line_id == allotment->line_id ? events[i].lines[k].quantity : 0;
    }
    return units;
}

/* Lines that are not sent are done when the others are. */
static enum order_status status_of(const struct order *order)
{
    bool canceled = true, shipped = false, open = false;
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        canceled &= line->canceled >= line->quantity;
        shipped |= line->fulfilled > 0;
        open |= line->needs_shipping && order_open(line) > 0;
    }
    if (canceled)
        return ORDER_CANCELED;
    if (!shipped)
        return ORDER_PLACED;
    return open ? ORDER_PARTLY_SHIPPED : ORDER_SHIPPED;
}

/* ---- Money ---- */

/* Whether the bank had said that it gave back what event NUMBER began; so a refund that fails later
 * is told from one that never was made. */
static bool was_refunded(const struct order *order, uint32_t number)
{
    for (unsigned i = 0; i < order->event_count && number > 0; i++)
        if (order->events[i].type == ORDER_EVENT_REFUNDED && order->events[i].of == number)
            return true;
    return false;
}

static void fold_money(struct order *order, const struct order_event *event)
{
    switch (event->type) {
    case ORDER_EVENT_CANCELED:
    case ORDER_EVENT_RETURNED:
    case ORDER_EVENT_CREDITED:
        order->given_up += event->amount;
        return;
    case ORDER_EVENT_CAPTURE_BEGUN:
        order->payment_state = PAYMENT_CAPTURING;
        order->capturing = event->amount;
        return;
    case ORDER_EVENT_CAPTURED:
        order->payment_state = PAYMENT_CAPTURED;
        order->captured += event->amount;
        order->capturing = 0;
        return;
    case ORDER_EVENT_PAYMENT_FAILED:
        order->payment_state = PAYMENT_FAILED;
        order->capturing = 0;
        return;
    case ORDER_EVENT_PAYMENT_CANCEL_BEGUN:
        order->payment_state = PAYMENT_CANCELING;
        return;
    case ORDER_EVENT_PAYMENT_CANCELED:
        order->payment_state = PAYMENT_CANCELED;
        return;
    case ORDER_EVENT_REFUND_BEGUN:
        order->refunding += event->amount;
        return;
    case ORDER_EVENT_REFUNDED:
        order->refunding -= event->amount;
        order->refunded += event->amount;
        return;
    case ORDER_EVENT_REFUND_FAILED:
        if (was_refunded(order, event->of))
            order->refunded -= event->amount;
        else
            order->refunding -= event->amount;
        order->unrefunded += event->amount;
        return;
    case ORDER_EVENT_RETRIED: /* what is wanted now is decided anew */
        order->unrefunded -= event->amount;
        if (order->payment_state == PAYMENT_FAILED)
            order->payment_state = PAYMENT_AUTHORISED;
        return;
    case ORDER_EVENT_PLACED:
    case ORDER_EVENT_SHIPPED:
    case ORDER_EVENT_DELIVERED:
    case ORDER_EVENT_CANCEL_ASKED:
    case ORDER_EVENT_CANCEL_REFUSED:
    case ORDER_EVENT_RECALLED:
    case ORDER_EVENT_GIVEN_UP:
    case ORDER_EVENT_KEPT:
    case ORDER_EVENT_ALLOTTED:
    case ORDER_EVENT_COUNT:
        return;
    }
}

void order_fold(struct order *order, const struct order_event *event)
{
    fold_lines(order, event);
    fold_money(order, event);
    order->status = status_of(order);
}

int64_t order_due(const struct order *order)
{
    return basket_total(&order->basket, TOTAL_TOTAL) - order->given_up;
}

/* Whether the tax of the lines was added to their prices. */
static bool tax_is_added(const struct order *order)
{
    for (unsigned i = 0; i < order->basket.total_count; i++)
        if (order->basket.totals[i].type == TOTAL_TAX)
            return !order->basket.totals[i].included;
    return false;
}

/* Prices are at most 10^12 and quantities 10^4, so that the product fits. */
static int64_t part(int64_t paid, uint64_t units, uint32_t quantity)
{
    return paid * (int64_t)units / (int64_t)quantity;
}

int64_t order_share(const struct order *order, const struct line *line, uint32_t quantity)
{
    if (line->quantity == 0)
        return 0;
    int64_t paid = line->total + (tax_is_added(order) ? line->tax : 0);
    uint64_t gone = (uint64_t)line->canceled + line->returned;
    return part(paid, gone + quantity, line->quantity) - part(paid, gone, line->quantity);
}

int64_t order_share_canceled(const struct order *order, const struct order_quantity *lines,
                             unsigned count)
{
    int64_t due = order_due(order), share = 0;
    uint64_t left = 0;
    for (unsigned i = 0; i < order->basket.line_count; i++)
        left += order->basket.lines[i].quantity - (uint64_t)order->basket.lines[i].canceled;
    for (unsigned i = 0; i < count; i++) {
        const struct line *line = order_line(order, lines[i].line_id);
        share += line ? order_share(order, line, lines[i].quantity) : 0;
        left -= lines[i].quantity;
    }
    return left == 0 || share > due ? due : share;
}

/* A parcel has left, or none ever will. */
static bool is_earned(const struct order *order)
{
    bool open = false;
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        if (line->fulfilled > 0)
            return true;
        open |= line->needs_shipping && order_open(line) > 0;
    }
    return !open;
}

struct order_money order_money_next(const struct order *order, bool capture_at_once, bool lapsing)
{
    int64_t due = order_due(order);
    if (order->payment_state == PAYMENT_AUTHORISED) {
        if (due <= 0)
            return (struct order_money){MONEY_CANCEL, 0};
        if (capture_at_once || lapsing || is_earned(order))
            return (struct order_money){MONEY_CAPTURE, due};
    }
    if (order->payment_state == PAYMENT_CAPTURED) {
        int64_t kept = order->captured - order->refunding - order->refunded - order->unrefunded;
        if (kept > due)
            return (struct order_money){MONEY_REFUND, kept - due};
    }
    return (struct order_money){MONEY_NOTHING, 0};
}
