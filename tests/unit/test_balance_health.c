#include "balance/health.h"
#include "base/check.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* ---- A server whose signs are told ---- */

struct one {
    struct health health;
    uint64_t now_ns;
};

static const struct health_rules usual;

static struct one up(void)
{
    struct one one = {.now_ns = 1000 * SEC_NS};
    health_begin(&one.health, &usual, false, one.now_ns);
    return one;
}

static struct one warming(void)
{
    struct one one = {.now_ns = 1000 * SEC_NS};
    health_begin(&one.health, &usual, true, one.now_ns);
    return one;
}

static void see(struct one *one, enum health_sign sign, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        health_see(&one->health, sign, one->now_ns);
}

/* Checks are fine every 100 ms meanwhile. */
static void pass(struct one *one, uint64_t ns)
{
    for (uint64_t end = one->now_ns + ns; one->now_ns < end;) {
        one->now_ns += 100 * MS_NS < end - one->now_ns ? 100 * MS_NS : end - one->now_ns;
        see(one, SIGN_CHECK_FINE, 1);
    }
}

/* Only time passes. */
static void wait(struct one *one, uint64_t ns)
{
    one->now_ns += ns;
    see(one, SIGN_TICK, 1);
}

#define assert_state(one, wanted) \
    assert_string_equal(health_name((one).health.state), health_name(wanted))

static uint32_t share(const struct one *one)
{
    return health_share(&one->health, one->now_ns);
}

/* ---- Slow start ---- */

static void known_server_is_up_at_once_and_a_new_one_warms_up(void **state)
{
    (void)state;
    struct one known = up(), fresh = warming();
    assert_state(known, HEALTH_UP);
    assert_int_equal(share(&known), 1000);
    assert_state(fresh, HEALTH_WARMING);
    assert_int_equal(share(&fresh), 100);
    assert_true(health_takes(HEALTH_UP));
    assert_true(health_takes(HEALTH_WARMING));
    assert_false(health_takes(HEALTH_SUSPECT));
    assert_false(health_takes(HEALTH_OUT));
    assert_false(health_takes(HEALTH_DRAINING));
}

static void share_grows_evenly_to_the_full_one_in_five_seconds(void **state)
{
    (void)state;
    struct one one = warming();
    uint32_t before = share(&one);
    for (int i = 0; i < 49; i++) {
        pass(&one, 100 * MS_NS);
        assert_state(one, HEALTH_WARMING);
        assert_in_range(share(&one), before + 15, before + 20);
        before = share(&one);
    }
    pass(&one, 100 * MS_NS);
    assert_state(one, HEALTH_UP);
    assert_int_equal(share(&one), 1000);
}

static void warming_server_can_fail_and_be_silent_like_any_other(void **state)
{
    (void)state;
    struct one one = warming();
    pass(&one, 2500 * MS_NS);
    uint32_t before = share(&one);
    see(&one, SIGN_SILENT, 1);
    assert_state(one, HEALTH_SUSPECT);
    see(&one, SIGN_FINE, 1);
    assert_state(one, HEALTH_WARMING);
    assert_int_equal(share(&one), before);
    see(&one, SIGN_RESET, 5);
    assert_state(one, HEALTH_OUT);
}

/* ---- Passive signs ---- */

static void five_failures_in_a_row_eject_whatever_they_are(void **state)
{
    (void)state;
    const enum health_sign failures[] = {SIGN_5XX, SIGN_RESET, SIGN_TIMEOUT, SIGN_RUBBISH};
    for (unsigned i = 0; i < COUNT_OF(failures); i++) {
        struct one one = up();
        see(&one, failures[i], 4);
        assert_state(one, HEALTH_UP);
        see(&one, failures[i], 1);
        assert_state(one, HEALTH_OUT);
        assert_false(one.health.by_checks);
    }
}

static void one_good_answer_between_them_begins_the_row_anew(void **state)
{
    (void)state;
    struct one one = up();
    for (int i = 0; i < 100; i++) {
        see(&one, SIGN_RESET, 4);
        see(&one, SIGN_FINE, 1);
    }
    assert_state(one, HEALTH_UP);
}

static void server_that_fails_far_more_than_the_others_is_ejected(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_FAILING, 1);
    assert_state(one, HEALTH_OUT);
    assert_false(one.health.by_checks);
}

static void ejection_lasts_a_second_though_checks_are_fine(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_RESET, 5);
    pass(&one, 900 * MS_NS);
    assert_state(one, HEALTH_OUT);
    pass(&one, 100 * MS_NS);
    assert_state(one, HEALTH_WARMING);
    assert_int_equal(share(&one), 100);
}

static void ejected_server_returns_by_time_alone_unless_a_check_says_no(void **state)
{
    (void)state;
    struct one one = up(), other = up();
    see(&one, SIGN_RESET, 5);
    wait(&one, 999 * MS_NS);
    assert_state(one, HEALTH_OUT);
    wait(&one, 1 * MS_NS);
    assert_state(one, HEALTH_WARMING);
    see(&other, SIGN_RESET, 5);
    see(&other, SIGN_CHECK_LOST, 1);
    wait(&other, 5 * SEC_NS);
    assert_state(other, HEALTH_OUT);
    see(&other, SIGN_CHECK_FINE, 1);
    assert_state(other, HEALTH_WARMING);
}

/* How long it is out after five failures. */
static uint64_t ejection(struct one *one)
{
    uint64_t began = one->now_ns;
    see(one, SIGN_RESET, 5);
    assert_state(*one, HEALTH_OUT);
    while (one->health.state == HEALTH_OUT)
        pass(one, 100 * MS_NS);
    return (one->now_ns - began) / SEC_NS;
}

static void each_further_ejection_lasts_twice_as_long_up_to_half_a_minute(void **state)
{
    (void)state;
    struct one one = up();
    const uint64_t seconds[] = {1, 2, 4, 8, 16, 30, 30, 30};
    for (unsigned i = 0; i < COUNT_OF(seconds); i++)
        assert_int_equal(ejection(&one), seconds[i]);
}

static void ten_good_seconds_halve_the_next_ejection(void **state)
{
    (void)state;
    struct one one = up();
    ejection(&one), ejection(&one), ejection(&one); /* 1, 2, 4: the next would be 8 */
    pass(&one, 10 * SEC_NS);
    assert_int_equal(ejection(&one), 4);
    pass(&one, 20 * SEC_NS);
    assert_int_equal(ejection(&one), 2);
    pass(&one, 100 * SEC_NS);
    assert_int_equal(ejection(&one), 1);
}

static void failures_in_between_are_no_good_time(void **state)
{
    (void)state;
    struct one one = up();
    ejection(&one), ejection(&one);
    for (int i = 0; i < 10; i++) {
        pass(&one, 5 * SEC_NS);
        see(&one, SIGN_RESET, 1);
        see(&one, SIGN_FINE, 1);
    }
    assert_int_equal(ejection(&one), 4);
}

static void late_answers_of_one_that_is_out_change_nothing(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_RESET, 5);
    see(&one, SIGN_FINE, 10);
    see(&one, SIGN_RESET, 100);
    assert_state(one, HEALTH_OUT);
    pass(&one, SEC_NS);
    assert_state(one, HEALTH_WARMING);
}

/* ---- Active checks ---- */

static void refusal_puts_out_at_once_and_two_fine_checks_bring_back(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_REFUSED, 1);
    assert_state(one, HEALTH_OUT);
    assert_true(one.health.by_checks);
    wait(&one, 100 * SEC_NS);
    assert_state(one, HEALTH_OUT);
    see(&one, SIGN_CHECK_FINE, 1);
    assert_state(one, HEALTH_OUT);
    see(&one, SIGN_CHECK_FINE, 1);
    assert_state(one, HEALTH_WARMING);
}

static void two_lost_or_bad_checks_in_a_row_put_out(void **state)
{
    (void)state;
    const enum health_sign bad[] = {SIGN_CHECK_LOST, SIGN_CHECK_BAD};
    for (unsigned i = 0; i < COUNT_OF(bad); i++) {
        struct one one = up();
        see(&one, bad[i], 1);
        see(&one, SIGN_CHECK_FINE, 1);
        see(&one, bad[i], 1);
        assert_state(one, HEALTH_UP);
        see(&one, bad[i], 1);
        assert_state(one, HEALTH_OUT);
        assert_true(one.health.by_checks);
        see(&one, SIGN_CHECK_FINE, 1);
        see(&one, bad[i], 1);
        see(&one, SIGN_CHECK_FINE, 1);
        assert_state(one, HEALTH_OUT); /* not in a row */
        see(&one, SIGN_CHECK_FINE, 1);
        assert_state(one, HEALTH_WARMING);
    }
}

static void checks_do_not_shorten_an_ejection_and_prolong_it_when_they_fail(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_RESET, 5);
    see(&one, SIGN_CHECK_LOST, 2);
    assert_true(one.health.by_checks);
    see(&one, SIGN_CHECK_FINE, 2);
    assert_state(one, HEALTH_OUT);
    pass(&one, SEC_NS);
    assert_state(one, HEALTH_WARMING);
}

/* ---- Silence ---- */

static void any_sign_of_life_ends_a_suspicion_at_once(void **state)
{
    (void)state;
    const enum health_sign alive[] = {SIGN_FINE, SIGN_5XX, SIGN_CHECK_FINE, SIGN_CHECK_BAD};
    for (unsigned i = 0; i < COUNT_OF(alive); i++) {
        struct one one = up();
        see(&one, SIGN_SILENT, 1);
        assert_state(one, HEALTH_SUSPECT);
        assert_int_equal(one.health.silent_ns, one.now_ns);
        see(&one, alive[i], 1);
        assert_state(one, HEALTH_UP);
        assert_int_equal(one.health.silent_ns, 0);
        assert_int_equal(share(&one), 1000);
    }
}

static void silence_for_a_second_more_puts_out_and_two_fine_checks_bring_back(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_SILENT, 1);
    one.now_ns += 999 * MS_NS;
    see(&one, SIGN_SILENT, 1);
    assert_state(one, HEALTH_SUSPECT);
    one.now_ns += 1 * MS_NS;
    see(&one, SIGN_SILENT, 1);
    assert_state(one, HEALTH_OUT);
    assert_int_not_equal(one.health.silent_ns, 0);
    see(&one, SIGN_CHECK_FINE, 1);
    assert_state(one, HEALTH_OUT);
    assert_int_equal(one.health.silent_ns, 0);
    see(&one, SIGN_CHECK_FINE, 1);
    assert_state(one, HEALTH_WARMING);
}

static void time_alone_does_not_turn_a_suspicion_into_more(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_SILENT, 1);
    for (int i = 0; i < 100; i++)
        wait(&one, SEC_NS); /* this process stood still: nobody has looked for silence */
    assert_state(one, HEALTH_SUSPECT);
}

static void suspect_that_refuses_is_out(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_SILENT, 1);
    see(&one, SIGN_REFUSED, 1);
    assert_state(one, HEALTH_OUT);
    assert_int_equal(one.health.silent_ns, 0); /* it is heard: the machine refuses */
}

/* ---- Slowness ---- */

static void slow_server_keeps_a_tenth_and_recovers_by_doubling(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_SLOW, 1);
    assert_int_equal(share(&one), 250);
    see(&one, SIGN_SLOW, 1);
    assert_int_equal(share(&one), 100);
    see(&one, SIGN_SLOW, 10);
    assert_int_equal(share(&one), 100);
    assert_state(one, HEALTH_UP);
    const uint32_t shares[] = {200, 400, 800, 1000, 1000};
    pass(&one, 1900 * MS_NS);
    assert_int_equal(share(&one), 100);
    pass(&one, 100 * MS_NS);
    for (unsigned i = 0; i < COUNT_OF(shares); i++) {
        assert_int_equal(share(&one), shares[i]);
        pass(&one, SEC_NS);
    }
}

static void server_that_stays_slow_stays_with_little(void **state)
{
    (void)state;
    struct one one = up();
    for (int i = 0; i < 100; i++) {
        see(&one, SIGN_SLOW, 1);
        pass(&one, SEC_NS);
        if (i > 1)
            assert_int_equal(share(&one), 100);
    }
}

/* ---- Draining ---- */

static void leaving_server_drains_from_any_state_and_returns_to_where_it_would_be(void **state)
{
    (void)state;
    struct one one = up();
    see(&one, SIGN_DRAIN, 1);
    assert_state(one, HEALTH_DRAINING);
    see(&one, SIGN_SILENT, 1);
    assert_state(one, HEALTH_DRAINING);
    assert_int_not_equal(one.health.silent_ns, 0); /* what is under way there hangs */
    see(&one, SIGN_FINE, 1);
    see(&one, SIGN_RETURN, 1);
    assert_state(one, HEALTH_UP);
    see(&one, SIGN_DRAIN, 1);
    see(&one, SIGN_REFUSED, 1);
    assert_state(one, HEALTH_DRAINING);
    see(&one, SIGN_RETURN, 1);
    assert_state(one, HEALTH_OUT);
    see(&one, SIGN_DRAIN, 1);
    pass(&one, SEC_NS);
    see(&one, SIGN_RETURN, 1);
    assert_state(one, HEALTH_WARMING);
    see(&one, SIGN_RETURN, 1);
    assert_state(one, HEALTH_WARMING);
}

static void rules_can_be_others(void **state)
{
    (void)state;
    const struct health_rules rules = {
        .failures = 1,
        .checks_lost = 1,
        .checks_fine = 1,
        .suspect_ns = 1,
        .eject_ns = 7 * SEC_NS,
        .eject_max_ns = 9 * SEC_NS,
        .slow_start_ns = SEC_NS,
        .slow_start_min = 500,
        .slow_min = 300,
    };
    struct one one = up();
    health_begin(&one.health, &rules, true, one.now_ns);
    assert_int_equal(share(&one), 500);
    pass(&one, SEC_NS);
    see(&one, SIGN_SLOW, 1);
    assert_int_equal(share(&one), 300);
    see(&one, SIGN_RESET, 1);
    wait(&one, 6900 * MS_NS);
    assert_state(one, HEALTH_OUT);
    wait(&one, 100 * MS_NS);
    assert_state(one, HEALTH_WARMING);
    see(&one, SIGN_RESET, 1);
    wait(&one, 8900 * MS_NS);
    assert_state(one, HEALTH_OUT);
    wait(&one, 100 * MS_NS);
    assert_state(one, HEALTH_WARMING);
    see(&one, SIGN_CHECK_LOST, 1);
    assert_state(one, HEALTH_OUT);
    see(&one, SIGN_CHECK_FINE, 1);
    assert_state(one, HEALTH_WARMING);
}

static void times_that_come_in_another_order_do_no_harm(void **state)
{
    (void)state;
    struct one one = warming();
    health_see(&one.health, SIGN_FINE, one.now_ns - SEC_NS);
    assert_int_equal(health_share(&one.health, one.now_ns - SEC_NS), 100);
    assert_state(one, HEALTH_WARMING);
    health_see(&one.health, SIGN_SILENT, one.now_ns);
    health_see(&one.health, SIGN_SILENT, one.now_ns - SEC_NS);
    assert_state(one, HEALTH_SUSPECT);
}

static void everything_has_a_name(void **state)
{
    (void)state;
    for (int i = HEALTH_UP; i <= HEALTH_DRAINING; i++)
        assert_string_not_equal(health_name((enum health_state)i), "?");
    for (int i = 0; i < SIGN_COUNT; i++) {
        assert_non_null(health_sign_text((enum health_sign)i));
        assert_string_not_equal(health_sign_text((enum health_sign)i), "?");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_server_is_up_at_once_and_a_new_one_warms_up),
        cmocka_unit_test(share_grows_evenly_to_the_full_one_in_five_seconds),
        cmocka_unit_test(warming_server_can_fail_and_be_silent_like_any_other),
        cmocka_unit_test(five_failures_in_a_row_eject_whatever_they_are),
        cmocka_unit_test(one_good_answer_between_them_begins_the_row_anew),
        cmocka_unit_test(server_that_fails_far_more_than_the_others_is_ejected),
        cmocka_unit_test(ejection_lasts_a_second_though_checks_are_fine),
        cmocka_unit_test(ejected_server_returns_by_time_alone_unless_a_check_says_no),
        cmocka_unit_test(each_further_ejection_lasts_twice_as_long_up_to_half_a_minute),
        cmocka_unit_test(ten_good_seconds_halve_the_next_ejection),
        cmocka_unit_test(failures_in_between_are_no_good_time),
        cmocka_unit_test(late_answers_of_one_that_is_out_change_nothing),
        cmocka_unit_test(refusal_puts_out_at_once_and_two_fine_checks_bring_back),
        cmocka_unit_test(two_lost_or_bad_checks_in_a_row_put_out),
        cmocka_unit_test(checks_do_not_shorten_an_ejection_and_prolong_it_when_they_fail),
        cmocka_unit_test(any_sign_of_life_ends_a_suspicion_at_once),
        cmocka_unit_test(silence_for_a_second_more_puts_out_and_two_fine_checks_bring_back),
        cmocka_unit_test(time_alone_does_not_turn_a_suspicion_into_more),
        cmocka_unit_test(suspect_that_refuses_is_out),
        cmocka_unit_test(slow_server_keeps_a_tenth_and_recovers_by_doubling),
        cmocka_unit_test(server_that_stays_slow_stays_with_little),
        cmocka_unit_test(leaving_server_drains_from_any_state_and_returns_to_where_it_would_be),
        cmocka_unit_test(rules_can_be_others),
        cmocka_unit_test(times_that_come_in_another_order_do_no_harm),
        cmocka_unit_test(everything_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
