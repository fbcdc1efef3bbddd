/* Who of all servers gets requests, and what holds whatever happens to them. */
#include "balance/health.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { MAX_OUT = 500, PANIC = 300 };

static const struct health_rules usual;

static uint64_t used(const char *states, bool *panic)
{
    struct health_member members[64];
    unsigned count = (unsigned)strlen(states);
    for (unsigned i = 0; i < count; i++) {
        static const char letters[] = "uwsoxd"; /* x: out by checks; upper case: aside */
        long at = strchr(letters, tolower(states[i])) - letters;
        const enum health_state of[] = {HEALTH_UP,  HEALTH_WARMING, HEALTH_SUSPECT,
                                        HEALTH_OUT, HEALTH_OUT,     HEALTH_DRAINING};
        members[i] = (struct health_member){of[at], states[i] == 'x', i, isupper(states[i]) != 0};
    }
    return health_all(members, count, MAX_OUT, PANIC, panic);
}

static void who_takes_requests_is_used_and_nobody_else(void **state)
{
    (void)state;
    bool panic;
    assert_int_equal(used("uwsxd", &panic), 0x3);
    assert_false(panic);
    assert_int_equal(used("uuo", &panic), 0x3);
    assert_false(panic);
}

static void who_is_aside_is_used_when_nobody_else_takes_requests(void **state)
{
    (void)state;
    bool panic;
    assert_int_equal(used("uUu", &panic), 0x5);
    assert_int_equal(used("uUs", &panic), 0x1);
    assert_int_equal(used("xUx", &panic), 0x2);
    assert_int_equal(used("dUD", &panic), 0x2);
    assert_int_equal(used("xXd", &panic), 0x3);
    assert_int_equal(used("uXX", &panic), 0x1);
    assert_false(panic); /* of those that are for shoppers none is out */
}

static void half_of_them_may_be_out_by_passive_signs_and_the_last_ones_stay(void **state)
{
    (void)state;
    bool panic;
    assert_int_equal(used("uoo", &panic), 0x5);
    assert_false(panic);
    assert_int_equal(used("oooo", &panic), 0xc);
    assert_false(panic);
    assert_int_equal(used("o", &panic), 0x1);
    assert_false(panic);
    assert_int_equal(used("od", &panic), 0x1);
}

static void with_too_few_left_those_that_only_fail_are_used_too(void **state)
{
    (void)state;
    bool panic;
    assert_int_equal(used("uoxxx", &panic), 0x3); /* 200 of 1000 */
    assert_true(panic);
    assert_int_equal(used("uxx", &panic), 0x1); /* the dead are of no use: 333 */
    assert_false(panic);
    assert_int_equal(used("uxxx", &panic), 0x1);
    assert_true(panic);
}

static void with_none_left_all_are_used_but_those_that_drain(void **state)
{
    (void)state;
    bool panic;
    assert_int_equal(used("xsxd", &panic), 0x7);
    assert_true(panic);
    assert_int_equal(used("ddd", &panic), 0);
    assert_int_equal(used("", &panic), 0);
    assert_false(panic);
}

/* ---- By chance ---- */

static enum health_sign random_sign(struct random *random)
{
    return (enum health_sign)random_below(random, SIGN_COUNT);
}

/* What holds whatever comes. */
static void check_laws(struct health *healths, unsigned count, uint64_t now_ns)
{
    struct health_member members[8];
    unsigned passive_unused = 0, staying = 0;
    bool panic, any = false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t its = health_share(&healths[i], now_ns);
        assert_in_range(its, 1, 1000);
        assert_int_equal(healths[i].state == HEALTH_DRAINING, healths[i].draining);
        members[i] =
            (struct health_member){healths[i].state, healths[i].by_checks, healths[i].changed_ns};
    }
    uint64_t mask = health_all(members, count, MAX_OUT, PANIC, &panic);
    for (unsigned i = 0; i < count; i++) {
        bool is_used = mask >> i & 1;
        bool out = members[i].state == HEALTH_OUT;
        assert_false(is_used && members[i].state == HEALTH_DRAINING);
        assert_false(!is_used && health_takes(members[i].state));
        staying += members[i].state != HEALTH_DRAINING;
        passive_unused += !is_used && out && !members[i].by_checks;
        any |= is_used;
    }
    assert_true(passive_unused <= staying * MAX_OUT / 1000);
    assert_int_equal(any, staying > 0);
}

static void whatever_comes_the_laws_hold_and_when_all_is_fine_all_come_back(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 20261122);
    for (int round = 0; round < 300; round++) {
        unsigned count = 1 + (unsigned)random_below(&random, 8);
        struct health healths[8];
        uint64_t now_ns = 1 + random_below(&random, 1000 * SEC_NS);
        for (unsigned i = 0; i < count; i++)
            health_begin(&healths[i], &usual, random_below(&random, 2), now_ns);
        for (int step = 0; step < 400; step++) {
            unsigned at = (unsigned)random_below(&random, count);
            now_ns += random_below(&random, 2) ? 0 : random_below(&random, 400 * MS_NS);
            enum health_state before = healths[at].state;
            bool changed = health_see(&healths[at], random_sign(&random), now_ns);
            assert_int_equal(changed, healths[at].state != before);
            check_laws(healths, count, now_ns);
        }
        /* The longest ejection, the slow start and the recovery from slowness. */
        for (int step = 0; step < 400; step++) {
            now_ns += 100 * MS_NS;
            for (unsigned i = 0; i < count; i++) {
                health_see(&healths[i], SIGN_RETURN, now_ns);
                health_see(&healths[i], SIGN_CHECK_FINE, now_ns);
            }
        }
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(healths[i].state, HEALTH_UP);
            assert_int_equal(health_share(&healths[i], now_ns), 1000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_requests_is_used_and_nobody_else),
        cmocka_unit_test(who_is_aside_is_used_when_nobody_else_takes_requests),
        cmocka_unit_test(half_of_them_may_be_out_by_passive_signs_and_the_last_ones_stay),
        cmocka_unit_test(with_too_few_left_those_that_only_fail_are_used_too),
        cmocka_unit_test(with_none_left_all_are_used_but_those_that_drain),
        cmocka_unit_test(whatever_comes_the_laws_hold_and_when_all_is_fine_all_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
