#include "replica/admission.h"

#include "base/clock.h"

static void measured(struct admission *admission, uint64_t per_second)
{
    uint64_t before = admission->per_second;
    /* One slow fsync is not to halve the bound: the mean of about the last second. */
    admission->per_second = before == 0 ? per_second : (3 * before + per_second) / 4;
}

void admission_answered(struct admission *admission, uint64_t now_ns, uint64_t count,
                        uint64_t waiting)
{
    if (waiting < ADMISSION_BUSY) {
        admission->begun_ns = 0;
        return;
    }
    if (admission->begun_ns == 0) {
        admission->begun_ns = now_ns;
        admission->answered = 0;
        return;
    }
    uint64_t took_ns = now_ns - admission->begun_ns;
    admission->answered += count;
    if (took_ns < ADMISSION_WINDOW_MS * MS_NS)
        return;
    measured(admission, admission->answered * SEC_NS / took_ns);
    admission->begun_ns = now_ns;
    admission->answered = 0;
}

uint64_t admission_limit(const struct admission *admission)
{
    uint64_t per_second = admission->per_second == 0 ? ADMISSION_GUESS : admission->per_second;
    uint64_t limit = per_second * admission->wait_ms / 1000;
    return limit < ADMISSION_LEAST ? ADMISSION_LEAST : limit;
}
