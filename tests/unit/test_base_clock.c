#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    int64_t ms;
    const char *rfc3339, *http;
} times[] = {
    {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {951782400000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"},
    {1709210096789, "2024-02-29T12:34:56.789Z", "Thu, 29 Feb 2024 12:34:56 GMT"},
    {-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT"},
    {253402300799999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT"},
};

static void both_formats_are_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof times / sizeof *times; i++) {
        char out[32];
        clock_rfc3339(times[i].ms, out, 25);
        assert_string_equal(out, times[i].rfc3339);
        clock_http_date(times[i].ms, out, 30);
        assert_string_equal(out, times[i].http);
    }
}

static void too_little_room_clips_and_ends_the_text(void **state)
{
    (void)state;
    char out[12] = "xxxxxxxxxxx";
    clock_rfc3339(0, out, 11);
    assert_string_equal(out, "1970-01-01");
    clock_http_date(INT64_MAX / 4, out, sizeof out); /* a year of many digits */
    assert_int_equal(out[11], 0);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    uint64_t before = clock_mono_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_wall_ms() > 1700000000000);
}

static void no_clock_goes_back_and_this_thread_s_is_the_slowest(void **state)
{
    (void)state;
    uint64_t mono = clock_mono_ns(), boot = clock_boot_ns(), own = clock_thread_ns();
    assert_true(boot >= mono); /* since the machine's start, its sleep included */
    while (clock_thread_ns() - own < MS_NS)
        continue;
    uint64_t busy = clock_thread_ns() - own;
    assert_true(clock_mono_ns() - mono >= busy);
    assert_true(clock_boot_ns() - boot >= busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_are_exact),
        cmocka_unit_test(too_little_room_clips_and_ends_the_text),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(no_clock_goes_back_and_this_thread_s_is_the_slowest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
