#include "scale/rule.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct scale_rule *const scale_rules[] = {
    &scale_rule_slope, &scale_rule_target, &scale_rule_busy, &scale_rule_poll, NULL,
};

const struct scale_rule *scale_rule_find(const char *name)
{
    for (unsigned i = 0; scale_rules[i]; i++)
        if (strcmp(scale_rules[i]->name, name) == 0)
            return scale_rules[i];
    return NULL;
}

unsigned scale_whole(double count)
{
    if (!(count > 0))
        return 0;
    /* What is a whole number but for its last bits is not rounded up to the next. */
    return count < SCALE_TIER_MAX ? (unsigned)ceil(count - 1e-9) : SCALE_TIER_MAX;
}

double scale_staff(double load, uint64_t margin)
{
    return load > 0 ? load + (double)margin / 1000 * sqrt(load) : 0;
}

void scale_say(struct scale_wish *wish, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wish->why, sizeof wish->why, format, arguments);
    va_end(arguments);
}
