/* OUTBOX_DONE: what became of things that left the cluster, and what that means to their orders. */
#include "shop/order.h"
#include "shop/order_change.h"
#include "shop/order_events.h"
#include "shop/order_move.h"
#include "shop/outbox.h"
#include "shop/warehouse.h"

/* The bank's answers, by kind of row and outcome. */
static const enum order_event_type bank_events[][2] = {
    [OUTBOX_CAPTURE] = {ORDER_EVENT_CAPTURED, ORDER_EVENT_PAYMENT_FAILED},
    [OUTBOX_PAYMENT_CANCEL] = {ORDER_EVENT_PAYMENT_CANCELED, ORDER_EVENT_PAYMENT_FAILED},
    [OUTBOX_REFUND] = {ORDER_EVENT_REFUNDED, ORDER_EVENT_REFUND_FAILED},
};

static int bank_answered(struct apply *apply, struct order *order, const struct outbox_row *row,
                         const struct outbox_answer *answer)
{
    struct order_event event = {.type = bank_events[row->kind][answer->outcome],
                                .actor = STR("bank"),
                                .amount = row->amount,
                                .of = row->event,
                                .text = answer->text};
    return order_happened(apply, order, &event);
}

/* The id in "warehouse/<id>". */
static struct str warehouse_of(const struct outbox_row *row)
{
    return str_from(row->lane, sizeof "warehouse/" - 1);
}

/* A cancellation is asked for by the shopper's wish, or for another warehouse to ship. */
static int cancel_answered(struct apply *apply, struct order *order, const struct outbox_row *row,
                           const struct outbox_answer *answer)
{
    unsigned count = answer->outcome == OUTBOX_REFUSED ? 0 : answer->line_count;
    if (row->event == 0 || row->event > order->event_count)
        return ERR_DAMAGED;
    if (order->events[row->event - 1].type == ORDER_EVENT_RECALLED)
        return order_recall_answered(apply, order, row->event, answer->lines, count);
    return order_cancel_answered(apply, order, row->event, answer->lines, count, answer->text);
}

static int happened(struct apply *apply, struct order *order, const struct outbox_row *row,
                    const struct outbox_answer *answer)
{
    bool refused = answer->outcome == OUTBOX_REFUSED;
    switch (row->kind) {
    case OUTBOX_CAPTURE:
    case OUTBOX_PAYMENT_CANCEL:
    case OUTBOX_REFUND:
        return bank_answered(apply, order, row, answer);
    case OUTBOX_SHIP:
        /* It will not ship this order at all: what it should have shipped will not come. */
        return refused ? order_drop_all(apply, order, warehouse_of(row), answer->text) : ERR_OK;
    case OUTBOX_CANCEL:
        return cancel_answered(apply, order, row, answer);
    case OUTBOX_WEBHOOK:
    case OUTBOX_MAIL:
    case OUTBOX_KIND_COUNT:
        break;
    }
    return ERR_OK;
}

/* Whether an answer of this kind means something to the order. */
static bool is_heard(const struct outbox_row *row, const struct outbox_answer *answer)
{
    return row->kind < OUTBOX_SHIP || row->kind == OUTBOX_CANCEL ||
           (row->kind == OUTBOX_SHIP && answer->outcome == OUTBOX_REFUSED);
}

static int take(struct apply *apply, const struct outbox_answer *answer, uint64_t *taken)
{
    struct outbox_row row;
    struct order order;
    int err = outbox_take(apply, answer->seq, &row);
    if (err == ERR_NOTFOUND) /* answered before */
        return ERR_OK;
    ++*taken;
    if (err || !is_heard(&row, answer))
        return err;
    err = order_load(apply->db, apply->arena, row.order, &order);
    if (err == ERR_NOTFOUND)
        return ERR_DAMAGED;
    return err ? err : happened(apply, &order, &row, answer);
}

static bool is_fine(const struct outbox_answer *answer)
{
    return answer->text.len <= SHOP_TEXT_MAX && str_is_utf8(answer->text) &&
           str_find_byte(answer->text, 0) < 0;
}

int apply_outbox_done(struct apply *apply)
{
    const struct outbox_answer *answers = apply->command->outbox.answers;
    unsigned count = apply->command->outbox.count;
    uint64_t taken = 0;
    int err = ERR_OK;
    for (unsigned i = 0; i < count; i++)
        if (!is_fine(&answers[i]))
            return apply_refuse(apply, ERR_INVALID,
                                "the answer to row %llu: its text is not UTF-8, or longer than %d "
                                "bytes",
                                (unsigned long long)answers[i].seq, SHOP_TEXT_MAX);
    for (unsigned i = 0; i < count && !err; i++)
        err = take(apply, &answers[i], &taken);
    apply->result->kind = RESULT_NUMBER;
    apply->result->number = taken;
    return err;
}
