/* Patterns fit the paths that they should, and the table says what a path knows. */
#include "web/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum app_verdict handler(struct exchange *x)
{
    (void)x;
    return APP_DONE;
}

static const struct route table[] = {
    {.method = HTTP_GET, .pattern = "/", .handle = handler},
    {.method = HTTP_GET, .pattern = "/product/{handle}.json", .handle = handler},
    {.method = HTTP_GET, .pattern = "/product/{handle}", .handle = handler},
    {.method = HTTP_GET, .pattern = "/carts/{id}", .handle = handler, .face = FACE_UCP},
    {.method = HTTP_PUT, .pattern = "/carts/{id}", .handle = handler, .face = FACE_UCP},
    {.method = HTTP_GET, .pattern = "/media/{path*}", .handle = handler},
};
enum { ROWS = sizeof table / sizeof *table };

static bool fits(const char *pattern, const char *path, const char *param)
{
    struct str params[ROUTE_PARAMS_MAX] = {{0}};
    bool yes = route_fits(pattern, str_of(path), params);
    if (yes && param)
        assert_true(str_eq(params[0], str_of(param)));
    return yes;
}

static void parameters_take_one_segment(void **state)
{
    (void)state;
    assert_true(fits("/product/{handle}", "/product/mug", "mug"));
    assert_false(fits("/product/{handle}", "/product/", NULL));
    assert_false(fits("/product/{handle}", "/product/mug/", NULL));
    assert_false(fits("/product/{handle}", "/product/a/b", NULL));
    assert_false(fits("/product/{handle}", "/products/mug", NULL));
    assert_true(fits("/carts/{id}/cancel", "/carts/7/cancel", "7"));
    assert_false(fits("/carts/{id}/cancel", "/carts/7", NULL));
    assert_false(fits("/carts/{id}/cancel", "/carts/7/cancelled", NULL));
}

static void a_fixed_end_belongs_to_the_pattern(void **state)
{
    (void)state;
    assert_true(fits("/product/{handle}.json", "/product/mug.json", "mug"));
    assert_true(fits("/product/{handle}.json", "/product/a.b.json", "a.b"));
    assert_false(fits("/product/{handle}.json", "/product/mug", NULL));
    assert_false(fits("/product/{handle}.json", "/product/.json", NULL));
}

static void a_starred_parameter_takes_the_rest(void **state)
{
    (void)state;
    assert_true(fits("/media/{path*}", "/media/a/b/c.png", "a/b/c.png"));
    assert_false(fits("/media/{path*}", "/media/", NULL));
}

static void the_first_row_that_fits_wins(void **state)
{
    (void)state;
    assert_ptr_equal(route_find(table, ROWS, HTTP_GET, STR("/product/mug.json")).route, &table[1]);
    assert_ptr_equal(route_find(table, ROWS, HTTP_GET, STR("/product/mug")).route, &table[2]);
}

static void head_is_answered_by_get(void **state)
{
    (void)state;
    assert_ptr_equal(route_find(table, ROWS, HTTP_HEAD, STR("/")).route, &table[0]);
}

static void a_known_path_tells_its_methods(void **state)
{
    (void)state;
    struct route_match match = route_find(table, ROWS, HTTP_DELETE, STR("/carts/7"));
    char allow[64];
    assert_null(match.route);
    assert_int_equal(match.face, FACE_UCP);
    assert_string_equal(route_allow(match.allowed, allow, sizeof allow), "GET, HEAD, PUT");
    match = route_find(table, ROWS, HTTP_GET, STR("/nowhere"));
    assert_null(match.route);
    assert_int_equal(match.allowed, 0);
}

static void every_route_of_the_shop_is_found_by_its_own_pattern(void **state)
{
    (void)state;
    assert_true(route_count > 20);
    for (unsigned i = 0; i < route_count; i++) {
        assert_non_null(routes[i].handle);
        assert_non_null(routes[i].about);
        assert_int_equal(routes[i].pattern[0], '/');
        /* What changes something is guarded, or is not for browsers. */
        if (routes[i].face == FACE_PAGES && routes[i].method != HTTP_GET)
            assert_int_not_equal(routes[i].csrf, CSRF_OFF);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_take_one_segment),
        cmocka_unit_test(a_fixed_end_belongs_to_the_pattern),
        cmocka_unit_test(a_starred_parameter_takes_the_rest),
        cmocka_unit_test(the_first_row_that_fits_wins),
        cmocka_unit_test(head_is_answered_by_get),
        cmocka_unit_test(a_known_path_tells_its_methods),
        cmocka_unit_test(every_route_of_the_shop_is_found_by_its_own_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
