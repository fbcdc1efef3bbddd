#include "base/clock.h"
#include "engine/intake.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define TARGET_NS (50 * MS_NS)
#define BEGIN_NS  (100 * SEC_NS)

enum { THREADS = 4, EACH = 20000 };

static int set_up(void **state)
{
    struct intake *intake = malloc(sizeof *intake);
    if (!intake)
        return -1;
    intake_init(intake, TARGET_NS, NULL, BEGIN_NS);
    *state = intake;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* COUNT requests at even distances from FROM_NS on for a second, of which each takes TOOK_NS. */
static void answer(struct intake *intake, unsigned count, uint64_t from_ns, uint64_t took_ns)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t came_ns = from_ns + i * SEC_NS / count;
        intake_answered(intake, came_ns, came_ns + took_ns);
    }
}

static unsigned let_in(struct intake *intake, unsigned offered, uint64_t from_ns)
{
    unsigned count = 0;
    for (unsigned i = 0; i < offered; i++)
        count += !intake_refuses(intake, from_ns + i * SEC_NS / offered);
    return count;
}

static void nobody_is_refused_as_long_as_all_are_in_time(void **state)
{
    struct intake *intake = *state;
    struct engine_admission look;
    answer(intake, 1000, BEGIN_NS, 40 * MS_NS);
    assert_int_equal(let_in(intake, 5000, BEGIN_NS + SEC_NS), 5000);
    intake_look(intake, &look);
    assert_true(look.rate <= 0);
    assert_int_equal(look.on_time, 1000);
    assert_int_equal(look.late, 0);
    assert_int_equal(look.p90_ns, 40 * MS_NS);
    assert_int_equal(look.target_ns, TARGET_NS);
}

static void the_rate_is_kept_to(void **state)
{
    struct intake *intake = *state;
    struct engine_admission look;
    answer(intake, 1000, BEGIN_NS, 80 * MS_NS);
    intake_look(intake, &look);
    assert_true(look.rate > 300 && look.rate < 1000);
    assert_true(look.late > 0);
    unsigned count = let_in(intake, 10000, BEGIN_NS + 10 * SEC_NS);
    /* And what was not used before, in a quarter of the target. */
    assert_true(count >= (unsigned)look.rate && count <= (unsigned)(look.rate * 1.0125) + 2);
}

static void a_pause_does_not_let_in_a_crowd(void **state)
{
    struct intake *intake = *state;
    answer(intake, 1000, BEGIN_NS, 80 * MS_NS);
    uint64_t later_ns = BEGIN_NS + 3600 * SEC_NS;
    unsigned at_once = 0;
    while (!intake_refuses(intake, later_ns))
        at_once++;
    assert_true(at_once >= 1 && at_once <= 14); /* 12.5 ms of less than 1000 a second */
}

static void who_came_before_the_last_change_is_not_measured(void **state)
{
    struct intake *intake = *state;
    struct engine_admission before, after;
    answer(intake, 1000, BEGIN_NS, 80 * MS_NS);
    uint64_t now_ns = BEGIN_NS + 3 * SEC_NS;
    intake_answered(intake, BEGIN_NS, now_ns); /* with which what was measured so far ends */
    intake_look(intake, &before);
    for (unsigned i = 0; i < 1000; i++)
        intake_answered(intake, BEGIN_NS, now_ns += MS_NS);
    intake_look(intake, &after);
    assert_true(before.rate > after.rate - 1e-6 && before.rate < after.rate + 1e-6);
    assert_int_equal(after.late, before.late + 1000);
}

static void *load(void *argument)
{
    struct intake *intake = argument;
    unsigned *count = calloc(1, sizeof *count);
    for (unsigned i = 0; count && i < EACH; i++) {
        uint64_t now_ns = BEGIN_NS + SEC_NS + i * SEC_NS / EACH;
        if (intake_refuses(intake, now_ns))
            continue;
        intake_answered(intake, now_ns, now_ns + MS_NS);
        ++*count;
    }
    return count;
}

static void threads_share_one_rate(void **state)
{
    struct intake *intake = *state;
    struct engine_admission look;
    pthread_t threads[THREADS];
    uint64_t count = 0;
    atomic_store(&intake->period_ns, MS_NS); /* and what a step may change of it */
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load, intake), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *own;
        pthread_join(threads[i], &own);
        assert_non_null(own);
        count += *(unsigned *)own;
        free(own);
    }
    intake_look(intake, &look);
    assert_int_equal(look.on_time, count);
    assert_true(count < THREADS * EACH / 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_refused_as_long_as_all_are_in_time),
        TEST(the_rate_is_kept_to),
        TEST(a_pause_does_not_let_in_a_crowd),
        TEST(who_came_before_the_last_change_is_not_measured),
        TEST(threads_share_one_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
