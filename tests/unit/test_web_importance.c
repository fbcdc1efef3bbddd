#include "base/check.h"
#include "web/importance.h"
#include "web/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static enum share_class class_of(const char *path)
{
    struct exchange x = {.path = str_of(path)};
    return importance_of(&x);
}

static void people_and_platforms_buy_in_one_class(void **state)
{
    (void)state;
    assert_int_equal(class_of("/checkout"), SHARE_BUYS);
    assert_int_equal(class_of("/checkout/0123/payment"), SHARE_BUYS);
    assert_int_equal(class_of("/checkout-sessions"), SHARE_BUYS);
    assert_int_equal(class_of("/orders/1"), SHARE_BUYS);
    assert_int_equal(class_of("/order/1/cancel"), SHARE_BUYS);
    assert_int_equal(class_of("/cart"), SHARE_CARTS);
    assert_int_equal(class_of("/carts/1"), SHARE_CARTS);
}

static void what_only_looks_alike_is_a_page(void **state)
{
    (void)state;
    assert_int_equal(class_of("/"), SHARE_PAGES);
    assert_int_equal(class_of(""), SHARE_PAGES);
    assert_int_equal(class_of("*"), SHARE_PAGES);
    assert_int_equal(class_of("/carton"), SHARE_PAGES);
    assert_int_equal(class_of("/product/cart"), SHARE_PAGES);
    assert_int_equal(class_of("//cart"), SHARE_PAGES);
}

/* Whoever adds a route for the operator cannot forget it here. */
static void whatever_is_the_operators_by_its_route_is_so_by_its_path(void **state)
{
    (void)state;
    for (unsigned i = 0; i < route_count; i++) {
        bool operators = routes[i].face == FACE_OPERATOR || routes[i].face == FACE_WAREHOUSE;
        if (operators && class_of(routes[i].pattern) != SHARE_OPERATOR)
            fail_msg("%s", routes[i].pattern);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_and_platforms_buy_in_one_class),
        cmocka_unit_test(what_only_looks_alike_is_a_page),
        cmocka_unit_test(whatever_is_the_operators_by_its_route_is_so_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
