#include "base/check.h"
#include "main/advise_measure.h"

#include <math.h>
#include <stdlib.h>

/* Fewer tell no processor time of a request: what the server does beside counts for too much. */
enum { REQUESTS_LEAST = 200, VALUE_TEXT = 40 };

/* ---- Reading ---- */

/* Adds VALUE to the figure that the line NAME{LABELS} is of. */
static void take(struct advise_figures *figures, struct str name, double value)
{
    static const struct {
        struct str name;
        size_t offset;
    } figures_of[] = {
        {{"stoa_commands_submitted_total", 29}, offsetof(struct advise_figures, changes)},
        {{"process_cpu_seconds_total", 25}, offsetof(struct advise_figures, processor_s)},
        {{"stoa_log_append_p50_seconds", 27}, offsetof(struct advise_figures, durable.p50_s)},
        {{"stoa_log_append_p99_seconds", 27}, offsetof(struct advise_figures, durable.p99_s)},
    };
    for (unsigned i = 0; i < COUNT_OF(figures_of); i++)
        if (str_eq(name, figures_of[i].name))
            *(double *)((char *)figures + figures_of[i].offset) += value;
    if (!str_starts(name, STR("stoa_http_requests_total{")))
        return;
    figures->all += value;
    if (str_find(name, STR("class=\"cached\"")) > 0)
        figures->cached += value;
    if (str_find(name, STR("class=\"pages\"")) > 0 || str_find(name, STR("class=\"ucp\"")) > 0)
        figures->worked += value;
}

bool advise_figures_read(struct str metrics, struct advise_figures *figures)
{
    struct str line, name;
    bool known = false;
    *figures = (struct advise_figures){0};
    while (str_cut(&metrics, '\n', &line)) {
        char text[VALUE_TEXT];
        if (str_starts(line, STR("#")) || !str_cut(&line, ' ', &name) || !line.at)
            continue;
        known |=
            str_eq(name, STR("process_cpu_seconds_total")) || str_starts(name, STR("stoa_log_"));
        take(figures, name, strtod(str_copy(text, sizeof text, line), NULL));
    }
    return known;
}

/* ---- Filling in ---- */

struct filling {
    struct advise_file *file;
    const struct advise_figures *before, *after;
    double seconds;
    struct buf *notes;
    double cached, worked, changes; /* of all servers, between the looks */
};

static double grown(double before, double after)
{
    return after > before ? after - before : 0;
}

static struct advise_figures between(const struct filling *filling, unsigned source)
{
    const struct advise_figures *a = &filling->before[source], *b = &filling->after[source];
    return (struct advise_figures){
        .door = b->door,
        .all = grown(a->all, b->all),
        .cached = grown(a->cached, b->cached),
        .worked = grown(a->worked, b->worked),
        .changes = grown(a->changes, b->changes),
        .processor_s = grown(a->processor_s, b->processor_s),
        .durable = b->durable,
    };
}

static bool is_of(const struct advise_source *source, bool region, unsigned index)
{
    return source->of_region == region && source->index == index;
}

/* Processor time of a request of any kind: the counters do not tell them apart. */
static int fill_work(struct filling *filling, unsigned s, double processor_s, double requests,
                     struct failure *failure)
{
    struct advise_site *site = &filling->file->input.sites[s];
    double mean_s = requests > 0 ? processor_s / requests : 0;
    bool open = false;
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        open |= site->work_s[k] <= 0;
    if (!open)
        return 0;
    if (requests < REQUESTS_LEAST)
        return fail(failure, ERR_STATE,
                    "the servers of site %s had %.0f requests in %.1f s, too few to measure the "
                    "processor time of one: measure longer (--for 60s) or under load, or write "
                    "read, write and compute",
                    site->name, requests, filling->seconds);
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        site->work_s[k] = site->work_s[k] > 0 ? site->work_s[k] : fmax(mean_s, 1e-7);
    buf_printf(filling->notes,
               "site %s: %.0f requests in %.1f s took %.2f s of processors: %.0f us each, of "
               "whatever kind\n",
               site->name, requests, filling->seconds, processor_s, mean_s * 1e6);
    return 0;
}

static int fill_site(struct filling *filling, unsigned s, struct failure *failure)
{
    struct advise_file *file = filling->file;
    struct advise_site *site = &file->input.sites[s];
    double processor_s = 0, requests = 0;
    struct advise_time durable = {0, 0};
    unsigned count = 0;
    for (unsigned i = 0; i < file->source_count; i++) {
        if (!is_of(&file->sources[i], false, s))
            continue;
        struct advise_figures look = between(filling, i);
        count++;
        processor_s += look.processor_s;
        requests += look.all;
        durable.p50_s = fmax(durable.p50_s, look.durable.p50_s);
        durable.p99_s = fmax(durable.p99_s, look.durable.p99_s);
    }
    if (count == 0)
        return 0;
    if (!file->now_given[s])
        site->now = count;
    if (site->durable.p50_s <= 0 && durable.p50_s > 0) {
        site->durable = durable;
        buf_printf(filling->notes,
                   "site %s: the log is on disk in %.2f ms, at the 99th percentile "
                   "in %.2f ms\n",
                   site->name, durable.p50_s * 1e3, durable.p99_s * 1e3);
    }
    return fill_work(filling, s, processor_s, requests, failure);
}

/* RATE requests a second in all, by the kinds that the servers had. */
static void set_rates(struct filling *filling, unsigned r, double rate, const char *whose)
{
    struct advise_region *region = &filling->file->input.regions[r];
    double computed = grown(filling->changes, filling->worked);
    double all = filling->cached + filling->changes + computed;
    region->rate[ADVISE_READ] = all > 0 ? rate * filling->cached / all : rate;
    region->rate[ADVISE_WRITE] = all > 0 ? rate * filling->changes / all : 0;
    region->rate[ADVISE_COMPUTE] = all > 0 ? rate * computed / all : 0;
    buf_printf(filling->notes,
               "region %s: %.1f requests/s at %s: %.1f reads, %.1f changes, %.1f computed\n",
               region->name, rate, whose, region->rate[ADVISE_READ], region->rate[ADVISE_WRITE],
               region->rate[ADVISE_COMPUTE]);
}

static bool has_rates(const struct advise_region *region)
{
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        if (region->rate[k] > 0)
            return true;
    return false;
}

static void fill_region(struct filling *filling, unsigned r)
{
    struct advise_file *file = filling->file;
    double requests = 0;
    bool asked = false;
    for (unsigned i = 0; i < file->source_count; i++) {
        if (!is_of(&file->sources[i], true, r))
            continue;
        struct advise_figures look = between(filling, i);
        asked = true;
        requests += look.door ? look.all : look.cached + look.worked;
    }
    if (asked && !has_rates(&file->input.regions[r]))
        set_rates(filling, r, requests / filling->seconds, "its load managers");
    /* All that the servers have must be of the only region. */
    if (!asked && file->input.region_count == 1 && !has_rates(&file->input.regions[r]))
        set_rates(filling, r, (filling->cached + filling->worked) / filling->seconds,
                  "the servers");
}

int advise_measure_fill(struct advise_file *file, const struct advise_figures *before,
                        const struct advise_figures *after, double seconds, struct buf *notes,
                        struct failure *failure)
{
    struct filling filling = {
        .file = file, .before = before, .after = after, .seconds = seconds, .notes = notes};
    int err = 0;
    for (unsigned i = 0; i < file->source_count; i++) {
        struct advise_figures look = between(&filling, i);
        filling.cached += look.door ? 0 : look.cached;
        filling.worked += look.door ? 0 : look.worked;
        filling.changes += look.door ? 0 : look.changes;
    }
    for (unsigned s = 0; !err && s < file->input.site_count; s++)
        err = fill_site(&filling, s, failure);
    for (unsigned r = 0; !err && r < file->input.region_count; r++)
        fill_region(&filling, r);
    return err;
}
