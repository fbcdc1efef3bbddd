/* The simulator of policies: whether it can be believed. */
#include "bench/balance_sim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sim_result *run(const struct sim_scenario *scenario, const struct policy *policy,
                              uint64_t seed)
{
    struct sim_result *result = malloc(sizeof *result);
    struct failure failure = {0};
    assert_non_null(result);
    assert_int_equal(balance_sim_run(scenario, policy, seed, result, &failure), 0);
    return result;
}

/* A scenario by its name, shorter. */
static struct sim_scenario scenario_of(const char *name, double seconds)
{
    for (const struct sim_scenario *s = balance_scenarios; s->name; s++) {
        if (strcmp(s->name, name) == 0) {
            struct sim_scenario copy = *s;
            copy.seconds = copy.warm_up_s + seconds;
            return copy;
        }
    }
    fail_msg("there is no scenario %s", name);
    abort();
}

static double mean_ms(const struct sim_scenario *scenario, const struct policy *policy)
{
    struct sim_result *result = run(scenario, policy, 3);
    double mean = histogram_mean(&result->latency) / 1e6;
    assert_true(result->answered > 300000);
    free(result);
    return mean;
}

static struct sim_scenario one_queue(unsigned workers, double load)
{
    return (struct sim_scenario){
        .name = "queue",
        .servers = 1,
        .workers = workers,
        .work = SIM_EXPONENTIAL,
        .work_ms = 5,
        .load = load,
        .managers = 1,
        .limit = 4096,
        .warm_up_s = 20,
        .seconds = 20 + 2800.0 / workers,
    };
}

/* M/M/1: 1 / (μ − λ). */
static void one_worker_waits_as_theory_says(void **state)
{
    (void)state;
    struct sim_scenario half = one_queue(1, 0.6), busy = one_queue(1, 0.8);
    double expected = 5 / 0.4, found = mean_ms(&half, &policy_round_robin);
    assert_true(fabs(found - expected) < 0.03 * expected);
    expected = 5 / 0.2;
    found = mean_ms(&busy, &policy_round_robin);
    assert_true(fabs(found - expected) < 0.04 * expected);
}

/* Sharing has the same mean as the queue, whatever the work: long ones wait for themselves. */
static void sharing_waits_as_theory_says(void **state)
{
    (void)state;
    double expected = 5 / 0.4;
    for (unsigned work = SIM_EXPONENTIAL; work <= SIM_TWO_KINDS; work++) {
        struct sim_scenario sharing = one_queue(1, 0.6);
        sharing.discipline = SIM_SHARING;
        sharing.work = work;
        double found = mean_ms(&sharing, &policy_round_robin);
        assert_true(fabs(found - expected) < 0.04 * expected);
    }
}

/* M/M/4 by Erlang's C: at 80 % a request waits with probability 0.5964, and on the average
 * 0.5964 × 5 / (4 × 0.2) ms. */
static void four_workers_wait_as_theory_says(void **state)
{
    (void)state;
    struct sim_scenario four = one_queue(4, 0.8);
    double expected = 5 + 0.5964 * 5 / (4 * 0.2), found = mean_ms(&four, &policy_round_robin);
    assert_true(fabs(found - expected) < 0.03 * expected);
}

static void the_seed_decides_everything(void **state)
{
    (void)state;
    for (const struct sim_scenario *s = balance_scenarios; s->name; s++) {
        struct sim_scenario scenario = scenario_of(s->name, 2);
        scenario.warm_up_s = scenario.clicks > 0 ? 5 : 1;
        scenario.seconds = scenario.warm_up_s + 2;
        struct sim_result *one = run(&scenario, policies[0], 5),
                          *same = run(&scenario, policies[0], 5),
                          *other = run(&scenario, policies[0], 6);
        assert_memory_equal(one, same, sizeof *one);
        assert_memory_not_equal(one, other, sizeof *one);
        free(one);
        free(same);
        free(other);
    }
}

static void every_policy_gets_the_same_requests(void **state)
{
    (void)state;
    struct sim_scenario scenario = scenario_of("unequal", 5);
    struct sim_result *ideal = run(&scenario, &balance_ideal_split, 1);
    for (unsigned p = 0; policies[p]; p++) {
        struct sim_result *result = run(&scenario, policies[p], 1);
        assert_int_equal(result->requests, ideal->requests);
        free(result);
    }
    free(ideal);
}

/* Also when servers die under them, and when there is more than can be done. */
static void every_request_is_answered_or_shed(void **state)
{
    (void)state;
    static const char *const names[] = {"dies", "homes-dies", "bursts"};
    for (unsigned i = 0; i < 3; i++) {
        struct sim_scenario scenario = scenario_of(names[i], 30);
        uint64_t shed = 0;
        scenario.warm_up_s = 1;
        scenario.seconds = 12;
        scenario.changes[0].at_s = 4;
        scenario.changes[1].at_s = 8;
        scenario.limit = i == 2 ? 16 : scenario.limit;
        scenario.load = i == 2 ? 1.2 : scenario.load;
        for (unsigned p = 0; policies[p]; p++) {
            struct sim_result *result = run(&scenario, policies[p], 9);
            assert_true(result->all_requests > 2000);
            assert_int_equal(result->all_requests, result->all_answered + result->all_shed);
            assert_int_equal(result->requests, result->answered + result->shed);
            shed += result->shed;
            free(result);
        }
        assert_int_equal(shed > 0, i == 2);
    }
}

static void a_death_is_sent_again_and_not_lost(void **state)
{
    (void)state;
    struct sim_scenario scenario = scenario_of("dies", 25);
    for (unsigned p = 0; policies[p]; p++) {
        struct sim_result *result = run(&scenario, policies[p], 2);
        assert_int_equal(result->shed, 0);
        assert_true(result->retried < 500);
        free(result);
    }
}

static double p99(const struct sim_scenario *scenario, const struct policy *policy)
{
    struct sim_result *result = run(scenario, policy, 1);
    uint64_t value = histogram_quantile(&result->latency, 0.99);
    assert_true(result->answered > 20000);
    free(result);
    return (double)value;
}

static void with_one_at_half_speed_the_default_is_near_the_ideal_split(void **state)
{
    (void)state;
    struct sim_scenario scenario = scenario_of("half", 20);
    double ideal = p99(&scenario, &balance_ideal_split);
    assert_true(p99(&scenario, policies[0]) < 1.3 * ideal);
    /* Nor is that so because anything is. */
    assert_true(p99(&scenario, &policy_round_robin) > 5 * ideal);
}

static void homes_by_the_default_are_as_good_as_by_the_true_speed(void **state)
{
    (void)state;
    struct sim_scenario scenario = scenario_of("homes-half", 40);
    assert_true(p99(&scenario, policies[0]) < 1.3 * p99(&scenario, &balance_ideal_homes));
}

static void a_rush_finds_homes_that_were_spread_in_a_quiet_minute(void **state)
{
    (void)state;
    static const char *const names[] = {"homes-rush", "homes-rush-half", "homes-few"};
    for (unsigned i = 0; i < 3; i++) {
        struct sim_scenario scenario = scenario_of(names[i], 30);
        double ideal = p99(&scenario, &balance_ideal_homes);
        assert_true(p99(&scenario, policies[0]) < 1.5 * ideal);
        /* Who is slow is to be seen by the time alone. */
        if (scenario.speeds[0] > 0)
            assert_true(p99(&scenario, &policy_least_connections) > 3 * ideal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker_waits_as_theory_says),
        cmocka_unit_test(sharing_waits_as_theory_says),
        cmocka_unit_test(four_workers_wait_as_theory_says),
        cmocka_unit_test(the_seed_decides_everything),
        cmocka_unit_test(every_policy_gets_the_same_requests),
        cmocka_unit_test(every_request_is_answered_or_shed),
        cmocka_unit_test(a_death_is_sent_again_and_not_lost),
        cmocka_unit_test(with_one_at_half_speed_the_default_is_near_the_ideal_split),
        cmocka_unit_test(homes_by_the_default_are_as_good_as_by_the_true_speed),
        cmocka_unit_test(a_rush_finds_homes_that_were_spread_in_a_quiet_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
