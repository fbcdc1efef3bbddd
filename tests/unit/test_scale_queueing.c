/* Waiting follows the formulas that telephone engineers and textbooks have. */
#include "scale/queueing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
