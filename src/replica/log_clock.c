#include "replica/log_clock.h"

#include "base/clock.h"

/* A stamp stays the measure for so long: shorter, and rounding to milliseconds would slow the
 * clock down. */
enum { FRESH_MS = 1000 };

void log_clock_note(struct log_clock *clock, int64_t time_ms)
{
    if (time_ms > clock->last_ms)
        clock->last_ms = time_ms;
}

void log_clock_saw(struct log_clock *clock, int64_t time_ms, uint64_t now_ns)
{
    log_clock_note(clock, time_ms);
    clock->fresh_ms = clock->last_ms;
    clock->fresh_ns = now_ns;
}

int64_t log_clock_stamp(struct log_clock *clock, int64_t wall_ms, uint64_t now_ns)
{
    int64_t stamp = wall_ms;
    if (clock->fresh_ns != 0) {
        int64_t passed = (int64_t)((now_ns - clock->fresh_ns) / MS_NS);
        int64_t latest = clock->fresh_ms + passed + passed / 10;
        if (stamp > latest)
            stamp = latest;
    }
    log_clock_note(clock, stamp);
    if (clock->fresh_ns == 0 || now_ns - clock->fresh_ns > FRESH_MS * MS_NS)
        log_clock_saw(clock, clock->last_ms, now_ns);
    return clock->last_ms;
}
