/* Response time: the peak-sensitive moving average. */
#include "policy_fixture.h"

#include <math.h>

/* That the cost of server 0 is NS (within 1 %): beside server 1, which is measured to be a little
 * above it, and then a little below. */
static void assert_cost(struct choice *c, double ns)
{
    struct choice other;
    choice_begin(&other, c->policy, 2);
    other.servers[1].id = 99;
    for (int above = 1; above >= 0; above--) {
        void *own = other.memory;
        unsigned char copy[16384];
        assert_true(c->policy->memory <= sizeof copy);
        __builtin_memcpy(copy, c->memory, c->policy->memory);
        c->policy->prepare(copy, &other.view, c->now_ns);
        other.memory = copy;
        other.now_ns = c->now_ns;
        choice_done(&other, 1, (uint64_t)(above ? ns * 1.01 : ns * 0.99), false);
        assert_int_equal(choice_pick(&other, 0, 0), above ? 0 : 1);
        other.memory = own;
    }
    choice_end(&other);
}

static void a_slower_answer_counts_at_once(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 1);
    choice_done(&c, 0, 10 * MS, false);
    assert_cost(&c, 10 * MS);
    choice_done(&c, 0, 19 * MS, false);
    assert_cost(&c, 19 * MS);
    choice_end(&c);
}

/* One long request does not make a slow server; some do. */
static void a_much_slower_answer_counts_for_twice_the_cost(void **state)
{
    (void)state;
    static const unsigned expected[] = {20, 40, 80, 160, 250, 250};
    struct choice c;
    choice_begin(&c, &policy_response_time, 1);
    choice_done(&c, 0, 10 * MS, false);
    for (unsigned i = 0; i < 6; i++) {
        choice_done(&c, 0, 250 * MS, false);
        assert_cost(&c, expected[i] * MS);
    }
    choice_end(&c);
}

static void a_faster_answer_counts_by_how_long_ago_the_last_was(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 1);
    choice_done(&c, 0, 200 * MS, false);
    double cost = 200 * MS;
    static const double seconds[] = {0.1, 1, 3, 10};
    for (unsigned i = 0; i < 4; i++) {
        double kept = exp(-seconds[i] / 10);
        c.now_ns += (uint64_t)(seconds[i] * 1e9);
        choice_done(&c, 0, 20 * MS, false);
        cost = cost * kept + 20 * MS * (1 - kept);
        assert_cost(&c, cost);
    }
    choice_end(&c);
}

static void who_is_not_asked_any_more_gets_cheaper(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 1);
    choice_done(&c, 0, 300 * MS, false);
    c.now_ns += 10 * SECOND;
    assert_cost(&c, 300 * MS * exp(-1));
    c.now_ns += 10 * SECOND;
    assert_cost(&c, 300 * MS * exp(-2));
    choice_end(&c);
}

static void the_load_is_cost_times_requests(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 2);
    choice_done(&c, 0, 10 * MS, false);
    choice_done(&c, 1, 35 * MS, false);
    for (unsigned busy = 0; busy < 8; busy++) {
        c.servers[0].in_flight = busy;
        assert_int_equal(choice_pick(&c, 0, 0), 10 * (busy + 1) < 35 ? 0 : 1);
    }
    c.servers[0].weight = 2 * POLICY_WEIGHT;
    choice_changed(&c);
    c.servers[0].in_flight = 5; /* 60 / 2 < 35 */
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    choice_end(&c);
}

static void one_that_was_never_measured_gets_one_request_and_then_waits(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 3);
    choice_done(&c, 0, 10 * MS, false);
    choice_done(&c, 1, 10 * MS, false);
    assert_int_equal(choice_send(&c, 0), 2);
    c.servers[0].in_flight = c.servers[1].in_flight = 400;
    for (unsigned i = 0; i < 100; i++)
        assert_int_not_equal(choice_pick(&c, 0, 0), 2);
    choice_done(&c, 2, 10 * MS, false);
    assert_int_equal(choice_pick(&c, 0, 0), 2);
    choice_end(&c);
}

static void who_fails_fast_is_no_bargain(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 2);
    choice_done(&c, 0, 100 * MS, false);
    choice_done(&c, 1, 1 * MS, true);
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    assert_cost(&c, 100 * MS);
    choice_done(&c, 0, 1 * MS, true);
    assert_cost(&c, 800 * MS);
    for (unsigned i = 0; i < 100; i++)
        choice_done(&c, 0, 1 * MS, true); /* it does not grow for ever */
    assert_cost(&c, 60e9);
    choice_end(&c);
}

static void costs_go_along_when_places_change(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 3);
    choice_done(&c, 0, 30 * MS, false);
    choice_done(&c, 1, 90 * MS, false);
    choice_done(&c, 2, 10 * MS, false);
    c.servers[0] = c.servers[2];
    c.view.count = 2;
    choice_changed(&c);
    for (unsigned busy = 5; busy < 12; busy++) {
        c.servers[0].in_flight = busy;
        if (busy != 8)
            assert_int_equal(choice_pick(&c, 0, 0), 10 * (busy + 1) < 90 ? 0 : 1);
    }
    choice_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slower_answer_counts_at_once),
        cmocka_unit_test(a_much_slower_answer_counts_for_twice_the_cost),
        cmocka_unit_test(a_faster_answer_counts_by_how_long_ago_the_last_was),
        cmocka_unit_test(who_is_not_asked_any_more_gets_cheaper),
        cmocka_unit_test(the_load_is_cost_times_requests),
        cmocka_unit_test(one_that_was_never_measured_gets_one_request_and_then_waits),
        cmocka_unit_test(who_fails_fast_is_no_bargain),
        cmocka_unit_test(costs_go_along_when_places_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
