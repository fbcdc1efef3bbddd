#include "base/clock.h"
#include "replica/log_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

static void a_new_log_takes_the_wall_clock(void **state)
{
    (void)state;
    struct log_clock clock = {0};
    assert_int_equal(log_clock_stamp(&clock, DAY_MS, SEC_NS), DAY_MS);
    assert_int_equal(log_clock_stamp(&clock, DAY_MS + 5, SEC_NS + 5 * MS_NS), DAY_MS + 5);
}

static void a_shop_that_was_closed_leaps_to_today(void **state)
{
    (void)state;
    struct log_clock clock = {0};
    log_clock_note(&clock, DAY_MS); /* of its log */
    assert_int_equal(log_clock_stamp(&clock, 4 * DAY_MS, SEC_NS), 4 * DAY_MS);
}

static void it_never_goes_back(void **state)
{
    (void)state;
    struct log_clock clock = {0};
    log_clock_note(&clock, DAY_MS);
    assert_int_equal(log_clock_stamp(&clock, HOUR_MS, SEC_NS), DAY_MS);
    log_clock_saw(&clock, DAY_MS + 10, 2 * SEC_NS);
    assert_int_equal(log_clock_stamp(&clock, HOUR_MS, 2 * SEC_NS), DAY_MS + 10);
    log_clock_saw(&clock, DAY_MS, 2 * SEC_NS); /* its sender's clock was behind another's */
    assert_int_equal(log_clock_stamp(&clock, HOUR_MS, 2 * SEC_NS), DAY_MS + 10);
}

/* What a retry after a change of primary rests on: operations are remembered for an hour. */
static void a_new_primary_whose_clock_is_an_hour_ahead_does_not_leap(void **state)
{
    (void)state;
    struct log_clock clock = {0};
    log_clock_saw(&clock, DAY_MS, 100 * SEC_NS);
    int64_t stamp = log_clock_stamp(&clock, DAY_MS + HOUR_MS, 110 * SEC_NS);
    assert_in_range(stamp, DAY_MS + 10000, DAY_MS + 11000);
}

static void a_wrong_clock_is_approached_by_a_tenth_of_the_time_also_in_small_steps(void **state)
{
    (void)state;
    struct log_clock clock = {0};
    uint64_t now = SEC_NS, end = SEC_NS + 100 * SEC_NS;
    int64_t stamp = 0;
    log_clock_saw(&clock, DAY_MS, now);
    for (; now <= end; now += MS_NS / 10)
        stamp = log_clock_stamp(&clock, DAY_MS + DAY_MS, now);
    assert_in_range(stamp, DAY_MS + 109000, DAY_MS + 110000);
}

static void a_right_clock_is_followed_exactly(void **state)
{
    (void)state;
    struct log_clock clock = {0};
    log_clock_saw(&clock, DAY_MS, SEC_NS);
    for (int64_t ms = 1; ms < 100000; ms += 7)
        assert_int_equal(log_clock_stamp(&clock, DAY_MS + ms, SEC_NS + (uint64_t)ms * MS_NS),
                         DAY_MS + ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_log_takes_the_wall_clock),
        cmocka_unit_test(a_shop_that_was_closed_leaps_to_today),
        cmocka_unit_test(it_never_goes_back),
        cmocka_unit_test(a_new_primary_whose_clock_is_an_hour_ahead_does_not_leap),
        cmocka_unit_test(a_wrong_clock_is_approached_by_a_tenth_of_the_time_also_in_small_steps),
        cmocka_unit_test(a_right_clock_is_followed_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
