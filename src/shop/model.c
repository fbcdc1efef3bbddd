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

int64_t basket_total(const struct basket *basket, enum total_type type)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < basket->total_count; i++)
        if (basket->totals[i].type == type)
            sum += basket->totals[i].amount;
    return sum;
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
