/* What the bank could not do after the sale is tried again when a person says so; and what it did
 * and took back later is known. */
#include "order_fixture.h"
#include "shop/order_events.h"

#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int retry(struct fixture *f, unsigned order)
{
    return change(f, COMMAND_ORDER_RETRY,
                  (struct order_change){.id = test_id(order), .text = STR("card was renewed")});
}

static int refund_failed(struct fixture *f, unsigned order, const char *reference)
{
    return change(f, COMMAND_ORDER_REFUND_FAILED,
                  (struct order_change){.id = test_id(order),
                                        .reference = str_of(reference),
                                        .text = STR("expired_card")});
}

static unsigned rows_of(struct fixture *f, const char *lane, uint32_t event)
{
    struct reader *reader;
    struct failure failure;
    struct outbox_row *rows;
    unsigned count, found = 0;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_outbox(reader, &f->arena, str_of(lane), 0, 100, &rows, &count), 0);
    for (unsigned i = 0; i < count; i++)
        found += rows[i].event == event && rows[i].order_number == 1001;
    reader_close(reader);
    return found;
}

/* Shopper and platform, of the first order's EVENT. */
static bool are_told_of(struct fixture *f, uint32_t event)
{
    return rows_of(f, "mail", event) == 1 && rows_of(f, "webhook", event) == 1;
}

/* The numbers of the orders whose money waits for a person, newest first, as a decimal number. */
static unsigned stuck(struct fixture *f, uint64_t before, unsigned limit)
{
    struct reader *reader;
    struct failure failure;
    struct order *orders;
    unsigned count, number = 0;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_stuck_orders(reader, &f->arena, before, limit, &orders, &count), 0);
    for (unsigned i = 0; i < count; i++)
        number = number * 10 + (unsigned)(orders[i].number - 1000);
    reader_close(reader);
    return number;
}

/* Order 1 was sent and paid for: 11000. */
static void sent_and_paid(struct fixture *f)
{
    put_settings(f, false, true);
    place_through(f, test_id(1), "tulips", 3, "https://platform.example/profile");
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
}

static void a_capture_that_failed_is_tried_again_under_a_new_key(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), 0);
    struct outbox_row first = answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_REFUSED);
    assert_int_equal(read_order(f, test_id(1)).payment_state, PAYMENT_FAILED);
    assert_int_equal(retry(f, 1), 0);
    assert_int_equal(f->result.order.payment_state, PAYMENT_CAPTURING);
    struct outbox_row second = only_row(f, "bank", OUTBOX_CAPTURE);
    assert_int_equal(second.amount, first.amount);
    assert_false(id_eq(second.effect, first.effect));
    expect_clean_audit(f);
    assert_int_equal(retry(f, 1), ERR_STATE); /* it is being asked */
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.payment_state, PAYMENT_CAPTURED);
    assert_int_equal(now.captured, first.amount);
    assert_int_equal(retry(f, 1), ERR_STATE);
    expect_clean_audit(f);
}

/* Nothing was sent: it was asked for because the bank would soon have let it go. */
static void what_is_tried_again_waits_for_no_parcel(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    f->now += ORDER_LAPSES_MS;
    expire(f, 100);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_REFUSED);
    assert_int_equal(retry(f, 1), 0);
    assert_int_equal(only_row(f, "bank", OUTBOX_CAPTURE).amount, 8000);
    expect_clean_audit(f);
}

/* All of it was canceled meanwhile: it is let go. */
static void what_is_asked_for_the_second_time_is_what_is_due_then(void **state)
{
    struct fixture *f = *state;
    put_settings(f, true, false);
    place(f, test_id(1), "tulips", 2);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_REFUSED);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), 0);
    assert_int_equal(rows_in(f, "bank"), 0);
    assert_int_equal(retry(f, 1), 0);
    answer_only(f, "bank", OUTBOX_PAYMENT_CANCEL, OUTBOX_REFUSED);
    assert_int_equal(read_order(f, test_id(1)).payment_state, PAYMENT_FAILED);
    assert_int_equal(retry(f, 1), 0);
    answer_only(f, "bank", OUTBOX_PAYMENT_CANCEL, OUTBOX_DELIVERED);
    assert_int_equal(read_order(f, test_id(1)).payment_state, PAYMENT_CANCELED);
    expect_clean_audit(f);
}

static void a_refund_that_failed_is_tried_again_under_a_new_key(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    struct outbox_row first = answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_REFUSED);
    struct order now = read_order(f, test_id(1));
    assert_true(are_told_of(f, now.event_count));
    assert_int_equal(retry(f, 1), 0);
    struct outbox_row second = only_row(f, "bank", OUTBOX_REFUND);
    assert_int_equal(second.amount, 1000);
    assert_false(id_eq(second.effect, first.effect));
    expect_clean_audit(f);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    now = read_order(f, test_id(1));
    assert_int_equal(now.refunded, 1000);
    assert_int_equal(now.unrefunded, 0);
    assert_int_equal(now.refunding, 0);
    assert_int_equal(retry(f, 1), ERR_STATE);
    expect_clean_audit(f);
}

static void what_failed_twice_is_tried_again_as_a_whole(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(refund(f, test_id(1), 1000), 0);
        answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_REFUSED);
    }
    assert_int_equal(retry(f, 1), 0);
    assert_int_equal(f->result.order.unrefunded, 0);
    assert_int_equal(only_row(f, "bank", OUTBOX_REFUND).amount, 2000);
    expect_clean_audit(f);
}

static void a_refund_that_fails_after_it_was_made_is_known_once_and_can_be_tried_again(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    struct outbox_row row = only_row(f, "bank", OUTBOX_REFUND);
    assert_int_equal(refund_failed(f, 1, "said"), ERR_STATE); /* not made yet */
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    assert_int_equal(read_order(f, test_id(1)).refunded, 1000);
    assert_int_equal(refund_failed(f, 1, "said"), 0);
    struct order now = read_order(f, test_id(1));
    struct order_event last = last_event(&now);
    assert_int_equal(last.type, ORDER_EVENT_REFUND_FAILED);
    assert_int_equal(last.amount, 1000);
    assert_int_equal(last.of, row.event);
    assert_true(str_eq(last.text, STR("expired_card")));
    assert_int_equal(now.refunded, 0);
    assert_int_equal(now.refunding, 0);
    assert_int_equal(now.unrefunded, 1000);
    assert_true(are_told_of(f, now.event_count));
    assert_int_equal(refund_failed(f, 1, "said"), 0); /* told twice */
    assert_int_equal(read_order(f, test_id(1)).event_count, now.event_count);
    assert_int_equal(refund_failed(f, 1, "another"), ERR_CONFLICT); /* none is to come */
    assert_int_equal(refund_failed(f, 1, ""), ERR_CONFLICT);
    assert_int_equal(refund_failed(f, 2, "said"), ERR_NOTFOUND);
    expect_clean_audit(f);
    assert_int_equal(retry(f, 1), 0);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    now = read_order(f, test_id(1));
    assert_int_equal(now.refunded, 1000);
    assert_int_equal(now.unrefunded, 0);
    expect_clean_audit(f);
}

/* As a restore does it. */
static void put_epoch(struct fixture *f, const char *epoch)
{
    struct command command = {.type = COMMAND_REGISTRY_PUT,
                              .registry = {.key = STR("shop/epoch"), .value = str_of(epoch)}};
    assert_int_equal(apply_command(f, &command), 0);
}

/* What was to leave before goes on under its key, as it may have left; what is decided now has
 * another than what the shop may have decided since the copy was made. */
static void a_restored_shop_s_effects_are_new(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    struct outbox_row before = only_row(f, "bank", OUTBOX_REFUND);
    put_epoch(f, "1795361400");
    expect_clean_audit(f);
    struct outbox_row same = answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    assert_true(id_eq(same.effect, before.effect));
    struct id first = read_order(f, test_id(1)).events[0].id;
    assert_int_equal(refund(f, test_id(1), 500), 0);
    struct outbox_row row = only_row(f, "bank", OUTBOX_REFUND);
    unsigned kind = 1 + OUTBOX_REFUND;
    assert_true(id_eq(row.effect, order_effect_id(test_id(1), 1795361400, row.event, kind)));
    assert_false(id_eq(row.effect, order_effect_id(test_id(1), 0, row.event, kind)));
    struct order now = read_order(f, test_id(1));
    assert_true(id_eq(now.events[0].id, first));
    assert_true(id_eq(last_event(&f->result.order).id, last_event(&now).id));
    assert_int_equal(last_event(&now).epoch, 1795361400);
    place(f, test_id(2), "tulips", 1);
    now = read_order(f, test_id(2));
    assert_int_equal(now.epoch, 1795361400);
    assert_true(id_eq(now.events[0].id, order_effect_id(test_id(2), 1795361400, 1, 0)));
    expect_clean_audit(f);
}

/* The bank is asked for all of it already; what is not due any more goes back after that. */
static void what_is_canceled_while_the_money_is_taken_is_given_back(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), 0);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), 0);
    assert_int_equal(rows_in(f, "bank"), 1);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    assert_int_equal(only_row(f, "bank", OUTBOX_REFUND).amount, 3000);
    expect_clean_audit(f);
}

static void what_waits_for_a_person_is_found(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    place(f, test_id(2), "tulips", 1);
    place(f, test_id(3), "tulips", 1);
    assert_int_equal(stuck(f, 0, 10), 0);
    assert_int_equal(ship_all(f, test_id(3), 51), 0);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_REFUSED);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_REFUSED);
    assert_int_equal(stuck(f, 0, 10), 31);
    assert_int_equal(stuck(f, 0, 1), 3);
    assert_int_equal(stuck(f, 1003, 10), 1);
    assert_int_equal(retry(f, 1), 0);
    assert_int_equal(stuck(f, 0, 10), 3);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_REFUSED);
    assert_int_equal(stuck(f, 0, 10), 31);
}

static void what_was_not_refused_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(retry(f, 1), ERR_STATE);
    assert_int_equal(retry(f, 2), ERR_NOTFOUND);
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_capture_that_failed_is_tried_again_under_a_new_key),
        TEST(what_is_tried_again_waits_for_no_parcel),
        TEST(what_is_asked_for_the_second_time_is_what_is_due_then),
        TEST(a_refund_that_failed_is_tried_again_under_a_new_key),
        TEST(what_failed_twice_is_tried_again_as_a_whole),
        TEST(a_refund_that_fails_after_it_was_made_is_known_once_and_can_be_tried_again),
        TEST(a_restored_shop_s_effects_are_new),
        TEST(what_is_canceled_while_the_money_is_taken_is_given_back),
        TEST(what_waits_for_a_person_is_found),
        TEST(what_was_not_refused_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
