#include "base/clock.h"
#include "engine/stopping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

static const uint64_t asked_ns = 100 * SEC_NS;

static void stages_follow_one_another(void **state)
{
    (void)state;
    const struct stopping stopping = {asked_ns, 10 * SEC_NS};
    static const struct {
        uint64_t after_ms, until_ms;
        enum stopping_stage stage;
    } rows[] = {
        {0, 300, STOPPING_POLITE},        {299, 300, STOPPING_POLITE},
        {300, 10000, STOPPING_DRAINING},  {9999, 10000, STOPPING_DRAINING},
        {10000, 11000, STOPPING_CUT_OFF}, {10999, 11000, STOPPING_CUT_OFF},
    };
    uint64_t until_ns;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(stopping_stage(&stopping, asked_ns + rows[i].after_ms * MS_NS, &until_ns),
                         rows[i].stage);
        assert_int_equal(until_ns, asked_ns + rows[i].until_ms * MS_NS);
    }
    assert_int_equal(stopping_stage(&stopping, asked_ns + 11 * SEC_NS, &until_ns), STOPPING_LEFT);
    assert_true(until_ns == UINT64_MAX);
}

static void politeness_is_no_longer_than_the_grace(void **state)
{
    (void)state;
    const struct stopping none = {asked_ns, 0}, little = {asked_ns, 100 * MS_NS};
    uint64_t until_ns;
    assert_int_equal(stopping_stage(&none, asked_ns, &until_ns), STOPPING_CUT_OFF);
    assert_int_equal(stopping_stage(&little, asked_ns, &until_ns), STOPPING_POLITE);
    assert_int_equal(until_ns, asked_ns + 100 * MS_NS);
    assert_int_equal(stopping_stage(&little, until_ns, &until_ns), STOPPING_CUT_OFF);
}

static void who_was_silent_is_drained_at_once(void **state)
{
    (void)state;
    const struct stopping stopping = {asked_ns, 10 * SEC_NS};
    assert_true(stopping_drains(&stopping, STOPPING_POLITE, asked_ns - SEC_NS));
    assert_false(stopping_drains(&stopping, STOPPING_POLITE, asked_ns - SEC_NS + 1));
    assert_false(stopping_drains(&stopping, STOPPING_POLITE, asked_ns + 1));
    assert_true(stopping_drains(&stopping, STOPPING_DRAINING, asked_ns + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_follow_one_another),
        cmocka_unit_test(politeness_is_no_longer_than_the_grace),
        cmocka_unit_test(who_was_silent_is_drained_at_once),
    };
    return cmocka_run_group_tests_name("engine_stopping", tests, NULL, NULL);
}
