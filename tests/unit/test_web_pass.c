/* What a reader answers itself is exactly what changes nothing and needs nobody else. */
#include "base/check.h"
#include "web/inner.h"
#include "web/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct route *route_of(enum http_method method, const char *path)
{
    const struct route *route = route_find(routes, route_count, method, str_of(path)).route;
    assert_non_null(route);
    return route;
}

static void what_only_reads_is_answered_here(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/",
        "/product/mug",
        "/product/mug.json",
        "/category/mugs",
        "/search",
        "/suggest",
        "/cart",
        "/checkout/1",
        "/order/1",
        "/orders/1",
        "/carts/1",
        "/checkout-sessions/1",
        "/about",
        "/.well-known/ucp",
        "/assets/a.css",
        "/admin/api/products",
        "/healthz",
        "/metrics",
        "/livez",
        "/admin/api/orders/1",
    };
    for (unsigned i = 0; i < COUNT_OF(paths); i++)
        assert_true(pass_reads(route_of(HTTP_GET, paths[i]), true));
    assert_true(pass_reads(route_of(HTTP_POST, "/catalog/search"), true));
}

static void what_may_change_something_is_passed_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].method != HTTP_GET &&
            !str_starts(str_of(routes[i].pattern), STR("/catalog/")))
            assert_false(pass_reads(&routes[i], false));
    /* It becomes the browser's cart. */
    assert_false(pass_reads(route_of(HTTP_GET, "/carts/1/open"), false));
}

static void what_only_the_writer_knows_is_passed_on(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/v1/cluster", "/api/v1/backup", "/api/v1/outbox",
                                        "/api/v1/cluster/home", "/admin/api/export"};
    for (unsigned i = 0; i < COUNT_OF(paths); i++)
        assert_false(pass_reads(route_of(HTTP_GET, paths[i]), false));
}

static void a_file_of_the_media_may_be_with_another_of_the_cluster(void **state)
{
    (void)state;
    assert_true(pass_reads(route_of(HTTP_GET, "/media/a.jpg"), false));
    assert_false(pass_reads(route_of(HTTP_GET, "/media/a.jpg"), true));
}

static void how_it_is_it_says_itself(void **state)
{
    (void)state;
    assert_true(pass_is_own(route_of(HTTP_GET, "/healthz")));
    assert_true(pass_is_own(route_of(HTTP_GET, "/metrics")));
    assert_false(pass_is_own(route_of(HTTP_GET, "/")));
}

/* With the engine fork: what a client's process must not collect. */
static void what_may_be_of_any_length_goes_piece_by_piece(void **state)
{
    (void)state;
    static const char *const paths[] = {"/admin/api/export", "/api/v1/backup",
                                        "/admin/api/media/a.png", "/media/a.png"};
    for (unsigned i = 0; i < COUNT_OF(paths); i++)
        assert_true(inner_is_long(route_of(HTTP_GET, paths[i])));
    for (unsigned i = 0; i < route_count; i++)
        if (routes[i].accept && routes[i].face == FACE_OPERATOR)
            assert_true(inner_is_long(&routes[i]));
    assert_false(inner_is_long(route_of(HTTP_POST, "/carts")));
    assert_false(inner_is_long(route_of(HTTP_GET, "/metrics")));
}

static void a_key_of_the_inner_door_is_new_each_time(void **state)
{
    (void)state;
    char one[INNER_KEY], other[INNER_KEY];
    inner_key_new(one);
    inner_key_new(other);
    assert_int_equal(strlen(one), INNER_KEY - 1);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_reads_is_answered_here),
        cmocka_unit_test(what_may_change_something_is_passed_on),
        cmocka_unit_test(what_only_the_writer_knows_is_passed_on),
        cmocka_unit_test(a_file_of_the_media_may_be_with_another_of_the_cluster),
        cmocka_unit_test(how_it_is_it_says_itself),
        cmocka_unit_test(what_may_be_of_any_length_goes_piece_by_piece),
        cmocka_unit_test(a_key_of_the_inner_door_is_new_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
