#include "base/random.h"
#include "shop_fixture.h"

static const struct checkout *checkout(struct fixture *f)
{
    assert_int_equal(f->result.kind, RESULT_CHECKOUT);
    return &f->result.checkout;
}

static void hold_then_confirm_is_an_order(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 2, "US");
    assert_int_equal(hold(f, test_id(1), 6500), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_PAYING);
    assert_int_equal(checkout(f)->attempt, 1);
    assert_true(checkout(f)->hold_until_ms > f->now);
    assert_true(id_eq(checkout_payment_key(checkout(f)), test_id(1)));
    expect_stock(f, "tulips", 3, 2, 0);
    expect_clean_audit(f);
    assert_int_equal(confirm(f, test_id(1), 1), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_COMPLETED);
    assert_int_equal(checkout(f)->order_number, 1001);
    expect_text(checkout(f)->payment.reference, "auth_1");
    expect_stock(f, "tulips", 3, 0, 2);
    expect_clean_audit(f);

    struct reader *reader;
    struct failure failure;
    struct arena arena;
    struct order order, *orders;
    unsigned count;
    arena_init(&arena, 1 << 20);
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_order(reader, &arena, test_id(1), &order), 0);
    assert_int_equal(order.number, 1001);
    assert_int_equal(order.basket.lines[0].quantity, 2);
    expect_text(order.rate.key, "std-ship");
    expect_text(order.destination.country, "US");
    assert_int_equal(reader_order_by_number(reader, &arena, 1001, &order), 0);
    assert_true(id_eq(order.id, test_id(1)));
    assert_int_equal(reader_orders(reader, &arena, 0, 10, &orders, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(reader_orders(reader, &arena, 1001, 10, &orders, &count), 0);
    assert_int_equal(count, 0);
    reader_close(reader);
    arena_close(&arena);
}

static void release_gives_the_goods_back_and_says_why(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 2, "US");
    hold(f, test_id(1), 6500);
    assert_int_equal(release(f, test_id(1), 1), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
    assert_int_equal(checkout(f)->basket.message_count, 1);
    expect_text(checkout(f)->basket.messages[0].code, "payment_failed");
    expect_text(checkout(f)->basket.messages[0].content,
                "The payment failed: the card was refused.");
    expect_stock(f, "tulips", 5, 0, 0);
    assert_int_equal(release(f, test_id(1), 1), 0);
    expect_stock(f, "tulips", 5, 0, 0);
    assert_int_equal(confirm(f, test_id(1), 1), ERR_STATE);
    expect_clean_audit(f);
}

static void what_comes_late_from_a_refused_attempt_does_no_harm(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 2, "US");
    hold(f, test_id(1), 6500);
    release(f, test_id(1), 1);
    assert_int_equal(hold(f, test_id(1), 6500), 0);
    assert_int_equal(checkout(f)->attempt, 2);
    assert_false(id_eq(checkout_payment_key(checkout(f)), test_id(1)));
    assert_int_equal(release(f, test_id(1), 1), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_PAYING);
    assert_int_equal(confirm(f, test_id(1), 1), ERR_STATE);
    expect_stock(f, "tulips", 3, 2, 0);
    assert_int_equal(confirm(f, test_id(1), 2), 0);
    assert_int_equal(release(f, test_id(1), 2), ERR_STATE);
    expect_stock(f, "tulips", 3, 0, 2);
    expect_clean_audit(f);
}

static void all_lines_are_held_or_none(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "pot", 3);
    cart_add(f, test_id(1), "tulips", 3);
    checkout_from_cart(f, test_id(10), test_id(1));
    checkout_direct(f, test_id(11), "tulips", 3, "US");
    assert_int_equal(hold(f, test_id(11), -1), 0);
    assert_int_equal(hold(f, test_id(10), -1), ERR_SHORT);
    assert_int_equal(checkout(f)->status, CHECKOUT_INCOMPLETE);
    expect_text(checkout(f)->basket.messages[0].code, "out_of_stock");
    expect_text(checkout(f)->basket.messages[0].path, "$.line_items[1].quantity");
    expect_text(checkout(f)->basket.messages[0].content,
                "Only 2 of \"tulips\" are left; 3 were asked for.");
    expect_stock(f, "pot", 1000, 0, 0);
    release(f, test_id(11), 0);
    assert_int_equal(hold(f, test_id(10), -1), 0);
    expect_clean_audit(f);
}

static void lines_of_one_item_count_together(void **state)
{
    struct fixture *f = *state;
    struct command_line lines[] = {{.item_key = STR("tulips"), .quantity = 3},
                                   {.item_key = STR("tulips"), .quantity = 3}};
    struct command create = {.type = COMMAND_CHECKOUT_CREATE,
                             .checkout = {.id = test_id(1),
                                          .has_basket = true,
                                          .basket = {.lines = lines,
                                                     .line_count = 2,
                                                     .buyer = {.email = STR("jane@example.com")}},
                                          .has_fulfillment = true,
                                          .destinations = {{.country = STR("US")}},
                                          .destination_count = 1}};
    apply_command(f, &create);
    assert_int_equal(hold(f, test_id(1), -1), ERR_SHORT);
    expect_stock(f, "tulips", 5, 0, 0);
}

static void a_changed_price_is_shown_before_it_is_paid(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    put_item(f, "tulips", 3200, 5);
    assert_int_equal(hold(f, test_id(1), 3500), ERR_STATE);
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
    expect_text(checkout(f)->basket.messages[0].code, "price_changed");
    assert_int_equal(basket_total(&checkout(f)->basket, TOTAL_TOTAL), 3700);
    expect_stock(f, "tulips", 5, 0, 0);
    assert_int_equal(hold(f, test_id(1), 3700), 0);
    expect_clean_audit(f);
}

static void what_is_being_paid_cannot_be_changed(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    hold(f, test_id(1), -1);
    struct command update = {.type = COMMAND_CHECKOUT_UPDATE, .checkout = {.id = test_id(1)}};
    assert_int_equal(apply_command(f, &update), ERR_STATE);
    assert_int_equal(checkout(f)->status, CHECKOUT_PAYING);
    assert_int_equal(cancel(f, test_id(1)), ERR_STATE);
    assert_int_equal(hold(f, test_id(1), -1), 0);
    assert_int_equal(checkout(f)->attempt, 1);
    expect_stock(f, "tulips", 4, 1, 0);
}

static void two_tabs_make_one_order(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 1);
    checkout_from_cart(f, test_id(10), test_id(1));
    checkout_from_cart(f, test_id(11), test_id(1));
    struct id id = checkout(f)->id;
    assert_true(id_eq(id, test_id(10)));
    assert_int_equal(hold(f, id, -1), 0);
    assert_int_equal(hold(f, id, -1), 0);
    assert_int_equal(confirm(f, id, 1), 0);
    assert_int_equal(confirm(f, id, 1), 0);
    assert_int_equal(checkout(f)->order_number, 1001);
    /* A third tab that still shows the cart. */
    assert_int_equal(checkout_from_cart(f, test_id(12), test_id(1)), 0);
    assert_int_equal(checkout(f)->order_number, 1001);
    expect_stock(f, "tulips", 4, 0, 1);
    expect_clean_audit(f);
}

static void what_was_bought_leaves_the_cart(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 1);
    checkout_from_cart(f, test_id(10), test_id(1));
    hold(f, test_id(10), -1);
    cart_add(f, test_id(1), "tulips", 1);
    cart_add(f, test_id(1), "pot", 2);
    confirm(f, test_id(10), 1);
    assert_int_equal(cart_set(f, test_id(1), "pot", 1), 0);
    assert_int_equal(f->result.cart.basket.line_count, 2);
    assert_int_equal(f->result.cart.basket.lines[0].quantity, 1);
    assert_int_equal(checkout_from_cart(f, test_id(11), test_id(1)), 0);
    assert_true(id_eq(checkout(f)->id, test_id(11)));
}

/* Both halves of completing checkout 1, under one Idempotency-Key. */
static void keyed_completion(struct command *first, struct command *second)
{
    *first = (struct command){.type = COMMAND_CHECKOUT_HOLD,
                              .idempotency = IDEMPOTENCY_CHECK,
                              .idempotency_key = "k",
                              .idempotency_body = "b",
                              .complete = {.id = test_id(1), .expected_total = -1}};
    *second = *first;
    second->type = COMMAND_CHECKOUT_CONFIRM;
    second->idempotency = IDEMPOTENCY_KEEP;
}

static void a_keyed_completion_sent_twice_gives_the_same_answer(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    struct command first, second;
    keyed_completion(&first, &second);
    assert_int_equal(apply_command(f, &first), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_PAYING);
    assert_int_equal(apply_command(f, &second), 0);
    assert_false(f->result.replayed);
    assert_int_equal(apply_command(f, &first), 0);
    assert_true(f->result.replayed);
    assert_int_equal(checkout(f)->status, CHECKOUT_COMPLETED);
    assert_int_equal(checkout(f)->order_number, 1001);
    first.idempotency_body[0] = 'c';
    assert_int_equal(apply_command(f, &first), ERR_CONFLICT);
    expect_stock(f, "tulips", 4, 0, 1);
    expect_clean_audit(f);
}

static int claim(struct fixture *f, struct id id, uint32_t attempt)
{
    struct command command = {.type = COMMAND_CHECKOUT_CLAIM,
                              .complete = {.id = id, .attempt = attempt}};
    return apply_command(f, &command);
}

/* As the primary ends it, which has claimed it. */
static int end_claimed(struct fixture *f, enum command_type type, struct id id)
{
    struct command command = {.type = type, .complete = {.id = id, .attempt = 1, .claimed = true}};
    return apply_command(f, &command);
}

static void only_what_is_overdue_can_be_claimed(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 2, "US");
    assert_int_equal(claim(f, test_id(1), 0), ERR_STATE);
    hold(f, test_id(1), -1);
    assert_int_equal(claim(f, test_id(1), 1), ERR_STATE);
    f->now += 300000;
    assert_int_equal(claim(f, test_id(1), 2), ERR_STATE);
    assert_int_equal(claim(f, test_id(9), 1), ERR_NOTFOUND);
    assert_int_equal(claim(f, test_id(1), 1), 0);
    assert_true(checkout(f)->claimed);
    assert_int_equal(claim(f, test_id(1), 1), 0);
    assert_int_equal(end_claimed(f, COMMAND_CHECKOUT_CONFIRM, test_id(1)), 0);
    assert_false(checkout(f)->claimed);
    assert_int_equal(claim(f, test_id(1), 1), ERR_STATE);
    expect_clean_audit(f);
}

/* Place by place, those of one moment too. */
static void overdue_holds_are_listed_in_their_order(void **state)
{
    struct fixture *f = *state;
    struct reader *reader;
    struct failure failure;
    struct overdue_place after = {0}, *places;
    unsigned count;
    for (unsigned i = 1; i <= 4; i++) {
        checkout_direct(f, test_id(i), "tulips", 1, "US");
        f->now += i == 4 ? 1000 : 0;
        assert_int_equal(hold(f, test_id(i), -1), 0);
    }
    int64_t last = checkout(f)->hold_until_ms;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(reader_overdue(reader, &f->arena, last - 1, &after, &places, &count), 0);
        assert_int_equal(count, 4 - i);
        assert_true(id_eq(places[0].checkout, test_id(i)));
        after = places[0];
    }
    assert_int_equal(reader_overdue(reader, &f->arena, last - 1, &after, &places, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(reader_overdue(reader, &f->arena, last, &after, &places, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(places[0].hold_until_ms, last);
    reader_close(reader);
}

static void what_is_claimed_is_ended_by_the_primary_alone(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 2, "US");
    struct command first, second;
    keyed_completion(&first, &second);
    assert_int_equal(apply_command(f, &first), 0);
    f->now += 300000;
    assert_int_equal(claim(f, test_id(1), 1), 0);
    /* Its home and the shopper come too late; neither answer is kept, as it may yet end well. */
    assert_int_equal(apply_command(f, &second), ERR_STATE);
    assert_int_equal(checkout(f)->status, CHECKOUT_PAYING);
    assert_true(checkout(f)->claimed);
    assert_int_equal(release(f, test_id(1), 1), ERR_STATE);
    assert_int_equal(apply_command(f, &first), ERR_STATE);
    expect_text(f->result.text, "The payment is being settled; look again in a minute.");
    expect_stock(f, "tulips", 3, 2, 0);
    assert_int_equal(end_claimed(f, COMMAND_CHECKOUT_RELEASE, test_id(1)), 0);
    assert_false(checkout(f)->claimed);
    assert_int_equal(apply_command(f, &first), 0);
    assert_false(f->result.replayed);
    assert_int_equal(checkout(f)->attempt, 2);
    second.complete.attempt = 2;
    assert_int_equal(apply_command(f, &second), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_COMPLETED);
    expect_clean_audit(f);
}

/* A home that was slow ends its attempt after the primary has ended it and the shopper, through
 * another home and under the same key, has begun the next one. */
static void the_end_of_an_attempt_that_is_over_decides_nothing(void **state)
{
    struct fixture *f = *state;
    static const enum command_type ends[] = {COMMAND_CHECKOUT_RELEASE, COMMAND_CHECKOUT_CONFIRM};
    for (unsigned i = 0; i < 2; i++) {
        struct id id = test_id(1 + i);
        struct command first = {.type = COMMAND_CHECKOUT_HOLD,
                                .idempotency = IDEMPOTENCY_CHECK,
                                .idempotency_key = {'k', (unsigned char)i},
                                .idempotency_body = "b",
                                .complete = {.id = id, .expected_total = -1}};
        struct command late = first, second = first;
        checkout_direct(f, id, "tulips", 1, "US");
        assert_int_equal(apply_command(f, &first), 0);
        assert_int_equal(release(f, id, 1), 0);
        assert_int_equal(apply_command(f, &first), 0);
        assert_int_equal(checkout(f)->attempt, 2);
        late.type = ends[i];
        late.idempotency = second.idempotency = IDEMPOTENCY_KEEP;
        late.complete.attempt = 1;
        apply_command(f, &late);
        assert_int_equal(checkout(f)->status, CHECKOUT_PAYING);
        /* Asked again, the shopper is told of the attempt that is under way, and of its end. */
        assert_int_equal(apply_command(f, &first), 0);
        assert_false(f->result.replayed);
        second.type = COMMAND_CHECKOUT_CONFIRM;
        second.complete.attempt = 2;
        assert_int_equal(apply_command(f, &second), 0);
        assert_false(f->result.replayed);
        assert_int_equal(apply_command(f, &first), 0);
        assert_int_equal(checkout(f)->status, CHECKOUT_COMPLETED);
        expect_clean_audit(f);
    }
}

static void two_hundred_buyers_of_ten_units_make_ten_orders(void **state)
{
    struct fixture *f = *state;
    enum { BUYERS = 200 };
    unsigned orders = 0, sold_out = 0;
    for (unsigned i = 1; i <= BUYERS; i++)
        checkout_direct(f, test_id(i), "roses", 1, "US");
    struct random random;
    random_seed(&random, 3);
    unsigned held[BUYERS + 1] = {0};
    for (unsigned i = 1; i <= BUYERS; i++) {
        int err = hold(f, test_id(i), -1);
        held[i] = err == ERR_OK;
        if (err) {
            assert_int_equal(err, ERR_SHORT);
            sold_out++;
            continue;
        }
        /* Some are refused by their bank, and the next one gets the goods. */
        if (random_below(&random, 3) == 0) {
            assert_int_equal(release(f, test_id(i), 1), 0);
            held[i] = 0;
        }
    }
    for (unsigned i = 1; i <= BUYERS; i++)
        if (held[i] && confirm(f, test_id(i), 1) == ERR_OK)
            orders++;
    assert_int_equal(orders, 10);
    assert_true(sold_out > 150);
    expect_stock(f, "roses", 0, 0, 10);
    expect_clean_audit(f);
}

static void goods_retired_while_they_are_paid_for_are_still_sold(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 2, "US");
    hold(f, test_id(1), -1);
    struct command retire = {.type = COMMAND_PRODUCT_RETIRE, .key = STR("tulips")};
    assert_int_equal(apply_command(f, &retire), 0);
    assert_int_equal(confirm(f, test_id(1), 1), 0);
    expect_clean_audit(f);
    checkout_direct(f, test_id(2), "tulips", 2, "US");
    assert_int_equal(checkout(f)->status, CHECKOUT_INCOMPLETE);
    assert_int_equal(hold(f, test_id(2), -1), ERR_STATE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(hold_then_confirm_is_an_order),
        TEST(release_gives_the_goods_back_and_says_why),
        TEST(what_comes_late_from_a_refused_attempt_does_no_harm),
        TEST(all_lines_are_held_or_none),
        TEST(lines_of_one_item_count_together),
        TEST(a_changed_price_is_shown_before_it_is_paid),
        TEST(what_is_being_paid_cannot_be_changed),
        TEST(two_tabs_make_one_order),
        TEST(what_was_bought_leaves_the_cart),
        TEST(a_keyed_completion_sent_twice_gives_the_same_answer),
        TEST(only_what_is_overdue_can_be_claimed),
        TEST(overdue_holds_are_listed_in_their_order),
        TEST(what_is_claimed_is_ended_by_the_primary_alone),
        TEST(the_end_of_an_attempt_that_is_over_decides_nothing),
        TEST(two_hundred_buyers_of_ten_units_make_ten_orders),
        TEST(goods_retired_while_they_are_paid_for_are_still_sold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
