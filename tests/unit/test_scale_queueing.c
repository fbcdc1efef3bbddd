/* Waiting follows the formulas that telephone engineers and textbooks have. */
#include "base/random.h"
#include "scale/queueing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* In double precision, which cmocka's own has not. */
#define assert_near(got, wanted, by) assert_true(fabs((got) - (wanted)) <= (by))

static const double NEAR = 1e-9;

static struct queueing exponential(unsigned processors, double rate, double mean_s)
{
    return queueing_of(processors, rate, mean_s, 2 * mean_s * mean_s);
}

/* The values are Erlang's sum, added up term by term. */
static void the_chance_to_wait_is_erlangs(void **state)
{
    (void)state;
    assert_near(queueing_wait_chance(1, 0.5), 0.5, NEAR);
    assert_near(queueing_wait_chance(2, 1), 1.0 / 3, NEAR);
    assert_near(queueing_wait_chance(5, 4), 0.5541125541125541, NEAR);
    assert_near(queueing_wait_chance(10, 8), 0.4091801507964435, NEAR);
    assert_near(queueing_wait_chance(100, 95), 0.5064568539130208, NEAR);
    assert_near(queueing_wait_chance(4, 0), 0, 0);
    assert_near(queueing_wait_chance(4, 4), 1, 0);
}

static void many_processors_neither_overflow_nor_wait(void **state)
{
    (void)state;
    assert_true(queueing_wait_chance(1000, 500) < 1e-60);
    assert_true(queueing_wait_chance(1000, 999) > 0.9);
}

/* M/M/1: the whole time is exponential with the rate by which it is served faster than it comes. */
static void one_processor_answers_as_an_mm1_queue(void **state)
{
    (void)state;
    struct queueing queue = exponential(1, 50, 0.01);
    assert_near(queue.utilisation, 0.5, NEAR);
    assert_near(queueing_wait_s(&queue), 0.01, NEAR);
    for (double t = 0; t < 0.3; t += 0.01)
        assert_near(queueing_tail(&queue, 0.01, t), exp(-50 * t), NEAR);
    assert_near(queueing_tail(&queue, 0.01, log(100) / 50), 0.01, NEAR);
}

/* Pollaczek and Khinchine: constant work waits half as long as exponential work. */
static void constant_work_halves_the_wait(void **state)
{
    (void)state;
    struct queueing constant = queueing_of(1, 80, 0.01, 0.0001);
    struct queueing varied = exponential(1, 80, 0.01);
    assert_near(queueing_wait_s(&constant), 0.02, NEAR);
    assert_near(queueing_wait_s(&varied), 0.04, NEAR);
}

/* The work's rate and that of the waits are the same here, where the usual formula divides by 0. */
static void equal_rates_are_no_gap(void **state)
{
    (void)state;
    struct queueing queue = exponential(2, 100, 0.01);
    assert_near(queue.wait_rate, 100, NEAR);
    double here = queueing_tail(&queue, 0.01, 0.02);
    struct queueing beside = exponential(2, 100.001, 0.01);
    assert_near(here, queueing_tail(&beside, 0.01, 0.02), 1e-5);
    assert_near(here, 2.0 / 3 * exp(-2) + 1.0 / 3 * 3 * exp(-2), NEAR);
}

static void a_full_queue_never_answers_in_time(void **state)
{
    (void)state;
    struct queueing queue = exponential(2, 200, 0.01);
    assert_near(queueing_tail(&queue, 0.01, 1000), 1, 0);
    assert_true(isinf(queueing_wait_s(&queue)));
}

static void nothing_to_do_takes_no_time(void **state)
{
    (void)state;
    struct queueing idle = queueing_of(4, 0, 0, 0);
    assert_near(queueing_wait_s(&idle), 0, 0);
    assert_near(queueing_tail(&idle, 0, 0), 0, 0);
    assert_near(queueing_tail(&idle, 0, -0.001), 1, 0);
    assert_near(queueing_tail(&idle, 0.01, 0.01), exp(-1), NEAR);
}

/* ---- Against a simulation ---- */

enum { PROCESSORS = 4, ARRIVALS = 400000, KINDS = 3 };

static double exponential_s(struct random *random, double mean_s)
{
    return -log(1 - random_unit(random)) * mean_s;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What SHARE of the answers do not exceed, where requests of several kinds come to one queue. */
static double simulate(double rate, const double *parts, const double *work_s, double share)
{
    double free_at[PROCESSORS] = {0}, now = 0;
    double *took = malloc(ARRIVALS * sizeof *took);
    struct random random;
    assert_non_null(took);
    random_seed(&random, 5);
    for (unsigned i = 0; i < ARRIVALS; i++) {
        double drawn = random_unit(&random);
        unsigned kind = drawn < parts[0] ? 0 : drawn < parts[0] + parts[1] ? 1 : 2, first = 0;
        now += exponential_s(&random, 1 / rate);
        for (unsigned p = 1; p < PROCESSORS; p++)
            first = free_at[p] < free_at[first] ? p : first;
        free_at[first] = fmax(now, free_at[first]) + exponential_s(&random, work_s[kind]);
        took[i] = free_at[first] - now;
    }
    qsort(took, ARRIVALS, sizeof *took, by_size);
    double quantile = took[(size_t)(share * ARRIVALS)];
    free(took);
    return quantile;
}

/* Pages of 0.4 ms, changes of 1.2 ms and computed pages of 8 ms, as in the example of the docs. */
static void a_mix_of_kinds_takes_about_what_a_simulation_says(void **state)
{
    (void)state;
    const double parts[KINDS] = {0.9, 0.04, 0.06}, work_s[KINDS] = {0.0004, 0.0012, 0.008};
    double mean_s = 0, square = 0;
    for (unsigned k = 0; k < KINDS; k++) {
        mean_s += parts[k] * work_s[k];
        square += parts[k] * 2 * work_s[k] * work_s[k];
    }
    for (double busy = 0.3; busy < 0.85; busy += 0.1) {
        double rate = busy * PROCESSORS / mean_s, late = 0;
        struct queueing queue = queueing_of(PROCESSORS, rate, mean_s, square);
        double p99_s = simulate(rate, parts, work_s, 0.99);
        for (unsigned k = 0; k < KINDS; k++)
            late += parts[k] * queueing_tail(&queue, work_s[k], p99_s);
        printf("busy %.1f: p99 simulated %.1f ms, late by the formula %.4f\n", busy, p99_s * 1e3,
               late);
        assert_true(late > 0.007 && late < 0.015);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chance_to_wait_is_erlangs),
        cmocka_unit_test(many_processors_neither_overflow_nor_wait),
        cmocka_unit_test(one_processor_answers_as_an_mm1_queue),
        cmocka_unit_test(constant_work_halves_the_wait),
        cmocka_unit_test(equal_rates_are_no_gap),
        cmocka_unit_test(a_full_queue_never_answers_in_time),
        cmocka_unit_test(nothing_to_do_takes_no_time),
        cmocka_unit_test(a_mix_of_kinds_takes_about_what_a_simulation_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
