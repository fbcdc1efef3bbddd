/* How much may happen to an order: what people ask for is bounded, what others tell is not. */
#include "order_fixture.h"

static const struct order *order(struct fixture *f)
{
    assert_int_equal(f->result.kind, RESULT_ORDER);
    return &f->result.order;
}

static struct order_quantity quantity(uint32_t line, uint32_t units)
{
    return (struct order_quantity){line, units};
}

/* Whether the page of the first order has the button. */
static bool is_offered(struct fixture *f)
{
    struct order now = read_order(f, test_id(1));
    return order_can_be_canceled(&now);
}

/* ---- Asked again ---- */

/* Presses the button as often as an impatient shopper; each question is refused at once. */
static unsigned ask_and_be_refused(struct fixture *f, const char *actor)
{
    unsigned taken = 0;
    while (taken < ORDER_EVENTS_MAX && cancel_order(f, test_id(1), actor) == 0) {
        answer_only(f, "warehouse/main", OUTBOX_CANCEL, OUTBOX_DELIVERED);
        taken++;
    }
    return taken;
}

static void what_was_too_late_is_not_asked_for_ever(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    place(f, test_id(1), "tulips", 2);
    assert_true(is_offered(f));
    assert_int_equal(ask_and_be_refused(f, "shopper"), 1);
    assert_int_equal(f->result.err, ERR_STATE);
    assert_false(is_offered(f));
    assert_true(f->result.text.len > 0);
    assert_int_equal(read_order(f, test_id(1)).event_count, 3);
    assert_int_equal(rows_in(f, "warehouse/main"), 1); /* the order itself */
    unsigned more = ask_and_be_refused(f, "operator");
    assert_true(more >= 1 && more <= 20);
    assert_int_equal(f->result.err, ERR_STATE);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), ERR_STATE);
    assert_int_equal(read_order(f, test_id(1)).event_count, 3 + 2 * more);
    expect_clean_audit(f);
}

/* The operator had the one line asked for and was refused; the other is asked for yet. */
static void what_was_not_too_late_can_still_be_canceled(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(cancel_line(f, test_id(1), 1, 2), 0);
    assert_true(is_offered(f)); /* the other line */
    answer_only(f, "warehouse/main", OUTBOX_CANCEL, OUTBOX_REFUSED);
    assert_true(is_offered(f));
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_false(is_offered(f));
    struct order_event asked = last_event(order(f));
    assert_int_equal(asked.type, ORDER_EVENT_CANCEL_ASKED);
    assert_int_equal(asked.line_count, 1);
    assert_int_equal(asked.lines[0].line_id, 2);
    /* Asked already: nothing more happens. */
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_int_equal(order(f)->event_count, asked.number);
    expect_clean_audit(f);
}

/* Before something was sent, and as long as something is left. */
static void canceling_is_offered_as_long_as_it_can_be_done(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 2);
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), 0);
    assert_true(is_offered(f));
    assert_int_equal(ship_line(f, test_id(1), 50, 1, 1), 0);
    assert_false(is_offered(f));
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), ERR_STATE);
    place(f, test_id(2), "tulips", 1);
    assert_int_equal(cancel_order(f, test_id(2), "shopper"), 0);
    struct order gone = read_order(f, test_id(2));
    assert_false(order_can_be_canceled(&gone));
}

/* ---- Bounds ---- */

static void what_is_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    static char text[SHOP_TEXT_MAX + 2];
    memset(text, 'x', SHOP_TEXT_MAX + 1);
    place(f, test_id(1), "tulips", 2);
    struct order_change bad[] = {
        {.text = str_of(text)},
        {.actor = str_of(text)},
        {.text = STR("\xff")},
        {.parcel = {.carrier = str_of(text)}},
        {.parcel = {.tracking = str_of(text)}},
        {.parcel = {.tracking_url = str_of(text)}},
        {.parcel = {.warehouse = str_of(text)}},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        for (enum command_type type = COMMAND_ORDER_CANCEL; type <= COMMAND_ORDER_REFUND; type++) {
            bad[i].id = test_id(1);
            if (change(f, type, bad[i]) != ERR_INVALID)
                fail_msg("%zu: %s", i, command_name(type));
        }
    struct order_quantity twice[] = {quantity(1, 1), quantity(1, 1)};
    assert_int_equal(
        change(f, COMMAND_ORDER_CANCEL,
               (struct order_change){.id = test_id(1), .lines = twice, .line_count = 2}),
        ERR_INVALID);
    assert_int_equal(read_order(f, test_id(1)).event_count, 1);
    expect_clean_audit(f);
}

static uint64_t first_row(struct fixture *f, const char *lane)
{
    struct outbox_row *rows;
    unsigned count;
    struct reader *reader;
    struct failure failure;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_outbox(reader, &f->arena, str_of(lane), 0, 1, &rows, &count), 0);
    assert_int_equal(count, 1);
    reader_close(reader);
    return rows[0].seq;
}

/* Warehouse main's report NUMBER, of UNITS of line 1 of the first order. */
static int report(struct fixture *f, enum report_kind kind, uint64_t number, uint32_t units,
                  unsigned parcel)
{
    struct order_quantity lines[] = {quantity(1, units)};
    struct command command = {.type = COMMAND_WAREHOUSE_REPORT,
                              .report = {.warehouse = STR("main"),
                                         .epoch = test_id(99),
                                         .sequence = number,
                                         .kind = kind,
                                         .change = {.id = test_id(1),
                                                    .lines = lines,
                                                    .line_count = units > 0,
                                                    .restock = true}}};
    if (parcel)
        command.report.change.parcel.id = test_id(parcel);
    return apply_command(f, &command);
}

static void an_order_has_so_many_events_and_no_more(void **state)
{
    struct fixture *f = *state;
    place(f, test_id(1), "tulips", 3);
    assert_int_equal(ship_all(f, test_id(1), 50), 0);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    unsigned refunds = 0;
    while (refunds < ORDER_EVENTS_MAX && refund(f, test_id(1), 1) == 0)
        refunds++;
    assert_int_equal(f->result.err, ERR_FULL);
    assert_int_equal(rows_in(f, "bank"), 100); /* as many as are read at once */
    struct order now = read_order(f, test_id(1));
    assert_int_equal(now.refunding, refunds);
    assert_true(now.event_count < ORDER_EVENTS_MAX / 2 + 2);
    for (unsigned i = 0; i < refunds; i++) {
        assert_int_equal(answer(f, first_row(f, "bank"), OUTBOX_DELIVERED, NULL, 0), 1);
    }
    now = read_order(f, test_id(1));
    assert_int_equal(now.refunded, refunds);
    assert_true(now.event_count < ORDER_EVENTS_MAX);
    expect_clean_audit(f);
}

/* All that a person can ask for is asked for; then everything that a warehouse may tell. */
static void what_others_tell_always_has_room(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;
    put_warehouse(f, "main", 1);
    place(f, test_id(1), "tulips", 4);
    place(f, test_id(2), "roses", 1);
    assert_int_equal(report(f, REPORT_SHIPPED, ++number, 1, 50), 0);
    answer_only(f, "bank", OUTBOX_CAPTURE, OUTBOX_DELIVERED);
    while (refund(f, test_id(1), 1) == 0)
        answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED);
    assert_int_equal(f->result.err, ERR_FULL);
    assert_int_equal(cancel_order(f, test_id(1), "operator"), ERR_FULL);
    assert_int_equal(return_line(f, test_id(1), 1, 1, -1, true), ERR_FULL);
    assert_int_equal(report(f, REPORT_DELIVERED, ++number, 0, 50), 0);
    assert_int_equal(report(f, REPORT_SHIPPED, ++number, 1, 51), 0);
    assert_int_equal(report(f, REPORT_DELIVERED, ++number, 0, 51), 0);
    assert_int_equal(report(f, REPORT_SHORT, ++number, 1, 0), 0);
    assert_int_equal(answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_DELIVERED).order_number, 1001);
    assert_int_equal(report(f, REPORT_RETURNED, ++number, 1, 0), 0);
    answer_only(f, "bank", OUTBOX_REFUND, OUTBOX_REFUSED);
    struct order now = read_order(f, test_id(1));
    assert_int_equal(last_event(&now).type, ORDER_EVENT_REFUND_FAILED);
    assert_int_equal(now.basket.lines[0].fulfilled, 2);
    assert_int_equal(now.basket.lines[0].returned, 1);
    /* It will not send the rest at all. */
    assert_int_equal(rows_in(f, "warehouse/main"), 2);
    answer(f, first_row(f, "warehouse/main"), OUTBOX_REFUSED, NULL, 0);
    assert_int_equal(read_order(f, test_id(1)).status, ORDER_SHIPPED);
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(what_was_too_late_is_not_asked_for_ever),
        TEST(what_was_not_too_late_can_still_be_canceled),
        TEST(canceling_is_offered_as_long_as_it_can_be_done),
        TEST(what_is_too_long_is_refused),
        TEST(an_order_has_so_many_events_and_no_more),
        TEST(what_others_tell_always_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
