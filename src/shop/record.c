#include "shop/record.h"

#include "shop/order_events.h"

/* The version in front of each record. A reader takes every version up to its own. */
enum {
    RECORD_VERSION = 1,
    CART_VERSION = 2,     /* with a home; without, it is RECORD_VERSION */
    CHECKOUT_VERSION = 2, /* with a platform or a claim; else the same */
    ORDER_VERSION = 2,    /* with what it was paid by, and its platform */
    ORDER_WHOLE = 3,      /* the same with its events and allotments: in results */
    ORDER_EPOCH = 2,      /* added to either: the epoch follows, which is not 0 */
    ORDER_NEWEST = ORDER_WHOLE + ORDER_EPOCH,
    EVENT_VERSION = 1,
};

void record_put_id(struct buf *out, struct id id)
{
    wire_put_raw(out, id.bytes, sizeof id.bytes);
}

struct id record_get_id(struct wire *in)
{
    struct id id;
    wire_raw(in, id.bytes, sizeof id.bytes);
    return id;
}

void record_put_buyer(struct buf *out, const struct buyer *buyer)
{
    wire_put_str(out, buyer->email);
    wire_put_str(out, buyer->phone);
    wire_put_str(out, buyer->first_name);
    wire_put_str(out, buyer->last_name);
}

void record_get_buyer(struct wire *in, struct buyer *buyer)
{
    buyer->email = wire_str(in);
    buyer->phone = wire_str(in);
    buyer->first_name = wire_str(in);
    buyer->last_name = wire_str(in);
}

void record_put_address(struct buf *out, const struct address *address)
{
    wire_put_str(out, address->id);
    wire_put_str(out, address->first_name);
    wire_put_str(out, address->last_name);
    wire_put_str(out, address->phone);
    wire_put_str(out, address->street);
    wire_put_str(out, address->extended);
    wire_put_str(out, address->locality);
    wire_put_str(out, address->region);
    wire_put_str(out, address->postal_code);
    wire_put_str(out, address->country);
}

void record_get_address(struct wire *in, struct address *address)
{
    address->id = wire_str(in);
    address->first_name = wire_str(in);
    address->last_name = wire_str(in);
    address->phone = wire_str(in);
    address->street = wire_str(in);
    address->extended = wire_str(in);
    address->locality = wire_str(in);
    address->region = wire_str(in);
    address->postal_code = wire_str(in);
    address->country = wire_str(in);
}

void record_put_payment(struct buf *out, const struct payment *payment)
{
    wire_put_str(out, payment->handler_id);
    wire_put_str(out, payment->instrument_id);
    wire_put_str(out, payment->type);
    wire_put_str(out, payment->brand);
    wire_put_str(out, payment->last_digits);
    wire_put_str(out, payment->reference);
    wire_put_str(out, payment->error);
}

void record_get_payment(struct wire *in, struct payment *payment)
{
    payment->handler_id = wire_str(in);
    payment->instrument_id = wire_str(in);
    payment->type = wire_str(in);
    payment->brand = wire_str(in);
    payment->last_digits = wire_str(in);
    payment->reference = wire_str(in);
    payment->error = wire_str(in);
}

void record_put_rate(struct buf *out, const struct shipping_rate *rate)
{
    wire_put_str(out, rate->key);
    wire_put_str(out, rate->country);
    wire_put_str(out, rate->region);
    wire_put_str(out, rate->level);
    wire_put_str(out, rate->title);
    wire_put_str(out, rate->description);
    wire_put_i64(out, rate->price);
    wire_put_i64(out, rate->full_price);
    wire_put_bool(out, rate->enabled);
}

void record_get_rate(struct wire *in, struct shipping_rate *rate)
{
    rate->key = wire_str(in);
    rate->country = wire_str(in);
    rate->region = wire_str(in);
    rate->level = wire_str(in);
    rate->title = wire_str(in);
    rate->description = wire_str(in);
    rate->price = wire_i64(in);
    rate->full_price = wire_i64(in);
    rate->enabled = wire_bool(in);
}

/* ---- Lines ---- */

enum { LINE_NEEDS_SHIPPING = 1, LINE_TAXABLE = 2 };

static void put_line(struct buf *out, const struct line *line, enum record_form form)
{
    wire_put_u64(out, line->line_id);
    wire_put_u64(out, line->variant_id);
    wire_put_str(out, line->item_key);
    wire_put_u64(out, line->quantity);
    if (form == RECORD_BRIEF)
        return;
    wire_put_str(out, line->title);
    wire_put_str(out, line->option_text);
    wire_put_str(out, line->handle);
    wire_put_str(out, line->sku);
    wire_put_str(out, line->picture_url);
    wire_put_i64(out, line->unit_price);
    wire_put_i64(out, line->subtotal);
    wire_put_i64(out, line->discount);
    wire_put_i64(out, line->tax);
    wire_put_i64(out, line->total);
    wire_put_u64(out, (line->needs_shipping ? LINE_NEEDS_SHIPPING : 0u) |
                          (line->taxable ? LINE_TAXABLE : 0u));
    wire_put_u64(out, 0); /* once: how many were shipped; now an order's events say so */
}

static void get_line(struct wire *in, struct line *line, enum record_form form)
{
    line->line_id = (uint32_t)wire_u64_max(in, UINT32_MAX);
    line->variant_id = wire_u64(in);
    line->item_key = wire_str(in);
    line->quantity = (uint32_t)wire_u64_max(in, UINT32_MAX);
    if (form == RECORD_BRIEF)
        return;
    line->title = wire_str(in);
    line->option_text = wire_str(in);
    line->handle = wire_str(in);
    line->sku = wire_str(in);
    line->picture_url = wire_str(in);
    line->unit_price = wire_i64(in);
    line->subtotal = wire_i64(in);
    line->discount = wire_i64(in);
    line->tax = wire_i64(in);
    line->total = wire_i64(in);
    uint64_t flags = wire_u64(in);
    line->needs_shipping = flags & LINE_NEEDS_SHIPPING;
    line->taxable = flags & LINE_TAXABLE;
    wire_u64_max(in, UINT32_MAX);
}

/* ---- What a basket shows beside its lines ---- */

static void put_applied(struct buf *out, const struct discount_applied *applied)
{
    wire_put_str(out, applied->key);
    wire_put_str(out, applied->code);
    wire_put_str(out, applied->title);
    wire_put_i64(out, applied->amount);
    wire_put_bool(out, applied->automatic);
    wire_put_bool(out, applied->on_shipping);
    wire_put_bool(out, applied->percent);
    wire_put_u64(out, applied->part_count);
    for (unsigned i = 0; i < applied->part_count; i++)
        wire_put_i64(out, applied->parts[i]);
}

static void get_applied(struct wire *in, struct arena *arena, struct discount_applied *applied)
{
    applied->key = wire_str(in);
    applied->code = wire_str(in);
    applied->title = wire_str(in);
    applied->amount = wire_i64(in);
    applied->automatic = wire_bool(in);
    applied->on_shipping = wire_bool(in);
    applied->percent = wire_bool(in);
    applied->part_count = (unsigned)wire_u64_max(in, SHOP_LINES_MAX);
    applied->parts = NULL;
    if (applied->part_count == 0)
        return;
    applied->parts = ARENA_ARRAY(arena, int64_t, applied->part_count);
    if (!applied->parts) {
        in->bad = true;
        applied->part_count = 0;
    }
    for (unsigned i = 0; i < applied->part_count; i++)
        applied->parts[i] = wire_i64(in);
}

static void put_total(struct buf *out, const struct total *total)
{
    wire_put_u64(out, total->type);
    wire_put_str(out, total->text);
    wire_put_i64(out, total->amount);
    wire_put_bool(out, total->included);
}

static void get_total(struct wire *in, struct total *total)
{
    total->type = (enum total_type)wire_u64_max(in, TOTAL_TOTAL);
    total->text = wire_str(in);
    total->amount = wire_i64(in);
    total->included = wire_bool(in);
}

static void put_message(struct buf *out, const struct message *message)
{
    wire_put_u64(out, message->type);
    wire_put_u64(out, message->severity);
    wire_put_str(out, message->code);
    wire_put_str(out, message->path);
    wire_put_str(out, message->content);
}

static void get_message(struct wire *in, struct message *message)
{
    message->type = (enum message_type)wire_u64_max(in, MESSAGE_INFO);
    message->severity = (enum message_severity)wire_u64_max(in, SEVERITY_UNRECOVERABLE);
    message->code = wire_str(in);
    message->path = wire_str(in);
    message->content = wire_str(in);
}

/* ---- Basket ---- */

static void put_basket(struct buf *out, const struct basket *basket, enum record_form form)
{
    wire_put_u64(out, basket->line_count);
    for (unsigned i = 0; i < basket->line_count; i++)
        put_line(out, &basket->lines[i], form);
    record_put_buyer(out, &basket->buyer);
    wire_put_str(out, basket->context_country);
    wire_put_str(out, basket->context_region);
    wire_put_str(out, basket->context_postal_code);
    wire_put_u64(out, basket->code_count);
    for (unsigned i = 0; i < basket->code_count; i++)
        wire_put_str(out, basket->codes[i]);
    if (form == RECORD_BRIEF)
        return;
    wire_put_u64(out, basket->applied_count);
    for (unsigned i = 0; i < basket->applied_count; i++)
        put_applied(out, &basket->applied[i]);
    wire_put_u64(out, basket->total_count);
    for (unsigned i = 0; i < basket->total_count; i++)
        put_total(out, &basket->totals[i]);
    wire_put_u64(out, basket->message_count);
    for (unsigned i = 0; i < basket->message_count; i++)
        put_message(out, &basket->messages[i]);
}

static void get_lines(struct wire *in, struct arena *arena, struct basket *basket,
                      enum record_form form)
{
    basket->line_count = (unsigned)wire_u64_max(in, SHOP_LINES_MAX);
    if (basket->line_count == 0)
        return;
    basket->lines = ARENA_ARRAY(arena, struct line, basket->line_count);
    if (!basket->lines) {
        in->bad = true;
        basket->line_count = 0;
    }
    for (unsigned i = 0; i < basket->line_count; i++)
        get_line(in, &basket->lines[i], form);
}

static void get_basket(struct wire *in, struct arena *arena, struct basket *basket,
                       enum record_form form)
{
    get_lines(in, arena, basket, form);
    record_get_buyer(in, &basket->buyer);
    basket->context_country = wire_str(in);
    basket->context_region = wire_str(in);
    basket->context_postal_code = wire_str(in);
    basket->code_count = (unsigned)wire_u64_max(in, SHOP_CODES_MAX);
    for (unsigned i = 0; i < basket->code_count; i++)
        basket->codes[i] = wire_str(in);
    if (form == RECORD_BRIEF)
        return;
    basket->applied_count = (unsigned)wire_u64_max(in, SHOP_APPLIED_MAX);
    for (unsigned i = 0; i < basket->applied_count; i++)
        get_applied(in, arena, &basket->applied[i]);
    basket->total_count = (unsigned)wire_u64_max(in, SHOP_TOTALS_MAX);
    for (unsigned i = 0; i < basket->total_count; i++)
        get_total(in, &basket->totals[i]);
    basket->message_count = (unsigned)wire_u64_max(in, SHOP_MESSAGES_MAX);
    for (unsigned i = 0; i < basket->message_count; i++)
        get_message(in, &basket->messages[i]);
}

/* ---- Cart, checkout, order ---- */

static uint64_t get_version(struct wire *in, uint64_t newest)
{
    uint64_t version = wire_u64(in);
    if (version - 1 >= newest)
        in->bad = true;
    return version;
}

static void put_home(struct buf *out, const struct server_set *home)
{
    wire_put_u64(out, home->count);
    for (unsigned i = 0; i < home->count; i++)
        wire_put_u64(out, home->servers[i]);
}

static void get_home(struct wire *in, struct server_set *home)
{
    home->count = (unsigned)wire_u64_max(in, SHOP_SERVERS_MAX);
    for (unsigned i = 0; i < home->count; i++)
        home->servers[i] = wire_u64(in);
    in->bad |= home->count == 0;
}

void record_put_cart(struct buf *out, const struct cart *cart, enum record_form form)
{
    wire_put_u64(out, cart->home.count ? CART_VERSION : RECORD_VERSION);
    wire_put_u64(out, form);
    record_put_id(out, cart->id);
    wire_put_u64(out, cart->version);
    wire_put_bool(out, cart->canceled);
    record_put_id(out, cart->checkout_id);
    wire_put_i64(out, cart->created_ms);
    wire_put_i64(out, cart->updated_ms);
    wire_put_i64(out, cart->expires_ms);
    if (cart->home.count)
        put_home(out, &cart->home);
    put_basket(out, &cart->basket, form);
}

void record_get_cart(struct wire *in, struct arena *arena, struct cart *cart)
{
    *cart = (struct cart){0};
    uint64_t version = get_version(in, CART_VERSION);
    enum record_form form = (enum record_form)wire_u64_max(in, RECORD_FULL);
    cart->id = record_get_id(in);
    cart->version = wire_u64(in);
    cart->canceled = wire_bool(in);
    cart->checkout_id = record_get_id(in);
    cart->created_ms = wire_i64(in);
    cart->updated_ms = wire_i64(in);
    cart->expires_ms = wire_i64(in);
    if (version == CART_VERSION)
        get_home(in, &cart->home);
    get_basket(in, arena, &cart->basket, form);
}

void record_put_checkout(struct buf *out, const struct checkout *checkout)
{
    bool more = checkout->claimed || checkout->platform.len > 0;
    wire_put_u64(out, more ? CHECKOUT_VERSION : RECORD_VERSION);
    record_put_id(out, checkout->id);
    record_put_id(out, checkout->cart_id);
    wire_put_u64(out, checkout->version);
    wire_put_u64(out, checkout->status);
    wire_put_i64(out, checkout->created_ms);
    wire_put_i64(out, checkout->updated_ms);
    wire_put_i64(out, checkout->expires_ms);
    wire_put_i64(out, checkout->hold_until_ms);
    put_basket(out, &checkout->basket, RECORD_FULL);
    wire_put_bool(out, checkout->needs_shipping);
    wire_put_u64(out, checkout->destination_count);
    for (unsigned i = 0; i < checkout->destination_count; i++)
        record_put_address(out, &checkout->destinations[i]);
    wire_put_i64(out, checkout->selected_destination);
    wire_put_u64(out, checkout->rate_count);
    for (unsigned i = 0; i < checkout->rate_count; i++)
        record_put_rate(out, &checkout->rates[i]);
    wire_put_str(out, checkout->selected_rate);
    record_put_payment(out, &checkout->payment);
    wire_put_u64(out, checkout->attempt);
    wire_put_u64(out, checkout->cart_version);
    wire_put_u64(out, checkout->order_number);
    if (more) {
        wire_put_bool(out, checkout->claimed);
        wire_put_str(out, checkout->platform);
    }
}

void record_get_checkout(struct wire *in, struct arena *arena, struct checkout *checkout)
{
    *checkout = (struct checkout){.selected_destination = -1};
    uint64_t version = get_version(in, CHECKOUT_VERSION);
    checkout->id = record_get_id(in);
    checkout->cart_id = record_get_id(in);
    checkout->version = wire_u64(in);
    checkout->status = (enum checkout_status)wire_u64_max(in, CHECKOUT_CANCELED);
    checkout->created_ms = wire_i64(in);
    checkout->updated_ms = wire_i64(in);
    checkout->expires_ms = wire_i64(in);
    checkout->hold_until_ms = wire_i64(in);
    get_basket(in, arena, &checkout->basket, RECORD_FULL);
    checkout->needs_shipping = wire_bool(in);
    checkout->destination_count = (unsigned)wire_u64_max(in, SHOP_DESTINATIONS_MAX);
    for (unsigned i = 0; i < checkout->destination_count; i++)
        record_get_address(in, &checkout->destinations[i]);
    int64_t selected = wire_i64(in);
    if (selected < -1 || selected >= (int64_t)checkout->destination_count)
        in->bad = true;
    else
        checkout->selected_destination = (int)selected;
    checkout->rate_count = (unsigned)wire_u64_max(in, SHOP_RATES_MAX);
    for (unsigned i = 0; i < checkout->rate_count; i++)
        record_get_rate(in, &checkout->rates[i]);
    checkout->selected_rate = wire_str(in);
    record_get_payment(in, &checkout->payment);
    checkout->attempt = (uint32_t)wire_u64_max(in, UINT32_MAX);
    checkout->cart_version = wire_u64(in);
    checkout->order_number = wire_u64(in);
    if (version == CHECKOUT_VERSION) {
        checkout->claimed = wire_bool(in);
        checkout->platform = wire_str(in);
    }
}

/* ---- Orders ---- */

static void put_quantities(struct buf *out, const struct order_quantity *lines, unsigned count)
{
    wire_put_u64(out, count);
    for (unsigned i = 0; i < count; i++) {
        wire_put_u64(out, lines[i].line_id);
        wire_put_u64(out, lines[i].quantity);
    }
}

static void get_quantities(struct wire *in, struct arena *arena, struct order_quantity **lines,
                           unsigned *count)
{
    *count = (unsigned)wire_u64_max(in, SHOP_LINES_MAX);
    if (*count == 0)
        return;
    *lines = ARENA_ARRAY(arena, struct order_quantity, *count);
    if (!*lines) {
        in->bad = true;
        *count = 0;
    }
    for (unsigned i = 0; i < *count; i++) {
        (*lines)[i].line_id = (uint32_t)wire_u64_max(in, UINT32_MAX);
        (*lines)[i].quantity = (uint32_t)wire_u64_max(in, SHOP_QUANTITY_MAX);
    }
}

enum { EVENT_PARCEL = 1, EVENT_RESTOCK = 2, EVENT_EPOCH = 4, EVENT_FLAGS = 7 };

void record_put_event(struct buf *out, const struct order_event *event)
{
    const struct parcel *parcel = &event->parcel;
    bool has_parcel = !id_is_zero(parcel->id);
    wire_put_u64(out, EVENT_VERSION);
    wire_put_u64(out, (has_parcel ? EVENT_PARCEL : 0u) | (event->restock ? EVENT_RESTOCK : 0u) |
                          (event->epoch ? EVENT_EPOCH : 0u));
    wire_put_str(out, event->actor);
    put_quantities(out, event->lines, event->line_count);
    wire_put_str(out, parcel->warehouse);
    if (has_parcel) {
        record_put_id(out, parcel->id);
        wire_put_str(out, parcel->carrier);
        wire_put_str(out, parcel->tracking);
        wire_put_str(out, parcel->tracking_url);
    }
    wire_put_i64(out, event->amount);
    wire_put_u64(out, event->of);
    wire_put_str(out, event->text);
    if (event->epoch)
        wire_put_u64(out, event->epoch);
}

void record_get_event(struct wire *in, struct arena *arena, struct order_event *event)
{
    *event = (struct order_event){0};
    get_version(in, EVENT_VERSION);
    uint64_t flags = wire_u64_max(in, EVENT_FLAGS);
    event->restock = flags & EVENT_RESTOCK;
    event->actor = wire_str(in);
    get_quantities(in, arena, &event->lines, &event->line_count);
    event->parcel.warehouse = wire_str(in);
    if (flags & EVENT_PARCEL) {
        event->parcel.id = record_get_id(in);
        event->parcel.carrier = wire_str(in);
        event->parcel.tracking = wire_str(in);
        event->parcel.tracking_url = wire_str(in);
    }
    event->amount = wire_i64(in);
    in->bad |= event->amount < 0 || event->amount > SHOP_MONEY_MAX;
    event->of = (uint32_t)wire_u64_max(in, UINT32_MAX);
    event->text = wire_str(in);
    if (flags & EVENT_EPOCH) {
        event->epoch = wire_u64(in);
        in->bad |= event->epoch == 0;
    }
}

static void put_order(struct buf *out, const struct order *order, uint64_t version)
{
    wire_put_u64(out, version + (order->epoch ? ORDER_EPOCH : 0u));
    record_put_id(out, order->id);
    wire_put_u64(out, order->number);
    wire_put_u64(out, ORDER_PLACED); /* what it is now is in its events */
    wire_put_i64(out, order->placed_ms);
    wire_put_str(out, order->currency);
    put_basket(out, &order->basket, RECORD_FULL);
    wire_put_bool(out, order->needs_shipping);
    record_put_address(out, &order->destination);
    record_put_rate(out, &order->rate);
    record_put_payment(out, &order->payment);
    record_put_id(out, order->payment_key);
    wire_put_str(out, order->platform);
    wire_put_u64(out, order->placed_index);
    if (order->epoch)
        wire_put_u64(out, order->epoch);
}

void record_put_order(struct buf *out, const struct order *order)
{
    put_order(out, order, ORDER_VERSION);
}

void record_put_whole_order(struct buf *out, const struct order *order)
{
    put_order(out, order, ORDER_WHOLE);
    wire_put_u64(out, order->allotment_count);
    for (unsigned i = 0; i < order->allotment_count; i++) {
        wire_put_str(out, order->allotments[i].warehouse);
        wire_put_u64(out, order->allotments[i].line_id);
        /* As it was when the order was placed: the events add to it. */
        wire_put_u64(out, order->allotments[i].quantity -
                              order_allotted_later(order->events, order->event_count,
                                                   &order->allotments[i]));
    }
    wire_put_u64(out, order->event_count);
    for (unsigned i = 1; i < order->event_count; i++) {
        wire_put_u64(out, order->events[i].type);
        wire_put_i64(out, order->events[i].time_ms);
        wire_put_u64(out, order->events[i].log_index);
        record_put_event(out, &order->events[i]);
    }
}

static void get_allotments(struct wire *in, struct arena *arena, struct order *order)
{
    enum { MOST = SHOP_WAREHOUSES_MAX * SHOP_LINES_MAX };
    order->allotment_count = (unsigned)wire_u64_max(in, MOST);
    if (order->allotment_count > wire_left(in)) /* each takes bytes */
        order->allotment_count = 0;
    order->allotments = ARENA_ARRAY(arena, struct allotment, order->allotment_count);
    if (!order->allotments) {
        in->bad = true;
        order->allotment_count = 0;
    }
    for (unsigned i = 0; i < order->allotment_count; i++) {
        struct allotment *allotment = &order->allotments[i];
        allotment->warehouse = wire_str(in);
        allotment->line_id = (uint32_t)wire_u64_max(in, UINT32_MAX);
        allotment->quantity = (uint32_t)wire_u64_max(in, SHOP_QUANTITY_MAX);
    }
}

/* PLACED is there already; each is counted as it is read. */
static void get_events(struct wire *in, struct arena *arena, struct order *order)
{
    uint64_t count = wire_u64(in);
    struct order_event *events =
        count <= wire_left(in) + 1 ? ARENA_ARRAY(arena, struct order_event, count) : NULL;
    in->bad |= count == 0 || !events;
    if (in->bad)
        return;
    events[0] = order->events[0];
    order->events = events;
    for (uint32_t i = 1; i < count && !in->bad; i++) {
        struct order_event *event = &events[i];
        uint64_t type = wire_u64_max(in, ORDER_EVENT_COUNT - 1);
        int64_t time_ms = wire_i64(in);
        uint64_t log_index = wire_u64(in);
        record_get_event(in, arena, event);
        event->number = i + 1;
        event->type = (enum order_event_type)type;
        event->time_ms = time_ms;
        event->log_index = log_index;
        event->id = order_effect_id(order->id, event->epoch, event->number, 0);
        order->event_count = i + 1;
        order_fold(order, event);
    }
}

void record_get_order(struct wire *in, struct arena *arena, struct order *order)
{
    *order = (struct order){0};
    uint64_t version = get_version(in, ORDER_NEWEST);
    bool has_epoch = version > ORDER_WHOLE;
    version -= has_epoch ? ORDER_EPOCH : 0;
    order->id = record_get_id(in);
    order->number = wire_u64(in);
    wire_u64_max(in, ORDER_CANCELED); /* it was placed */
    order->placed_ms = wire_i64(in);
    order->currency = wire_str(in);
    get_basket(in, arena, &order->basket, RECORD_FULL);
    order->needs_shipping = wire_bool(in);
    record_get_address(in, &order->destination);
    record_get_rate(in, &order->rate);
    record_get_payment(in, &order->payment);
    if (version >= ORDER_VERSION) {
        order->payment_key = record_get_id(in);
        order->platform = wire_str(in);
        order->placed_index = wire_u64(in);
    }
    if (has_epoch) {
        order->epoch = wire_u64(in);
        in->bad |= order->epoch == 0;
    }
    if (version == ORDER_WHOLE)
        get_allotments(in, arena, order);
    in->bad |= order_begin(arena, order) != ERR_OK;
    if (version == ORDER_WHOLE)
        get_events(in, arena, order);
}

/* ---- Whole records ---- */

/* A record that was well-formed as far as the arena had room is not a damaged one. */
static int end_of(const struct wire *in, const struct arena *arena)
{
    if (!in->bad && wire_left(in) == 0)
        return ERR_OK;
    bool exhausted = arena->max - arena->used < SHOP_LINES_MAX * sizeof(struct line);
    return exhausted ? ERR_NOMEM : ERR_DAMAGED;
}

int record_read_cart(struct str record, struct arena *arena, struct cart *cart)
{
    struct wire in = wire_of(record);
    record_get_cart(&in, arena, cart);
    return end_of(&in, arena);
}

int record_read_checkout(struct str record, struct arena *arena, struct checkout *checkout)
{
    struct wire in = wire_of(record);
    record_get_checkout(&in, arena, checkout);
    return end_of(&in, arena);
}

int record_read_event(struct str record, struct arena *arena, struct order_event *event)
{
    struct wire in = wire_of(record);
    record_get_event(&in, arena, event);
    return end_of(&in, arena);
}

int record_read_order(struct str record, struct arena *arena, struct order *order)
{
    struct wire in = wire_of(record);
    record_get_order(&in, arena, order);
    return end_of(&in, arena);
}
