#include "scale/settings.h"

#include "base/check.h"

#include <stddef.h>

#define X(field, name, kind, standard, least, most, value, help)                           \
    {name, offsetof(struct scale_settings, field), (uint64_t)(standard)*SCALE_UNIT_##kind, \
     (uint64_t)(least)*SCALE_UNIT_##kind, (uint64_t)(most)*SCALE_UNIT_##kind},
const struct scale_setting scale_setting_rows[] = {SCALE_SETTINGS(X)};
#undef X
const unsigned scale_setting_count = COUNT_OF(scale_setting_rows);

uint64_t *scale_settings_at(struct scale_settings *settings, const struct scale_setting *row)
{
    return (uint64_t *)(void *)((char *)settings + row->offset);
}

void scale_settings_defaults(struct scale_settings *settings)
{
    for (unsigned i = 0; i < scale_setting_count; i++)
        *scale_settings_at(settings, &scale_setting_rows[i]) = scale_setting_rows[i].standard;
}

static int check_pair(const char *least, uint64_t low, const char *most, uint64_t high,
                      struct failure *failure)
{
    return low <= high ? 0
                       : fail(failure, ERR_INVALID, "%s is %llu, but %s is %llu: give it no more",
                              least, (unsigned long long)low, most, (unsigned long long)high);
}

int scale_settings_check(const struct scale_settings *settings, struct failure *failure)
{
    struct scale_settings copy = *settings;
    for (unsigned i = 0; i < scale_setting_count; i++) {
        const struct scale_setting *row = &scale_setting_rows[i];
        uint64_t value = *scale_settings_at(&copy, row);
        if (value < row->least || value > row->most)
            return fail(failure, ERR_INVALID, "%s is %llu, but must be from %llu to %llu",
                        row->name, (unsigned long long)value, (unsigned long long)row->least,
                        (unsigned long long)row->most);
    }
    int err = check_pair("workers-min", settings->workers_min, "workers-max", settings->workers_max,
                         failure);
    if (!err)
        err = check_pair("fronts-min", settings->fronts_min, "fronts-max", settings->fronts_max,
                         failure);
    if (!err)
        err = check_pair("busy-low, in thousandths,", settings->busy_low, "busy-high",
                         settings->busy_high, failure);
    return err;
}
