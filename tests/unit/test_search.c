#include "shop/search_words.h"
#include "shop_fixture.h"

struct row {
    const char *handle, *title, *html, *vendor, *category, *tag;
    int64_t price, stock;
};

static const struct row rows[] = {
    {"oak-chair", "Oak Chair", "<p>A chair of <b>solid</b> oak</p>", "Wald", "Chairs", "wood",
     12000, 3},
    {"oak-table", "Oak Table", "Goes with the chair", "Wald", "Tables", "wood", 48000, 0},
    {"steel-chair", "Steel chair", "Stacks", "Ferro", "Chairs", "metal", 9000, 5},
    {"cafe-cup", "Café Cup", "For espresso &amp; more", "Ton", "Cups", "kitchen", 900, 50},
    {"t-shirt", "T-Shirt", "Cotton, with an oak leaf", "Loom", "Shirts", "cotton", 2500, 9},
    {"ab-shelf", "Äb Shelf", "Wide", "Wald", "Shelves", "wood", 7000, 1},
};

static int open_with_goods(void **state)
{
    fixture_open(state);
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct variant variant = {.price = rows[i].price,
                                  .tracked = true,
                                  .picture = -1,
                                  .sku = STR("SKU7"),
                                  .set_stock = true,
                                  .available = rows[i].stock};
        struct command command = {.type = COMMAND_PRODUCT_PUT,
                                  .product = {.handle = str_of(rows[i].handle),
                                              .title = str_of(rows[i].title),
                                              .html = str_of(rows[i].html),
                                              .vendor = str_of(rows[i].vendor),
                                              .category = str_of(rows[i].category),
                                              .tags = {str_of(rows[i].tag)},
                                              .tag_count = 1,
                                              .published = true,
                                              .variants = &variant,
                                              .variant_count = 1}};
        assert_int_equal(apply_command(f, &command), 0);
    }
    return 0;
}

/* Searches with a reader of its own; the handles found, parted by spaces. */
static const char *find(struct fixture *f, struct search search, char found[static 512])
{
    struct reader *reader;
    struct search_page page;
    struct failure failure = {0};
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    if (search.limit == 0)
        search.limit = 100;
    assert_int_equal(reader_search(reader, &f->arena, &search, &page), 0);
    found[0] = 0;
    for (unsigned i = 0; i < page.count; i++) {
        strncat(found, i ? " " : "", 511 - strlen(found));
        strncat(found, page.cards[i].handle.at, 511 - strlen(found));
    }
    assert_true(page.total >= page.count);
    reader_close(reader);
    return found;
}

#define EXPECT_FOUND(f, expected, ...)                                                   \
    do {                                                                                 \
        char found[512];                                                                 \
        assert_string_equal(find((f), (struct search){__VA_ARGS__}, found), (expected)); \
    } while (0)

static void words_must_all_occur_the_last_as_a_prefix(void **state)
{
    struct fixture *f = *state;
    EXPECT_FOUND(f, "oak-chair oak-table t-shirt", .text = STR("oak"), .order = SEARCH_TITLE);
    EXPECT_FOUND(f, "oak-chair oak-table", .text = STR("oak ch"), .order = SEARCH_TITLE);
    EXPECT_FOUND(f, "", .text = STR("oa chair"));
    EXPECT_FOUND(f, "cafe-cup", .text = STR("CAFE"));
    EXPECT_FOUND(f, "cafe-cup", .text = STR("Café esp"));
    EXPECT_FOUND(f, "t-shirt", .text = STR("t-shirt"));
    EXPECT_FOUND(f, "", .text = STR("!?"));
    EXPECT_FOUND(f, "", .text = STR("strong"));
}

static void what_is_typed_is_never_taken_for_the_query_language(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "\"",  "oak\" OR \"steel", "title:oak", "oak*", "NEAR(oak)", "(", "-oak", "^oak",
        "AND", "\xe2\x80\x93"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char found[512];
        find(f, (struct search){.text = str_of(texts[i])}, found);
    }
    EXPECT_FOUND(f, "", .text = STR("oak OR steel"));
}

static void a_title_counts_more_than_a_description(void **state)
{
    struct fixture *f = *state;
    char found[512];
    find(f, (struct search){.text = STR("chair")}, found);
    assert_true(strstr(found, "oak-table") > strstr(found, "oak-chair"));
    assert_true(strstr(found, "oak-table") > strstr(found, "steel-chair"));
}

static void filters_narrow(void **state)
{
    struct fixture *f = *state;
    EXPECT_FOUND(f, "oak-chair steel-chair", .category = STR("chairs"), .order = SEARCH_TITLE);
    EXPECT_FOUND(f, "oak-chair steel-chair", .category = STR("Chairs"));
    EXPECT_FOUND(f, "oak-chair oak-table steel-chair",
                 .categories = {STR("chairs"), STR("none"), STR("Tables")}, .category_count = 3);
    EXPECT_FOUND(f, "", .category = STR("none"));
    EXPECT_FOUND(f, "oak-chair oak-table ab-shelf", .vendor = STR("Wald"));
    EXPECT_FOUND(f, "oak-chair oak-table ab-shelf", .tag = STR("wood"));
    EXPECT_FOUND(f, "oak-chair ab-shelf", .tag = STR("wood"), .only_available = true);
    EXPECT_FOUND(f, "oak-chair steel-chair ab-shelf", .price_min = 7000, .price_max = 12000);
    EXPECT_FOUND(f, "oak-table", .text = STR("chair"), .price_min = 12001);
}

static void each_order_is_one(void **state)
{
    struct fixture *f = *state;
    EXPECT_FOUND(f, "ab-shelf t-shirt cafe-cup", .order = SEARCH_NEWEST, .limit = 3);
    EXPECT_FOUND(f, "cafe-cup pot gardenias", .order = SEARCH_PRICE_UP, .limit = 3);
    EXPECT_FOUND(f, "oak-table oak-chair steel-chair", .order = SEARCH_PRICE_DOWN, .limit = 3);
    EXPECT_FOUND(f, "ab-shelf cafe-cup gardenias", .order = SEARCH_TITLE, .limit = 3);
    EXPECT_FOUND(f, "roses tulips pot", .order = SEARCH_RELEVANCE, .limit = 3);
    checkout_direct(f, test_id(1), "pot", 4, "US");
    hold(f, test_id(1), -1);
    confirm(f, test_id(1), 0);
    EXPECT_FOUND(f, "pot", .order = SEARCH_BEST_SELLING, .limit = 1);
}

/* Each product of the first page's time is seen exactly once. */
static void walk(struct fixture *f, struct search search, unsigned expected, bool change)
{
    struct reader *reader;
    struct search_page page;
    struct failure failure = {0};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    uint64_t seen[64] = {0};
    unsigned count = 0;
    do {
        assert_int_equal(reader_search(reader, &arena, &search, &page), 0);
        assert_int_equal(page.total, expected + (change && count > 0));
        for (unsigned i = 0; i < page.count; i++) {
            for (unsigned j = 0; j < count; j++)
                assert_true(seen[j] != page.cards[i].id);
            seen[count++] = page.cards[i].id;
        }
        if (change && count == page.count)
            put_item(f, "aaa", 1, 1);
        search.cursor = page.next;
    } while (page.next.len > 0);
    assert_int_equal(count, expected);
    reader_close(reader);
    arena_close(&arena);
}

static void pages_show_each_product_once_in_every_order(void **state)
{
    struct fixture *f = *state;
    for (int order = 0; order <= SEARCH_BEST_SELLING; order++) {
        for (unsigned limit = 1; limit < 12; limit++)
            walk(f, (struct search){.order = (enum search_order)order, .limit = limit}, 10, false);
        walk(f,
             (struct search){.text = STR("chair"), .order = (enum search_order)order, .limit = 1},
             3, false);
    }
}

static void a_product_added_meanwhile_does_not_shift_the_pages(void **state)
{
    struct fixture *f = *state;
    walk(f, (struct search){.order = SEARCH_TITLE, .limit = 3}, 10, true);
}

static void a_cursor_belongs_to_its_search(void **state)
{
    struct fixture *f = *state;
    struct reader *reader;
    struct search_page page;
    struct failure failure = {0};
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    struct search search = {.limit = 2, .order = SEARCH_TITLE};
    assert_int_equal(reader_search(reader, &f->arena, &search, &page), 0);
    search.cursor = page.next;
    search.order = SEARCH_PRICE_UP;
    assert_int_equal(reader_search(reader, &f->arena, &search, &page), ERR_INVALID);
    static const char *const bad[] = {"x", "00", "zz", "0102030405060708"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        search.cursor = str_of(bad[i]);
        assert_int_equal(reader_search(reader, &f->arena, &search, &page), ERR_INVALID);
    }
    reader_close(reader);
}

static void what_changes_is_found_under_its_new_words_alone(void **state)
{
    struct fixture *f = *state;
    put_item(f, "oak-chair", 100, 1);
    EXPECT_FOUND(f, "", .text = STR("solid"));
    EXPECT_FOUND(f, "oak-table t-shirt oak-chair", .text = STR("oak"), .order = SEARCH_PRICE_DOWN,
                 .price_min = 1, .price_max = 0);
    apply_command(f, &(struct command){.type = COMMAND_PRODUCT_RETIRE, .key = STR("oak-table")});
    EXPECT_FOUND(f, "", .text = STR("oak table"));
    expect_clean_audit(f);
}

static void words_become_a_query(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    assert_true(search_words(&out, STR(" Blue \"oak\"-chair ")));
    assert_true(str_eq(buf_text(&out), STR("\"Blue\" \"oak\" \"chair\"*")));
    buf_clear(&out);
    assert_false(search_words(&out, STR(" \"*-")));
    assert_int_equal(out.len, 0);
    buf_close(&out);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_with_goods, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_must_all_occur_the_last_as_a_prefix),
        TEST(what_is_typed_is_never_taken_for_the_query_language),
        TEST(a_title_counts_more_than_a_description),
        TEST(filters_narrow),
        TEST(each_order_is_one),
        TEST(pages_show_each_product_once_in_every_order),
        TEST(a_product_added_meanwhile_does_not_shift_the_pages),
        TEST(a_cursor_belongs_to_its_search),
        TEST(what_changes_is_found_under_its_new_words_alone),
        TEST(words_become_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
