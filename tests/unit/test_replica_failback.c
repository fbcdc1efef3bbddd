#include "replica/failback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEADY_MS = 5000, MINUTE_MS = 60000 };

static const uint64_t start_ms = 1000000;

/* Server 1 loses leadership to server 2 and gets it back, COUNT times, once a minute. */
static uint64_t flap(struct failback_memory *memory, unsigned count, uint64_t now_ms)
{
    for (unsigned i = 0; i < count; i++) {
        failback_note(memory, 1, 0, now_ms);
        failback_note(memory, 0, 0, now_ms + 500);
        failback_note(memory, 2, 0, now_ms + 1000);
        now_ms += MINUTE_MS;
    }
    return now_ms;
}

static uint64_t wait_after(unsigned losses)
{
    struct failback_memory memory = {0};
    uint64_t now_ms = flap(&memory, losses, start_ms);
    return failback_wait_ms(&memory, 1, STEADY_MS, now_ms);
}

static void who_keeps_losing_waits_twice_as_long_each_time(void **state)
{
    (void)state;
    assert_int_equal(wait_after(0), STEADY_MS);
    assert_int_equal(wait_after(1), STEADY_MS);
    assert_int_equal(wait_after(2), STEADY_MS);
    assert_int_equal(wait_after(3), 2 * STEADY_MS);
    assert_int_equal(wait_after(4), 4 * STEADY_MS);
    assert_int_equal(wait_after(9), 128 * STEADY_MS > FAILBACK_WAIT_MAX_MS ? FAILBACK_WAIT_MAX_MS
                                                                           : 128 * STEADY_MS);
    assert_int_equal(wait_after(50), FAILBACK_WAIT_MAX_MS);
}

static void each_server_has_its_own_losses(void **state)
{
    (void)state;
    struct failback_memory memory = {0};
    uint64_t now_ms = flap(&memory, 4, start_ms);
    assert_int_equal(failback_wait_ms(&memory, 3, STEADY_MS, now_ms), STEADY_MS);
    assert_int_equal(failback_wait_ms(&memory, 1, STEADY_MS, now_ms), 4 * STEADY_MS);
}

static void an_hour_later_it_is_forgiven(void **state)
{
    (void)state;
    struct failback_memory memory = {0};
    uint64_t now_ms = flap(&memory, 5, start_ms);
    assert_int_equal(failback_wait_ms(&memory, 1, STEADY_MS, now_ms + FAILBACK_WINDOW_MS),
                     STEADY_MS);
}

static void the_same_primary_after_a_pause_has_lost_nothing(void **state)
{
    (void)state;
    struct failback_memory memory = {0};
    for (unsigned i = 0; i < 10; i++) {
        failback_note(&memory, 1, 0, start_ms + i * 2000);
        failback_note(&memory, 0, 0, start_ms + i * 2000 + 1000);
    }
    assert_int_equal(failback_wait_ms(&memory, 1, STEADY_MS, start_ms + 20000), STEADY_MS);
}

static void a_log_is_quiet_with_few_entries(void **state)
{
    (void)state;
    struct failback_memory memory = {0};
    uint64_t now_ms = start_ms, index = 100;
    assert_int_equal(failback_quiet_ms(&memory, now_ms), 0);
    for (unsigned second = 0; second < 30; second++, now_ms += 1000)
        failback_note(&memory, 1, index += 10, now_ms);
    assert_in_range(failback_quiet_ms(&memory, now_ms), 0, 1000);
    for (unsigned second = 0; second < 20; second++, now_ms += 1000)
        failback_note(&memory, 1, index += second % 5 == 0, now_ms);
    assert_true(failback_quiet_ms(&memory, now_ms) >= FAILBACK_QUIET_MS);
    failback_note(&memory, 1, index + 50, now_ms);
    assert_int_equal(failback_quiet_ms(&memory, now_ms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_keeps_losing_waits_twice_as_long_each_time),
        cmocka_unit_test(each_server_has_its_own_losses),
        cmocka_unit_test(an_hour_later_it_is_forgiven),
        cmocka_unit_test(the_same_primary_after_a_pause_has_lost_nothing),
        cmocka_unit_test(a_log_is_quiet_with_few_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
