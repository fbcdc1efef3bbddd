#include "main/advise_value.h"

#include "base/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NUMBER_TEXT = 40 };
static const double NUMBER_MAX = 1e12, LONGEST_S = 3600, DAY_S = 86400;

/* The number that TEXT begins with, digits and one point; *UNIT is what follows. */
static bool read_number(struct str text, double *value, struct str *unit)
{
    char digits[NUMBER_TEXT];
    size_t len = 0;
    unsigned points = 0;
    while (len < text.len &&
           ((text.at[len] >= '0' && text.at[len] <= '9') || (text.at[len] == '.' && points++ == 0)))
        len++;
    if (len == 0 || len >= sizeof digits || (len == 1 && text.at[0] == '.'))
        return false;
    str_copy(digits, sizeof digits, str_sub(text, 0, len));
    *value = strtod(digits, NULL);
    *unit = str_from(text, len);
    return *value <= NUMBER_MAX;
}

int advise_value_number(const char *name, struct str text, double *value, struct failure *failure)
{
    struct str unit;
    if (!read_number(text, value, &unit) || unit.len)
        return fail(failure, ERR_INVALID,
                    "%s is \"%.*s\", but must be a number such as 120 or 0.42", name,
                    STR_FMT(text));
    return 0;
}

int advise_value_time(const char *name, struct str text, double *value, struct failure *failure)
{
    static const struct {
        struct str name;
        double seconds;
    } units[] = {{{"us", 2}, 1e-6}, {{"ms", 2}, 1e-3}, {{"s", 1}, 1}};
    struct str unit;
    double number;
    bool good = read_number(text, &number, &unit);
    for (unsigned i = 0; good && i < COUNT_OF(units); i++)
        if (str_eq(unit, units[i].name) && number * units[i].seconds <= LONGEST_S) {
            *value = number * units[i].seconds;
            return 0;
        }
    return fail(failure, ERR_INVALID,
                "%s is \"%.*s\", but must be a time with its unit, such as 90us, 0.12ms or 1.5s",
                name, STR_FMT(text));
}

int advise_value_times(const char *name, struct str text, struct advise_time *value,
                       struct failure *failure)
{
    struct str rest = str_trim(text), median;
    str_cut(&rest, ' ', &median);
    rest = str_trim(rest);
    value->p99_s = NAN;
    int err = advise_value_time(name, median, &value->p50_s, failure);
    if (!err && rest.len)
        err = advise_value_time(name, rest, &value->p99_s, failure);
    if (!err && value->p99_s < value->p50_s)
        err = fail(failure, ERR_INVALID,
                   "%s is \"%.*s\", but the 99th percentile, which comes second, cannot be less "
                   "than the median",
                   name, STR_FMT(text));
    return err;
}

int advise_value_share(const char *name, struct str text, double *value, struct failure *failure)
{
    struct str unit;
    if (!read_number(text, value, &unit) || !str_eq(unit, STR("%")))
        return fail(failure, ERR_INVALID,
                    "%s is \"%.*s\", but must be a share such as 70%% or 2.5%%", name,
                    STR_FMT(text));
    *value /= 100;
    return 0;
}

int advise_value_day(const char *name, struct str text, double *day, struct failure *failure)
{
    char copy[16];
    struct tm date = {0};
    if (text.len == 10) {
        str_copy(copy, sizeof copy, text);
        const char *end = strptime(copy, "%Y-%m-%d", &date);
        int day_of_month = date.tm_mday;
        time_t seconds = end && !*end ? timegm(&date) : -1;
        /* A day that is not in its month is made another. */
        if (seconds >= 0 && date.tm_mday == day_of_month) {
            *day = floor((double)seconds / DAY_S);
            return 0;
        }
    }
    return fail(failure, ERR_INVALID, "%s is \"%.*s\", but must be a day such as 2026-11-23", name,
                STR_FMT(text));
}

void advise_value_write_day(double days, char out[16])
{
    time_t seconds = (time_t)(floor(days) * DAY_S);
    struct tm date;
    if (!gmtime_r(&seconds, &date) || strftime(out, 16, "%Y-%m-%d", &date) == 0)
        snprintf(out, 16, "later");
}
