#include "main/advise_report.h"

#include <math.h>

char *advise_words_time(double seconds, char out[32])
{
    double ms = seconds * 1e3;
    if (isnan(ms))
        snprintf(out, 32, "-");
    else if (isinf(ms))
        snprintf(out, 32, "no end");
    else if (fabs(ms) >= 10000)
        snprintf(out, 32, "%.1f s", seconds);
    else
        snprintf(out, 32, "%.*f ms", fabs(ms) < 9.95 ? 1 : 0, ms);
    return out;
}

char *advise_words_case(const struct advise_input *input, struct advise_case when,
                        char out[ADVISE_CASE_WORDS])
{
    if (when.gone == ADVISE_WHOLE)
        out[0] = 0;
    else
        snprintf(out, ADVISE_CASE_WORDS, " while %s%s is gone",
                 when.gone == ADVISE_SERVER_GONE ? "one server of " : "",
                 input->sites[when.site].name);
    return out;
}

char *advise_words_broken(const struct advise_input *input, const struct advise_broken *broken,
                          char out[ADVISE_WORDS])
{
    char when[ADVISE_CASE_WORDS], value[32], limit[32];
    const char *region = input->regions[broken->region].name;
    const char *site = input->sites[broken->site].name;
    advise_words_case(input, broken->when, when);
    switch (broken->breach) {
    case ADVISE_KEPT:
        snprintf(out, ADVISE_WORDS, "all limits are kept");
        break;
    case ADVISE_NO_SERVER:
        snprintf(out, ADVISE_WORDS, "%s reaches no server%s", region, when);
        break;
    case ADVISE_NO_MAJORITY:
        snprintf(out, ADVISE_WORDS, "%.0f of the votes are left%s, where %.0f are a majority",
                 broken->value, when, broken->limit);
        break;
    case ADVISE_FULL:
        snprintf(out, ADVISE_WORDS, "processors of %s %.0f%% busy (limit %.0f%%)%s", site,
                 broken->value * 100, broken->limit * 100, when);
        break;
    case ADVISE_WRITER_FULL:
        snprintf(out, ADVISE_WORDS,
                 "the thread that writes changes %.0f%% busy in %s (limit %.0f%%)%s, which no "
                 "number of servers helps",
                 broken->value * 100, site, broken->limit * 100, when);
        break;
    case ADVISE_P50:
    case ADVISE_P99:
        snprintf(out, ADVISE_WORDS, "%s of %s %s (limit %s)%s",
                 broken->breach == ADVISE_P50 ? "p50" : "p99", region,
                 advise_words_time(broken->value, value), advise_words_time(broken->limit, limit),
                 when);
        break;
    case ADVISE_TOO_MANY:
        snprintf(out, ADVISE_WORDS, "%.0f servers and witnesses, where a cluster has at most %.0f",
                 broken->value, broken->limit);
        break;
    case ADVISE_FEWER:
        snprintf(out, ADVISE_WORDS, "%.0f servers in %s, where the file wants %.0f at least",
                 broken->value, site, broken->limit);
        break;
    }
    return out;
}

bool advise_region_has_load(const struct advise_region *region)
{
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        if (region->rate[k] > 0)
            return true;
    return false;
}
