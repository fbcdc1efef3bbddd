#include "web/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct json_in in;
    struct json_spot root;
};

static int begin(void **state)
{
    static struct fixture fixture;
    arena_init(&fixture.arena, 1 << 20);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    arena_close(&f->arena);
    return 0;
}

static void read_text(struct fixture *f, const char *text)
{
    json_read(&f->in, &f->arena, str_of(text), &f->root);
}

static void assert_str(struct str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.at, expected, text.len);
}

static void a_problem_is_told_with_its_path(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"line_items\":[{\"quantity\":1},{\"quantity\":\"two\"}]}");
    struct json_spot list = json_member(&f->root, "line_items");
    assert_int_equal(json_count(&f->in, &list, 10), 2);
    struct json_spot second = json_element(&list, 1);
    json_integer_of(&f->in, &second, "quantity", 1, 10, 1);
    assert_true(json_bad(&f->in));
    assert_str(f->in.path, "$.line_items[1].quantity");
    assert_str(f->in.problem, "must be a whole number");
}

static void the_first_problem_is_kept(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"a\":1,\"b\":2}");
    json_text_of(&f->in, &f->root, "a", 10);
    json_text_of(&f->in, &f->root, "b", 10);
    assert_str(f->in.path, "$.a");
}

static void a_body_that_is_no_json_says_where(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"a\": }");
    assert_true(json_bad(&f->in));
    assert_str(f->in.path, "$");
}

static void deep_nesting_is_refused_before_parsing(void **state)
{
    struct fixture *f = *state;
    char text[JSON_DEPTH_MAX * 2 + 4];
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    text[JSON_DEPTH_MAX * 2 + 2] = 0;
    read_text(f, text);
    assert_true(json_bad(&f->in));
    read_text(f, "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}");
    assert_false(json_bad(&f->in));
}

static void whole_numbers_may_be_written_as_reals(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"a\":2.0,\"b\":2.5}");
    assert_int_equal(json_integer_of(&f->in, &f->root, "a", 0, 9, 7), 2);
    assert_false(json_bad(&f->in));
    assert_int_equal(json_integer_of(&f->in, &f->root, "b", 0, 9, 7), 7);
    assert_true(json_bad(&f->in));
}

static void a_number_out_of_range_is_wrong(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"a\":18446744073709551615}");
    assert_int_equal(json_integer_of(&f->in, &f->root, "a", 0, 9, 7), 7);
    assert_true(json_bad(&f->in));
}

static void null_counts_as_missing(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"a\":null}");
    struct json_spot spot = json_member(&f->root, "a");
    assert_false(json_has(&spot));
    assert_null(json_text(&f->in, &spot, 10).at);
    assert_false(json_bad(&f->in));
}

static void control_characters_are_refused(void **state)
{
    struct fixture *f = *state;
    read_text(f, "{\"a\":\"x\\u0000y\"}");
    assert_null(json_text_of(&f->in, &f->root, "a", 10).at);
    assert_true(json_bad(&f->in));
}

static void hash_of(struct fixture *f, const char *text, unsigned char out[JSON_HASH])
{
    read_text(f, text);
    assert_false(json_bad(&f->in));
    json_hash(STR("POST /x"), f->root.value, out);
}

static void the_hash_is_of_the_meaning(void **state)
{
    struct fixture *f = *state;
    unsigned char a[JSON_HASH], b[JSON_HASH];
    hash_of(f, "{\"a\":1,\"b\":[\"x\",true]}", a);
    hash_of(f, " { \"b\" : [ \"\\u0078\", true ], \"a\" : 1.0 } ", b);
    assert_memory_equal(a, b, JSON_HASH);
    hash_of(f, "{\"a\":1,\"b\":[\"x\",false]}", b);
    assert_memory_not_equal(a, b, JSON_HASH);
    hash_of(f, "{\"a\":1,\"b\":[\"xt\"]}", b);
    assert_memory_not_equal(a, b, JSON_HASH);
}

/* Also where one piece of what is hashed ends and the next begins. */
static void the_hash_is_of_every_byte(void **state)
{
    struct fixture *f = *state;
    enum { LONG = 2500 };
    static char text[LONG + 40];
    unsigned char whole[JSON_HASH], changed[JSON_HASH];
    for (size_t len = 0; len <= LONG; len += LONG / 2) {
        int start = snprintf(text, sizeof text, "{\"a\":\"");
        memset(text + start, 'x', len);
        strcpy(text + start + len, "\",\"b\":\"y\"}");
        hash_of(f, text, whole);
        for (size_t i = 0; i < len; i++) {
            text[(size_t)start + i] = 'z';
            arena_reset(&f->arena);
            hash_of(f, text, changed);
            assert_memory_not_equal(whole, changed, JSON_HASH);
            text[(size_t)start + i] = 'x';
        }
        text[strlen(text) - 3] = 'z';
        hash_of(f, text, changed);
        assert_memory_not_equal(whole, changed, JSON_HASH);
    }
}

static void what_is_written_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct json json;
    json_begin(&json, &f->arena);
    json_put_text(&json, json.root, "text", STR("a \"quote\"\n"));
    json_put_some(&json, json.root, "nothing", STR(""));
    json_put_int(&json, json.root, "number", -5);
    json_add_text(&json, json_put_list(&json, json.root, "list"), STR("x"));
    struct str text = json_end(&json);
    assert_str(text, "{\"text\":\"a \\\"quote\\\"\\n\",\"number\":-5,\"list\":[\"x\"]}");
}

static void want_of_memory_shows_at_the_end(void **state)
{
    (void)state;
    struct arena small;
    struct json json;
    arena_init(&small, 4096);
    json_begin(&json, &small);
    for (unsigned i = 0; i < 1000; i++)
        json_put_int(&json, json.root, "number", i);
    assert_null(json_end(&json).at);
    arena_close(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(a_problem_is_told_with_its_path),
        TEST(the_first_problem_is_kept),
        TEST(a_body_that_is_no_json_says_where),
        TEST(deep_nesting_is_refused_before_parsing),
        TEST(whole_numbers_may_be_written_as_reals),
        TEST(a_number_out_of_range_is_wrong),
        TEST(null_counts_as_missing),
        TEST(control_characters_are_refused),
        TEST(the_hash_is_of_the_meaning),
        TEST(the_hash_is_of_every_byte),
        TEST(what_is_written_can_be_read),
        TEST(want_of_memory_shows_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
