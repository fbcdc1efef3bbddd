#include "shop_fixture.h"

static const struct checkout *checkout(struct fixture *f)
{
    assert_int_equal(f->result.kind, RESULT_CHECKOUT);
    return &f->result.checkout;
}

static bool says(struct fixture *f, const char *code, const char *path)
{
    const struct basket *basket = &checkout(f)->basket;
    for (unsigned i = 0; i < basket->message_count; i++)
        if (str_eq(basket->messages[i].code, str_of(code)) &&
            str_eq(basket->messages[i].path, str_of(path)))
            return true;
    return false;
}

static int64_t total(struct fixture *f)
{
    return basket_total(&checkout(f)->basket, TOTAL_TOTAL);
}

static int update(struct fixture *f, struct checkout_input input)
{
    struct command command = {.type = COMMAND_CHECKOUT_UPDATE, .checkout = input};
    return apply_command(f, &command);
}

static void what_is_missing_is_said(void **state)
{
    struct fixture *f = *state;
    struct command create = {.type = COMMAND_CHECKOUT_CREATE, .checkout = {.id = test_id(1)}};
    assert_int_equal(apply_command(f, &create), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_INCOMPLETE);
    assert_true(says(f, "missing", "$.line_items"));
    assert_true(says(f, "missing", "$.buyer.email"));

    struct command_line line = {.item_key = STR("tulips"), .quantity = 1};
    struct checkout_input input = {
        .id = test_id(1),
        .has_basket = true,
        .basket = {.lines = &line, .line_count = 1, .buyer = {.email = STR("jane")}}};
    assert_int_equal(update(f, input), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_INCOMPLETE);
    assert_true(says(f, "invalid", "$.buyer.email"));
    assert_true(says(f, "missing", "$.fulfillment.methods[0].selected_destination_id"));
    assert_int_equal(total(f), 3000);

    input.basket.buyer.email = STR("jane@example.com");
    input.has_fulfillment = true;
    input.destination_count = 1;
    input.destinations[0].country = STR("FR");
    assert_int_equal(update(f, input), 0);
    assert_true(says(f, "address_undeliverable", "$.fulfillment.methods[0].destinations[0]"));

    input.has_basket = false;
    input.destinations[0].country = STR("US");
    assert_int_equal(update(f, input), 0);
    assert_int_equal(checkout(f)->basket.message_count, 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
    expect_text(checkout(f)->selected_rate, "std-ship");
    expect_text(checkout(f)->destinations[0].id, "dest_1");
    assert_int_equal(total(f), 3500);
    expect_clean_audit(f);
}

static void one_of_several_addresses_has_to_be_chosen(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    struct checkout_input input = {.id = test_id(1),
                                   .has_fulfillment = true,
                                   .destinations = {{.id = STR("a"), .country = STR("US")},
                                                    {.id = STR("b"), .country = STR("US")}},
                                   .destination_count = 2};
    update(f, input);
    assert_int_equal(checkout(f)->status, CHECKOUT_INCOMPLETE);
    input.selected_destination = STR("b");
    update(f, input);
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
    assert_int_equal(checkout(f)->selected_destination, 1);
}

static void what_needs_no_shipping_needs_no_address(void **state)
{
    struct fixture *f = *state;
    struct variant variant = {.price = 900, .picture = -1};
    struct command put = {.type = COMMAND_PRODUCT_PUT,
                          .product = {.handle = STR("voucher"),
                                      .title = STR("Voucher"),
                                      .published = true,
                                      .variants = &variant,
                                      .variant_count = 1}};
    assert_int_equal(apply_command(f, &put), 0);
    struct command_line line = {.item_key = STR("voucher"), .quantity = 3};
    struct command create = {.type = COMMAND_CHECKOUT_CREATE,
                             .checkout = {.id = test_id(1),
                                          .has_basket = true,
                                          .basket = {.lines = &line,
                                                     .line_count = 1,
                                                     .buyer = {.email = STR("jane@example.com")}}}};
    assert_int_equal(apply_command(f, &create), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
    assert_int_equal(total(f), 2700);
    assert_int_equal(hold(f, test_id(1), 2700), 0);
    assert_int_equal(confirm(f, test_id(1), 1), 0);
    expect_clean_audit(f);
}

static void what_is_sold_out_stands_in_the_way(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "gardenias", 1, "US");
    assert_int_equal(checkout(f)->status, CHECKOUT_INCOMPLETE);
    assert_true(says(f, "out_of_stock", "$.line_items[0].quantity"));
    checkout_direct(f, test_id(2), "pink_wumpus", 1, "US");
    assert_true(says(f, "not_found", "$.line_items[0].item.id"));
}

static void the_same_creation_twice_is_one_checkout(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    assert_int_equal(checkout_direct(f, test_id(1), "roses", 9, "US"), 0);
    assert_int_equal(checkout(f)->version, 1);
    assert_int_equal(total(f), 3500);
}

static void a_cart_wins_over_the_payload_and_becomes_one_checkout(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 2);
    struct command_line line = {.item_key = STR("pot"), .quantity = 9};
    struct command create = {.type = COMMAND_CHECKOUT_CREATE,
                             .checkout = {.id = test_id(10),
                                          .cart_id = test_id(1),
                                          .has_basket = true,
                                          .basket = {.lines = &line, .line_count = 1}}};
    assert_int_equal(apply_command(f, &create), 0);
    assert_int_equal(total(f), 6000);
    create.checkout.id = test_id(11);
    assert_int_equal(apply_command(f, &create), 0);
    assert_true(id_eq(checkout(f)->id, test_id(10)));
    assert_int_equal(checkout(f)->version, 1);
    create.checkout.cart_id = test_id(99);
    assert_int_equal(apply_command(f, &create), ERR_NOTFOUND);
}

static void a_cart_that_has_changed_since_is_taken_again(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 2);
    checkout_from_cart(f, test_id(10), test_id(1));
    cart_add(f, test_id(1), "pot", 1);
    assert_int_equal(checkout_from_cart(f, test_id(11), test_id(1)), 0);
    assert_true(id_eq(checkout(f)->id, test_id(10)));
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
    expect_text(checkout(f)->basket.buyer.email, "jane@example.com");
    assert_int_equal(total(f), 6000 + 1500 + 500);
}

static void a_change_of_the_checkout_shows_in_its_cart(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 2);
    cart_add(f, test_id(1), "pot", 1);
    checkout_from_cart(f, test_id(10), test_id(1));
    struct command_line line = {.item_key = STR("tulips"), .quantity = 1, .line_id = 1};
    struct checkout_input input = {
        .id = test_id(10), .has_basket = true, .basket = {.lines = &line, .line_count = 1}};
    assert_int_equal(update(f, input), 0);
    uint64_t version = checkout(f)->version;
    checkout_from_cart(f, test_id(11), test_id(1));
    assert_int_equal(checkout(f)->version, version);
    assert_int_equal(cart_add(f, test_id(1), "tulips", 1), 0);
    assert_int_equal(f->result.cart.basket.line_count, 1);
    assert_int_equal(f->result.cart.basket.lines[0].quantity, 2);
}

static void what_came_into_the_cart_since_outlives_a_change_of_the_checkout(void **state)
{
    struct fixture *f = *state;
    struct command show = {
        .type = COMMAND_CART_SET,
        .cart_item = {.id = test_id(5), .item_key = STR("roses"), .quantity = 1}};
    struct command_line line = {.item_key = STR("roses"), .quantity = 1};
    cart_add(f, test_id(5), "roses", 1);
    checkout_from_cart(f, test_id(1), test_id(5));
    assert_int_equal(cart_add(f, test_id(5), "pot", 1), 0);
    /* The other tab goes on with the address. */
    assert_int_equal(
        update(f, (struct checkout_input){.id = test_id(1),
                                          .has_basket = true,
                                          .basket = {.lines = &line,
                                                     .line_count = 1,
                                                     .buyer = {.email = STR("a@b.example")}}}),
        0);
    assert_int_equal(f->result.checkout.basket.line_count, 1);
    assert_int_equal(apply_command(f, &show), 0);
    assert_int_equal(f->result.cart.basket.line_count, 2);
    checkout_from_cart(f, test_id(2), test_id(5));
    assert_true(id_eq(f->result.checkout.id, test_id(1)));
    assert_int_equal(f->result.checkout.basket.line_count, 2);
}

static void long_titles_are_cut_between_characters(void **state)
{
    struct fixture *f = *state;
    char title[SHOP_TEXT_MAX + 1] = "x";
    for (size_t i = 1; i + 2 < sizeof title; i += 2)
        memcpy(title + i, "\u00e9", 3);
    struct variant variant = {.price = 1, .picture = -1, .tracked = true};
    struct command put = {.type = COMMAND_PRODUCT_PUT,
                          .product = {.handle = STR("long"),
                                      .title = str_of(title),
                                      .published = true,
                                      .variants = &variant,
                                      .variant_count = 1}};
    assert_int_equal(apply_command(f, &put), 0);
    checkout_direct(f, test_id(1), "long", 1, "US");
    assert_true(str_is_utf8(checkout(f)->basket.messages[0].content));
    put.type = COMMAND_PRODUCT_RETIRE;
    put.key = STR("long");
    assert_int_equal(apply_command(f, &put), 0);
    assert_int_equal(cart_add(f, test_id(1), "long", 1), ERR_STATE);
    assert_true(str_is_utf8(f->result.text));
}

static void a_canceled_checkout_leaves_its_cart_for_another(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 2);
    checkout_from_cart(f, test_id(10), test_id(1));
    assert_int_equal(cancel(f, test_id(10)), 0);
    assert_int_equal(checkout(f)->status, CHECKOUT_CANCELED);
    assert_int_equal(cancel(f, test_id(10)), ERR_STATE);
    assert_int_equal(hold(f, test_id(10), -1), ERR_STATE);
    assert_int_equal(checkout_from_cart(f, test_id(11), test_id(1)), 0);
    assert_true(id_eq(checkout(f)->id, test_id(11)));
    assert_int_equal(checkout(f)->status, CHECKOUT_READY);
}

static void a_checkout_is_gone_after_its_time_unless_it_is_being_paid(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    checkout_direct(f, test_id(2), "tulips", 1, "US");
    hold(f, test_id(2), -1);
    f->now += 7 * 3600 * 1000;
    assert_int_equal(hold(f, test_id(1), -1), ERR_NOTFOUND);
    assert_int_equal(expire(f, 100), 1);
    expect_stock(f, "tulips", 4, 1, 0);
    assert_int_equal(confirm(f, test_id(2), 1), 0);
    expect_clean_audit(f);
}

static void an_order_outlives_its_checkout(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 1, "US");
    hold(f, test_id(1), -1);
    confirm(f, test_id(1), 1);
    f->now += 31ll * 24 * 3600 * 1000;
    assert_int_equal(expire(f, 100), 2); /* and its money is taken before it lapses */
    assert_int_equal(confirm(f, test_id(1), 1), 0);
    assert_int_equal(f->result.kind, RESULT_ORDER);
    assert_int_equal(f->result.order.number, 1001);
    assert_int_equal(checkout_direct(f, test_id(1), "tulips", 1, "US"), ERR_STATE);
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_missing_is_said),
        TEST(one_of_several_addresses_has_to_be_chosen),
        TEST(what_needs_no_shipping_needs_no_address),
        TEST(what_is_sold_out_stands_in_the_way),
        TEST(the_same_creation_twice_is_one_checkout),
        TEST(a_cart_wins_over_the_payload_and_becomes_one_checkout),
        TEST(a_cart_that_has_changed_since_is_taken_again),
        TEST(a_change_of_the_checkout_shows_in_its_cart),
        TEST(what_came_into_the_cart_since_outlives_a_change_of_the_checkout),
        TEST(long_titles_are_cut_between_characters),
        TEST(a_canceled_checkout_leaves_its_cart_for_another),
        TEST(a_checkout_is_gone_after_its_time_unless_it_is_being_paid),
        TEST(an_order_outlives_its_checkout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
