/* Prequal: the pool of reports, rule by rule. */
#include "policy_fixture.h"

static void with_fewer_than_two_reports_chance_decides(void **state)
{
    (void)state;
    unsigned counts[4] = {0};
    struct choice c;
    choice_begin(&c, &policy_prequal, 4);
    choice_probe(&c, 2, 0, 1 * MS);
    for (unsigned i = 0; i < 4000; i++)
        counts[choice_pick(&c, 0, 0)]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(counts[i], 850, 1150);
    choice_end(&c);
}

static void the_fastest_of_the_cold_wins(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 5);
    choice_probe(&c, 0, 3, 40 * MS);
    choice_probe(&c, 1, 2, 20 * MS);
    choice_probe(&c, 2, 3, 10 * MS); /* three of five are cold: those with at most 3 */
    choice_probe(&c, 3, 4, 5 * MS);
    choice_probe(&c, 4, 9, 1 * MS);
    assert_int_equal(choice_pick(&c, 0, 0), 2);
    choice_end(&c);
}

static void who_is_chosen_counts_as_busier_at_once(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 3);
    choice_probe(&c, 0, 5, 10 * MS);
    choice_probe(&c, 1, 5, 20 * MS);
    choice_probe(&c, 2, 6, 1 * MS);
    assert_int_equal(choice_pick(&c, 0, 0), 0); /* now it has 6, and 1 alone 5: hot are above 6 */
    assert_int_equal(choice_pick(&c, 0, 0), 2); /* 7: hot */
    assert_int_equal(choice_pick(&c, 0, 0), 0); /* 7: above 7 nobody is, and it is … */
    assert_int_equal(choice_pick(&c, 0, 0), 2); /* … slower than this one */
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    choice_end(&c);
}

static void among_the_hot_the_least_busy_wins(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 4);
    choice_probe(&c, 0, 9, 1 * MS);
    choice_probe(&c, 1, 7, 50 * MS);
    choice_probe(&c, 2, 1, 50 * MS);
    choice_probe(&c, 3, 1, 40 * MS);
    assert_int_equal(choice_pick(&c, 0, 4 | 8), 1);
    choice_end(&c);
}

static void a_newer_report_takes_the_place_of_the_last_one(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 3);
    choice_probe(&c, 0, 0, 1 * MS);
    choice_probe(&c, 1, 2, 50 * MS);
    choice_probe(&c, 2, 4, 60 * MS);
    choice_probe(&c, 0, 9, 2 * MS); /* it has become busy */
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    choice_end(&c);
}

static void an_answer_counts_as_soon_as_a_request_does(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 3);
    choice_probe(&c, 0, 2, 10 * MS);
    choice_probe(&c, 1, 1, 20 * MS);
    choice_probe(&c, 2, 1, 30 * MS);
    assert_int_equal(choice_pick(&c, 0, 0), 1); /* the median is 1: 0 is hot */
    choice_done(&c, 1, 5 * MS, false);
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    choice_done(&c, 1, 5 * MS, true);
    choice_done(&c, 0, 5 * MS, false);
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    for (unsigned i = 0; i < 9; i++)
        choice_done(&c, 2, 5 * MS, false); /* it never has fewer than none */
    choice_done(&c, 0, 5 * MS, false);
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    choice_end(&c);
}

static void a_latency_that_does_not_change_is_of_long_ago(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 2);
    for (unsigned i = 0; i < 4; i++) {
        c.now_ns += i ? 200 * MS : 0;
        choice_probe(&c, 0, 0, 100 * MS); /* 100, 50, 25, 12.5 */
        choice_probe(&c, 0, 0, 100 * MS);
        choice_probe(&c, 1, 0, (20 + i) * MS);
        assert_int_equal(choice_pick(&c, 0, 0), i < 3 ? 1 : 0);
    }
    choice_probe(&c, 0, 0, 90 * MS); /* somebody was served there */
    choice_probe(&c, 1, 0, 25 * MS);
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    choice_end(&c);
}

static void a_report_is_forgotten_after_a_second(void **state)
{
    (void)state;
    unsigned counts[3] = {0};
    struct choice c;
    choice_begin(&c, &policy_prequal, 3);
    choice_probe(&c, 0, 0, 1 * MS);
    choice_probe(&c, 1, 0, 5 * MS);
    c.now_ns += SECOND;
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    c.now_ns += 1;
    for (unsigned i = 0; i < 3000; i++)
        counts[choice_pick(&c, 0, 0)]++;
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(counts[i], 850, 1150);
    choice_end(&c);
}

static void sixteen_reports_are_kept_and_the_oldest_makes_room(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 64);
    choice_probe(&c, 63, 0, 1); /* the best of all, and the oldest */
    for (unsigned i = 0; i < 15; i++)
        choice_probe(&c, i, 0, (20 + i) * MS);
    assert_int_equal(choice_pick(&c, 0, 0), 63);
    choice_end(&c);
    choice_begin(&c, &policy_prequal, 64);
    choice_probe(&c, 63, 0, 1);
    for (unsigned i = 0; i < 16; i++)
        choice_probe(&c, i, 0, (20 + i) * MS);
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    choice_end(&c);
}

/* Whether the server at AT has a report: beside one that has none it then always wins. */
static bool is_known(struct choice *c, unsigned at, unsigned unknown)
{
    unsigned wins = 0;
    for (unsigned i = 0; i < 40; i++)
        wins += choice_pick(c, 0, ~(1ull << at | 1ull << unknown)) == (int)at;
    return wins == 40;
}

/* With each request one goes: first the oldest, then the worst, and so on, down to eight. */
static void the_oldest_and_the_worst_leave_in_turn(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 12);
    for (unsigned i = 0; i < 11; i++)
        choice_probe(&c, i, i == 5 ? 9 : 1, (20 + i) * MS);
    for (unsigned i = 0; i < 11; i++)
        assert_true(is_known(&c, i, 11));
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    assert_false(is_known(&c, 0, 11)); /* the oldest */
    assert_true(is_known(&c, 5, 11));
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    assert_false(is_known(&c, 5, 11)); /* the busiest */
    assert_true(is_known(&c, 1, 11));
    assert_int_equal(choice_pick(&c, 0, 0), 2);
    assert_false(is_known(&c, 1, 11)); /* the oldest */
    for (unsigned i = 0; i < 30; i++)
        choice_pick(&c, 0, 0);
    for (unsigned i = 0; i < 11; i++)
        assert_int_equal(is_known(&c, i, 11), i > 1 && i != 5);
    choice_end(&c);
}

static void a_second_choice_counts_for_nothing(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 3);
    choice_probe(&c, 0, 0, 10 * MS);
    choice_probe(&c, 1, 1, 20 * MS);
    choice_probe(&c, 2, 1, 30 * MS);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(choice_pick(&c, 0, 4), 0);
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    choice_end(&c);
}

static void a_pool_that_is_used_faster_than_filled_keeps_some(void **state)
{
    (void)state;
    unsigned counts[3] = {0};
    struct choice c;
    choice_begin(&c, &policy_prequal, 3);
    choice_probe(&c, 0, 0, 10 * MS);
    choice_probe(&c, 1, 0, 10 * MS);
    choice_probe(&c, 2, 0, 10 * MS);
    for (unsigned i = 0; i < 300; i++)
        counts[choice_pick(&c, 0, 0)]++;
    /* Each choice makes that one busier, so that they take turns. */
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(counts[i], 98, 102);
    choice_end(&c);
}

static void reports_of_who_has_left_are_dropped(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_prequal, 4);
    choice_probe(&c, 0, 0, 1 * MS);
    choice_probe(&c, 1, 0, 20 * MS);
    choice_probe(&c, 2, 0, 10 * MS);
    c.servers[0] = c.servers[2];
    c.servers[2] = c.servers[3];
    c.view.count = 3;
    choice_changed(&c);
    assert_int_equal(choice_pick(&c, 0, 0), 0); /* the 10 ms one, in its new place */
    choice_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_fewer_than_two_reports_chance_decides),
        cmocka_unit_test(the_fastest_of_the_cold_wins),
        cmocka_unit_test(who_is_chosen_counts_as_busier_at_once),
        cmocka_unit_test(among_the_hot_the_least_busy_wins),
        cmocka_unit_test(a_newer_report_takes_the_place_of_the_last_one),
        cmocka_unit_test(an_answer_counts_as_soon_as_a_request_does),
        cmocka_unit_test(a_latency_that_does_not_change_is_of_long_ago),
        cmocka_unit_test(a_second_choice_counts_for_nothing),
        cmocka_unit_test(a_report_is_forgotten_after_a_second),
        cmocka_unit_test(sixteen_reports_are_kept_and_the_oldest_makes_room),
        cmocka_unit_test(the_oldest_and_the_worst_leave_in_turn),
        cmocka_unit_test(a_pool_that_is_used_faster_than_filled_keeps_some),
        cmocka_unit_test(reports_of_who_has_left_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
