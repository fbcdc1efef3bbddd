#include "shop/defaults.h"
#include "shop_fixture.h"

/* ---- A shirt in sizes and colours ---- */

struct shirt {
    struct variant variants[4];
    struct picture pictures[2];
    struct command command;
};

static struct variant size(const char *value, int64_t price, int64_t stock)
{
    return (struct variant){.sku = str_of(value),
                            .options = {str_of(value)},
                            .price = price,
                            .tracked = true,
                            .taxable = true,
                            .needs_shipping = true,
                            .picture = -1,
                            .set_stock = true,
                            .available = stock};
}

static void make_shirt(struct shirt *shirt)
{
    *shirt = (struct shirt){
        .variants = {size("Small", 2000, 3), size("Large", 2500, 0), size("X Large", 3000, 1)},
        .pictures = {{STR("/pictures/front.svg"), STR("front")},
                     {STR("/pictures/back.svg"), STR("back")}}};
    shirt->variants[1].picture = 1;
    shirt->command = (struct command){.type = COMMAND_PRODUCT_PUT,
                                      .product = {.handle = STR("shirt"),
                                                  .title = STR("A Shirt"),
                                                  .html = STR("<p>Soft &amp; warm</p>"),
                                                  .vendor = STR("Loom"),
                                                  .category = STR("Shirts & Tops"),
                                                  .tags = {STR("cotton"), STR("new")},
                                                  .tag_count = 2,
                                                  .option_names = {STR("Size")},
                                                  .option_count = 1,
                                                  .published = true,
                                                  .pictures = shirt->pictures,
                                                  .picture_count = 2,
                                                  .variants = shirt->variants,
                                                  .variant_count = 3}};
}

static int put(struct fixture *f, struct shirt *shirt)
{
    return apply_command(f, &shirt->command);
}

static struct reader *open_reader(struct fixture *f)
{
    struct reader *reader;
    struct failure failure = {0};
    if (reader_open(f->file, &reader, &failure))
        fail_msg("%s", failure.text);
    return reader;
}

/* The product HANDLE as a reader shows it, in f->arena; id 0 when it is not there. */
static struct product look(struct fixture *f, const char *handle, bool all)
{
    struct product product = {0};
    struct reader *reader = open_reader(f);
    int err = reader_product(reader, &f->arena, str_of(handle), all, &product);
    assert_true(err == 0 || err == ERR_NOTFOUND);
    if (err)
        product.id = 0;
    reader_close(reader);
    return product;
}

static int64_t query(struct fixture *f, const char *sql)
{
    struct db *db;
    struct failure failure = {0};
    assert_int_equal(db_open(f->file, DB_READER, &db, &failure), 0);
    struct stmt *row = stmt_new(db, sql);
    assert_int_equal(stmt_next(row), 0);
    int64_t value = stmt_i64(row, 0);
    stmt_free(row);
    db_close(db);
    return value;
}

/* ---- Putting ---- */

static void a_product_is_read_as_it_was_put(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    assert_int_equal(put(f, &shirt), 0);
    assert_int_equal(f->result.kind, RESULT_NUMBER);
    uint64_t id = f->result.number;
    struct product product = look(f, "shirt", false);
    assert_int_equal(product.id, id);
    expect_text(product.title, "A Shirt");
    expect_text(product.html, "<p>Soft &amp; warm</p>");
    expect_text(product.category, "Shirts & Tops");
    expect_text(product.tags[1], "new");
    expect_text(product.option_names[0], "Size");
    assert_int_equal(product.option_count, 1);
    assert_int_equal(product.picture_count, 2);
    assert_int_equal(product.variant_count, 3);
    expect_text(product.variants[2].key, "shirt~x-large");
    expect_text(product.variants[2].options[0], "X Large");
    assert_int_equal(product.variants[1].picture, 1);
    assert_int_equal(product.variants[0].available, 3);
    assert_int_equal(product.changed_index, f->index);
    assert_int_equal(product.created_ms, f->now);
}

static void putting_again_keeps_ids_and_retires_what_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    put(f, &shirt);
    struct product first = look(f, "shirt", false);
    uint64_t small = first.variants[0].id, large = first.variants[1].id;
    shirt.command.product.title = STR("A Better Shirt");
    shirt.variants[0] = size("Large", 2600, 7);
    shirt.variants[1] = size("Huge", 4000, 2);
    shirt.command.product.variant_count = 2;
    assert_int_equal(put(f, &shirt), 0);
    assert_int_equal(f->result.number, first.id);
    struct product product = look(f, "shirt", false);
    expect_text(product.title, "A Better Shirt");
    assert_int_equal(product.variant_count, 2);
    assert_int_equal(product.variants[0].id, large);
    assert_int_equal(product.variants[0].available, 7);
    assert_true(product.variants[1].id > large + 1);
    assert_int_equal(product.created_ms, first.created_ms);
    /* Retired is not gone: a variant that comes back is the same one, with its stock. */
    shirt.variants[1] = size("Small", 2000, 0);
    shirt.variants[1].set_stock = false;
    put(f, &shirt);
    product = look(f, "shirt", false);
    assert_int_equal(product.variants[1].id, small);
    assert_int_equal(product.variants[1].available, 3);
    expect_clean_audit(f);
}

static void a_retired_product_is_found_only_by_those_who_ask_for_all(void **state)
{
    struct fixture *f = *state;
    struct command retire = {.type = COMMAND_PRODUCT_RETIRE, .key = STR("roses")};
    assert_int_equal(apply_command(f, &retire), 0);
    assert_int_equal(look(f, "roses", false).id, 0);
    assert_true(look(f, "roses", true).retired);
    assert_int_equal(apply_command(f, &retire), 0);
    retire.key = STR("nothing");
    assert_int_equal(apply_command(f, &retire), ERR_NOTFOUND);
    put_item(f, "roses", 3500, 10);
    assert_false(look(f, "roses", false).retired);
}

static void the_last_variant_cannot_be_retired_alone(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    put(f, &shirt);
    struct command retire = {.type = COMMAND_VARIANT_RETIRE, .key = STR("shirt~small")};
    assert_int_equal(apply_command(f, &retire), 0);
    assert_int_equal(look(f, "shirt", false).variant_count, 2);
    assert_int_equal(query(f, "SELECT price_min FROM product WHERE handle = 'shirt'"), 2500);
    retire.key = STR("shirt~large");
    assert_int_equal(apply_command(f, &retire), 0);
    retire.key = STR("shirt~x-large");
    assert_int_equal(apply_command(f, &retire), ERR_STATE);
}

static void a_price_is_set_by_key_or_sku(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    put(f, &shirt);
    struct command set = {.type = COMMAND_PRICE_SET,
                          .item = {.key = STR("Large"), .value = 1000, .compare_at = 2500}};
    assert_int_equal(apply_command(f, &set), 0);
    struct product product = look(f, "shirt", false);
    assert_int_equal(product.variants[1].price, 1000);
    assert_int_equal(product.variants[1].compare_at, 2500);
    set.item.key = STR("shirt~large");
    set.item.compare_at = -1;
    set.item.value = 900;
    assert_int_equal(apply_command(f, &set), 0);
    assert_int_equal(look(f, "shirt", false).variants[1].compare_at, 2500);
    cart_add(f, test_id(1), "shirt~large", 1);
    assert_int_equal(f->result.cart.basket.lines[0].unit_price, 900);
    set.item.value = -1;
    assert_int_equal(apply_command(f, &set), ERR_INVALID);
    set.item.key = STR("nothing");
    assert_int_equal(apply_command(f, &set), ERR_NOTFOUND);
}

static void refused(struct fixture *f, struct shirt *shirt, int err, const char *sentence)
{
    uint64_t before = (uint64_t)query(f, "SELECT count(*) + sum(changed_index) FROM product");
    assert_int_equal(put(f, shirt), err);
    expect_text(f->result.text, sentence);
    assert_int_equal(query(f, "SELECT count(*) + sum(changed_index) FROM product"), before);
    make_shirt(shirt);
}

static void a_refused_product_is_told_why_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    put(f, &shirt);
    shirt.command.product.title = STR("");
    refused(f, &shirt, ERR_INVALID, "product \"shirt\": it has no title");
    shirt.command.product.handle = STR("A Shirt");
    refused(f, &shirt, ERR_INVALID,
            "product \"A Shirt\": its handle may have only a-z, 0-9, \"-\" and \"_\", at most 255 "
            "of them");
    shirt.variants[1] = shirt.variants[0];
    refused(f, &shirt, ERR_INVALID, "product \"shirt\": variants 1 and 2 have the same options");
    shirt.variants[2].options[0] = STR("");
    refused(f, &shirt, ERR_INVALID,
            "product \"shirt\": variant 3 has no value for option \"Size\"");
    shirt.variants[0].price = -1;
    refused(f, &shirt, ERR_INVALID, "product \"shirt\": a price is below 0 or above 1000000000000");
    shirt.variants[0].picture = 2;
    refused(f, &shirt, ERR_INVALID, "product \"shirt\": a variant shows picture 3, there are 2");
    shirt.command.product.pictures[1].url = STR("javascript:alert(1)");
    refused(f, &shirt, ERR_INVALID,
            "product \"shirt\": picture 2's address begins neither with https:// nor with /");
    shirt.command.product.variant_count = 0;
    refused(f, &shirt, ERR_INVALID,
            "product \"shirt\": it has no variant; one without options is the least");
    shirt.command.product.title = STR("\xff");
    refused(f, &shirt, ERR_INVALID,
            "product \"shirt\": its title has control characters or is not UTF-8");
    shirt.variants[0].key = STR("roses");
    refused(f, &shirt, ERR_EXISTS,
            "product \"shirt\": the key \"roses\" belongs to product \"roses\"; choose another "
            "key");
}

static void keys_and_handles_are_made_where_they_are_missing(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    shirt.command.product.handle = STR("");
    shirt.command.product.title = STR("Größtes Hemd!");
    shirt.variants[0].options[0] = STR("S/M");
    shirt.variants[1].options[0] = STR("S M");
    shirt.variants[2].options[0] = STR("s m");
    assert_int_equal(put(f, &shirt), 0);
    struct product product = look(f, "grosstes-hemd", false);
    assert_true(product.id > 0);
    expect_text(product.variants[0].key, "grosstes-hemd~s-m");
    expect_text(product.variants[1].key, "grosstes-hemd~s-m-2");
    expect_text(product.variants[2].key, "grosstes-hemd~s-m-3");
}

static void made_keys_avoid_those_of_other_variants_and_products(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    char handle[140];
    make_shirt(&shirt);
    shirt.variants[0].options[0] = STR("+1");
    shirt.variants[1].options[0] = STR("-1");
    shirt.variants[2].key = STR("shirt~1");
    assert_int_equal(put(f, &shirt), 0);
    struct product product = look(f, "shirt", false);
    expect_text(product.variants[0].key, "shirt~1-2");
    expect_text(product.variants[1].key, "shirt~1-3");
    memset(handle, 'h', sizeof handle - 1);
    handle[sizeof handle - 1] = 0;
    for (char last = '1'; last <= '2'; last++) {
        make_shirt(&shirt);
        handle[sizeof handle - 2] = last;
        shirt.command.product.handle = str_of(handle);
        for (unsigned i = 0; i < 3; i++)
            shirt.variants[i].key = STR("");
        assert_int_equal(put(f, &shirt), 0);
    }
}

static void categories_count_their_listed_products(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    put(f, &shirt);
    shirt.command.product.handle = STR("other-shirt");
    put(f, &shirt);
    struct reader *reader = open_reader(f);
    struct category *list;
    unsigned count;
    assert_int_equal(reader_categories(reader, &f->arena, &list, &count), 0);
    assert_int_equal(count, 1);
    expect_text(list[0].slug, "shirts-tops");
    expect_text(list[0].picture.url, "/pictures/front.svg");
    assert_int_equal(list[0].products, 2);
    shirt.command.product.category = STR("Shirts, Tops");
    put(f, &shirt);
    assert_int_equal(reader_categories(reader, &f->arena, &list, &count), 0);
    assert_int_equal(count, 2);
    expect_text(list[1].slug, "shirts-tops-2");
    expect_text(look(f, "shirt", false).category_slug, "shirts-tops");
    expect_text(look(f, "other-shirt", false).category_slug, "shirts-tops-2");
    apply_command(f, &(struct command){.type = COMMAND_PRODUCT_RETIRE, .key = STR("shirt")});
    assert_int_equal(reader_categories(reader, &f->arena, &list, &count), 0);
    assert_int_equal(count, 1);
    reader_close(reader);
    assert_int_equal(query(f, "SELECT count(*) FROM category c WHERE products <>"
                              " (SELECT count(*) FROM product WHERE category_id = c.id"
                              "  AND listed = 1)"),
                     0);
}

static void an_item_is_found_by_key_sku_handle_and_number(void **state)
{
    struct fixture *f = *state;
    struct shirt shirt;
    make_shirt(&shirt);
    put(f, &shirt);
    uint64_t id = f->result.number;
    struct reader *reader = open_reader(f);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)id);
    const struct {
        const char *key;
        int err, variant;
    } rows[] = {{"shirt~large", 0, 1}, {"X Large", 0, 2}, {"shirt", 0, -1},
                {"roses", 0, 0},       {number, 0, -1},   {"nothing", ERR_NOTFOUND, -1},
                {"", ERR_NOTFOUND, -1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct product product;
        int variant;
        assert_int_equal(
            reader_product_by_item(reader, &f->arena, str_of(rows[i].key), &product, &variant),
            rows[i].err);
        if (!rows[i].err)
            assert_int_equal(variant, rows[i].variant);
    }
    reader_close(reader);
}

static void export_walks_over_all_products_once(void **state)
{
    struct fixture *f = *state;
    struct reader *reader = open_reader(f);
    struct product product = {0};
    struct str after = STR("");
    unsigned count = 0;
    while (reader_next_product(reader, &f->arena, after, &product) == 0) {
        assert_true(str_compare(product.handle, after) > 0);
        after = product.handle;
        count++;
    }
    assert_int_equal(count, 4);
    reader_close(reader);
}

/* ---- Stock ---- */

static int stock_command(struct fixture *f, enum command_type type, const char *key, int64_t value)
{
    struct command command = {.type = type,
                              .item = {.key = str_of(key), .value = value, .note = STR("why")}};
    return apply_command(f, &command);
}

static void stock_received_and_adjusted_is_on_hand(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(stock_command(f, COMMAND_STOCK_RECEIVE, "roses", 5), 0);
    expect_stock(f, "roses", 15, 0, 0);
    assert_int_equal(stock_command(f, COMMAND_STOCK_ADJUST, "roses", -15), 0);
    expect_stock(f, "roses", 0, 0, 0);
    assert_int_equal(stock_command(f, COMMAND_STOCK_ADJUST, "roses", -1), ERR_SHORT);
    assert_int_equal(stock_command(f, COMMAND_STOCK_RECEIVE, "roses", 0), ERR_INVALID);
    assert_int_equal(stock_command(f, COMMAND_STOCK_RECEIVE, "roses", INT64_MAX), ERR_INVALID);
    assert_int_equal(stock_command(f, COMMAND_STOCK_ADJUST, "roses", INT64_MIN), ERR_INVALID);
    assert_int_equal(stock_command(f, COMMAND_STOCK_ADJUST, "nothing", 1), ERR_NOTFOUND);
    assert_int_equal(query(f, "SELECT count(*) FROM stock WHERE available + held + sold <>"
                              " received + adjusted"),
                     0);
    assert_int_equal(query(f, "SELECT count(*) FROM stock s WHERE received <> (SELECT"
                              " coalesce(sum(received), 0) FROM stock_move m"
                              " WHERE m.variant_id = s.variant_id)"),
                     0);
    expect_clean_audit(f);
}

static void putting_a_stock_counts_what_is_held_and_sold_beside_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(checkout_direct(f, test_id(1), "roses", 4, "US"), 0);
    assert_int_equal(hold(f, test_id(1), -1), 0);
    expect_stock(f, "roses", 6, 4, 0);
    put_item(f, "roses", 3500, 20);
    expect_stock(f, "roses", 20, 4, 0);
    assert_int_equal(confirm(f, test_id(1), 0), 0);
    expect_stock(f, "roses", 20, 0, 4);
    expect_clean_audit(f);
}

static void selling_out_shows_in_lists(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "tulips", 5, "US");
    hold(f, test_id(1), -1);
    assert_int_equal(query(f, "SELECT available FROM product WHERE handle = 'tulips'"), 0);
    release(f, test_id(1), 0);
    assert_int_equal(query(f, "SELECT available FROM product WHERE handle = 'tulips'"), 1);
    hold(f, test_id(1), -1);
    confirm(f, test_id(1), 0);
    assert_int_equal(query(f, "SELECT popularity FROM product WHERE handle = 'tulips'"), 4);
}

/* ---- Defaults ---- */

static void the_defaults_of_a_new_shop_are_accepted(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < defaults_count(); i++) {
        struct command command;
        defaults_command(i, &command);
        if (apply_command(f, &command))
            fail_msg("%u: %.*s", i, STR_FMT(f->result.text));
    }
    struct reader *reader = open_reader(f);
    struct shipping_rate *rates;
    struct tax_rate *taxes;
    struct discount *discounts;
    unsigned count;
    assert_int_equal(reader_shipping_rates(reader, &f->arena, &rates, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(reader_discounts(reader, &f->arena, &discounts, &count), 0);
    assert_int_equal(count, 4);
    assert_int_equal(reader_tax_rates(reader, &f->arena, &taxes, &count), 0);
    assert_true(count > 5);
    reader_close(reader);
}

static void terms_that_cannot_be_are_refused(void **state)
{
    struct fixture *f = *state;
    struct command discount = {.type = COMMAND_DISCOUNT_PUT,
                               .discount = {.key = STR("X"), .value = 10001}};
    assert_int_equal(apply_command(f, &discount), ERR_INVALID);
    struct command tax = {.type = COMMAND_TAX_RATE_PUT,
                          .tax = {.country = STR("Germany"), .ppm = 190000}};
    assert_int_equal(apply_command(f, &tax), ERR_INVALID);
    struct command settings = {.type = COMMAND_SETTINGS_PUT,
                               .settings = {.name = STR("x"), .currency = STR("usd")}};
    assert_int_equal(apply_command(f, &settings), ERR_INVALID);
    settings.settings = (struct shop_settings){.name = STR("x"),
                                               .currency = STR("USD"),
                                               .country = STR("US"),
                                               .hold_ms = 60000,
                                               .checkout_ttl_ms = 3600000,
                                               .cart_ttl_ms = 3600000,
                                               .terms_url = STR("javascript:alert(1)")};
    assert_int_equal(apply_command(f, &settings), ERR_INVALID);
    expect_text(f->result.text, "an address of the terms begins neither with https:// nor with /");
    settings.settings.terms_url = STR("/terms");
    assert_int_equal(apply_command(f, &settings), 0);
    settings.settings.hold_ms = SHOP_HOLD_MAX_MS; /* longer than banks' keys are sure to live */
    assert_int_equal(apply_command(f, &settings), 0);
    settings.settings.hold_ms++;
    assert_int_equal(apply_command(f, &settings), ERR_INVALID);
    expect_text(f->result.text,
                "hold_ms is 10800001; goods are held from 1000 (a second) to 10800000 (3 hours: "
                "banks forget after a day what was begun, and have to be asked before)");
    struct command rate = {.type = COMMAND_SHIPPING_RATE_PUT,
                           .rate = {.key = STR("r"),
                                    .level = STR("standard"),
                                    .title = STR("R"),
                                    .country = STR("US"),
                                    .price = -5}};
    assert_int_equal(apply_command(f, &rate), ERR_INVALID);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_product_is_read_as_it_was_put),
        TEST(putting_again_keeps_ids_and_retires_what_is_left_out),
        TEST(a_retired_product_is_found_only_by_those_who_ask_for_all),
        TEST(the_last_variant_cannot_be_retired_alone),
        TEST(a_price_is_set_by_key_or_sku),
        TEST(a_refused_product_is_told_why_and_changes_nothing),
        TEST(keys_and_handles_are_made_where_they_are_missing),
        TEST(made_keys_avoid_those_of_other_variants_and_products),
        TEST(categories_count_their_listed_products),
        TEST(an_item_is_found_by_key_sku_handle_and_number),
        TEST(export_walks_over_all_products_once),
        TEST(stock_received_and_adjusted_is_on_hand),
        TEST(putting_a_stock_counts_what_is_held_and_sold_beside_it),
        TEST(selling_out_shows_in_lists),
        TEST(the_defaults_of_a_new_shop_are_accepted),
        TEST(terms_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
