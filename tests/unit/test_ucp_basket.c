#include "web/ucp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct exchange x;
    struct ucp_view view;
    struct json_in in;
    struct json_spot body;
};

static int begin(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    arena_init(&f.x.arena, 1 << 20);
    f.view.x = &f.x;
    f.view.base = STR("https://shop.example");
    f.view.settings.currency = STR("EUR");
    json_begin(&f.view.json, &f.x.arena);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    arena_close(&f->x.arena);
    return 0;
}

static void read_text(struct fixture *f, const char *text)
{
    json_read(&f->in, &f->x.arena, str_of(text), &f->body);
}

static void has(struct str text, const char *part)
{
    if (str_find(text, str_of(part)) < 0)
        fail_msg("%s is not in %.*s", part, STR_FMT(text));
}

static void lines_and_codes_are_read(void **state)
{
    struct fixture *f = *state;
    struct basket_input basket;
    read_text(f, "{\"line_items\":[{\"id\":\"li_3\",\"item\":{\"id\":\"mug\"},\"quantity\":2},"
                 "{\"id\":\"x\",\"item\":{\"id\":\"pot\"},\"quantity\":1}],"
                 "\"discounts\":{\"codes\":[\"10OFF\"]},\"buyer\":{\"email\":\"a@b.example\"}}");
    ucp_read_basket(&f->in, &f->body, true, &basket);
    assert_false(json_bad(&f->in));
    assert_int_equal(basket.line_count, 2);
    assert_int_equal(basket.lines[0].line_id, 3);
    assert_int_equal(basket.lines[1].line_id, 0);
    assert_true(str_eq(basket.codes[0], STR("10OFF")));
    assert_true(str_eq(basket.buyer.email, STR("a@b.example")));
}

static void what_is_wrong_in_a_line_is_told(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body, *path;
    } bad[] = {
        {"{}", "$.line_items"},
        {"{\"line_items\":{}}", "$.line_items"},
        {"{\"line_items\":[1]}", "$.line_items[0]"},
        {"{\"line_items\":[{\"quantity\":1}]}", "$.line_items[0].item"},
        {"{\"line_items\":[{\"item\":{},\"quantity\":1}]}", "$.line_items[0].item.id"},
        {"{\"line_items\":[{\"item\":{\"id\":\"a\"}}]}", "$.line_items[0].quantity"},
        {"{\"line_items\":[{\"item\":{\"id\":\"a\"},\"quantity\":0}]}", "$.line_items[0].quantity"},
        {"{\"line_items\":[{\"item\":{\"id\":\"a\"},\"quantity\":-1}]}",
         "$.line_items[0].quantity"},
        {"{\"line_items\":[],\"buyer\":[]}", "$.buyer"},
        {"{\"line_items\":[],\"discounts\":{\"codes\":[7]}}", "$.discounts.codes[0]"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct basket_input basket;
        read_text(f, bad[i].body);
        ucp_read_basket(&f->in, &f->body, true, &basket);
        assert_true(json_bad(&f->in));
        assert_true(str_eq(f->in.path, str_of(bad[i].path)));
    }
}

static void destinations_get_ids_that_are_free(void **state)
{
    struct fixture *f = *state;
    struct checkout_input input = {0};
    read_text(f, "{\"fulfillment\":{\"methods\":[{\"type\":\"shipping\",\"destinations\":["
                 "{\"address_country\":\"us\"},{\"id\":\"dest_1\",\"address_country\":\"DE\"}],"
                 "\"selected_destination_id\":\"dest_2\","
                 "\"groups\":[{\"selected_option_id\":\"std-ship\"}]}]}}");
    ucp_read_fulfillment(&f->in, &f->body, NULL, &input);
    assert_false(json_bad(&f->in));
    assert_int_equal(input.destination_count, 2);
    assert_true(str_eq(input.destinations[0].id, STR("dest_2")));
    assert_true(str_eq(input.destinations[0].country, STR("US")));
    assert_true(str_eq(input.selected_rate, STR("std-ship")));
}

static void a_selection_of_no_destination_is_refused(void **state)
{
    struct fixture *f = *state;
    struct checkout_input input = {0};
    read_text(f, "{\"fulfillment\":{\"methods\":[{\"selected_destination_id\":\"x\"}]}}");
    ucp_read_fulfillment(&f->in, &f->body, NULL, &input);
    assert_true(json_bad(&f->in));
    assert_true(str_eq(f->in.path, STR("$.fulfillment.methods[0].selected_destination_id")));
}

static void known_destinations_may_be_selected_without_repeating_them(void **state)
{
    struct fixture *f = *state;
    struct checkout_input input = {0};
    struct checkout before = {.destination_count = 1};
    before.destinations[0] = (struct address){.id = STR("home"), .country = STR("US")};
    read_text(f, "{\"fulfillment\":{\"methods\":[{\"type\":\"shipping\","
                 "\"selected_destination_id\":\"home\"}]}}");
    ucp_read_fulfillment(&f->in, &f->body, &before, &input);
    assert_false(json_bad(&f->in));
    assert_int_equal(input.destination_count, 1);
    assert_true(str_eq(input.selected_destination, STR("home")));
}

/* 30.00 of goods, 10 % off, tax of 19 % contained. */
static void priced(struct basket *basket, struct line *line, int64_t *part)
{
    *part = 300;
    *line = (struct line){.line_id = 1,
                          .variant_id = 9,
                          .item_key = STR("mug~blue"),
                          .quantity = 2,
                          .title = STR("Mug"),
                          .option_text = STR("Blue"),
                          .picture_url = STR("/pictures/mug.svg"),
                          .unit_price = 1500,
                          .subtotal = 3000,
                          .discount = 300};
    basket->lines = line;
    basket->line_count = 1;
    basket->codes[0] = STR("10OFF");
    basket->code_count = 1;
    basket->applied[0] = (struct discount_applied){.key = STR("10OFF"),
                                                   .code = STR("10OFF"),
                                                   .title = STR("10 % off"),
                                                   .amount = 300,
                                                   .percent = true,
                                                   .parts = part,
                                                   .part_count = 1};
    basket->applied_count = 1;
    basket->totals[0] = (struct total){TOTAL_SUBTOTAL, STR("Subtotal"), 3000, false};
    basket->totals[1] = (struct total){TOTAL_ITEMS_DISCOUNT, STR("Discount"), -300, false};
    basket->totals[2] = (struct total){TOTAL_TAX, STR("VAT"), 431, true};
    basket->totals[3] = (struct total){TOTAL_TOTAL, STR("Total"), 2700, false};
    basket->total_count = 4;
}

static void a_basket_is_rendered(void **state)
{
    struct fixture *f = *state;
    static struct basket basket;
    struct line line;
    int64_t part;
    memset(&basket, 0, sizeof basket);
    priced(&basket, &line, &part);
    ucp_put_basket(&f->view, f->view.json.root, &basket);
    struct str text = json_end(&f->view.json);
    has(text, "\"id\":\"li_1\"");
    has(text, "\"item\":{\"id\":\"mug~blue\",\"title\":\"Mug (Blue)\",\"price\":1500,"
              "\"image_url\":\"https://shop.example/pictures/mug.svg\"}");
    has(text, "{\"type\":\"items_discount\",\"display_text\":\"Discount\",\"amount\":-300}");
    has(text, "\"allocations\":[{\"path\":\"$.line_items[0]\",\"amount\":300}]");
    has(text, "\"currency\":\"EUR\"");
}

static void contained_tax_is_a_detail_of_the_total(void **state)
{
    struct fixture *f = *state;
    static struct basket basket;
    struct line line;
    int64_t part;
    memset(&basket, 0, sizeof basket);
    priced(&basket, &line, &part);
    ucp_put_totals(&f->view.json, f->view.json.root, &basket);
    struct str text = json_end(&f->view.json);
    assert_true(str_find(text, STR("\"type\":\"tax\"")) < 0);
    has(text, "\"amount\":2700,\"lines\":[{\"display_text\":\"Without tax\",\"amount\":2269},"
              "{\"display_text\":\"VAT, included\",\"amount\":431}]");
}

static void an_empty_basket_has_its_two_totals(void **state)
{
    struct fixture *f = *state;
    static struct basket basket;
    memset(&basket, 0, sizeof basket);
    ucp_put_totals(&f->view.json, f->view.json.root, &basket);
    struct str text = json_end(&f->view.json);
    has(text, "{\"type\":\"subtotal\",\"display_text\":\"Subtotal\",\"amount\":0}");
    has(text, "{\"type\":\"total\",\"display_text\":\"Total\",\"amount\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(lines_and_codes_are_read),
        TEST(what_is_wrong_in_a_line_is_told),
        TEST(destinations_get_ids_that_are_free),
        TEST(a_selection_of_no_destination_is_refused),
        TEST(known_destinations_may_be_selected_without_repeating_them),
        TEST(a_basket_is_rendered),
        TEST(contained_tax_is_a_detail_of_the_total),
        TEST(an_empty_basket_has_its_two_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
