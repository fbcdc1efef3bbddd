#include "shop/model.h"

#include "base/check.h"

const char *total_type_name(enum total_type type)
{
    static const char *const names[] = {
        "subtotal", "items_discount", "discount", "fulfillment", "tax", "fee", "total"};
    CHECK((unsigned)type < COUNT_OF(names));
    return names[type];
}

const char *checkout_status_name(enum checkout_status status)
{
    static const char *const names[] = {"incomplete",         "requires_escalation",
                                        "ready_for_complete", "complete_in_progress",
                                        "completed",          "canceled"};
    CHECK((unsigned)status < COUNT_OF(names));
    return names[status];
}

const char *order_status_name(enum order_status status)
{
    static const char *const names[] = {"placed", "partly_shipped", "shipped", "canceled"};
    CHECK((unsigned)status < COUNT_OF(names));
    return names[status];
}

const char *order_event_name(enum order_event_type type)
{
    static const char *const names[] = {
        [ORDER_EVENT_PLACED] = "placed",
        [ORDER_EVENT_SHIPPED] = "shipped",
        [ORDER_EVENT_DELIVERED] = "delivered",
        [ORDER_EVENT_CANCEL_ASKED] = "cancel_asked",
        [ORDER_EVENT_CANCELED] = "canceled",
        [ORDER_EVENT_CANCEL_REFUSED] = "cancel_refused",
        [ORDER_EVENT_RETURNED] = "returned",
        [ORDER_EVENT_CREDITED] = "credited",
        [ORDER_EVENT_CAPTURE_BEGUN] = "capture_begun",
        [ORDER_EVENT_CAPTURED] = "captured",
        [ORDER_EVENT_PAYMENT_FAILED] = "payment_failed",
        [ORDER_EVENT_PAYMENT_CANCEL_BEGUN] = "payment_cancel_begun",
        [ORDER_EVENT_PAYMENT_CANCELED] = "payment_canceled",
        [ORDER_EVENT_REFUND_BEGUN] = "refund_begun",
        [ORDER_EVENT_REFUNDED] = "refunded",
        [ORDER_EVENT_REFUND_FAILED] = "refund_failed",
        [ORDER_EVENT_RETRIED] = "retried",
        [ORDER_EVENT_RECALLED] = "recalled",
        [ORDER_EVENT_GIVEN_UP] = "given_up",
        [ORDER_EVENT_KEPT] = "kept",
        [ORDER_EVENT_ALLOTTED] = "allotted",
    };
    _Static_assert(COUNT_OF(names) == ORDER_EVENT_COUNT, "a name for each");
    CHECK((unsigned)type < COUNT_OF(names));
    return names[type];
}

bool order_event_is_told(enum order_event_type type)
{
    static const bool told[] = {
#define X(name, told, about) [ORDER_EVENT_##name] = (told),
        ORDER_EVENT_LIST(X)
#undef X
    };
    CHECK((unsigned)type < COUNT_OF(told));
    return told[type];
}

const char *payment_state_name(enum payment_state state)
{
    static const char *const names[] = {"none",      "authorised", "capturing", "captured",
                                        "canceling", "canceled",   "failed"};
    CHECK((unsigned)state < COUNT_OF(names));
    return names[state];
}

const char *outbox_kind_name(enum outbox_kind kind)
{
    static const char *const names[] = {"capture", "payment_cancel", "refund", "ship",
                                        "cancel",  "webhook",        "mail"};
    _Static_assert(COUNT_OF(names) == OUTBOX_KIND_COUNT, "a name for each");
    CHECK((unsigned)kind < COUNT_OF(names));
    return names[kind];
}

const char *outbox_kind_lane(enum outbox_kind kind)
{
    static const char *const lanes[] = {
#define X(name, lane, about) [OUTBOX_##name] = (lane),
        OUTBOX_KIND_LIST(X)
#undef X
    };
    CHECK((unsigned)kind < COUNT_OF(lanes));
    return lanes[kind];
}

int64_t basket_total(const struct basket *basket, enum total_type type)
{
    uint64_t sum = 0; /* so that a damaged record's amounts wrap */
    for (unsigned i = 0; i < basket->total_count; i++)
        if (basket->totals[i].type == type)
            sum += (uint64_t)basket->totals[i].amount;
    return (int64_t)sum;
}

struct id checkout_payment_key(const struct checkout *checkout)
{
    struct id key = checkout->id;
    uint32_t refused = checkout->attempt > 0 ? checkout->attempt - 1 : 0;
    /* The last bytes are random, so that two checkouts' keys are as unlikely to meet as ids. */
    for (unsigned i = 0; i < 4; i++)
        key.bytes[15 - i] ^= (unsigned char)(refused >> (8 * i));
    return key;
}
