#include "base/check.h"
#include "base/random.h"
#include "shop/command.h"
#include "shop/defaults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct buf record, again;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    arena_init(&fixture.arena, 16 << 20);
    buf_init(&fixture.record, 1 << 20);
    buf_init(&fixture.again, 1 << 20);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_close(&f->arena);
    buf_close(&f->record);
    buf_close(&f->again);
    return 0;
}

/* ---- One full command of each type ---- */

static struct id some_id(unsigned char first)
{
    return (struct id){{first, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
}

static struct product *full_product(struct arena *arena)
{
    struct product *product = ARENA_NEW(arena, struct product);
    struct variant *variants = ARENA_ARRAY(arena, struct variant, 2);
    struct picture *pictures = ARENA_ARRAY(arena, struct picture, 1);
    pictures[0] = (struct picture){STR("/pictures/a.svg"), STR("A shirt")};
    for (unsigned i = 0; i < 2; i++)
        variants[i] = (struct variant){.key = i ? STR("shirt~l") : STR("shirt~m"),
                                       .sku = STR("S-1"),
                                       .barcode = STR("400"),
                                       .options = {i ? STR("L") : STR("M"), STR("Größe"), STR("")},
                                       .price = 1999 + i,
                                       .compare_at = 2999,
                                       .grams = 300,
                                       .tracked = true,
                                       .taxable = i,
                                       .needs_shipping = true,
                                       .picture = (int32_t)i - 1,
                                       .set_stock = true,
                                       .available = -5};
    *product = (struct product){.handle = STR("shirt"),
                                .title = STR("A shirt"),
                                .html = STR("<p>fine</p>"),
                                .vendor = STR("Maker"),
                                .category = STR("Shirts"),
                                .seo_title = STR("t"),
                                .seo_description = STR("d"),
                                .tags = {STR("men"), STR("summer")},
                                .tag_count = 2,
                                .option_names = {STR("Size"), STR("Colour")},
                                .option_count = 2,
                                .published = true,
                                .pictures = pictures,
                                .picture_count = 1,
                                .variants = variants,
                                .variant_count = 2};
    return product;
}

static struct basket_input full_basket(struct arena *arena)
{
    struct command_line *lines = ARENA_ARRAY(arena, struct command_line, 2);
    lines[0] = (struct command_line){STR("roses"), 3, 1};
    lines[1] = (struct command_line){STR("pot"), UINT32_MAX, 0};
    return (struct basket_input){
        .lines = lines,
        .line_count = 2,
        .buyer = {STR("jane@example.com"), STR("+1"), STR("Jane"), STR("Doe")},
        .context_country = STR("US"),
        .context_region = STR("IL"),
        .context_postal_code = STR("62704"),
        .codes = {STR("10OFF")},
        .code_count = 1};
}

static void fill_checkout(struct arena *arena, struct command *command)
{
    command->checkout = (struct checkout_input){
        .id = some_id(7),
        .cart_id = some_id(8),
        .has_basket = true,
        .basket = full_basket(arena),
        .has_fulfillment = true,
        .destinations = {{.id = STR("d1"), .street = STR("1 Main St"), .country = STR("US")},
                         {.id = STR("d2"), .country = STR("DE")}},
        .destination_count = 2,
        .selected_destination = STR("d2"),
        .selected_rate = STR("std-ship"),
        .platform = STR("https://platform.example/profile")};
}

static void fill_import(struct command *command)
{
    command->import.id = some_id(9);
    command->import.sequence = 77;
    command->import.products = STR("bytes of products");
    command->import.limit = 1000;
}

static void fill_terms(struct command *command)
{
    if (command->type == COMMAND_SETTINGS_PUT)
        command->settings = (struct shop_settings){.name = STR("Flowers"),
                                                   .currency = STR("EUR"),
                                                   .country = STR("DE"),
                                                   .hold_ms = 300000,
                                                   .checkout_ttl_ms = 1,
                                                   .cart_ttl_ms = 1ll << 40,
                                                   .terms_url = STR("/terms"),
                                                   .mail = true};
    else if (command->type == COMMAND_DISCOUNT_PUT)
        command->discount = (struct discount){.key = STR("X"),
                                              .code = STR("x"),
                                              .type = DISCOUNT_FREE_SHIPPING,
                                              .value = -1,
                                              .min_subtotal = 10000,
                                              .item_keys = {STR("roses"), STR("pot")},
                                              .item_count = 2,
                                              .title = STR("X"),
                                              .starts_ms = 1,
                                              .ends_ms = 2,
                                              .enabled = true};
    else if (command->type == COMMAND_SHIPPING_RATE_PUT)
        defaults_command(0, command);
    else if (command->type == COMMAND_TAX_RATE_PUT)
        defaults_command(defaults_count() - 1, command);
}

static struct order_change full_change(struct arena *arena)
{
    struct order_quantity *lines = ARENA_ARRAY(arena, struct order_quantity, 2);
    lines[0] = (struct order_quantity){1, 2};
    lines[1] = (struct order_quantity){UINT32_MAX, UINT32_MAX};
    return (struct order_change){.id = some_id(10),
                                 .lines = lines,
                                 .line_count = 2,
                                 .parcel = {.id = some_id(11),
                                            .warehouse = STR("main"),
                                            .carrier = STR("Post"),
                                            .tracking = STR("T1"),
                                            .tracking_url = STR("https://post.example/T1")},
                                 .amount = -1,
                                 .restock = true,
                                 .actor = STR("operator"),
                                 .text = STR("too big")};
}

static void fill_report(struct arena *arena, struct command *command)
{
    command->report = (struct warehouse_report){.warehouse = STR("main"),
                                                .epoch = some_id(12),
                                                .sequence = 9,
                                                .kind = REPORT_PRODUCT,
                                                .change = full_change(arena),
                                                .item = STR("shirt~m"),
                                                .quantity = -3,
                                                .text = STR("counted twice"),
                                                .product = *full_product(arena)};
}

static void fill_outbox(struct arena *arena, struct command *command)
{
    struct outbox_answer *answers = ARENA_ARRAY(arena, struct outbox_answer, 2);
    struct order_change change = full_change(arena);
    answers[0] = (struct outbox_answer){.seq = 1, .text = STR("ch_1")};
    answers[1] = (struct outbox_answer){.seq = UINT64_MAX,
                                        .outcome = OUTBOX_REFUSED,
                                        .lines = change.lines,
                                        .line_count = change.line_count,
                                        .text = STR("too late")};
    command->outbox.answers = answers;
    command->outbox.count = 2;
}

static void fill_complete(struct command *command)
{
    enum command_type type = command->type;
    command->complete.id = some_id(6);
    command->complete.payment = (struct payment){.handler_id = STR("mock"),
                                                 .instrument_id = STR("i1"),
                                                 .type = STR("card"),
                                                 .brand = STR("Visa"),
                                                 .last_digits = STR("1234"),
                                                 .reference = STR("auth"),
                                                 .error = STR("none")};
    command->complete.expected_total = 4000;
    command->complete.attempt = 2;
    command->complete.claimed =
        type == COMMAND_CHECKOUT_CONFIRM || type == COMMAND_CHECKOUT_RELEASE;
}

static struct command full_command(struct arena *arena, enum command_type type)
{
    struct command command = {.type = type};
    fill_terms(&command);
    switch (type) {
    case COMMAND_PRODUCT_PUT:
        command.product = *full_product(arena);
        break;
    case COMMAND_PRODUCT_RETIRE:
    case COMMAND_VARIANT_RETIRE:
        command.key = STR("shirt~m");
        break;
    case COMMAND_PRICE_SET:
    case COMMAND_STOCK_RECEIVE:
    case COMMAND_STOCK_ADJUST:
        command.item.key = STR("shirt~m");
        command.item.value = INT64_MIN;
        command.item.compare_at = -1;
        command.item.note = STR("found behind the shelf");
        break;
    case COMMAND_CART_PUT:
        command.cart_put.id = some_id(3);
        command.cart_put.must_exist = true;
        command.cart_put.basket = full_basket(arena);
        command.home = (struct server_set){3, {2, UINT64_MAX, 1}};
        break;
    case COMMAND_CART_ADD:
    case COMMAND_CART_SET:
        command.cart_item.id = some_id(4);
        command.cart_item.item_key = STR("roses");
        command.cart_item.quantity = 3;
        break;
    case COMMAND_CART_CANCEL:
    case COMMAND_CHECKOUT_CANCEL:
        command.id = some_id(5);
        break;
    case COMMAND_CHECKOUT_CREATE:
    case COMMAND_CHECKOUT_UPDATE:
        fill_checkout(arena, &command);
        break;
    case COMMAND_CHECKOUT_HOLD:
    case COMMAND_CHECKOUT_CONFIRM:
    case COMMAND_CHECKOUT_RELEASE:
    case COMMAND_CHECKOUT_CLAIM:
        fill_complete(&command);
        break;
    case COMMAND_ORDER_CANCEL:
    case COMMAND_ORDER_SHIP:
    case COMMAND_ORDER_DELIVER:
    case COMMAND_ORDER_RETURN:
    case COMMAND_ORDER_REFUND:
    case COMMAND_ORDER_RETRY:
        command.order = full_change(arena);
        break;
    case COMMAND_ORDER_REFUND_FAILED:
        command.order = full_change(arena);
        command.order.reference = STR("re_7");
        break;
    case COMMAND_WAREHOUSE_PUT:
        command.warehouse = (struct warehouse){.id = STR("main"),
                                               .name = STR("Main"),
                                               .url = STR("https://warehouse.example"),
                                               .pin = STR("sha256//abc"),
                                               .position = 3,
                                               .closed = true};
        break;
    case COMMAND_WAREHOUSE_REPORT:
        fill_report(arena, &command);
        break;
    case COMMAND_OUTBOX_DONE:
        fill_outbox(arena, &command);
        break;
    case COMMAND_EXPIRE:
        command.limit = 1000;
        break;
    case COMMAND_IMPORT_STAGE:
    case COMMAND_IMPORT_COMMIT:
    case COMMAND_IMPORT_STEP:
    case COMMAND_IMPORT_ABORT:
        fill_import(&command);
        break;
    case COMMAND_REGISTRY_PUT:
        command.registry.key = STR("token/1");
        command.registry.value = STR("new\0value");
        command.registry.condition = REGISTRY_SAME;
        command.registry.expected = STR("old");
        break;
    default:
        break;
    }
    command.operation = some_id(1);
    command.idempotency = IDEMPOTENCY_FULL;
    memset(command.idempotency_key, 0xaa, sizeof command.idempotency_key);
    memset(command.idempotency_body, 0xbb, sizeof command.idempotency_body);
    return command;
}

/* ---- Tests ---- */

static void every_command_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    for (int type = COMMAND_NONE + 1; type < COMMAND_TYPE_COUNT; type++) {
        struct command command = full_command(&f->arena, (enum command_type)type), read;
        buf_clear(&f->record);
        buf_clear(&f->again);
        command_encode(&f->record, &command);
        assert_false(f->record.failed);
        assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), 0);
        assert_int_equal(read.type, type);
        assert_int_equal(read.idempotency, IDEMPOTENCY_FULL);
        assert_true(id_eq(read.operation, command.operation));
        command_encode(&f->again, &read);
        if (!str_eq(buf_text(&f->record), buf_text(&f->again)))
            fail_msg("%s differs", command_name((enum command_type)type));
    }
}

static void fields_arrive_where_they_belong(void **state)
{
    struct fixture *f = *state;
    struct command command = full_command(&f->arena, COMMAND_PRODUCT_PUT), read;
    command_encode(&f->record, &command);
    assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), 0);
    assert_true(str_eq(read.product.tags[1], STR("summer")));
    assert_true(str_eq(read.product.variants[1].options[1], STR("Größe")));
    assert_int_equal(read.product.variants[1].price, 2000);
    assert_int_equal(read.product.variants[0].available, -5);
    assert_int_equal(read.product.variants[0].picture, -1);
    assert_false(read.product.variants[0].taxable);
    assert_true(read.product.variants[1].taxable);
    assert_true(str_eq(read.product.pictures[0].alt, STR("A shirt")));
}

static void a_cut_off_record_is_invalid_wherever_it_was_cut(void **state)
{
    struct fixture *f = *state;
    for (int type = COMMAND_NONE + 1; type < COMMAND_TYPE_COUNT; type++) {
        struct command command = full_command(&f->arena, (enum command_type)type), read;
        buf_clear(&f->record);
        command_encode(&f->record, &command);
        for (size_t len = 0; len < f->record.len; len++) {
            /* A copy of its own, so that a read past the end is seen by the sanitizer. */
            char *copy = malloc(len + 1);
            memcpy(copy, f->record.at, len);
            if (command_decode(&f->arena, str_make(copy, len), &read) != ERR_INVALID)
                fail_msg("%s cut at %zu", command_name((enum command_type)type), len);
            free(copy);
        }
        buf_byte(&f->record, 0);
        assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), ERR_INVALID);
        arena_reset(&f->arena);
    }
}

static void a_changed_byte_never_leads_astray(void **state)
{
    struct fixture *f = *state;
    struct random random;
    random_seed(&random, 7);
    for (unsigned round = 0; round < 20000; round++) {
        enum command_type type = (enum command_type)(1 + round % (COMMAND_TYPE_COUNT - 1));
        struct command command = full_command(&f->arena, type), read;
        buf_clear(&f->record);
        command_encode(&f->record, &command);
        for (int i = 0; i < 3; i++)
            f->record.at[random_below(&random, f->record.len)] = (char)random_u64(&random);
        int err = command_decode(&f->arena, buf_text(&f->record), &read);
        assert_true(err == 0 || err == ERR_INVALID || err == ERR_UNSUPPORTED);
        if (!err) {
            buf_clear(&f->again);
            command_encode(&f->again, &read);
        }
        arena_reset(&f->arena);
    }
}

static void types_and_versions_of_later_programs_are_told_from_garbage(void **state)
{
    struct fixture *f = *state;
    struct command read;
    static const unsigned char newer[] = {4, 1, 0, 0}, none[] = {1, 0, 0, 0},
                               beyond[] = {1, COMMAND_TYPE_COUNT, 0, 0};
    assert_int_equal(command_decode(&f->arena, str_make(newer, 4), &read), ERR_UNSUPPORTED);
    assert_int_equal(command_decode(&f->arena, str_make(none, 4), &read), ERR_INVALID);
    assert_int_equal(command_decode(&f->arena, str_make(beyond, 4), &read), ERR_UNSUPPORTED);
    assert_int_equal(command_decode(&f->arena, STR_NONE, &read), ERR_INVALID);
}

/* Without a home it is written as before there were homes, for servers of before. */
static void a_cart_without_a_home_is_written_as_ever(void **state)
{
    struct fixture *f = *state;
    struct command command = full_command(&f->arena, COMMAND_CART_PUT), read;
    command_encode(&f->record, &command);
    assert_int_equal(f->record.at[0], 2);
    assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), 0);
    assert_int_equal(read.home.count, 3);
    assert_true(read.home.servers[1] == UINT64_MAX);
    size_t with = f->record.len;
    command.home.count = 0;
    buf_clear(&f->record);
    command_encode(&f->record, &command);
    assert_int_equal(f->record.at[0], 1);
    assert_true(f->record.len < with);
    assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), 0);
    assert_int_equal(read.home.count, 0);
}

/* As servers of before can read it, while it says nothing that they do not know. */
static void what_says_nothing_new_is_written_as_ever(void **state)
{
    struct fixture *f = *state;
    static const enum command_type types[] = {COMMAND_CHECKOUT_CREATE, COMMAND_CHECKOUT_CONFIRM,
                                              COMMAND_SETTINGS_PUT};
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct command command = full_command(&f->arena, types[i]), read;
        buf_clear(&f->record);
        command_encode(&f->record, &command);
        assert_int_equal(f->record.at[0], 3);
        if (types[i] == COMMAND_CHECKOUT_CREATE)
            command.checkout.platform = STR("");
        else if (types[i] == COMMAND_CHECKOUT_CONFIRM)
            command.complete.claimed = false;
        else
            command.settings.mail = false;
        buf_clear(&f->record);
        command_encode(&f->record, &command);
        assert_int_equal(f->record.at[0], 1);
        assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), 0);
    }
}

static void a_huge_count_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    struct command command = full_command(&f->arena, COMMAND_CART_PUT), read;
    command.cart_put.basket.line_count = 0;
    command.idempotency = IDEMPOTENCY_NONE;
    command.home.count = 0;
    command_encode(&f->record, &command);
    arena_reset(&f->arena);
    /* version, type, has operation, operation, mode, id, must_exist, then the count */
    f->record.at[1 + 1 + 1 + 16 + 1 + 16 + 1] = (char)0x7f;
    assert_int_equal(command_decode(&f->arena, buf_text(&f->record), &read), ERR_INVALID);
    assert_true(f->arena.used < 65536);
}

static void products_follow_each_other_in_a_chunk(void **state)
{
    struct fixture *f = *state;
    struct product *product = full_product(&f->arena), read;
    command_put_product(&f->record, product);
    product->handle = STR("second");
    command_put_product(&f->record, product);
    struct str rest = buf_text(&f->record);
    assert_int_equal(command_get_product(&f->arena, &rest, &read), 0);
    assert_true(str_eq(read.handle, STR("shirt")));
    assert_int_equal(command_get_product(&f->arena, &rest, &read), 0);
    assert_true(str_eq(read.handle, STR("second")));
    assert_int_equal(rest.len, 0);
    rest = str_sub(buf_text(&f->record), 0, f->record.len / 2 - 1);
    assert_int_equal(command_get_product(&f->arena, &rest, &read), ERR_INVALID);
}

static void results_are_read_as_they_were_written(void **state)
{
    struct fixture *f = *state;
    struct result refused = {.err = ERR_SHORT, .text = STR("Sold out.")}, read;
    result_encode(&f->record, &refused);
    assert_int_equal(result_decode(&f->arena, buf_text(&f->record), &read), 0);
    assert_int_equal(read.err, ERR_SHORT);
    assert_true(str_eq(read.text, STR("Sold out.")));
    for (size_t len = 0; len < f->record.len; len++)
        assert_int_equal(result_decode(&f->arena, str_make(f->record.at, len), &read), ERR_INVALID);
    buf_clear(&f->record);
    struct line line = {.line_id = 1, .item_key = STR("roses"), .quantity = 2, .total = 7000};
    struct result cart = {.kind = RESULT_CART,
                          .cart = {.id = some_id(2), .basket = {.lines = &line, .line_count = 1}}};
    result_encode(&f->record, &cart);
    assert_int_equal(result_decode(&f->arena, buf_text(&f->record), &read), 0);
    assert_int_equal(read.cart.basket.lines[0].total, 7000);
    for (size_t len = 0; len < f->record.len; len++)
        assert_int_equal(result_decode(&f->arena, str_make(f->record.at, len), &read), ERR_INVALID);
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(command_name(COMMAND_PRODUCT_PUT), "PRODUCT_PUT");
    assert_string_equal(command_name(COMMAND_IMPORT_ABORT), "IMPORT_ABORT");
    assert_string_equal(command_name(COMMAND_TYPE_COUNT), "?");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_command_is_read_as_it_was_written),
        TEST(fields_arrive_where_they_belong),
        TEST(a_cut_off_record_is_invalid_wherever_it_was_cut),
        TEST(a_changed_byte_never_leads_astray),
        TEST(types_and_versions_of_later_programs_are_told_from_garbage),
        TEST(a_cart_without_a_home_is_written_as_ever),
        TEST(what_says_nothing_new_is_written_as_ever),
        TEST(a_huge_count_allocates_nothing),
        TEST(products_follow_each_other_in_a_chunk),
        TEST(results_are_read_as_they_were_written),
        TEST(every_type_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
