/* Which warehouses ship what of an order. */
#include "shop/warehouse_choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { WAREHOUSES = 3, ITEMS = 3 };

struct result {
    uint32_t take[WAREHOUSES][ITEMS];
};

/* An order of QUANTITY of each item, one line each. */
static struct result choose(const int64_t has[WAREHOUSES][ITEMS], const bool counted[ITEMS],
                            const uint32_t quantity[ITEMS])
{
    struct result result = {0};
    int64_t free[WAREHOUSES][ITEMS];
    const unsigned item[ITEMS] = {0, 1, 2};
    memcpy(free, has, sizeof free);
    warehouse_choose(&(struct warehouse_choice){
        .warehouses = WAREHOUSES,
        .items = ITEMS,
        .lines = ITEMS,
        .free = &free[0][0],
        .counted = counted,
        .item = item,
        .quantity = quantity,
        .take = &result.take[0][0],
    });
    return result;
}

static void expect(struct result result, const uint32_t take[WAREHOUSES][ITEMS])
{
    for (unsigned w = 0; w < WAREHOUSES; w++)
        for (unsigned i = 0; i < ITEMS; i++)
            if (result.take[w][i] != take[w][i])
                fail_msg("warehouse %u ships %u of item %u, not %u", w, result.take[w][i], i,
                         take[w][i]);
}

static const bool all_counted[ITEMS] = {true, true, true};

static void the_first_that_has_everything_ships_it(void **state)
{
    (void)state;
    const int64_t has[WAREHOUSES][ITEMS] = {{9, 9, 0}, {2, 2, 2}, {9, 9, 9}};
    expect(choose(has, all_counted, (uint32_t[]){1, 2, 2}),
           (const uint32_t[WAREHOUSES][ITEMS]){{0}, {1, 2, 2}, {0}});
}

static void a_split_is_as_small_as_the_greedy_finds(void **state)
{
    (void)state;
    const int64_t has[WAREHOUSES][ITEMS] = {{1, 0, 0}, {4, 4, 0}, {0, 0, 4}};
    expect(choose(has, all_counted, (uint32_t[]){3, 3, 3}),
           (const uint32_t[WAREHOUSES][ITEMS]){{0}, {3, 3, 0}, {0, 0, 3}});
}

static void one_line_is_split_when_nobody_has_it_whole(void **state)
{
    (void)state;
    const int64_t has[WAREHOUSES][ITEMS] = {{2, 0, 0}, {3, 0, 0}, {1, 0, 0}};
    expect(choose(has, all_counted, (uint32_t[]){6, 0, 0}),
           (const uint32_t[WAREHOUSES][ITEMS]){{2}, {3}, {1}});
}

static void a_backorder_waits_where_most_is_shipped_from(void **state)
{
    (void)state;
    const int64_t has[WAREHOUSES][ITEMS] = {{1, 0, 0}, {0, 5, 0}, {-3, 0, 0}};
    expect(choose(has, all_counted, (uint32_t[]){2, 4, 1}),
           (const uint32_t[WAREHOUSES][ITEMS]){{1}, {1, 4, 1}, {0}});
}

static void with_nothing_anywhere_the_first_gets_it(void **state)
{
    (void)state;
    const int64_t has[WAREHOUSES][ITEMS] = {{-1}, {0}, {0}};
    expect(choose(has, all_counted, (uint32_t[]){2, 0, 0}),
           (const uint32_t[WAREHOUSES][ITEMS]){{2}, {0}, {0}});
}

static void what_never_runs_out_goes_along(void **state)
{
    (void)state;
    const bool counted[ITEMS] = {true, false, true};
    const int64_t has[WAREHOUSES][ITEMS] = {{0, 0, 9}, {9, 0, 0}, {9, 0, 9}};
    expect(choose(has, counted, (uint32_t[]){5, 7, 0}),
           (const uint32_t[WAREHOUSES][ITEMS]){{0}, {5, 7, 0}, {0}});
    expect(choose(has, counted, (uint32_t[]){5, 7, 1}),
           (const uint32_t[WAREHOUSES][ITEMS]){{0}, {0}, {5, 7, 1}});
}

static void only_what_never_runs_out_comes_from_the_first(void **state)
{
    (void)state;
    const bool counted[ITEMS] = {false, false, false};
    const int64_t has[WAREHOUSES][ITEMS] = {{-9, -9, 0}, {9, 9, 9}, {9, 9, 9}};
    expect(choose(has, counted, (uint32_t[]){1, 2, 3}),
           (const uint32_t[WAREHOUSES][ITEMS]){{1, 2, 3}, {0}, {0}});
}

/* Two lines of one item: what one takes is not there for the other. */
static void lines_of_one_item_share_what_there_is(void **state)
{
    (void)state;
    int64_t free[2] = {5, 20};
    const bool counted = true;
    const unsigned item[2] = {0, 0};
    const uint32_t quantity[2] = {4, 4};
    uint32_t take[4] = {0};
    warehouse_choose(&(struct warehouse_choice){2, 1, 2, free, &counted, item, quantity, take});
    assert_int_equal(take[0] + take[1], 0);
    assert_int_equal(take[2], 4);
    assert_int_equal(take[3], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_has_everything_ships_it),
        cmocka_unit_test(a_split_is_as_small_as_the_greedy_finds),
        cmocka_unit_test(one_line_is_split_when_nobody_has_it_whole),
        cmocka_unit_test(a_backorder_waits_where_most_is_shipped_from),
        cmocka_unit_test(with_nothing_anywhere_the_first_gets_it),
        cmocka_unit_test(what_never_runs_out_goes_along),
        cmocka_unit_test(only_what_never_runs_out_comes_from_the_first),
        cmocka_unit_test(lines_of_one_item_share_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
