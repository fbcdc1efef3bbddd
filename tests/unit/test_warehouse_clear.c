/* Warehouses that are closed, or gone for good: who ships what they had to ship. */
#include "order_fixture.h"

static const struct id epoch = {{0xe1}};

/* The next report of WAREHOUSE, whose number is counted in *SEQUENCE when it is taken. */
static int report(struct fixture *f, const char *warehouse, uint64_t *sequence,
                  struct warehouse_report report)
{
    struct command command = {.type = COMMAND_WAREHOUSE_REPORT, .report = report};
    command.report.warehouse = str_of(warehouse);
    command.report.epoch = epoch;
    command.report.sequence = *sequence + 1;
    int err = apply_command(f, &command);
    *sequence += err == 0;
    return err;
}

struct houses {
    uint64_t main, south; /* reports taken */
};

static void arrive(struct fixture *f, const char *warehouse, uint64_t *sequence, int64_t quantity)
{
    struct warehouse_report arrived = {
        .kind = REPORT_ARRIVED, .item = STR("tulips"), .quantity = quantity};
    assert_int_equal(report(f, warehouse, sequence, arrived), 0);
}

static int ship(struct fixture *f, const char *warehouse, uint64_t *sequence, unsigned parcel,
                uint32_t quantity)
{
    struct order_quantity lines[] = {{1, quantity}};
    return report(f, warehouse, sequence,
                  (struct warehouse_report){.kind = REPORT_SHIPPED,
                                            .change = {.id = test_id(1),
                                                       .lines = lines,
                                                       .line_count = 1,
                                                       .parcel = {.id = test_id(parcel)}}});
}

static int put(struct fixture *f, const char *id, uint32_t position, bool closed, bool gone)
{
    struct command command = {.type = COMMAND_WAREHOUSE_PUT,
                              .warehouse = {.id = str_of(id),
                                            .name = str_of(id),
                                            .url = STR("https://127.0.0.1:1"),
                                            .position = position,
                                            .closed = closed,
                                            .gone = gone}};
    return apply_command(f, &command);
}

static void clear(struct fixture *f)
{
    for (unsigned i = 0; expire(f, 200) >= 200; i++)
        if (i > 1000)
            fail_msg("it is never cleared");
}

/* Order 1: 8 tulips that south is to ship; main has MORE of them since. */
static struct houses begin(struct fixture *f, int64_t more)
{
    struct houses houses = {0};
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrive(f, "south", &houses.south, 9);
    struct command line = {
        .type = COMMAND_CHECKOUT_CREATE,
        .checkout = {
            .id = test_id(1),
            .has_basket = true,
            .basket = {.lines = (struct command_line[]){{.item_key = STR("tulips"), .quantity = 8}},
                       .line_count = 1,
                       .buyer = {.email = STR("jane@example.com")}},
            .has_fulfillment = true,
            .destinations = {{.country = STR("US")}},
            .destination_count = 1}};
    assert_int_equal(apply_command(f, &line), 0);
    assert_int_equal(hold(f, test_id(1), -1), 0);
    assert_int_equal(confirm(f, test_id(1), 1), 0);
    assert_int_equal(only_row(f, "warehouse/south", OUTBOX_SHIP).lines[0].quantity, 8);
    if (more > 0)
        arrive(f, "main", &houses.main, more);
    return houses;
}

static void expect_allotment(struct fixture *f, const char *warehouse, uint32_t quantity,
                             uint32_t shipped, uint32_t canceled)
{
    struct order order = read_order(f, test_id(1));
    for (unsigned i = 0; i < order.allotment_count; i++) {
        const struct allotment *one = &order.allotments[i];
        if (!str_eq(one->warehouse, str_of(warehouse)))
            continue;
        if (one->quantity != quantity || one->shipped != shipped || one->canceled != canceled)
            fail_msg("%s was given %u, %u are shipped, %u canceled", warehouse, one->quantity,
                     one->shipped, one->canceled);
        return;
    }
    fail_msg("%s was given nothing", warehouse);
}

/* South's answer to the only question that it was asked: so many of line 1. */
static void answer_south(struct fixture *f, uint32_t units)
{
    struct order_quantity lines[] = {{1, units}};
    struct outbox_row row = only_row(f, "warehouse/south", OUTBOX_CANCEL);
    assert_int_equal(answer(f, row.seq, OUTBOX_DELIVERED, lines, 1), 1);
}

/* ---- Closed ---- */

static void what_a_closed_warehouse_gives_up_is_shipped_by_another(void **state)
{
    struct fixture *f = *state;
    struct houses houses = begin(f, 20);
    assert_int_equal(put(f, "south", 2, true, false), 0);
    clear(f);
    assert_int_equal(only_row(f, "warehouse/south", OUTBOX_CANCEL).lines[0].quantity, 8);
    assert_int_equal(rows_in(f, "warehouse/main"), 0); /* not before south has said so */
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), ERR_STATE);
    expect_clean_audit(f);
    answer_south(f, 8);
    expect_allotment(f, "south", 8, 0, 8);
    expect_allotment(f, "main", 8, 0, 0);
    assert_int_equal(only_row(f, "warehouse/main", OUTBOX_SHIP).lines[0].quantity, 8);
    expect_stock(f, "tulips", 26, 0, 8);
    expect_clean_audit(f);
    assert_int_equal(ship(f, "south", &houses.south, 91, 1), ERR_STATE);
    assert_int_equal(ship(f, "main", &houses.main, 92, 8), 0);
    struct order order = read_order(f, test_id(1));
    assert_int_equal(order.status, ORDER_SHIPPED);
    assert_int_equal(order.basket.lines[0].canceled, 0);
    expect_clean_audit(f);
}

static void a_closed_warehouse_ships_what_it_does_not_give_up(void **state)
{
    struct fixture *f = *state;
    struct houses houses = begin(f, 20);
    put(f, "south", 2, true, false);
    clear(f);
    assert_int_equal(ship(f, "south", &houses.south, 91, 2), 0); /* it had left already */
    answer_south(f, 3);
    expect_allotment(f, "south", 8, 2, 3);
    expect_allotment(f, "main", 3, 0, 0);
    expect_clean_audit(f);
    assert_int_equal(ship(f, "south", &houses.south, 92, 4), ERR_STATE);
    assert_int_equal(ship(f, "south", &houses.south, 92, 3), 0);
    assert_int_equal(ship(f, "main", &houses.main, 93, 3), 0);
    assert_int_equal(read_order(f, test_id(1)).status, ORDER_SHIPPED);
    expect_clean_audit(f);
}

static void what_no_other_has_stays_where_it_lies(void **state)
{
    struct fixture *f = *state;
    struct houses houses = begin(f, 0); /* main has 5 */
    put(f, "south", 2, true, false);
    clear(f);
    assert_int_equal(rows_in(f, "warehouse/south"), 1);
    assert_int_equal(ship(f, "south", &houses.south, 91, 8), 0);
    expect_clean_audit(f);
}

/* Each is told how many it was given in all: so it ships none twice, however often it is told. */
static void what_comes_back_to_a_warehouse_is_more_of_it(void **state)
{
    struct fixture *f = *state;
    struct houses houses = begin(f, 20);
    put(f, "south", 2, true, false);
    clear(f);
    answer_south(f, 8);
    answer_only(f, "warehouse/south", OUTBOX_SHIP, OUTBOX_DELIVERED);
    assert_int_equal(put(f, "south", 2, false, false), 0);
    assert_int_equal(put(f, "main", 1, true, false), 0);
    clear(f);
    struct order_quantity lines[] = {{1, 8}};
    struct outbox_row row = only_row(f, "warehouse/main", OUTBOX_CANCEL);
    answer(f, row.seq, OUTBOX_DELIVERED, lines, 1);
    assert_int_equal(only_row(f, "warehouse/south", OUTBOX_SHIP).lines[0].quantity, 16);
    expect_allotment(f, "south", 16, 0, 8);
    expect_clean_audit(f);
    assert_int_equal(ship(f, "south", &houses.south, 91, 8), 0);
    assert_int_equal(read_order(f, test_id(1)).status, ORDER_SHIPPED);
    expect_clean_audit(f);
}

/* A webhook about it says next week what it said today. */
static void an_order_is_what_it_was_as_of_an_event(void **state)
{
    struct fixture *f = *state;
    struct reader *reader;
    struct failure failure;
    struct order then;
    begin(f, 20);
    put(f, "south", 2, true, false);
    clear(f);
    answer_south(f, 8);
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_order_at(reader, &f->arena, test_id(1), 1, &then), 0);
    reader_close(reader);
    assert_int_equal(then.event_count, 1);
    for (unsigned i = 0; i < then.allotment_count; i++)
        assert_int_equal(then.allotments[i].quantity,
                         str_eq(then.allotments[i].warehouse, STR("south")) ? 8 : 0);
}

/* ---- Gone ---- */

static void what_a_warehouse_that_is_gone_had_to_ship_is_anothers(void **state)
{
    struct fixture *f = *state;
    struct houses houses = begin(f, 20);
    assert_int_equal(put(f, "south", 2, false, true), 0);
    clear(f);
    assert_int_equal(rows_in(f, "warehouse/south"), 0);
    assert_int_equal(only_row(f, "warehouse/main", OUTBOX_SHIP).lines[0].quantity, 8);
    expect_allotment(f, "south", 8, 0, 8);
    expect_stock(f, "tulips", 17, 0, 8); /* its 9 are counted away: 8 of the others' are sold */
    expect_clean_audit(f);
    assert_int_equal(ship(f, "south", &houses.south, 91, 8), ERR_DENIED);
    assert_int_equal(ship(f, "main", &houses.main, 92, 8), 0);
    expect_clean_audit(f);
    assert_int_equal(put(f, "south", 2, false, false), ERR_STATE);
    assert_int_equal(put(f, "south", 3, true, true), 0);
}

static void what_it_was_asked_to_cancel_is_canceled(void **state)
{
    struct fixture *f = *state;
    begin(f, 20);
    assert_int_equal(cancel_order(f, test_id(1), "shopper"), 0);
    assert_int_equal(put(f, "south", 2, false, true), 0);
    clear(f);
    assert_int_equal(read_order(f, test_id(1)).status, ORDER_CANCELED);
    assert_int_equal(rows_in(f, "warehouse/south") + rows_in(f, "warehouse/main"), 0);
    expect_stock(f, "tulips", 25, 0, 0);
    expect_clean_audit(f);
}

static void a_closed_one_that_never_answers_can_be_said_to_be_gone(void **state)
{
    struct fixture *f = *state;
    begin(f, 20);
    put(f, "south", 2, true, false);
    clear(f);
    assert_int_equal(put(f, "south", 2, true, true), 0);
    clear(f);
    expect_allotment(f, "main", 8, 0, 0);
    assert_int_equal(rows_in(f, "warehouse/south"), 0);
    expect_clean_audit(f);
}

static void somebody_must_be_there_to_ship(void **state)
{
    struct fixture *f = *state;
    begin(f, 20);
    assert_int_equal(put(f, "main", 1, false, true), ERR_STATE);
    assert_int_equal(put(f, "north", 3, false, true), ERR_NOTFOUND);
    put(f, "main", 1, true, false);
    assert_int_equal(put(f, "south", 2, false, true), ERR_STATE);
    clear(f);
    expect_clean_audit(f);
}

static void what_is_gone_is_never_the_main_one(void **state)
{
    struct fixture *f = *state;
    begin(f, 20);
    assert_int_equal(put(f, "south", 0, false, true), ERR_STATE);
    assert_int_equal(put(f, "south", 2, false, true), 0);
    clear(f);
    assert_int_equal(put(f, "south", 1, false, true), 0); /* after main: by their ids */
    assert_int_equal(put(f, "south", 0, false, true), ERR_STATE);
    assert_int_equal(put(f, "main", 3, false, false), ERR_STATE);
    assert_int_equal(put(f, "north", 0, false, false), 0);
    assert_int_equal(put(f, "main", 3, false, false), 0);
    expect_clean_audit(f);
}

/* Main has enough for one of two orders, each of which it could ship: the other stays with whoever
 * has its goods. */
static void what_others_have_is_given_to_them_once(void **state)
{
    struct fixture *f = *state;
    uint64_t south = 0, main = 0;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrive(f, "south", &south, 95); /* main has 5, of the fixture */
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(checkout_direct(f, test_id(i), "tulips", 40, "US"), 0);
        assert_int_equal(hold(f, test_id(i), -1), 0);
        assert_int_equal(confirm(f, test_id(i), 1), 0);
    }
    arrive(f, "main", &main, 40);
    assert_int_equal(put(f, "south", 2, true, false), 0);
    clear(f);
    for (unsigned left = rows_in(f, "warehouse/south"); left > 0; left--) {
        struct reader *reader;
        struct failure failure;
        struct outbox_row *rows;
        unsigned count;
        assert_int_equal(reader_open(f->file, &reader, &failure), 0);
        assert_int_equal(
            reader_outbox(reader, &f->arena, STR("warehouse/south"), 0, 1, &rows, &count), 0);
        struct outbox_row row = rows[0];
        struct order_quantity lines[] = {{1, 40}};
        reader_close(reader);
        answer(f, row.seq, OUTBOX_DELIVERED, lines, row.kind == OUTBOX_CANCEL);
    }
    assert_int_equal(rows_in(f, "warehouse/main"), 1);
    struct outbox_row again = only_row(f, "warehouse/south", OUTBOX_SHIP);
    assert_int_equal(again.lines[0].quantity, 80);
    expect_clean_audit(f);
}

/* More than one step takes, in the same way whatever shares a transaction. */
static void many_orders_are_cleared_step_by_step(void **state)
{
    struct fixture *f = *state;
    uint64_t south = 0;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrive(f, "south", &south, 400);
    for (unsigned i = 1; i <= 120; i++) {
        assert_int_equal(checkout_direct(f, test_id(i), "tulips", 3, "US"), 0);
        assert_int_equal(hold(f, test_id(i), -1), 0);
        assert_int_equal(confirm(f, test_id(i), 1), 0);
    }
    assert_int_equal(put(f, "south", 2, false, true), 0);
    assert_int_equal(expire(f, 200), 200);
    clear(f);
    assert_int_equal(rows_in(f, "warehouse/south"), 0);
    assert_int_equal(rows_in(f, "warehouse/main"), 100); /* as many as one look shows */
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(what_a_closed_warehouse_gives_up_is_shipped_by_another),
        TEST(a_closed_warehouse_ships_what_it_does_not_give_up),
        TEST(what_no_other_has_stays_where_it_lies),
        TEST(what_comes_back_to_a_warehouse_is_more_of_it),
        TEST(an_order_is_what_it_was_as_of_an_event),
        TEST(what_a_warehouse_that_is_gone_had_to_ship_is_anothers),
        TEST(what_it_was_asked_to_cancel_is_canceled),
        TEST(a_closed_one_that_never_answers_can_be_said_to_be_gone),
        TEST(somebody_must_be_there_to_ship),
        TEST(what_others_have_is_given_to_them_once),
        TEST(what_is_gone_is_never_the_main_one),
        TEST(many_orders_are_cleared_step_by_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
