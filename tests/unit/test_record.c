#include "order_fixture.h"
#include "shop/order_events.h"
#include "shop/record.h"

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

static void keep_for_fuzzing(const char *name, char kind, const struct buf *record)
{
    const char *folder = getenv("CORPUS");
    char path[300];
    if (!folder)
        return;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    fputc(kind, file);
    fwrite(record->at, 1, record->len, file);
    fclose(file);
}

/* Order 1 with something in each of its fields and events. */
static void make_order(struct fixture *f)
{
    put_settings(f, true, true);
    put_warehouse(f, "main", 1);
    place_through(f, test_id(1), "tulips", 3, "https://platform.example/profile");
    assert_int_equal(cancel_line(f, test_id(1), 1, 1), 0);
    struct order_quantity line = {1, 1};
    assert_int_equal(
        answer(f, only_row(f, "warehouse/main", OUTBOX_CANCEL).seq, OUTBOX_DELIVERED, &line, 1), 1);
    assert_int_equal(change(f, COMMAND_ORDER_SHIP,
                            (struct order_change){.id = test_id(1),
                                                  .lines = &line,
                                                  .line_count = 1,
                                                  .parcel = {.id = test_id(2),
                                                             .warehouse = STR("main"),
                                                             .carrier = STR("Post"),
                                                             .tracking = STR("T1")}}),
                     0);
    assert_int_equal(return_line(f, test_id(1), 1, 1, 7, true), 0);
}

static void an_order_is_read_with_all_that_happened_to_it(void **state)
{
    struct fixture *f = *state;
    struct buf once, twice;
    struct arena arena;
    struct order read;
    make_order(f);
    struct order *order = &f->result.order;
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    arena_init(&arena, 1 << 20);
    record_put_whole_order(&once, order);
    keep_for_fuzzing("order_whole", 3, &once);
    assert_int_equal(record_read_order(buf_text(&once), &arena, &read), 0);
    assert_int_equal(read.event_count, 6);
    assert_int_equal(read.status, order->status);
    assert_int_equal(read.payment_state, PAYMENT_CAPTURING);
    assert_int_equal(read.capturing, order->capturing);
    assert_int_equal(read.given_up, 3007);
    assert_int_equal(read.basket.lines[0].fulfilled, 1);
    assert_int_equal(read.basket.lines[0].canceled, 1);
    assert_int_equal(read.basket.lines[0].returned, 1);
    assert_int_equal(read.allotments[0].canceled, 1);
    assert_int_equal(read.allotments[0].shipped, 1);
    assert_true(id_eq(read.events[5].id, order->events[5].id));
    assert_true(read.events[5].restock);
    expect_text(read.platform, "https://platform.example/profile");
    record_put_whole_order(&twice, &read);
    assert_true(same(&once, &twice));

    /* As it was placed it is the same whatever happened since. */
    buf_clear(&once);
    buf_clear(&twice);
    record_put_order(&once, &read);
    keep_for_fuzzing("order_placed", 2, &once);
    assert_int_equal(record_read_order(buf_text(&once), &arena, &read), 0);
    assert_int_equal(read.event_count, 1);
    assert_int_equal(read.basket.lines[0].fulfilled, 0);
    record_put_order(&twice, &read);
    assert_true(same(&once, &twice));
    buf_close(&once);
    buf_close(&twice);
    arena_close(&arena);
}

static void an_order_of_a_restored_shop_is_read_with_its_epochs(void **state)
{
    struct fixture *f = *state;
    struct buf once, twice;
    struct arena arena;
    struct order read;
    make_order(f);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    arena_init(&arena, 1 << 20);
    struct order *order = &f->result.order;
    order->epoch = 1795361400; /* events 2 to 5 are as an older copy had them */
    order->events[5].epoch = 1795361401;
    record_put_whole_order(&once, order);
    keep_for_fuzzing("order_whole_restored", 3, &once);
    assert_int_equal(record_read_order(buf_text(&once), &arena, &read), 0);
    assert_int_equal(read.epoch, 1795361400);
    assert_int_equal(read.events[0].epoch, 1795361400);
    assert_int_equal(read.events[4].epoch, 0);
    assert_int_equal(read.events[5].epoch, 1795361401);
    assert_true(id_eq(read.events[5].id, order_effect_id(order->id, 1795361401, 6, 0)));
    record_put_whole_order(&twice, &read);
    assert_true(same(&once, &twice));
    buf_clear(&once);
    record_put_order(&once, &read);
    keep_for_fuzzing("order_placed_restored", 2, &once);
    assert_int_equal(record_read_order(buf_text(&once), &arena, &read), 0);
    assert_int_equal(read.event_count, 1);
    assert_int_equal(read.epoch, 1795361400);
    buf_close(&once);
    buf_close(&twice);
    arena_close(&arena);
}

static void an_event_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct buf once, twice;
    struct arena arena;
    struct order_event read;
    make_order(f);
    arena_init(&arena, 1 << 20);
    buf_init(&once, 1 << 16);
    buf_init(&twice, 1 << 16);
    const struct order *order = &f->result.order;
    for (unsigned i = 1; i < order->event_count; i++) {
        char name[32];
        buf_clear(&once);
        buf_clear(&twice);
        record_put_event(&once, &order->events[i]);
        snprintf(name, sizeof name, "event_%s", order_event_name(order->events[i].type));
        keep_for_fuzzing(name, 4, &once);
        assert_int_equal(record_read_event(buf_text(&once), &arena, &read), 0);
        record_put_event(&twice, &read);
        assert_true(same(&once, &twice));
        for (size_t len = 0; len < once.len; len++)
            assert_int_equal(record_read_event(str_make(once.at, len), &arena, &read), ERR_DAMAGED);
    }
    /* Amounts cannot be such that their sum is none. */
    struct order_event event = order->events[1];
    static const int64_t amounts[] = {-1, SHOP_MONEY_MAX + 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(amounts); i++) {
        event.amount = amounts[i];
        buf_clear(&once);
        record_put_event(&once, &event);
        assert_int_equal(record_read_event(buf_text(&once), &arena, &read), ERR_DAMAGED);
    }
    buf_close(&once);
    buf_close(&twice);
    arena_close(&arena);
}

/* Orders that were placed by programs of before are written in version 1. */
static void an_order_of_before_is_read(void **state)
{
    struct fixture *f = *state;
    struct buf record;
    struct arena arena;
    struct order read;
    make_order(f);
    f->result.order.payment_key = (struct id){{0}};
    f->result.order.platform = STR("");
    f->result.order.placed_index = 0;
    buf_init(&record, 1 << 20);
    arena_init(&arena, 1 << 20);
    record_put_order(&record, &f->result.order);
    record.at[0] = 1;
    record.len -= 16 + 1 + 1; /* key, platform, log entry */
    assert_int_equal(record_read_order(buf_text(&record), &arena, &read), 0);
    assert_int_equal(read.number, 1001);
    assert_int_equal(read.payment_state, PAYMENT_NONE);
    assert_int_equal(read.event_count, 1);
    buf_close(&record);
    arena_close(&arena);
}

static void a_claim_and_a_platform_are_kept(void **state)
{
    struct fixture *f = *state;
    struct buf record;
    struct arena arena;
    struct checkout read;
    make_checkout(f);
    arena_init(&arena, 1 << 20);
    buf_init(&record, 1 << 20);
    record_put_checkout(&record, &f->result.checkout);
    assert_int_equal(record.at[0], 1); /* as ever */
    f->result.checkout.platform = STR("https://platform.example/profile");
    f->result.checkout.claimed = true;
    buf_clear(&record);
    record_put_checkout(&record, &f->result.checkout);
    keep_for_fuzzing("checkout_claimed", 1, &record);
    assert_int_equal(record_read_checkout(buf_text(&record), &arena, &read), 0);
    assert_true(read.claimed);
    expect_text(read.platform, "https://platform.example/profile");
    buf_close(&record);
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
        TEST(an_order_is_read_with_all_that_happened_to_it),
        TEST(an_order_of_a_restored_shop_is_read_with_its_epochs),
        TEST(an_event_is_read_as_it_was_written),
        TEST(an_order_of_before_is_read),
        TEST(a_claim_and_a_platform_are_kept),
        TEST(no_room_is_not_taken_for_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
