#include "tier/poll_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { THRESHOLD = 4 };

static enum poll_wish took(struct poll_rule *rule, uint64_t length)
{
    return poll_rule_step(rule, length, THRESHOLD, false);
}

static enum poll_wish nothing(struct poll_rule *rule)
{
    return poll_rule_step(rule, 0, THRESHOLD, true);
}

static void two_long_polls_in_a_row_ask_for_more(void **state)
{
    (void)state;
    struct poll_rule rule = {0};
    assert_int_equal(took(&rule, 5), POLL_WISH_NONE);
    assert_int_equal(took(&rule, 4), POLL_WISH_NONE); /* not too long: not in a row any more */
    assert_int_equal(took(&rule, 5), POLL_WISH_NONE);
    assert_int_equal(took(&rule, 5), POLL_WISH_MORE);
}

static void three_empty_polls_in_a_row_ask_to_leave(void **state)
{
    (void)state;
    struct poll_rule rule = {0};
    assert_int_equal(nothing(&rule), POLL_WISH_NONE);
    assert_int_equal(nothing(&rule), POLL_WISH_NONE);
    assert_int_equal(took(&rule, 1), POLL_WISH_NONE);
    assert_int_equal(nothing(&rule), POLL_WISH_NONE);
    assert_int_equal(nothing(&rule), POLL_WISH_NONE);
    assert_int_equal(nothing(&rule), POLL_WISH_FEWER);
}

static void who_has_asked_counts_anew(void **state)
{
    (void)state;
    struct poll_rule rule = {0};
    for (int round = 0; round < 3; round++) {
        assert_int_equal(took(&rule, 9), POLL_WISH_NONE);
        assert_int_equal(took(&rule, 9), POLL_WISH_MORE);
    }
    for (int round = 0; round < 3; round++) {
        assert_int_equal(nothing(&rule), POLL_WISH_NONE);
        assert_int_equal(nothing(&rule), POLL_WISH_NONE);
        assert_int_equal(nothing(&rule), POLL_WISH_FEWER);
    }
}

static void everybody_counts_anew_after_a_change(void **state)
{
    (void)state;
    struct poll_rule rule = {0};
    took(&rule, 9);
    poll_rule_heed(&rule, 0); /* as before */
    assert_int_equal(took(&rule, 9), POLL_WISH_MORE);
    took(&rule, 9);
    poll_rule_heed(&rule, 1);
    assert_int_equal(took(&rule, 9), POLL_WISH_NONE);
    nothing(&rule);
    nothing(&rule);
    poll_rule_heed(&rule, 2);
    assert_int_equal(nothing(&rule), POLL_WISH_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_long_polls_in_a_row_ask_for_more),
        cmocka_unit_test(three_empty_polls_in_a_row_ask_to_leave),
        cmocka_unit_test(who_has_asked_counts_anew),
        cmocka_unit_test(everybody_counts_anew_after_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
