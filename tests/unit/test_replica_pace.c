#include "base/clock.h"
#include "replica/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EVERY_MS = 30000 };

static const uint64_t start_ns = 1000 * SEC_NS;

static struct pace warm(void)
{
    struct pace pace = {0};
    pace_set(&pace, EVERY_MS, start_ns);
    return pace;
}

static uint64_t until(struct pace *pace, struct pace_queue queue, uint64_t ms)
{
    queue.any = true;
    return pace_until(pace, &queue, start_ns + ms * MS_NS);
}

static void a_hot_server_gathers_for_a_moment(void **state)
{
    (void)state;
    struct pace pace = {.began_ns = start_ns};
    struct pace_queue queue = {.newest = 9, .applied = 3};
    assert_int_equal(until(&pace, queue, 4), start_ns + PACE_GATHER_MS * MS_NS);
    assert_int_equal(until(&pace, queue, PACE_GATHER_MS), 0);
    queue.bytes = PACE_GATHER_BYTES;
    assert_int_equal(until(&pace, queue, 4), 0);
    queue = (struct pace_queue){.urgent = true};
    assert_int_equal(until(&pace, queue, 4), 0);
}

static void with_nothing_queued_nothing_is_waited_for(void **state)
{
    (void)state;
    struct pace pace = warm();
    struct pace_queue queue = {0};
    assert_int_equal(pace_until(&pace, &queue, start_ns), 0);
    assert_int_equal(pace.apply_to, 0);
}

static void a_warm_one_applies_all_that_is_there_when_its_time_has_come(void **state)
{
    (void)state;
    struct pace pace = warm();
    struct pace_queue queue = {.newest = 500, .applied = 3};
    assert_int_equal(until(&pace, queue, 5), start_ns + EVERY_MS * MS_NS);
    assert_int_equal(until(&pace, queue, EVERY_MS), 0);
    queue.applied = 400; /* a transaction later; more has come */
    queue.newest = 600;
    assert_int_equal(until(&pace, queue, EVERY_MS + 10), 0);
    queue.applied = 500;
    assert_int_equal(until(&pace, queue, EVERY_MS + 20), start_ns + (2 * EVERY_MS + 20) * MS_NS);
}

static void it_applies_when_somebody_waits_or_much_is_there(void **state)
{
    (void)state;
    struct pace pace = warm();
    struct pace_queue urgent = {.newest = 50, .applied = 3, .urgent = true};
    assert_int_equal(until(&pace, urgent, 5), 0);
    assert_int_equal(pace.apply_to, 50);
    struct pace full = warm();
    struct pace_queue much = {.newest = 50, .applied = 3, .bytes = PACE_WARM_BYTES};
    assert_int_equal(until(&full, much, 5), 0);
    much.bytes = PACE_GATHER_BYTES;
    full = warm();
    assert_int_not_equal(until(&full, much, 5), 0);
}

static void made_hot_it_applies_at_once(void **state)
{
    (void)state;
    struct pace pace = warm();
    struct pace_queue queue = {.newest = 50, .applied = 3};
    assert_int_not_equal(until(&pace, queue, 5000), 0);
    pace_set(&pace, 0, start_ns + 5000 * MS_NS);
    assert_int_equal(until(&pace, queue, 5000), 0);
}

static void said_again_its_time_does_not_begin_anew(void **state)
{
    (void)state;
    struct pace pace = warm();
    struct pace_queue queue = {.newest = 50, .applied = 3};
    pace_set(&pace, EVERY_MS, start_ns + 20000 * MS_NS);
    assert_int_equal(until(&pace, queue, 20000), start_ns + EVERY_MS * MS_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hot_server_gathers_for_a_moment),
        cmocka_unit_test(with_nothing_queued_nothing_is_waited_for),
        cmocka_unit_test(a_warm_one_applies_all_that_is_there_when_its_time_has_come),
        cmocka_unit_test(it_applies_when_somebody_waits_or_much_is_there),
        cmocka_unit_test(made_hot_it_applies_at_once),
        cmocka_unit_test(said_again_its_time_does_not_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
