#include "base/clock.h"
#include "tier/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define LIMIT_NS (2 * SEC_NS)

enum { STEP_MS = 100, PID = 42 };

struct watcher {
    struct silence silence;
    struct queue_seat_view seat;
    uint64_t now_ns;
    uint32_t pid; /* who was named last; 0: nobody */
};

static struct watcher watcher(void)
{
    return (struct watcher){
        .seat = {.role = QUEUE_WORKER, .seat = 3, .pid = PID, .is_near = true},
        .now_ns = 100 * SEC_NS,
    };
}

/* Looks once a step for NS; how often somebody was named. */
static unsigned watch(struct watcher *w, uint64_t ns, bool beats)
{
    unsigned named = 0;
    for (uint64_t end = w->now_ns + ns; w->now_ns < end; w->now_ns += STEP_MS * MS_NS) {
        if (beats)
            w->seat.report.beat_ns = w->now_ns;
        named += silence_look(&w->silence, &w->seat, 1, w->now_ns, LIMIT_NS, &w->pid);
    }
    return named;
}

static void one_that_beats_is_left_alone(void **state)
{
    struct watcher w = watcher();
    (void)state;
    assert_int_equal(watch(&w, 60 * SEC_NS, true), 0);
}

static void one_that_does_not_is_named_after_the_limit(void **state)
{
    struct watcher w = watcher();
    (void)state;
    watch(&w, SEC_NS, true);
    assert_int_equal(watch(&w, LIMIT_NS - STEP_MS * MS_NS, false), 0);
    assert_int_equal(watch(&w, 3 * STEP_MS * MS_NS, false), 1);
    assert_int_equal(w.pid, PID);
}

static void after_a_while_without_looking_counting_begins_anew(void **state)
{
    struct watcher w = watcher();
    (void)state;
    watch(&w, LIMIT_NS - 2 * STEP_MS * MS_NS, false);
    w.now_ns += 60 * SEC_NS; /* the machine was stopped */
    assert_int_equal(watch(&w, LIMIT_NS - STEP_MS * MS_NS, false), 0);
}

static void the_next_in_the_same_seat_is_another(void **state)
{
    struct watcher w = watcher();
    (void)state;
    watch(&w, LIMIT_NS - STEP_MS * MS_NS, false);
    w.seat.pid = PID + 1;
    assert_int_equal(watch(&w, LIMIT_NS - STEP_MS * MS_NS, false), 0);
}

static void fronts_and_those_of_other_containers_are_not_looked_at(void **state)
{
    struct watcher front = watcher(), far = watcher();
    (void)state;
    front.seat.role = QUEUE_FRONT;
    far.seat.is_near = false;
    assert_int_equal(watch(&front, 3 * LIMIT_NS, false), 0);
    assert_int_equal(watch(&far, 3 * LIMIT_NS, false), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_beats_is_left_alone),
        cmocka_unit_test(one_that_does_not_is_named_after_the_limit),
        cmocka_unit_test(after_a_while_without_looking_counting_begins_anew),
        cmocka_unit_test(the_next_in_the_same_seat_is_another),
        cmocka_unit_test(fronts_and_those_of_other_containers_are_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
