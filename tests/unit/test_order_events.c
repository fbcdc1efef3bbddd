/* The pure half of orders after the sale: what an order is after its events, what of its price a
 * unit has, and what money has to do. */
#include "base/check.h"
#include "base/random.h"
#include "shop/order_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* An order of up to three lines. */
struct sample {
    struct arena arena;
    struct order order;
    struct line lines[3];
};

static void add_line(struct sample *s, uint32_t quantity, int64_t total, int64_t tax)
{
    struct line *line = &s->lines[s->order.basket.line_count++];
    *line = (struct line){.line_id = s->order.basket.line_count,
                          .quantity = quantity,
                          .total = total,
                          .tax = tax,
                          .needs_shipping = true};
}

static void add_total(struct sample *s, enum total_type type, int64_t amount, bool included)
{
    s->order.basket.totals[s->order.basket.total_count++] =
        (struct total){.type = type, .amount = amount, .included = included};
}

static void begin(struct sample *s)
{
    *s = (struct sample){0};
    arena_init(&s->arena, 1 << 20);
    s->order.id.bytes[0] = s->order.payment_key.bytes[0] = 1;
    s->order.basket.lines = s->lines;
}

/* Three units for 1000 and one for 500, 200 to send them. */
static void begin_usual(struct sample *s)
{
    begin(s);
    add_line(s, 3, 1000, 0);
    add_line(s, 1, 500, 0);
    add_total(s, TOTAL_TOTAL, 1700, false);
    assert_int_equal(order_begin(&s->arena, &s->order), 0);
}

static void happen(struct sample *s, enum order_event_type type, uint32_t line_id,
                   uint32_t quantity, int64_t amount)
{
    struct order_quantity lines[] = {{line_id, quantity}};
    struct order_event event = {
        .type = type, .lines = lines, .line_count = line_id > 0, .amount = amount};
    order_fold(&s->order, &event);
}

/* CANCELED as the commands do it. */
static void cancel(struct sample *s, uint32_t line_id, uint32_t quantity)
{
    struct order_quantity line = {line_id, quantity};
    happen(s, ORDER_EVENT_CANCELED, line_id, quantity, order_share_canceled(&s->order, &line, 1));
}

/* ---- States ---- */

static void an_order_begins_as_it_was_placed(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    assert_int_equal(s.order.event_count, 1);
    assert_int_equal(s.order.events[0].number, 1);
    assert_int_equal(s.order.events[0].type, ORDER_EVENT_PLACED);
    assert_int_equal(s.order.events[0].amount, 1700);
    assert_int_equal(s.order.payment_state, PAYMENT_AUTHORISED);
    assert_int_equal(order_due(&s.order), 1700);
    s.order.payment_key = (struct id){{0}};
    s.lines[0].fulfilled = 3;
    s.order.status = ORDER_SHIPPED;
    s.order.given_up = 5;
    assert_int_equal(order_begin(&s.arena, &s.order), 0);
    assert_int_equal(s.order.payment_state, PAYMENT_NONE);
    assert_int_equal(s.order.status, ORDER_PLACED);
    arena_close(&s.arena);
}

static void the_status_follows_the_lines(void **state)
{
    (void)state;
    static const struct {
        uint32_t shipped, canceled;             /* of 3 */
        uint32_t other_shipped, other_canceled; /* of 1 */
        enum order_status status;
    } rows[] = {
        {0, 0, 0, 0, ORDER_PLACED},         {0, 1, 0, 0, ORDER_PLACED},
        {0, 3, 0, 0, ORDER_PLACED},         {0, 3, 0, 1, ORDER_CANCELED},
        {1, 0, 0, 0, ORDER_PARTLY_SHIPPED}, {3, 0, 0, 0, ORDER_PARTLY_SHIPPED},
        {3, 0, 1, 0, ORDER_SHIPPED},        {3, 0, 0, 1, ORDER_SHIPPED},
        {1, 2, 1, 0, ORDER_SHIPPED},        {1, 1, 1, 0, ORDER_PARTLY_SHIPPED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sample s;
        begin_usual(&s);
        happen(&s, ORDER_EVENT_SHIPPED, 1, rows[i].shipped, 0);
        happen(&s, ORDER_EVENT_CANCELED, 1, rows[i].canceled, 0);
        happen(&s, ORDER_EVENT_SHIPPED, 2, rows[i].other_shipped, 0);
        happen(&s, ORDER_EVENT_CANCELED, 2, rows[i].other_canceled, 0);
        if (s.order.status != rows[i].status)
            fail_msg("row %zu: %s", i, order_status_name(s.order.status));
        arena_close(&s.arena);
    }
}

static void what_is_not_sent_is_done_with_the_others(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    s.lines[1].needs_shipping = false;
    happen(&s, ORDER_EVENT_SHIPPED, 1, 3, 0);
    assert_int_equal(s.order.status, ORDER_SHIPPED);
    arena_close(&s.arena);
}

static void warehouses_are_asked_and_answer(void **state)
{
    (void)state;
    struct sample s;
    struct allotment allotments[] = {{.warehouse = STR("a"), .line_id = 1, .quantity = 2},
                                     {.warehouse = STR("b"), .line_id = 1, .quantity = 1}};
    begin_usual(&s);
    s.order.allotments = allotments;
    s.order.allotment_count = 2;
    struct order_quantity two = {1, 2}, one = {1, 1};
    struct order_event asked = {.type = ORDER_EVENT_CANCEL_ASKED,
                                .lines = &two,
                                .line_count = 1,
                                .parcel = {.warehouse = STR("a")}};
    order_fold(&s.order, &asked);
    assert_int_equal(allotments[0].asked, 2);
    assert_int_equal(allotments[1].asked, 0);
    assert_int_equal(s.lines[0].canceled, 0);
    asked.of = 2;
    asked.lines = &one;
    asked.type = ORDER_EVENT_CANCELED;
    order_fold(&s.order, &asked);
    assert_int_equal(allotments[0].asked, 1);
    assert_int_equal(allotments[0].canceled, 1);
    assert_int_equal(s.lines[0].canceled, 1);
    asked.type = ORDER_EVENT_CANCEL_REFUSED;
    order_fold(&s.order, &asked);
    assert_int_equal(allotments[0].asked, 0);
    assert_int_equal(allotments[0].canceled, 1);
    arena_close(&s.arena);
}

static void what_fits_no_line_counts_nothing(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    happen(&s, ORDER_EVENT_SHIPPED, 9, 3, 0);
    happen(&s, ORDER_EVENT_CANCEL_REFUSED, 1, UINT32_MAX, 0);
    assert_int_equal(s.order.status, ORDER_PLACED);
    s.order.basket.line_count = 0;
    happen(&s, ORDER_EVENT_CAPTURED, 0, 0, 1);
    arena_close(&s.arena);
}

/* ---- Shares ---- */

static void the_units_of_a_line_give_what_was_paid_for_it(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 11);
    for (unsigned round = 0; round < 2000; round++) {
        struct sample s;
        begin(&s);
        uint32_t quantity = 1 + (uint32_t)random_below(&random, 50);
        int64_t total = (int64_t)random_below(&random, 100000), tax = total / 5, sum = 0;
        bool included = random_below(&random, 2);
        add_line(&s, quantity, total, tax);
        add_total(&s, TOTAL_TAX, tax, included);
        add_total(&s, TOTAL_TOTAL, total + (included ? 0 : tax), false);
        assert_int_equal(order_begin(&s.arena, &s.order), 0);
        for (uint32_t left = quantity; left > 0;) {
            uint32_t some = 1 + (uint32_t)random_below(&random, left);
            int64_t share = order_share(&s.order, &s.lines[0], some);
            assert_true(share >= 0);
            sum += share;
            left -= some;
            happen(&s, random_below(&random, 2) ? ORDER_EVENT_CANCELED : ORDER_EVENT_RETURNED, 1,
                   some, share);
        }
        assert_int_equal(sum, total + (included ? 0 : tax));
        assert_int_equal(order_due(&s.order), 0);
        arena_close(&s.arena);
    }
}

static void everything_canceled_is_everything_given_back(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    cancel(&s, 1, 1);
    assert_int_equal(order_due(&s.order), 1700 - 333);
    cancel(&s, 2, 1);
    assert_int_equal(order_due(&s.order), 1700 - 333 - 500);
    cancel(&s, 1, 1);
    assert_int_equal(order_due(&s.order), 1700 - 666 - 500);
    cancel(&s, 1, 1); /* the sending, too */
    assert_int_equal(order_due(&s.order), 0);
    assert_int_equal(s.order.status, ORDER_CANCELED);
    arena_close(&s.arena);
}

static void what_is_sent_and_comes_back_leaves_the_sending_paid(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    happen(&s, ORDER_EVENT_SHIPPED, 1, 3, 0);
    cancel(&s, 2, 1);
    happen(&s, ORDER_EVENT_RETURNED, 1, 3, order_share(&s.order, &s.lines[0], 3));
    assert_int_equal(order_due(&s.order), 200);
    arena_close(&s.arena);
}

static void never_more_is_given_back_than_is_due(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    happen(&s, ORDER_EVENT_CREDITED, 0, 0, 1500);
    cancel(&s, 1, 1);
    assert_int_equal(order_due(&s.order), 0);
    cancel(&s, 1, 2);
    assert_int_equal(order_due(&s.order), 0);
    arena_close(&s.arena);
}

/* ---- Money ---- */

static void money_follows_one_rule(void **state)
{
    (void)state;
    static const struct {
        enum payment_state payment;
        int64_t given_up; /* of 1700 */
        int64_t captured, refunding, refunded, unrefunded;
        uint32_t shipped; /* of line 1 */
        bool at_once, lapsing;
        int what;
        int64_t amount;
    } rows[] = {
        /* nothing to pay, whatever happens */
        {PAYMENT_NONE, 0, 0, 0, 0, 0, 1, true, true, MONEY_NOTHING, 0},
        {PAYMENT_NONE, 1700, 0, 0, 0, 0, 0, false, false, MONEY_NOTHING, 0},
        /* reserved: waits for a parcel, or the setting, or the end of its time */
        {PAYMENT_AUTHORISED, 0, 0, 0, 0, 0, 0, false, false, MONEY_NOTHING, 0},
        {PAYMENT_AUTHORISED, 300, 0, 0, 0, 0, 0, false, false, MONEY_NOTHING, 0},
        {PAYMENT_AUTHORISED, 0, 0, 0, 0, 0, 1, false, false, MONEY_CAPTURE, 1700},
        {PAYMENT_AUTHORISED, 300, 0, 0, 0, 0, 1, false, false, MONEY_CAPTURE, 1400},
        {PAYMENT_AUTHORISED, 0, 0, 0, 0, 0, 0, true, false, MONEY_CAPTURE, 1700},
        {PAYMENT_AUTHORISED, 0, 0, 0, 0, 0, 0, false, true, MONEY_CAPTURE, 1700},
        {PAYMENT_AUTHORISED, 1700, 0, 0, 0, 0, 0, false, false, MONEY_CANCEL, 0},
        {PAYMENT_AUTHORISED, 1700, 0, 0, 0, 0, 0, true, true, MONEY_CANCEL, 0},
        /* the bank is asked */
        {PAYMENT_CAPTURING, 0, 0, 0, 0, 0, 1, true, true, MONEY_NOTHING, 0},
        {PAYMENT_CAPTURING, 1700, 0, 0, 0, 0, 1, true, true, MONEY_NOTHING, 0},
        {PAYMENT_CANCELING, 1700, 0, 0, 0, 0, 0, true, true, MONEY_NOTHING, 0},
        /* taken: what is above what is due goes back, once */
        {PAYMENT_CAPTURED, 0, 1700, 0, 0, 0, 1, false, false, MONEY_NOTHING, 0},
        {PAYMENT_CAPTURED, 300, 1700, 0, 0, 0, 1, false, false, MONEY_REFUND, 300},
        {PAYMENT_CAPTURED, 300, 1700, 300, 0, 0, 1, false, false, MONEY_NOTHING, 0},
        {PAYMENT_CAPTURED, 300, 1700, 0, 300, 0, 1, false, false, MONEY_NOTHING, 0},
        {PAYMENT_CAPTURED, 500, 1700, 100, 300, 0, 1, false, false, MONEY_REFUND, 100},
        {PAYMENT_CAPTURED, 1700, 1400, 0, 0, 0, 1, false, false, MONEY_REFUND, 1400},
        {PAYMENT_CAPTURED, 300, 1400, 0, 0, 0, 1, false, false, MONEY_NOTHING, 0},
        {PAYMENT_CAPTURED, 300, 1700, 0, 0, 300, 1, false, false, MONEY_NOTHING, 0},
        /* over */
        {PAYMENT_CANCELED, 1700, 0, 0, 0, 0, 0, true, true, MONEY_NOTHING, 0},
        {PAYMENT_FAILED, 0, 0, 0, 0, 0, 1, true, true, MONEY_NOTHING, 0},
        {PAYMENT_FAILED, 1700, 0, 0, 0, 0, 0, true, true, MONEY_NOTHING, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sample s;
        begin_usual(&s);
        s.order.payment_state = rows[i].payment;
        s.order.given_up = rows[i].given_up;
        s.order.captured = rows[i].captured;
        s.order.refunding = rows[i].refunding;
        s.order.refunded = rows[i].refunded;
        s.order.unrefunded = rows[i].unrefunded;
        s.lines[0].fulfilled = rows[i].shipped;
        struct order_money money = order_money_next(&s.order, rows[i].at_once, rows[i].lapsing);
        if ((int)money.what != rows[i].what || money.amount != rows[i].amount)
            fail_msg("row %zu: %d of %lld", i, money.what, (long long)money.amount);
        arena_close(&s.arena);
    }
}

static void what_is_never_sent_is_taken_at_once(void **state)
{
    (void)state;
    struct sample s;
    begin_usual(&s);
    s.lines[1].needs_shipping = false;
    assert_int_equal(order_money_next(&s.order, false, false).what, MONEY_NOTHING);
    cancel(&s, 1, 3); /* all that was to be sent */
    struct order_money money = order_money_next(&s.order, false, false);
    assert_int_equal(money.what, MONEY_CAPTURE);
    assert_int_equal(money.amount, 700);
    arena_close(&s.arena);
}

/* Whatever happens in whatever order, the bank is asked for what is due and no more. */
static void whatever_happens_the_money_adds_up(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (unsigned round = 0; round < 3000; round++) {
        struct sample s;
        begin_usual(&s);
        struct order_money open = {MONEY_NOTHING, 0};
        for (unsigned step = 0; step < 30; step++) {
            uint32_t line = 1 + (uint32_t)random_below(&random, 2);
            struct line *of = &s.lines[line - 1];
            switch (random_below(&random, 5)) {
            case 0:
                if (order_open(of) > 0)
                    happen(&s, ORDER_EVENT_SHIPPED, line, 1, 0);
                break;
            case 1:
                if (order_open(of) > 0)
                    cancel(&s, line, 1);
                break;
            case 2:
                if (of->fulfilled > of->returned)
                    happen(&s, ORDER_EVENT_RETURNED, line, 1, order_share(&s.order, of, 1));
                break;
            case 3: /* the bank answers */
                if (open.what == MONEY_CAPTURE)
                    happen(&s, ORDER_EVENT_CAPTURED, 0, 0, open.amount);
                else if (open.what == MONEY_CANCEL)
                    happen(&s, ORDER_EVENT_PAYMENT_CANCELED, 0, 0, 0);
                else if (open.what == MONEY_REFUND)
                    happen(&s, ORDER_EVENT_REFUNDED, 0, 0, open.amount);
                open = (struct order_money){MONEY_NOTHING, 0};
                break;
            }
            struct order_money next = order_money_next(&s.order, false, step == 20);
            if (open.what != MONEY_NOTHING) /* one answer at a time is enough here */
                continue;
            open = next;
            if (next.what == MONEY_CAPTURE)
                happen(&s, ORDER_EVENT_CAPTURE_BEGUN, 0, 0, next.amount);
            else if (next.what == MONEY_CANCEL)
                happen(&s, ORDER_EVENT_PAYMENT_CANCEL_BEGUN, 0, 0, 0);
            else if (next.what == MONEY_REFUND)
                happen(&s, ORDER_EVENT_REFUND_BEGUN, 0, 0, next.amount);
            int64_t due = order_due(&s.order);
            assert_true(due >= 0 && s.order.refunding >= 0);
            if (s.order.payment_state == PAYMENT_CAPTURED)
                assert_int_equal(s.order.captured - s.order.refunding - s.order.refunded, due);
            if (s.order.payment_state == PAYMENT_CANCELED)
                assert_int_equal(due, 0);
        }
        arena_close(&s.arena);
    }
}

/* ---- Ids ---- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

static void effects_have_ids_of_their_own(void **state)
{
    (void)state;
    enum { ORDERS = 50, EVENTS = 100, EPOCHS = 2 };
    enum { ALL = ORDERS * EVENTS * EPOCHS * (1 + OUTBOX_KIND_COUNT) };
    struct id *ids = calloc(ALL, sizeof *ids);
    unsigned count = 0, ones[128] = {0};
    for (unsigned i = 0; i < ORDERS; i++) {
        struct id order = {{0x01, 0x99, 0, 0, 0, 0, 0x70, 0, 0x80}};
        order.bytes[15] = (unsigned char)i;
        for (uint32_t event = 1; event <= EVENTS; event++)
            for (unsigned kind = 0; kind <= OUTBOX_KIND_COUNT; kind++)
                for (uint64_t epoch = 0; epoch < EPOCHS; epoch++)
                    ids[count++] = order_effect_id(order, epoch * 1795361400, event, kind);
    }
    assert_int_equal(count, ALL);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(ids[i].bytes[6] >> 4, 8);
        assert_int_equal(ids[i].bytes[8] >> 6, 2);
        for (unsigned bit = 0; bit < 128; bit++)
            ones[bit] += ids[i].bytes[bit / 8] >> (bit % 8) & 1;
    }
    /* Each bit that is free is set in about half of them: 10 standard deviations are 1 %. */
    for (unsigned bit = 0; bit < 128; bit++)
        if (bit / 8 != 6 && bit / 8 != 8)
            assert_true(ones[bit] > count * 48 / 100 && ones[bit] < count * 52 / 100);
    qsort(ids, count, sizeof *ids, compare_ids);
    for (unsigned i = 1; i < count; i++)
        assert_false(id_eq(ids[i - 1], ids[i]));
    free(ids);
}

/* The same on every server, of whatever kind, for ever. */
static void an_effect_has_the_same_id_for_ever(void **state)
{
    (void)state;
    struct id order = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    char text[ID_TEXT];
    assert_string_equal(id_text(order_effect_id(order, 0, 1, 0), text),
                        "ce69867df0e78ab18ab8254330cdb64f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_begins_as_it_was_placed),
        cmocka_unit_test(the_status_follows_the_lines),
        cmocka_unit_test(what_is_not_sent_is_done_with_the_others),
        cmocka_unit_test(warehouses_are_asked_and_answer),
        cmocka_unit_test(what_fits_no_line_counts_nothing),
        cmocka_unit_test(the_units_of_a_line_give_what_was_paid_for_it),
        cmocka_unit_test(everything_canceled_is_everything_given_back),
        cmocka_unit_test(what_is_sent_and_comes_back_leaves_the_sending_paid),
        cmocka_unit_test(never_more_is_given_back_than_is_due),
        cmocka_unit_test(money_follows_one_rule),
        cmocka_unit_test(what_is_never_sent_is_taken_at_once),
        cmocka_unit_test(whatever_happens_the_money_adds_up),
        cmocka_unit_test(effects_have_ids_of_their_own),
        cmocka_unit_test(an_effect_has_the_same_id_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
