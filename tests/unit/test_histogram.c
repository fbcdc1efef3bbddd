#include "bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct histogram *fresh(void)
{
    struct histogram *h = malloc(sizeof *h);
    assert_non_null(h);
    histogram_clear(h);
    return h;
}

static void each_value_is_kept_within_one_percent(void **state)
{
    (void)state;
    struct histogram *h = fresh();
    for (uint64_t value = 1; value < (1ull << 40); value += value / 7 + 1) {
        histogram_clear(h);
        histogram_add(h, value);
        histogram_add(h, UINT64_MAX >> 2); /* or the maximum would be the answer */
        uint64_t got = histogram_quantile(h, 0.5);
        assert_true(got >= value);
        assert_true((double)(got - value) <= 0.008 * (double)value);
    }
    free(h);
}

static void quantiles_of_a_thousand_steps(void **state)
{
    (void)state;
    struct histogram *h = fresh();
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(h, i * 1000);
    assert_true(llabs((long long)histogram_quantile(h, 0.5) - 500000) < 4500);
    assert_true(llabs((long long)histogram_quantile(h, 0.99) - 990000) < 9000);
    assert_int_equal(histogram_quantile(h, 1), 1000000);
    assert_true(histogram_mean(h) > 500499 && histogram_mean(h) < 500501);
    free(h);
}

static void merging_is_adding_all(void **state)
{
    (void)state;
    struct histogram *a = fresh(), *b = fresh(), *all = fresh();
    for (uint64_t i = 0; i < 5000; i++) {
        histogram_add(i % 3 ? a : b, i * i);
        histogram_add(all, i * i);
    }
    histogram_merge(a, b);
    assert_memory_equal(a->cells, all->cells, sizeof a->cells);
    assert_int_equal(a->count, all->count);
    assert_int_equal(a->max, all->max);
    assert_int_equal(a->min, all->min);
    free(a);
    free(b);
    free(all);
}

static void walk_ends_at_all_of_them(void **state)
{
    (void)state;
    struct histogram *h = fresh();
    unsigned cell = 0;
    uint64_t value, last = 0, at_most = 0;
    for (uint64_t i = 0; i < 100; i++)
        histogram_add(h, i * 12345);
    while (histogram_walk(h, &cell, &value, &at_most)) {
        assert_true(value >= last);
        last = value;
    }
    assert_int_equal(at_most, 100);
    assert_int_equal(last, 99 * 12345);
    free(h);
}

static void empty_one_gives_zero(void **state)
{
    (void)state;
    struct histogram *h = fresh();
    assert_int_equal(histogram_quantile(h, 0.99), 0);
    assert_true(histogram_mean(h) == 0);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_kept_within_one_percent),
        cmocka_unit_test(quantiles_of_a_thousand_steps),
        cmocka_unit_test(merging_is_adding_all),
        cmocka_unit_test(walk_ends_at_all_of_them),
        cmocka_unit_test(empty_one_gives_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
