#include "outside/retry_schedule.h"

int64_t retry_schedule_wait_ms(int64_t age_ms)
{
    static const int64_t steps_s[] = {5,         300,       1800,      7200,     5 * 3600,
                                      10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};
    int64_t at_ms = 0;
    for (unsigned i = 0; i < sizeof steps_s / sizeof *steps_s; i++) {
        at_ms += steps_s[i] * 1000;
        if (age_ms < at_ms)
            return at_ms - age_ms;
    }
    return 0;
}
