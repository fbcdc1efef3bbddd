#include "shop_fixture.h"

static const struct cart *cart(struct fixture *f)
{
    assert_int_equal(f->result.kind, RESULT_CART);
    return &f->result.cart;
}

static void adding_makes_the_cart_and_adds_up(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cart_add(f, test_id(1), "tulips", 1), 0);
    assert_int_equal(cart(f)->version, 1);
    assert_int_equal(cart_add(f, test_id(1), "tulips", 2), 0);
    assert_int_equal(cart_add(f, test_id(1), "pot", 1), 0);
    assert_int_equal(cart(f)->version, 3);
    assert_int_equal(cart(f)->basket.line_count, 2);
    assert_int_equal(cart(f)->basket.lines[0].quantity, 3);
    expect_text(cart(f)->basket.lines[1].title, "pot");
    assert_int_equal(basket_total(&cart(f)->basket, TOTAL_TOTAL), 3 * 3000 + 1500);
}

static int add_from(struct fixture *f, struct server_set home)
{
    struct command command = {
        .type = COMMAND_CART_ADD,
        .home = home,
        .cart_item = {.id = test_id(1), .item_key = STR("tulips"), .quantity = 1}};
    return apply_command(f, &command);
}

/* Whoever changes the cart without knowing it leaves it as it is. */
static void a_cart_keeps_where_its_shopper_belongs(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cart_add(f, test_id(1), "tulips", 1), 0);
    assert_int_equal(cart(f)->home.count, 0);
    assert_int_equal(add_from(f, (struct server_set){3, {2, 3, 1}}), 0);
    assert_int_equal(cart_set(f, test_id(1), "tulips", 4), 0);
    assert_int_equal(cart(f)->home.count, 3);
    assert_int_equal(cart(f)->home.servers[0], 2);
    assert_int_equal(cart(f)->home.servers[2], 1);
    assert_int_equal(add_from(f, (struct server_set){1, {UINT64_MAX}}), 0);
    assert_int_equal(cart(f)->home.count, 1);
    assert_true(cart(f)->home.servers[0] == UINT64_MAX);
    assert_int_equal(cart(f)->basket.lines[0].quantity, 5);
}

static void setting_replaces_and_nought_takes_out(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 1);
    cart_add(f, test_id(1), "pot", 1);
    assert_int_equal(cart_set(f, test_id(1), "pot", 7), 0);
    assert_int_equal(cart(f)->basket.lines[1].quantity, 7);
    uint32_t line_id = cart(f)->basket.lines[1].line_id;
    assert_int_equal(cart_set(f, test_id(1), "tulips", 0), 0);
    assert_int_equal(cart(f)->basket.line_count, 1);
    assert_int_equal(cart(f)->basket.lines[0].line_id, line_id);
    assert_int_equal(cart_set(f, test_id(2), "pot", 1), ERR_NOTFOUND);
}

static void an_item_that_is_not_there_cannot_be_added(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cart_add(f, test_id(1), "pink_wumpus", 1), ERR_NOTFOUND);
    assert_int_equal(cart_set(f, test_id(1), "pot", 1), ERR_NOTFOUND);
    assert_int_equal(cart_add(f, test_id(1), "pot", 0), ERR_INVALID);
    assert_int_equal(cart_add(f, test_id(1), "pot", SHOP_QUANTITY_MAX), 0);
    assert_int_equal(cart_add(f, test_id(1), "pot", 1), ERR_INVALID);
}

static void more_than_is_in_stock_is_only_a_warning(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cart_add(f, test_id(1), "tulips", 6), 0);
    assert_int_equal(cart(f)->basket.message_count, 1);
    assert_int_equal(cart(f)->basket.messages[0].type, MESSAGE_WARNING);
    expect_text(cart(f)->basket.messages[0].code, "out_of_stock");
    expect_text(cart(f)->basket.messages[0].path, "$.line_items[0].quantity");
    expect_text(cart(f)->basket.messages[0].content,
                "Only 5 of \"tulips\" are left; 6 were asked for.");
    expect_stock(f, "tulips", 5, 0, 0);
}

static void putting_replaces_the_whole_and_says_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 1);
    struct command_line lines[] = {
        {.item_key = STR("pink_wumpus"), .quantity = 1}, {.item_key = STR("roses"), .quantity = 6},
        {.item_key = STR("roses"), .quantity = 6},       {.item_key = STR("pot"), .quantity = 0},
        {.item_key = STR("gardenias"), .quantity = 1},
    };
    struct command put = {.type = COMMAND_CART_PUT,
                          .cart_put = {.id = test_id(1),
                                       .must_exist = true,
                                       .basket = {.lines = lines,
                                                  .line_count = COUNT_OF(lines),
                                                  .codes = {STR(" 10off ")},
                                                  .code_count = 1}}};
    assert_int_equal(apply_command(f, &put), 0);
    const struct basket *basket = &cart(f)->basket;
    assert_int_equal(basket->line_count, 4);
    assert_int_equal(basket->message_count, 3);
    expect_text(basket->messages[0].code, "not_found");
    expect_text(basket->messages[0].path, "$.line_items[0].item.id");
    expect_text(basket->messages[1].content, "Only 10 of \"roses\" are left; 12 were asked for.");
    expect_text(basket->messages[2].content, "\"gardenias\" is sold out.");
    assert_int_equal(basket_total(basket, TOTAL_ITEMS_DISCOUNT), -(12 * 3500 + 2000) / 10);
    put.cart_put.id = test_id(9);
    assert_int_equal(apply_command(f, &put), ERR_NOTFOUND);
    lines[1].quantity = SHOP_QUANTITY_MAX + 1;
    put.cart_put.id = test_id(1);
    assert_int_equal(apply_command(f, &put), ERR_INVALID);
}

static void a_canceled_cart_is_gone_and_adding_begins_it_anew(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 1);
    assert_int_equal(cart_cancel(f, test_id(1)), 0);
    assert_true(cart(f)->canceled);
    assert_int_equal(cart(f)->basket.line_count, 1);
    assert_int_equal(cart_set(f, test_id(1), "tulips", 2), ERR_NOTFOUND);
    assert_int_equal(cart_cancel(f, test_id(1)), ERR_NOTFOUND);
    assert_int_equal(cart_add(f, test_id(1), "pot", 1), 0);
    assert_int_equal(cart(f)->basket.line_count, 1);
    assert_int_equal(cart(f)->version, 3);
}

static void an_operation_sent_twice_adds_once(void **state)
{
    struct fixture *f = *state;
    struct command add = {.type = COMMAND_CART_ADD,
                          .operation = test_id(77),
                          .cart_item = {test_id(1), STR("tulips"), 1}};
    assert_int_equal(apply_command(f, &add), 0);
    assert_int_equal(apply_command(f, &add), 0);
    assert_int_equal(cart(f)->basket.lines[0].quantity, 1);
    assert_int_equal(cart(f)->version, 1);
}

static void a_reader_prices_the_cart_as_of_now(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 2);
    put_item(f, "tulips", 2800, 1);
    struct reader *reader;
    struct failure failure;
    struct arena arena;
    struct cart seen;
    arena_init(&arena, 1 << 20);
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_cart(reader, &arena, test_id(1), &seen), 0);
    assert_int_equal(basket_total(&seen.basket, TOTAL_TOTAL), 5600);
    assert_int_equal(seen.basket.message_count, 1);
    assert_int_equal(reader_cart(reader, &arena, test_id(2), &seen), ERR_NOTFOUND);
    cart_cancel(f, test_id(1));
    assert_int_equal(reader_cart(reader, &arena, test_id(1), &seen), ERR_NOTFOUND);
    reader_close(reader);
    arena_close(&arena);
}

static void a_cart_is_gone_after_its_time(void **state)
{
    struct fixture *f = *state;
    cart_add(f, test_id(1), "tulips", 2);
    cart_add(f, test_id(2), "tulips", 2);
    assert_int_equal(expire(f, 100), 0);
    f->now += 31ll * 24 * 3600 * 1000;
    assert_int_equal(cart_set(f, test_id(1), "tulips", 1), ERR_NOTFOUND);
    assert_int_equal(expire(f, 1), 1);
    assert_int_equal(expire(f, 100), 1);
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(adding_makes_the_cart_and_adds_up),
        TEST(a_cart_keeps_where_its_shopper_belongs),
        TEST(setting_replaces_and_nought_takes_out),
        TEST(an_item_that_is_not_there_cannot_be_added),
        TEST(more_than_is_in_stock_is_only_a_warning),
        TEST(putting_replaces_the_whole_and_says_what_is_wrong),
        TEST(a_canceled_cart_is_gone_and_adding_begins_it_anew),
        TEST(an_operation_sent_twice_adds_once),
        TEST(a_reader_prices_the_cart_as_of_now),
        TEST(a_cart_is_gone_after_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
