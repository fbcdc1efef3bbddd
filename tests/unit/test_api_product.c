#include "web/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(&arena);
    return 0;
}

static struct json_in read_text(const char *text, struct product *product)
{
    struct json_in in;
    struct json_spot body;
    json_read(&in, &arena, str_of(text), &body);
    api_read_product(&in, &body, product);
    return in;
}

static void a_product_read_is_the_product_written(void **state)
{
    (void)state;
    struct product product, again;
    struct json json;
    struct json_in in = read_text(
        "{\"title\":\"Mug\",\"tags\":[\"a\"],\"options\":[\"Colour\"],"
        "\"pictures\":[{\"url\":\"/pictures/mug.svg\",\"alt\":\"a mug\"}],"
        "\"variants\":[{\"options\":[\"Blue\"],\"price\":1200,\"available\":7,\"picture\":0}]}",
        &product);
    assert_false(json_bad(&in));
    assert_int_equal(product.variants[0].price, 1200);
    assert_true(product.variants[0].set_stock && product.variants[0].tracked);
    json_begin(&json, &arena);
    api_put_product(&json, json.root, &product);
    struct str text = json_end(&json);
    in = read_text(text.at, &again);
    assert_false(json_bad(&in));
    assert_true(str_eq(again.title, product.title));
    assert_int_equal(again.variants[0].available, 7);
    assert_int_equal(again.variants[0].picture, 0);
}

static void what_is_wrong_in_a_product_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *body, *path;
    } bad[] = {
        {"{\"variants\":[{\"price\":1}]}", "$.title"},
        {"{\"title\":\"x\"}", "$.variants"},
        {"{\"title\":\"x\",\"variants\":[]}", "$.variants"},
        {"{\"title\":\"x\",\"variants\":[{}]}", "$.variants[0].price"},
        {"{\"title\":\"x\",\"variants\":[{\"price\":\"12,50\"}]}", "$.variants[0].price"},
        {"{\"title\":\"x\",\"variants\":[{\"price\":1,\"options\":[\"a\"]}]}",
         "$.variants[0].options"},
        {"{\"title\":\"x\",\"variants\":[{\"price\":1,\"picture\":0}]}", "$.variants[0].picture"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct product product;
        struct json_in in = read_text(bad[i].body, &product);
        assert_true(json_bad(&in));
        assert_true(str_eq(in.path, str_of(bad[i].path)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_product_read_is_the_product_written, begin, end),
        cmocka_unit_test_setup_teardown(what_is_wrong_in_a_product_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
