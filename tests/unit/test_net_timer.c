#include "base/check.h"
#include "base/err.h"
#include "base/random.h"
#include "net/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { MANY = 10000 };

struct alarm {
    struct timer timer;
    struct timer_heap *heap;
    uint64_t *last_due;
    unsigned *fired;
    unsigned again; /* how often it sets itself again for the same moment */
};

static void ring(struct timer *timer, uint64_t now_ns)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    assert_true(timer->due_ns <= now_ns);
    assert_true(timer->due_ns >= *alarm->last_due);
    *alarm->last_due = timer->due_ns;
    (*alarm->fired)++;
    if (alarm->again > 0) {
        alarm->again--;
        assert_int_equal(timer_set(alarm->heap, timer, now_ns), ERR_OK);
    }
}

static void timers_fire_in_order_whatever_was_moved_or_stopped(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    struct random random;
    struct alarm *alarms = calloc(MANY, sizeof *alarms);
    uint64_t last_due = 0;
    unsigned fired = 0, armed = 0;
    assert_non_null(alarms);
    random_seed(&random, 7);
    for (unsigned i = 0; i < MANY; i++) {
        alarms[i] = (struct alarm){.timer.fire = ring, .last_due = &last_due, .fired = &fired};
        assert_int_equal(timer_set(&heap, &alarms[i].timer, random_below(&random, 1000)), ERR_OK);
    }
    for (unsigned i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            timer_stop(&heap, &alarms[i].timer);
        else if (i % 3 == 1)
            timer_set(&heap, &alarms[i].timer, random_below(&random, 1000));
        armed += alarms[i].timer.slot != 0;
    }
    assert_int_equal(heap.count, armed);
    for (uint64_t now = 0; now < 1000; now += 10) {
        timer_run(&heap, now);
        assert_true(timer_next(&heap) > now);
    }
    timer_run(&heap, 1000);
    assert_int_equal(fired, armed);
    assert_int_equal(timer_next(&heap), UINT64_MAX);
    timer_heap_close(&heap);
    free(alarms);
}

static void putting_off_does_not_move_an_earlier_timer(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    struct timer timer = {0};
    timer_put_off(&heap, &timer, UINT64_MAX);
    assert_int_equal(timer.slot, 0);
    timer_put_off(&heap, &timer, 100);
    timer_put_off(&heap, &timer, 200);
    assert_int_equal(timer_next(&heap), 100);
    timer_put_off(&heap, &timer, 50);
    assert_int_equal(timer_next(&heap), 50);
    timer_stop(&heap, &timer);
    timer_stop(&heap, &timer);
    assert_int_equal(timer_next(&heap), UINT64_MAX);
    timer_heap_close(&heap);
}

static void a_timer_that_sets_itself_again_does_not_hold_the_others_up(void **state)
{
    (void)state;
    struct timer_heap heap = {0};
    uint64_t last_due = 0;
    unsigned fired = 0;
    struct alarm alarm = {
        .timer.fire = ring, .heap = &heap, .last_due = &last_due, .fired = &fired, .again = 1000};
    timer_set(&heap, &alarm.timer, 5);
    timer_run(&heap, 10);
    assert_int_equal(fired, 1);
    timer_run(&heap, 10);
    assert_int_equal(fired, 2);
    timer_stop(&heap, &alarm.timer);
    timer_heap_close(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_whatever_was_moved_or_stopped),
        cmocka_unit_test(putting_off_does_not_move_an_earlier_timer),
        cmocka_unit_test(a_timer_that_sets_itself_again_does_not_hold_the_others_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
