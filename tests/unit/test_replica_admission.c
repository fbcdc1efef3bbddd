/* How many commands may wait follows from how fast they are answered. */
#include "base/clock.h"
#include "replica/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* SECONDS in which RATE a second are answered, 100 times a second, while WAITING wait. */
static void answer(struct admission *admission, uint64_t *now_ns, unsigned seconds, uint64_t rate,
                   uint64_t waiting)
{
    for (unsigned i = 0; i < seconds * 100; i++) {
        *now_ns += 10 * MS_NS;
        admission_answered(admission, *now_ns, rate / 100, waiting);
    }
}

static void before_anything_is_known_a_guess_holds(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    assert_int_equal(admission_limit(&admission), ADMISSION_GUESS);
}

static void under_load_a_second_of_work_may_wait(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    uint64_t now_ns = 5 * SEC_NS;
    answer(&admission, &now_ns, 3, 10000, 9000);
    assert_in_range(admission_limit(&admission), 9900, 10100);
}

static void a_quiet_hour_teaches_nothing(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    uint64_t now_ns = 5 * SEC_NS;
    answer(&admission, &now_ns, 3, 10000, 9000);
    answer(&admission, &now_ns, 3600, 100, 3);
    assert_in_range(admission_limit(&admission), 9900, 10100);
}

/* A load that comes and goes between two answers: the pauses are not taken for work. */
static void a_window_in_which_the_queue_was_short_does_not_count(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    uint64_t now_ns = 5 * SEC_NS;
    for (unsigned i = 0; i < 1000; i++) {
        now_ns += 150 * MS_NS;
        admission_answered(&admission, now_ns, 200, i % 2 ? ADMISSION_BUSY : 0);
    }
    assert_int_equal(admission_limit(&admission), ADMISSION_GUESS);
}

static void a_slower_disk_is_followed_and_so_is_its_recovery(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    uint64_t now_ns = 5 * SEC_NS;
    answer(&admission, &now_ns, 3, 20000, 9000);
    answer(&admission, &now_ns, 5, 1000, 9000);
    assert_in_range(admission_limit(&admission), 950, 1100);
    answer(&admission, &now_ns, 5, 20000, 900);
    assert_in_range(admission_limit(&admission), 19000, 20100);
}

static void less_patience_means_fewer_waiting(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = 100};
    uint64_t now_ns = 5 * SEC_NS;
    answer(&admission, &now_ns, 3, 10000, 9000);
    assert_in_range(admission_limit(&admission), 990, 1010);
}

static void one_slow_window_does_not_halve_the_bound(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    uint64_t now_ns = 5 * SEC_NS;
    answer(&admission, &now_ns, 3, 20000, 9000);
    now_ns += 500 * MS_NS;
    admission_answered(&admission, now_ns, 200, 9000);
    assert_true(admission_limit(&admission) > 10000);
}

static void a_disk_that_stands_still_leaves_a_way_in(void **state)
{
    (void)state;
    struct admission admission = {.wait_ms = ADMISSION_WAIT_MS};
    uint64_t now_ns = 5 * SEC_NS;
    answer(&admission, &now_ns, 60, 0, 9000);
    assert_int_equal(admission_limit(&admission), ADMISSION_GUESS); /* nothing was measured */
    answer(&admission, &now_ns, 60, 100, 9000);
    assert_int_equal(admission_limit(&admission), ADMISSION_LEAST);
    assert_true(admission_limit(&admission) > ADMISSION_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_anything_is_known_a_guess_holds),
        cmocka_unit_test(under_load_a_second_of_work_may_wait),
        cmocka_unit_test(a_quiet_hour_teaches_nothing),
        cmocka_unit_test(a_window_in_which_the_queue_was_short_does_not_count),
        cmocka_unit_test(a_slower_disk_is_followed_and_so_is_its_recovery),
        cmocka_unit_test(less_patience_means_fewer_waiting),
        cmocka_unit_test(one_slow_window_does_not_halve_the_bound),
        cmocka_unit_test(a_disk_that_stands_still_leaves_a_way_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
