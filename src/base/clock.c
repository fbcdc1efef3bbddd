#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t ns_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SEC_NS + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_ns(void)
{
    return ns_of(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_boot_ns(void)
{
    return ns_of(CLOCK_BOOTTIME);
}

uint64_t clock_thread_ns(void)
{
    return ns_of(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Splits WALL_MS; the milliseconds are never negative. */
static int split(int64_t wall_ms, struct tm *parts)
{
    int64_t ms = wall_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    gmtime_r(&seconds, parts);
    return (int)ms;
}

void clock_rfc3339(int64_t wall_ms, char *out, size_t size)
{
    struct tm t;
    int ms = split(wall_ms, &t);
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, ms);
}

void clock_http_date(int64_t wall_ms, char *out, size_t size)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t;
    split(wall_ms, &t);
    snprintf(out, size, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
             months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}
