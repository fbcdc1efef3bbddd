/* Loads through the rules on simulated time: the simulated queue against the theory of queues, and
 * what is promised of scaling, for every rule and several seeds. */
#include "base/clock.h"
#include "scale/replay.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { SEEDS = 12, FILE_MAX = 1 << 20 };

/* tests/data/scale/NAME; free() */
static char *read_data(const char *name, size_t *len)
{
    char path[512];
    const char *root = getenv("STOA_ROOT");
    snprintf(path, sizeof path, "%s/tests/data/scale/%s", root ? root : ".", name);
    FILE *file = fopen(path, "r");
    char *bytes = malloc(FILE_MAX);
    assert_non_null(file);
    assert_non_null(bytes);
    *len = fread(bytes, 1, FILE_MAX, file);
    fclose(file);
    return bytes;
}

static struct scale_load load_of(const char *name)
{
    struct scale_load load;
    struct failure failure = {0};
    size_t len;
    char *bytes = read_data(name, &len);
    if (scale_load_read(&load, name, str_make(bytes, len), &failure))
        fail_msg("%s", failure.text);
    free(bytes);
    return load;
}

static struct scale_replay usual(const struct scale_load *load, const struct scale_rule *rule,
                                 uint64_t seed)
{
    struct scale_replay replay = {.load = load,
                                  .rule = rule,
                                  .interval_ns = 100 * MS_NS,
                                  .sim = {.seed = seed,
                                          .service = SIM_SERVICE_EXPONENTIAL,
                                          .service_ms = 20,
                                          .start_up_ns = 300 * MS_NS,
                                          .poll_ns = 100 * MS_NS,
                                          .deadline_ns = 5 * SEC_NS,
                                          .queue_max = 4096,
                                          .queue_long = 4,
                                          .limit_ns = 250 * MS_NS}};
    scale_settings_defaults(&replay.settings);
    return replay;
}

static struct scale_replayed run(const struct scale_replay *replay)
{
    struct scale_replayed result;
    struct failure failure = {0};
    if (scale_replay(replay, &result, &failure))
        fail_msg("%s", failure.text);
    return result;
}

/* ---- The queue ---- */

static void the_queue_is_that_of_erlang(void **state)
{
    (void)state;
    struct load_point points[] = {{0, 4000, 80, 20}};
    struct scale_load load = {points, 1, 1, 4000, false};
    struct scale_replay replay = usual(&load, NULL, 3);
    replay.fixed = 2;
    struct scale_replayed result = run(&replay);
    /* M/M/2 at 80 %: Erlang's C = 0.711; P(wait > t) = C e^(−(2 − 1.6) t / 20 ms). */
    double p50_ms = (double)scale_waits_quantile(&result.totals.waits, 0.5) / 1e6;
    double p99_ms = (double)scale_waits_quantile(&result.totals.waits, 0.99) / 1e6;
    assert_true(fabs(p50_ms - 17.6) < 0.1 * 17.6);
    assert_true(fabs(p99_ms - 213.2) < 0.1 * 213.2);
    assert_true(fabs(result.totals.worker_s - 8000) < 0.001);
    assert_int_equal(result.totals.dropped + result.totals.refused, 0);
}

static void nothing_is_lost_in_the_queue(void **state)
{
    (void)state;
    struct load_point points[] = {{0, 100, 200, 20}, {100, 20, 0, 0}};
    struct scale_load load = {points, 2, 2, 120, false};
    struct scale_replay replay = usual(&load, NULL, 4);
    replay.fixed = 2;
    replay.sim.deadline_ns = 500 * MS_NS;
    replay.sim.queue_max = 40;
    struct scale_replayed result = run(&replay);
    assert_true(result.totals.refused > 1000);
    assert_true(result.totals.dropped > 10);
    assert_int_equal(result.totals.arrived, result.totals.answered + result.totals.dropped);
    /* Twice what they can do: they do all that they can. */
    assert_true(fabs((double)result.totals.answered - 10000) < 300);
    assert_true(scale_waits_quantile(&result.totals.waits, 1) <= 532 * MS_NS);
}

static void two_runs_with_one_seed_agree(void **state)
{
    (void)state;
    struct scale_load load = load_of("day.csv");
    struct scale_replay replay = usual(&load, &scale_rule_slope, 5);
    struct scale_replayed first = run(&replay), second = run(&replay);
    assert_memory_equal(&first.totals, &second.totals, sizeof first.totals);
    replay.sim.seed = 6;
    struct scale_replayed third = run(&replay);
    assert_memory_not_equal(&first.totals, &third.totals, sizeof first.totals);
    scale_load_close(&load);
}

static void even_requests_and_equal_work_never_wait(void **state)
{
    (void)state;
    struct load_point points[] = {{0, 100, 90, 20}};
    struct scale_load load = {points, 1, 1, 100, false};
    struct scale_replay replay = usual(&load, NULL, 1);
    replay.fixed = 2;
    replay.sim.arrivals = SIM_ARRIVALS_EVEN;
    replay.sim.service = SIM_SERVICE_FIXED;
    struct scale_replayed result = run(&replay);
    assert_in_range(result.totals.arrived, 8999, 9000);
    assert_int_equal(scale_waits_quantile(&result.totals.waits, 1), 0);
}

/* ---- What is promised of scaling ---- */

static void a_steady_noisy_load_is_not_followed_up_and_down(void **state)
{
    (void)state;
    struct scale_load load = load_of("steady.csv");
    for (unsigned i = 0; scale_rules[i]; i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            for (int service = SIM_SERVICE_EXPONENTIAL; service <= SIM_SERVICE_LOGNORMAL;
                 service++) {
                struct scale_replay replay = usual(&load, scale_rules[i], seed);
                replay.sim.service = (enum sim_service)service;
                struct scale_replayed result = run(&replay);
                if (result.reversals_in_minute > 1)
                    fail_msg("%s, seed %llu: %u reversals in a minute", scale_rules[i]->name,
                             (unsigned long long)seed, result.reversals_in_minute);
                assert_int_equal(result.totals.dropped + result.totals.refused, 0);
            }
    scale_load_close(&load);
}

/* Of slow requests few come, and chance is larger: there may be two in one minute, not in the long
 * run. */
static void slow_requests_are_not_followed_up_and_down_in_the_long_run(void **state)
{
    (void)state;
    struct load_point points[] = {{0, 1200, 7.5, 200}};
    struct scale_load load = {points, 1, 1, 1200, false};
    for (unsigned i = 0; scale_rules[i]; i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct scale_replay replay = usual(&load, scale_rules[i], seed);
            struct scale_replayed result = run(&replay);
            if (result.reversals > 20)
                fail_msg("%s, seed %llu: %u reversals in 20 minutes", scale_rules[i]->name,
                         (unsigned long long)seed, result.reversals);
        }
}

static void a_step_is_scaled_out_in_three_seconds_and_back_in_the_end(void **state)
{
    (void)state;
    struct scale_load load = load_of("step.csv");
    for (unsigned i = 0; scale_rules[i]; i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct scale_replay replay = usual(&load, scale_rules[i], seed);
            struct scale_replayed result = run(&replay);
            assert_true(result.stepped && result.came_back);
            if (result.back_s > 3)
                fail_msg("%s, seed %llu: back after %.1f s", scale_rules[i]->name,
                         (unsigned long long)seed, result.back_s);
            assert_true(result.most > 3);
            assert_int_equal(result.last, 1);
            assert_int_equal(result.totals.dropped + result.totals.refused, 0);
        }
    scale_load_close(&load);
}

/* Without what the scaler puts around it the same rule does go up and down: the test above sees
 * something. */
static void a_bare_rule_would_be_seen_to_flap(void **state)
{
    (void)state;
    struct scale_load load = load_of("steady.csv");
    struct scale_replay replay = usual(&load, &scale_rule_target, 1);
    replay.settings.hold_ms = replay.settings.calm_ms = replay.settings.room = 0;
    assert_true(run(&replay).reversals_in_minute > 5);
    scale_load_close(&load);
}

static void a_day_costs_less_than_its_peak_all_day(void **state)
{
    (void)state;
    struct scale_load load = load_of("day.csv");
    for (unsigned i = 0; scale_rules[i]; i++) {
        struct scale_replay replay = usual(&load, scale_rules[i], 1);
        struct scale_replayed result = run(&replay);
        assert_int_equal(result.totals.dropped + result.totals.refused, 0);
        assert_true(scale_waits_quantile(&result.totals.waits, 0.99) < 250 * MS_NS);
        assert_true(result.totals.worker_s < 8 * load.seconds);
    }
    scale_load_close(&load);
}

static void a_recorded_log_decides_the_same_again(void **state)
{
    (void)state;
    size_t len;
    char *bytes = read_data("recorded.log", &len);
    struct scale_checked checked;
    struct failure failure = {0};
    if (scale_replay_check("recorded.log", str_make(bytes, len), &checked, &failure))
        fail_msg("%s", failure.text);
    assert_int_equal(checked.samples, 150);
    assert_true(checked.decisions >= 8);
    assert_int_equal(checked.others, 0);
    free(bytes);
}

static void a_recorded_load_has_as_many_requests_again(void **state)
{
    (void)state;
    struct scale_load load = load_of("recorded.log");
    double wanted = scale_load_between(&load, 0, load.seconds);
    for (unsigned i = 0; scale_rules[i]; i++) {
        struct scale_replay replay = usual(&load, scale_rules[i], 1);
        struct scale_replayed result = run(&replay);
        assert_int_equal(result.totals.arrived + result.totals.refused, llround(wanted));
    }
    scale_load_close(&load);
}

static void too_many_intervals_are_refused(void **state)
{
    (void)state;
    struct load_point points[] = {{0, 1e6, 1, 20}};
    struct scale_load load = {points, 1, 1, 1e6, false};
    struct scale_replay replay = usual(&load, &scale_rule_poll, 1);
    struct scale_replayed result;
    struct failure failure = {0};
    assert_int_equal(scale_replay(&replay, &result, &failure), ERR_FULL);
    assert_non_null(strstr(failure.text, "make the interval longer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_that_of_erlang),
        cmocka_unit_test(nothing_is_lost_in_the_queue),
        cmocka_unit_test(two_runs_with_one_seed_agree),
        cmocka_unit_test(even_requests_and_equal_work_never_wait),
        cmocka_unit_test(a_steady_noisy_load_is_not_followed_up_and_down),
        cmocka_unit_test(slow_requests_are_not_followed_up_and_down_in_the_long_run),
        cmocka_unit_test(a_step_is_scaled_out_in_three_seconds_and_back_in_the_end),
        cmocka_unit_test(a_bare_rule_would_be_seen_to_flap),
        cmocka_unit_test(a_day_costs_less_than_its_peak_all_day),
        cmocka_unit_test(a_recorded_log_decides_the_same_again),
        cmocka_unit_test(a_recorded_load_has_as_many_requests_again),
        cmocka_unit_test(too_many_intervals_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
