#include "shop/record.h"
#include "shop_fixture.h"

/* A checkout with something in each of its fields, as the shop made it. */
static void make_checkout(struct fixture *f)
{
    struct command_line lines[] = {{.item_key = STR("tulips"), .quantity = 2},
                                   {.item_key = STR("pink_wumpus"), .quantity = 1}};
    struct command create = {
        .type = COMMAND_CHECKOUT_CREATE,
        .checkout = {.id = test_id(1),
                     .has_basket = true,
                     .basket = {.lines = lines,
                                .line_count = 2,
                                .buyer = {.email = STR("jane@example.com"), .phone = STR("1")},
                                .context_country = STR("US"),
                                .codes = {STR("10off"), STR("NO")},
                                .code_count = 2},
                     .has_fulfillment = true,
                     .destinations = {{.country = STR("US"), .street = STR("Main St 1")}},
                     .destination_count = 1}};
    assert_int_equal(apply_command(f, &create), 0);
}

static bool same(const struct buf *a, const struct buf *b)
{
    return str_eq(buf_text(a), buf_text(b));
}

static void what_is_written_is_read(void **state)
{
    struct fixture *f = *state;
    struct buf once, twice;
    struct arena arena;
    struct checkout checkout;
    struct cart cart = {.id = test_id(2), .version = 7, .checkout_id = test_id(1)};
    make_checkout(f);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    arena_init(&arena, 1 << 20);
    record_put_checkout(&once, &f->result.checkout);
    assert_int_equal(record_read_checkout(buf_text(&once), &arena, &checkout), 0);
    record_put_checkout(&twice, &checkout);
    assert_true(same(&once, &twice));
    assert_int_equal(checkout.basket.applied[0].parts[0], 600);
    assert_int_equal(checkout.basket.message_count, 2);

    cart.basket = f->result.checkout.basket;
    for (enum record_form form = RECORD_BRIEF; form <= RECORD_FULL; form++) {
        struct cart read;
        buf_clear(&once);
        buf_clear(&twice);
        record_put_cart(&once, &cart, form);
        assert_int_equal(record_read_cart(buf_text(&once), &arena, &read), 0);
        record_put_cart(&twice, &read, form);
        assert_true(same(&once, &twice));
        assert_int_equal(read.basket.total_count, form == RECORD_FULL ? 4 : 0);
    }
    buf_close(&once);
    buf_close(&twice);
    arena_close(&arena);
}

static void a_record_that_is_cut_or_longer_is_damaged(void **state)
{
    struct fixture *f = *state;
    struct buf record;
    make_checkout(f);
    buf_init(&record, 1 << 20);
    record_put_checkout(&record, &f->result.checkout);
    for (size_t len = 0; len < record.len; len++) {
        struct arena arena;
        struct checkout checkout;
        arena_init(&arena, 1 << 20);
        assert_int_equal(record_read_checkout(str_make(record.at, len), &arena, &checkout),
                         ERR_DAMAGED);
        arena_close(&arena);
    }
    buf_byte(&record, 0);
    struct arena arena;
    struct checkout checkout;
    arena_init(&arena, 1 << 20);
    assert_int_equal(record_read_checkout(buf_text(&record), &arena, &checkout), ERR_DAMAGED);
    arena_close(&arena);
    buf_close(&record);
}

static void a_record_of_another_version_is_refused(void **state)
{
    (void)state;
    struct buf record;
    struct arena arena;
    struct cart cart = {.id = test_id(1)}, read;
    buf_init(&record, 1 << 16);
    arena_init(&arena, 1 << 16);
    record_put_cart(&record, &cart, RECORD_BRIEF);
    assert_int_equal(record_read_cart(buf_text(&record), &arena, &read), 0);
    record.at[0] = 2;
    assert_int_equal(record_read_cart(buf_text(&record), &arena, &read), ERR_DAMAGED);
    buf_close(&record);
    arena_close(&arena);
}

static void no_room_is_not_taken_for_damage(void **state)
{
    struct fixture *f = *state;
    struct buf record;
    struct arena arena;
    struct checkout checkout;
    make_checkout(f);
    buf_init(&record, 1 << 20);
    record_put_checkout(&record, &f->result.checkout);
    arena_init(&arena, 64);
    assert_int_equal(record_read_checkout(buf_text(&record), &arena, &checkout), ERR_NOMEM);
    arena_close(&arena);
    buf_close(&record);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_record_that_is_cut_or_longer_is_damaged),
        cmocka_unit_test(a_record_of_another_version_is_refused),
        TEST(no_room_is_not_taken_for_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
