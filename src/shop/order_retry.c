/* What the bank could not do after the sale: it is asked once more, by the operator's hand; and
 * what it had done and took back later. */
#include "shop/order.h"
#include "shop/order_changing.h"
#include "shop/order_events.h"

static int run(struct apply *apply,
               int (*change)(struct apply *, struct order *, const struct order_change *))
{
    struct order order;
    int err = order_load(apply->db, apply->arena, apply->command->order.id, &order);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such order.");
    if (!err)
        err = change(apply, &order, &apply->command->order);
    return err ? err : order_show(apply, &order);
}

/* ---- ORDER_RETRY ---- */

/* What is asked for now is the rule's to say (order_money_next): an order of which everything was
 * canceled meanwhile has its money let go, not taken. */
static int retry(struct apply *apply, struct order *order, const struct order_change *change)
{
    int err = changing_check(apply, order, change);
    if (!err)
        err = changing_check_room(apply, order, change);
    if (err)
        return err;
    if (order->payment_state != PAYMENT_FAILED && order->unrefunded == 0)
        return apply_refuse(apply, ERR_STATE,
                            "the bank has refused nothing of order %llu that is still to be done; "
                            "its payment is %s",
                            (unsigned long long)order->number,
                            payment_state_name(order->payment_state));
    struct order_event event = {.type = ORDER_EVENT_RETRIED,
                                .actor = changing_actor(change),
                                .amount = order->unrefunded,
                                .text = change->text};
    return order_happened(apply, order, &event);
}

int apply_order_retry(struct apply *apply)
{
    return run(apply, retry);
}

/* ---- ORDER_REFUND_FAILED ---- */

/* The event that says that the bank made the refund REFERENCE, or NULL. */
static const struct order_event *find_refunded(const struct order *order, struct str reference)
{
    for (unsigned i = 0; i < order->event_count && reference.len > 0; i++)
        if (order->events[i].type == ORDER_EVENT_REFUNDED &&
            str_eq(order->events[i].text, reference))
            return &order->events[i];
    return NULL;
}

static bool has_failed(const struct order *order, uint32_t of)
{
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].type == ORDER_EVENT_REFUND_FAILED && order->events[i].of == of)
            return true;
    return false;
}

/* As long as a refund is on its way this may be it: its answer, however late, is to come first
 * (ERR_STATE). Else no such one will ever be known here (ERR_CONFLICT). */
static int refuse_unknown(struct apply *apply, const struct order *order, struct str reference)
{
    return apply_refuse(apply, order->refunding > 0 ? ERR_STATE : ERR_CONFLICT,
                        "order %llu has no refund %.*s that was made",
                        (unsigned long long)order->number,
                        STR_FMT(str_sub(reference, 0, SHOP_KEY_MAX)));
}

/* Again without effect: banks tell things more than once. */
static int refund_failed(struct apply *apply, struct order *order,
                         const struct order_change *change)
{
    int err = changing_check(apply, order, change);
    if (err)
        return err;
    const struct order_event *made = find_refunded(order, change->reference);
    if (!made)
        return refuse_unknown(apply, order, change->reference);
    if (has_failed(order, made->of))
        return ERR_OK;
    struct order_event event = {.type = ORDER_EVENT_REFUND_FAILED,
                                .actor = STR("bank"),
                                .amount = made->amount,
                                .of = made->of,
                                .text = change->text};
    return order_happened(apply, order, &event);
}

int apply_order_refund_failed(struct apply *apply)
{
    return run(apply, refund_failed);
}
