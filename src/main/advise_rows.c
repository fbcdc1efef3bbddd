#include "main/advise_rows.h"

#include "base/check.h"
#include "main/advise_value.h"
#include "main/balance_config.h"

#include <math.h>
#include <string.h>

#define ANY      (ADVISE_ABOVE | ADVISE_IN_REGION)
#define SITES    (ADVISE_ABOVE | ADVISE_IN_SITE)
#define R(name)  offsetof(struct advise_region, name), ADVISE_IN_REGION
#define S(name)  offsetof(struct advise_site, name), ADVISE_IN_SITE
#define I(name)  offsetof(struct advise_input, name), ADVISE_ABOVE
#define NOT_KEPT 0, 0

/* clang-format off */
const struct advise_row advise_rows[] = {
    {"reads", ADVISE_IN_REGION, ADVISE_ROW_NUMBER, R(rate[ADVISE_READ]), 0, 1e9, false, "pages and pictures a second, in the mean"},
    {"writes", ADVISE_IN_REGION, ADVISE_ROW_NUMBER, R(rate[ADVISE_WRITE]), 0, 1e9, false, "changes of carts and purchases a second"},
    {"computing", ADVISE_IN_REGION, ADVISE_ROW_NUMBER, R(rate[ADVISE_COMPUTE]), 0, 1e9, false, "pages a second that are computed: searches, pages of one shopper"},
    {"peak", ANY, ADVISE_ROW_NUMBER, R(peak), 1, 1e6, false, "the highest load by the mean [1]"},
    {"p50", ANY, ADVISE_ROW_TIME, R(p50_s), 1e-6, 3600, false, "half of the answers are to be there within this"},
    {"p99", ANY, ADVISE_ROW_TIME, R(p99_s), 1e-6, 3600, false, "99 of 100 are"},
    {"degraded-p99", ANY, ADVISE_ROW_TIME, R(degraded_p99_s), 1e-6, 3600, false, "the same while a server or site is gone [p99]"},
    {"cost", SITES, ADVISE_ROW_NUMBER, S(cost), 0, 1e9, false, "of one server an hour"},
    {"processors", SITES, ADVISE_ROW_COUNT, S(processors), 1, ADVISE_PROCESSORS_MAX, false, "of one server [1]"},
    {"read", SITES, ADVISE_ROW_WORK, S(work_s[ADVISE_READ]), 1e-7, 3600, false, "processor time of a page or picture, or how many a server serves: 9000/s"},
    {"write", SITES, ADVISE_ROW_WORK, S(work_s[ADVISE_WRITE]), 1e-7, 3600, false, "the same of a change, at the server that it comes to"},
    {"compute", SITES, ADVISE_ROW_WORK, S(work_s[ADVISE_COMPUTE]), 1e-7, 3600, false, "the same of a page that is computed"},
    {"apply", SITES, ADVISE_ROW_TIME, S(write_s), 0, 3600, false, "processor time of each change, at every server, on one thread [0s]"},
    {"durable", SITES, ADVISE_ROW_TIMES, S(durable), 0, 3600, false, "until the log is on disk: median and 99th percentile [0s]"},
    {"least", SITES, ADVISE_ROW_COUNT, S(least), 0, ADVISE_VOTES_MAX, false, "servers that are to be there [0]"},
    {"most", SITES, ADVISE_ROW_COUNT, S(most), 0, ADVISE_VOTES_MAX, false, "servers that may be there; 0: none [16]"},
    {"now", ADVISE_IN_SITE, ADVISE_ROW_COUNT, S(now), 0, ADVISE_VOTES_MAX, false, "servers that are there now [those of from]"},
    {"witness", ADVISE_IN_SITE, ADVISE_ROW_SWITCH, S(witness), 0, 0, false, "yes: a witness votes there [no]"},
    {"ways", ADVISE_IN_REGION | ADVISE_IN_SITE, ADVISE_ROW_WAY, NOT_KEPT, 0, 3600, true, "there and back to a site: {\"SITE MEDIAN [99TH]\", …}"},
    {"from", ADVISE_IN_REGION | ADVISE_IN_SITE, ADVISE_ROW_SOURCE, NOT_KEPT, 0, 0, true, "URLs to measure at: a site's servers; a region's load managers' status doors"},
    {"utilisation", ADVISE_ABOVE, ADVISE_ROW_SHARE, I(utilisation), 0.05, 0.99, false, "the most that processors may be busy [70%]"},
    {"tolerate", ADVISE_ABOVE, ADVISE_ROW_TOLERATE, NOT_KEPT, 0, 0, false, "what may go at any moment: none, server or site [server]"},
    {"budget", ADVISE_ABOVE, ADVISE_ROW_NUMBER, I(budget), 0, 1e12, false, "the most that all servers may cost an hour"},
    {"growth", ADVISE_ABOVE, ADVISE_ROW_GROWTH, NOT_KEPT, 0, 100, false, "of the load, in 30 days"},
    {"load", ADVISE_ABOVE, ADVISE_ROW_LOAD, NOT_KEPT, 0, 0, true, "loads of days, out of which growth is made: {\"2026-08-01 410\", …}"},
};
/* clang-format on */
const unsigned advise_row_count = COUNT_OF(advise_rows);
_Static_assert(COUNT_OF(advise_rows) + 3 <= ADVISE_ROWS_MAX, "all fit beside two sections");

static int check_range(const struct advise_row *row, double value, struct str text,
                       struct failure *failure)
{
    const char *unit = row->kind == ADVISE_ROW_SHARE || row->kind == ADVISE_ROW_GROWTH ? "%"
                       : row->kind == ADVISE_ROW_TIME || row->kind == ADVISE_ROW_WORK  ? "s"
                                                                                       : "";
    double by = unit[0] == '%' ? 100 : 1;
    if (value >= row->least && value <= row->most)
        return 0;
    return fail(failure, ERR_INVALID, "%s is %.*s, but must be from %g%s to %g%s", row->name,
                STR_FMT(text), row->least * by, unit, row->most * by, unit);
}

static void *slot_of(const struct advise_row *row, const struct advise_place *place)
{
    char *whole = row->of == ADVISE_IN_REGION ? (char *)place->region
                  : row->of == ADVISE_IN_SITE ? (char *)place->site
                                              : (char *)&place->file->input;
    return whole + row->offset;
}

/* ---- What is more than a number ---- */

static int set_tolerate(struct advise_input *input, struct str text, struct failure *failure)
{
    static const char *const words[] = {[ADVISE_TOLERATE_NONE] = "none",
                                        [ADVISE_TOLERATE_SERVER] = "server",
                                        [ADVISE_TOLERATE_SITE] = "site"};
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        if (str_eq(text, str_of(words[i]))) {
            input->tolerate = (enum advise_tolerate)i;
            return 0;
        }
    return fail(failure, ERR_INVALID, "tolerate is \"%.*s\", but must be none, server or site",
                STR_FMT(text));
}

/* "2026-08-01 410" */
static int add_load(struct advise_file *file, struct str text, struct failure *failure)
{
    struct str rest = text, day;
    unsigned at = file->load_count;
    str_cut(&rest, ' ', &day);
    if (at == ADVISE_LOADS_MAX)
        return fail(failure, ERR_FULL, "load has more than %d days", ADVISE_LOADS_MAX);
    int err = advise_value_day("load", day, &file->days[at], failure);
    err = err ? err : advise_value_number("load", str_trim(rest), &file->loads[at], failure);
    if (!err && file->loads[at] <= 0)
        err = fail(failure, ERR_INVALID, "load \"%.*s\" is 0, out of which no growth can be made",
                   STR_FMT(text));
    file->load_count += !err;
    return err;
}

/* "fra 18ms 40ms" */
static int add_way(const struct advise_place *place, struct str text, struct failure *failure)
{
    struct advise_file *file = place->file;
    struct str rest = text, name;
    str_cut(&rest, ' ', &name);
    if (file->way_count == ADVISE_WAYS_MAX)
        return fail(failure, ERR_FULL, "there are more than %d ways", ADVISE_WAYS_MAX);
    if (name.len == 0 || name.len >= ADVISE_NAME || !rest.at)
        return fail(failure, ERR_INVALID,
                    "way \"%.*s\" must be a site and the time there and back, such as "
                    "\"fra 18ms\" or \"fra 18ms 40ms\"",
                    STR_FMT(text));
    struct advise_way *way = &file->ways[file->way_count];
    *way = (struct advise_way){.of_region = place->where == ADVISE_IN_REGION,
                               .from = place->index,
                               .line = place->line,
                               .file = place->path};
    str_copy(way->to, sizeof way->to, name);
    int err = advise_value_times("way", str_trim(rest), &way->time, failure);
    file->way_count += !err;
    return err;
}

static int add_source(const struct advise_place *place, struct str text, struct failure *failure)
{
    struct advise_file *file = place->file;
    if (file->source_count == ADVISE_SOURCES_MAX)
        return fail(failure, ERR_FULL, "from names more than %d URLs", ADVISE_SOURCES_MAX);
    struct advise_source *source = &file->sources[file->source_count];
    source->of_region = place->where == ADVISE_IN_REGION;
    source->index = place->index;
    int err = balance_config_url("from", text, source->url, sizeof source->url, failure);
    file->source_count += !err;
    return err;
}

/* "9000/s": of the whole server, whose processors may be told later. */
static int set_work(const struct advise_row *row, const struct advise_place *place, struct str text,
                    struct failure *failure)
{
    double *slot = slot_of(row, place);
    bool rate = str_ends(text, STR("/s"));
    struct str number = str_sub(text, 0, text.len - (rate ? 2 : 0));
    double value = 0;
    int err = rate ? advise_value_number(row->name, number, &value, failure)
                   : advise_value_time(row->name, text, &value, failure);
    double work_s = rate && value > 0 ? 1 / value : value;
    err = err ? err : check_range(row, work_s, text, failure);
    if (!err)
        *slot = rate ? -value : value;
    return err;
}

static int set_growth(struct advise_input *input, double in_30_days)
{
    input->growth_per_day = pow(1 + in_30_days, 1.0 / 30) - 1;
    return 0;
}

/* ---- One setting ---- */

static const struct advise_row *find_row(const char *name)
{
    for (unsigned i = 0; i < advise_row_count; i++)
        if (strcmp(advise_rows[i].name, name) == 0)
            return &advise_rows[i];
    CHECK(false);
}

static int set_number(const struct advise_row *row, const struct advise_place *place,
                      struct str text, struct failure *failure)
{
    double value = 0;
    int err;
    if (row->kind == ADVISE_ROW_TIME)
        err = advise_value_time(row->name, text, &value, failure);
    else if (row->kind == ADVISE_ROW_SHARE || row->kind == ADVISE_ROW_GROWTH)
        err = advise_value_share(row->name, text, &value, failure);
    else
        err = advise_value_number(row->name, text, &value, failure);
    err = err ? err : check_range(row, value, text, failure);
    if (err || row->kind == ADVISE_ROW_GROWTH)
        return err ? err : set_growth(&place->file->input, value);
    if (row->kind != ADVISE_ROW_COUNT) {
        *(double *)slot_of(row, place) = value;
        return 0;
    }
    if (value != floor(value))
        return fail(failure, ERR_INVALID, "%s is %.*s, but must be a whole number", row->name,
                    STR_FMT(text));
    *(unsigned *)slot_of(row, place) = (unsigned)value;
    if (row->of == ADVISE_IN_SITE && strcmp(row->name, "now") == 0)
        place->file->now_given[place->index] = true;
    return 0;
}

int advise_row_set(const char *name, const struct advise_place *place, struct str text,
                   struct failure *failure)
{
    const struct advise_row *row = find_row(name);
    bool yes = str_eq(text, STR("yes"));
    switch (row->kind) {
    case ADVISE_ROW_NUMBER:
    case ADVISE_ROW_COUNT:
    case ADVISE_ROW_TIME:
    case ADVISE_ROW_SHARE:
    case ADVISE_ROW_GROWTH:
        return set_number(row, place, text, failure);
    case ADVISE_ROW_WORK:
        return set_work(row, place, text, failure);
    case ADVISE_ROW_TIMES:
        return advise_value_times(name, text, slot_of(row, place), failure);
    case ADVISE_ROW_SWITCH:
        if (!yes && !str_eq(text, STR("no")))
            return fail(failure, ERR_INVALID, "%s is \"%.*s\", but must be yes or no", name,
                        STR_FMT(text));
        *(bool *)slot_of(row, place) = yes;
        return 0;
    case ADVISE_ROW_TOLERATE:
        return set_tolerate(&place->file->input, text, failure);
    case ADVISE_ROW_LOAD:
        return add_load(place->file, text, failure);
    case ADVISE_ROW_WAY:
        return add_way(place, text, failure);
    case ADVISE_ROW_SOURCE:
        return add_source(place, text, failure);
    }
    CHECK(false);
}

/* ---- Help ---- */

void advise_file_help(FILE *out)
{
    static const struct {
        unsigned where;
        const char *title;
    } parts[] = {{ADVISE_ABOVE, "of all (of a region or site: of those that come after it)"},
                 {ADVISE_IN_REGION, "region \"NAME\" { … }"},
                 {ADVISE_IN_SITE, "site \"NAME\" { … }"}};
    fputs("\nFILE, one setting a line:\n", out);
    for (unsigned i = 0; i < COUNT_OF(parts); i++) {
        fprintf(out, "  %s\n", parts[i].title);
        for (unsigned k = 0; k < advise_row_count; k++)
            if (advise_rows[k].where & parts[i].where)
                fprintf(out, "    %-14s %s\n", advise_rows[k].name, advise_rows[k].help);
    }
}
