/* What may happen to an order after the sale, and what leaves the cluster for it. */
#include "order_fixture.h"

static const char *const profile = "https://platform.example/profile";

static const struct order *order(struct fixture *f)
{
    assert_int_equal(f->result.kind, RESULT_ORDER);
    return &f->result.order;
}

static void expect_event(struct fixture *f, uint32_t number, enum order_event_type type,
                         int64_t amount)
{
    struct order now = read_order(f, test_id(1));
    if (number > now.event_count)
        fail_msg("there are %u events", now.event_count);
    const struct order_event *event = &now.events[number - 1];
    if (event->number != number || event->type != type || event->amount != amount)
        fail_msg("event %u is %s of %lld", number, order_event_name(event->type),
                 (long long)event->amount);
}

/* ---- Placed ---- */

static void with_nobody_configured_nothing_leaves(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.event_count, 1);
    assert_int_equal(now.payment_state, PAYMENT_AUTHORISED);
    assert_true(id_eq(now.payment_key, test_id(1)));
    assert_int_equal(now.placed_index, now.events[0].log_index);
    assert_int_equal(now.allotment_count, 0);
    assert_int_equal(rows_in(f, "bank") + rows_in(f, "mail") + rows_in(f, "webhook"), 0);
    expect_clean_audit(f);
}

static void platform_shopper_and_bank_are_told_of_an_order(void **state)
{
    struct fixture *f = *state;
    put_settings(f, true, true);
    place_through(f, test_id(1), "tulips", 2, profile);
    struct outbox_row capture = only_row(f, "bank", OUTBOX_CAPTURE);
    assert_int_equal(capture.amount, 8000);
    assert_int_equal(capture.event, 2);
    assert_int_equal(only_row(f, "webhook", OUTBOX_WEBHOOK).event, 1);
    struct outbox_row mail = only_row(f, "mail", OUTBOX_MAIL);
    assert_int_equal(mail.event, 1);
    assert_true(id_eq(mail.order, test_id(1)));
    assert_int_equal(mail.order_number, 1001);
    assert_false(id_eq(mail.effect, capture.effect));
    expect_event(f, 2, ORDER_EVENT_CAPTURE_BEGUN, 8000);
    struct order now = read_order(f, test_id(1));
    expect_text(now.platform, profile);
    assert_int_equal(now.payment_state, PAYMENT_CAPTURING);
    assert_int_equal(now.capturing, 8000);
    expect_clean_audit(f);
}

static void without_a_total_there_is_nothing_to_pay(void **state)
{
    struct fixture *f = *state;
    struct command all = {.type = COMMAND_DISCOUNT_PUT,
                          .discount = {.key = STR("ALL"),
                                       .type = DISCOUNT_PERCENT,
                                       .value = 10000,
                                       .title = STR("All"),
                                       .enabled = true}};
    struct command free = {.type = COMMAND_DISCOUNT_PUT,
                           .discount = {.key = STR("FREE"),
                                        .type = DISCOUNT_FREE_SHIPPING,
                                        .title = STR("Free"),
                                        .enabled = true}};
    assert_int_equal(apply_command(f, &all), 0);
    assert_int_equal(apply_command(f, &free), 0);
    put_settings(f, true, false);
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    assert_int_equal(order(f)->payment_state, PAYMENT_NONE);
    assert_int_equal(return_line(f, test_id(1), 1, 2, -1, true), 0);
    assert_int_equal(refund(f, test_id(1), 1), ERR_STATE);
    assert_int_equal(rows_in(f, "bank"), 0);
    expect_clean_audit(f);
}

/* ---- Canceled ---- */

static void a_shopper_cancels_what_is_not_sent(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(cancel_order(f, test_id(9), "shopper"), ERR_NOTFOUND);
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_int_equal(order(f)->status, ORDER_CANCELED);
    assert_int_equal(order(f)->payment_state, PAYMENT_CANCELING);
    expect_text(order(f)->events[1].actor, "shopper");
    expect_event(f, 2, ORDER_EVENT_CANCELED, 8000);
    expect_stock(f, "tulips", 5, 0, 0);
    expect_clean_audit(f);
    /* Pressed twice. */
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_int_equal(order(f)->event_count, 3);
    answer_only(f, "bank", OUTBOX_PAYMENT_CANCEL, OUTBOX_DELIVERED);
    expect_event(f, 4, ORDER_EVENT_PAYMENT_CANCELED, 0);
    assert_int_equal(read_order(f, test_id(1)).payment_state, PAYMENT_CANCELED);
    assert_int_equal(rows_in(f, "bank"), 0);
    assert_int_equal(ship_all(f, test_id(1), 50), ERR_STATE);
    expect_clean_audit(f);
}

static void a_shopper_cancels_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct order_quantity line[] = {{1, 1}};
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(
        change(f, COMMAND_ORDER_CANCEL,
               (struct order_change){
                   .id = test_id(1), .lines = line, .line_count = 1, .actor = STR("shopper")}),
        ERR_STATE);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), 0);
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), ERR_STATE);
    assert_int_equal(read_order(f, test_id(1)).basket.lines[0].canceled, 0);
}

static void the_operator_cancels_single_units(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 3);
    assert_int_equal(cancel_line(f, test_id(1), 1, 4), ERR_STATE);
    assert_int_equal(cancel_line(f, test_id(1), 7, 1), ERR_INVALID);
    assert_int_equal(cancel_line(f, test_id(1), 1, 0), ERR_INVALID);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), 0);
    expect_event(f, 2, ORDER_EVENT_CANCELED, 3000);
    assert_int_equal(order(f)->status, ORDER_PLACED);
    assert_int_equal(order(f)->payment_state, PAYMENT_AUTHORISED);
    expect_stock(f, "tulips", 3, 0, 2);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 2), 0);
    /* Two tulips, a pot and the sending. */
    assert_int_equal(only_row(f, "bank", OUTBOX_CAPTURE).amount, 8000);
    assert_int_equal(order(f)->status, ORDER_PARTLY_SHIPPED);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), ERR_STATE);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), 0);
    assert_int_equal(order(f)->status, ORDER_SHIPPED);
    assert_int_equal(order(f)->basket.lines[1].canceled, 1);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), ERR_STATE);
    expect_clean_audit(f);
    /* The pot was canceled while the money was being taken. */
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    assert_int_equal(only_row(f, "bank", OUTBOX_REFUND).amount, 1500);
    expect_clean_audit(f);
}

/* ---- Sent ---- */

static void the_first_parcel_takes_the_money(void **state)
{
    struct fixture *f = *state;
    place_through(f, test_id(1), "tulips", 2, profile);
    answer_only(f, "webhook", OUTBOX_WEBHOOK, OUTBOX_DELIVERED);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), 0);
    assert_int_equal(order(f)->status, ORDER_PARTLY_SHIPPED);
    expect_event(f, 2, ORDER_EVENT_SHIPPED, 0);
    expect_event(f, 3, ORDER_EVENT_CAPTURE_BEGUN, 8000);
    assert_int_equal(only_row(f, "webhook", OUTBOX_WEBHOOK).event, 2);
    assert_int_equal(ship_all(f, test_id(1), 51), 0);
    assert_int_equal(order(f)->status, ORDER_SHIPPED);
    assert_int_equal(rows_in(f, "bank"), 1);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.payment_state, PAYMENT_CAPTURED);
    assert_int_equal(now.captured, 8000);
    assert_int_equal(last_event(&now).of, 3);
    expect_text(last_event(&now).text, "said");
    expect_text(last_event(&now).actor, "bank");
    assert_int_equal(rows_in(f, "bank"), 0);
    expect_stock(f, "tulips", 3, 0, 2);
    expect_clean_audit(f);
}

static void a_parcel_counts_once(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    place(f, test_id(2), "tulips", 2);
    assert_int_equal(ship_all(f, test_id(1), 0), 0); /* an id like another */
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), ERR_STATE);
    assert_int_equal(ship_line(f, test_id(2), 50, 1, 1), 0);
    assert_int_equal(order(f)->basket.lines[0].fulfilled, 1);
    assert_int_equal(ship_line(f, test_id(2), 50, 1, 1), 0);
    assert_int_equal(order(f)->basket.lines[0].fulfilled, 1);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), ERR_CONFLICT);
    struct order_change nameless = {.id = test_id(2)};
    assert_int_equal(change(f, COMMAND_ORDER_SHIP, nameless), ERR_INVALID);
    expect_clean_audit(f);
}

static void a_parcel_arrives_once(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    struct order_change arrived = {.id = test_id(1), .parcel = {.id = test_id(50)}};
    assert_int_equal(change(f, COMMAND_ORDER_DELIVER, arrived), ERR_NOTFOUND);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 2), 0);
    assert_int_equal(change(f, COMMAND_ORDER_DELIVER, arrived), 0);
    struct order_event event = last_event(order(f));
    assert_int_equal(event.type, ORDER_EVENT_DELIVERED);
    assert_int_equal(event.of, 2);
    assert_int_equal(event.line_count, 1);
    assert_int_equal(event.lines[0].quantity, 2);
    assert_int_equal(change(f, COMMAND_ORDER_DELIVER, arrived), 0);
    assert_int_equal(order(f)->event_count, 4);
    arrived.parcel.id = (struct id){{0}};
    assert_int_equal(change(f, COMMAND_ORDER_DELIVER, arrived), ERR_NOTFOUND);
    expect_clean_audit(f);
}

static void a_bank_that_cannot_take_it_leaves_it_to_a_person(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), 0);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_REFUSED);
    assert_int_equal(read_order(f, test_id(1)).payment_state, PAYMENT_FAILED);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), 0);
    assert_int_equal(rows_in(f, "bank"), 0);
    assert_int_equal(refund(f, test_id(1), 100), ERR_STATE);
    expect_clean_audit(f);
}

static void money_is_taken_before_the_bank_lets_it_go(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    place(f, test_id(2), "tulips", 1);
    cancel_order(f, test_id(2), "operator");
    f->now += ORDER_LAPSES_MS - 1000;
    expire(f, 100);
    assert_int_equal(read_order(f, test_id(1)).payment_state, PAYMENT_AUTHORISED);
    f->now += 1000;
    struct reader *reader;
    struct failure failure;
    struct due due;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_due(reader, &f->arena, f->now, &due), 0);
    assert_int_equal(due.expirable, 1);
    assert_int_equal(expire(f, 100), 2); /* looked at */
    assert_int_equal(reader_due(reader, &f->arena, f->now, &due), 0);
    assert_int_equal(due.expirable, 0);
    reader_close(reader);
    assert_int_equal(expire(f, 100), 0);
    assert_int_equal(only_row(f, "bank", OUTBOX_CAPTURE).amount, 8000);
    expect_clean_audit(f);
}

/* ---- Back ---- */

static void sent_and_paid(struct fixture *f)
{
    place(f, test_id(1), "tulips", 3);
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
}

static void what_comes_back_is_sold_again_or_not(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    expect_stock(f, "tulips", 2, 0, 3);
    assert_int_equal(return_line(f, test_id(1), 1, 4, -1, true), ERR_STATE);
    assert_int_equal(return_line(f, test_id(1), 1, 1, -1, true), 0);
    expect_stock(f, "tulips", 3, 0, 2);
    assert_int_equal(return_line(f, test_id(1), 1, 1, -1, false), 0);
    expect_stock(f, "tulips", 3, 0, 1);
    assert_int_equal(order(f)->basket.lines[0].returned, 2);
    assert_int_equal(order(f)->refunding, 6000);
    assert_int_equal(return_line(f, test_id(1), 1, 2, -1, true), ERR_STATE);
    expect_clean_audit(f);
}

static void a_return_gives_back_what_the_operator_says(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f); /* 11000 */
    assert_int_equal(return_line(f, test_id(1), 1, 1, 11001, true), ERR_INVALID);
    assert_int_equal(return_line(f, test_id(1), 1, 1, 0, true), 0);
    assert_int_equal(order(f)->refunding, 0);
    assert_int_equal(return_line(f, test_id(1), 1, 1, 11000, true), 0);
    struct outbox_row row = answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    assert_int_equal(row.amount, 11000);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.refunded, 11000);
    assert_int_equal(now.refunding, 0);
    assert_int_equal(last_event(&now).type, ORDER_EVENT_REFUNDED);
    assert_int_equal(last_event(&now).of, row.event);
    /* Nothing is left to be given back for the third. */
    assert_int_equal(return_line(f, test_id(1), 1, 1, -1, true), 0);
    assert_int_equal(rows_in(f, "bank"), 0);
    expect_clean_audit(f);
}

static void the_operator_gives_back_what_was_taken_and_no_more(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 3);
    assert_int_equal(refund(f, test_id(1), 100), ERR_STATE);
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    assert_int_equal(refund(f, test_id(1), 100), ERR_STATE);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    assert_int_equal(refund(f, test_id(1), 11001), ERR_INVALID);
    assert_int_equal(refund(f, test_id(1), 0), ERR_INVALID);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    expect_event(f, 5, ORDER_EVENT_CREDITED, 1000);
    expect_event(f, 6, ORDER_EVENT_REFUND_BEGUN, 1000);
    assert_int_equal(refund(f, test_id(1), 10001), ERR_INVALID);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    assert_int_equal(refund(f, test_id(1), 10000), 0);
    assert_int_equal(refund(f, test_id(1), 1), ERR_INVALID);
    expect_clean_audit(f);
}

static void what_cannot_be_given_back_is_not_tried_for_ever(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_REFUSED);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.refunding, 0);
    assert_int_equal(now.unrefunded, 1000);
    assert_int_equal(rows_in(f, "bank"), 0);
    assert_int_equal(return_line(f, test_id(1), 1, 1, -1, true), 0);
    assert_int_equal(only_row(f, "bank", OUTBOX_REFUND).amount, 3000);
    expect_clean_audit(f);
}

/* ---- Answers ---- */

static void an_answer_counts_once(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 3);
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    struct outbox_row row = only_row(f, "bank", OUTBOX_CAPTURE);
    assert_int_equal(answer(f, row.seq, OUTBOX_DELIVERED, NULL, 0), 1);
    assert_int_equal(answer(f, row.seq, OUTBOX_DELIVERED, NULL, 0), 0);
    assert_int_equal(answer(f, row.seq, OUTBOX_REFUSED, NULL, 0), 0);
    assert_int_equal(read_order(f, test_id(1)).captured, 11000);
    /* Its number is not given again, though the table is empty. */
    assert_int_equal(refund(f, test_id(1), 5), 0);
    assert_int_equal(only_row(f, "bank", OUTBOX_REFUND).seq, row.seq + 1);
}

static void answers_of_one_order_come_together(void **state)
{
    struct fixture *f = *state;
    sent_and_paid(f);
    assert_int_equal(refund(f, test_id(1), 1000), 0);
    assert_int_equal(refund(f, test_id(1), 2000), 0);
    struct outbox_row *rows;
    struct reader *reader;
    struct failure failure;
    unsigned count;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_outbox(reader, &f->arena, STR("bank"), 0, 10, &rows, &count), 0);
    assert_int_equal(count, 2);
    struct outbox_answer answers[] = {{.seq = rows[0].seq}, {.seq = rows[1].seq}, {.seq = 999}};
    struct command done = {.type = COMMAND_OUTBOX_DONE, .outbox = {.answers = answers, .count = 3}};
    struct outbox_lane_count *lanes;
    assert_int_equal(reader_outbox_lanes(reader, &f->arena, &lanes, &count), 0);
    assert_int_equal(count, 1);
    expect_text(lanes[0].lane, "bank");
    assert_int_equal(lanes[0].rows, 2);
    reader_close(reader);
    assert_int_equal(apply_command(f, &done), 0);
    assert_int_equal(f->result.number, 2);
    assert_int_equal(read_order(f, test_id(1)).refunded, 3000);
    expect_clean_audit(f);
}

static void an_answer_that_is_no_text_changes_nothing(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 3);
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    struct outbox_answer answers[] = {
        {.seq = only_row(f, "bank", OUTBOX_CAPTURE).seq, .text = STR("\xff")}};
    struct command done = {.type = COMMAND_OUTBOX_DONE, .outbox = {.answers = answers, .count = 1}};
    assert_int_equal(apply_command(f, &done), ERR_INVALID);
    assert_int_equal(rows_in(f, "bank"), 1);
}

/* ---- Told ---- */

static void an_event_is_told_as_it_was_then(void **state)
{
    struct fixture *f = *state;
    struct reader *reader;
    struct failure failure;
    struct order then;
    place_through(f, test_id(1), "tulips", 3, profile);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), 0);
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 2), 0);
    assert_int_equal(rows_in(f, "webhook"), 3);
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_order_at(reader, &f->arena, test_id(1), 1, &then), 0);
    assert_int_equal(then.event_count, 1);
    assert_int_equal(then.basket.lines[0].canceled, 0);
    assert_int_equal(reader_order_at(reader, &f->arena, test_id(1), 2, &then), 0);
    assert_int_equal(then.event_count, 2);
    assert_int_equal(then.basket.lines[0].canceled, 1);
    assert_int_equal(then.status, ORDER_PLACED);
    assert_int_equal(reader_order_at(reader, &f->arena, test_id(1), 3, &then), 0);
    assert_int_equal(then.status, ORDER_PARTLY_SHIPPED);
    assert_int_equal(then.payment_state, PAYMENT_AUTHORISED);
    assert_int_equal(reader_order_at(reader, &f->arena, test_id(1), 99, &then), 0);
    assert_int_equal(then.payment_state, PAYMENT_CAPTURING);
    reader_close(reader);
}

/* ---- Several warehouses ---- */

static struct order_quantity quantity(uint32_t line, uint32_t units)
{
    return (struct order_quantity){line, units};
}

static void a_warehouse_is_asked_before_anything_is_canceled(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    place(f, test_id(1), "tulips", 2);
    struct outbox_row ship = only_row(f, "warehouse/main", OUTBOX_SHIP);
    assert_int_equal(ship.line_count, 2);
    assert_int_equal(ship.lines[0].quantity, 2);
    assert_int_equal(ship.event, 1);
    assert_int_equal(ship_all(f, test_id(1), 50), ERR_STATE); /* not by the operator's hand */
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_int_equal(order(f)->status, ORDER_PLACED);
    assert_int_equal(last_event(order(f)).type, ORDER_EVENT_CANCEL_ASKED);
    expect_stock(f, "tulips", 3, 0, 2);
    /* Asked once. */
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_int_equal(order(f)->event_count, 2);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), ERR_STATE);
    struct outbox_row ask = only_row(f, "warehouse/main", OUTBOX_CANCEL);
    assert_int_equal(ask.line_count, 2);
    assert_int_equal(ask.event, 2);
    /* One tulip is packed already. */
    struct order_quantity gone[] = {quantity(1, 1), quantity(2, 9)};
    assert_int_equal(answer(f, ask.seq, OUTBOX_DELIVERED, gone, 2), 1);
    expect_event(f, 3, ORDER_EVENT_CANCELED, 4500);
    expect_event(f, 4, ORDER_EVENT_CANCEL_REFUSED, 0);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.basket.lines[0].canceled, 1);
    assert_int_equal(now.basket.lines[1].canceled, 1);
    assert_int_equal(now.allotments[0].canceled, 1);
    assert_int_equal(now.allotments[0].asked, 0);
    assert_int_equal(now.payment_state, PAYMENT_AUTHORISED);
    expect_stock(f, "tulips", 4, 0, 1);
    expect_clean_audit(f);
    /* The shopper has heard that it is too late; the operator may know better. */
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), ERR_STATE);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), 0);
    struct order_quantity last[] = {quantity(1, 1)};
    ask = only_row(f, "warehouse/main", OUTBOX_CANCEL);
    assert_int_equal(answer(f, ask.seq, OUTBOX_DELIVERED, last, 1), 1);
    now = read_order(f, test_id(1));
    assert_int_equal(now.status, ORDER_CANCELED);
    assert_int_equal(now.payment_state, PAYMENT_CANCELING);
    expect_clean_audit(f);
}

static void a_warehouse_that_will_not_is_heard(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    place(f, test_id(1), "tulips", 2);
    place(f, test_id(2), "tulips", 1);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), 0);
    answer_only(f, "warehouse/main", OUTBOX_CANCEL, OUTBOX_REFUSED);
    expect_event(f, 3, ORDER_EVENT_CANCEL_REFUSED, 0);
    expect_stock(f, "tulips", 2, 0, 3);
    struct outbox_row *rows;
    unsigned count;
    struct reader *reader;
    struct failure failure;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_outbox(reader, &f->arena, STR("warehouse/main"), 0, 10, &rows, &count),
                     0);
    assert_int_equal(count, 2);
    uint64_t first = rows[0].seq, second = rows[1].seq;
    reader_close(reader);
    /* It takes the one and will not ship the other at all. */
    assert_int_equal(answer(f, second, OUTBOX_DELIVERED, NULL, 0), 1);
    assert_int_equal(read_order(f, test_id(2)).event_count, 1);
    assert_int_equal(answer(f, first, OUTBOX_REFUSED, NULL, 0), 1);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.status, ORDER_CANCELED);
    expect_text(now.events[3].actor, "warehouse/main");
    expect_text(now.events[3].text, "said");
    expect_stock(f, "tulips", 4, 0, 1);
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(with_nobody_configured_nothing_leaves),
        TEST(platform_shopper_and_bank_are_told_of_an_order),
        TEST(without_a_total_there_is_nothing_to_pay),
        TEST(a_shopper_cancels_what_is_not_sent),
        TEST(a_shopper_cancels_all_or_nothing),
        TEST(the_operator_cancels_single_units),
        TEST(the_first_parcel_takes_the_money),
        TEST(a_parcel_counts_once),
        TEST(a_parcel_arrives_once),
        TEST(a_bank_that_cannot_take_it_leaves_it_to_a_person),
        TEST(money_is_taken_before_the_bank_lets_it_go),
        TEST(what_comes_back_is_sold_again_or_not),
        TEST(a_return_gives_back_what_the_operator_says),
        TEST(the_operator_gives_back_what_was_taken_and_no_more),
        TEST(what_cannot_be_given_back_is_not_tried_for_ever),
        TEST(an_answer_counts_once),
        TEST(answers_of_one_order_come_together),
        TEST(an_answer_that_is_no_text_changes_nothing),
        TEST(an_event_is_told_as_it_was_then),
        TEST(a_warehouse_is_asked_before_anything_is_canceled),
        TEST(a_warehouse_that_will_not_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
