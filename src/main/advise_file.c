#include "main/advise_file.h"

#include "base/check.h"
#include "main/advise_rows.h"

#include <confuse.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct reading {
    const char *path;
    struct advise_file *file;
    struct failure *failure;
    /* What a section begins with: the settings above it. */
    struct advise_region region;
    struct advise_site site;
};

/* libconfuse's callbacks carry no context of the caller's. One file is read at a time. */
static struct reading *reading;

static void report(cfg_t *cfg, const char *format, va_list args)
{
    char text[360];
    vsnprintf(text, sizeof text, format, args);
    if (!reading->failure->err) /* the first one is the cause */
        fail(reading->failure, ERR_INVALID, "%s:%d: %s%s", reading->path, cfg->line, text,
             strstr(text, "no such option") ? "; `stoa advise --help` lists what there is" : "");
}

/* ---- Names ---- */

unsigned advise_file_site(const struct advise_file *file, struct str name)
{
    unsigned i = 0;
    while (i < file->input.site_count && !str_eq(name, str_of(file->input.sites[i].name)))
        i++;
    return i;
}

unsigned advise_file_region(const struct advise_file *file, struct str name)
{
    unsigned i = 0;
    while (i < file->input.region_count && !str_eq(name, str_of(file->input.regions[i].name)))
        i++;
    return i;
}

static int check_name(const char *name, struct failure *failure)
{
    size_t len = strlen(name);
    if (len == 0 || len >= ADVISE_NAME || strpbrk(name, " \t=,\"") || !str_is_utf8(str_of(name)))
        return fail(failure, ERR_INVALID,
                    "\"%s\" is no name: at most %d characters, without spaces, commas and \"=\"",
                    name, ADVISE_NAME - 1);
    return 0;
}

/* A new section's place, beginning with what stands above it. */
static int add_section(bool region, const char *name, unsigned line, unsigned *index,
                       struct failure *failure)
{
    struct advise_file *file = reading->file;
    struct advise_input *input = &file->input;
    unsigned room = region ? ADVISE_REGIONS_MAX : ADVISE_SITES_MAX;
    unsigned *count = region ? &input->region_count : &input->site_count;
    if (check_name(name, failure))
        return ERR_INVALID;
    if (*count == room)
        return fail(failure, ERR_FULL, "there are more than %u %ss", room,
                    region ? "region" : "site");
    if (advise_file_site(file, str_of(name)) < input->site_count ||
        advise_file_region(file, str_of(name)) < input->region_count)
        return fail(failure, ERR_EXISTS, "\"%s\" is there already: names are given once", name);
    *index = (*count)++;
    if (region) {
        input->regions[*index] = reading->region;
        str_copy(input->regions[*index].name, ADVISE_NAME, str_of(name));
        file->region_line[*index] = line;
    } else {
        input->sites[*index] = reading->site;
        str_copy(input->sites[*index].name, ADVISE_NAME, str_of(name));
        file->site_line[*index] = line;
    }
    return 0;
}

/* Where the section that CFG is belongs; it is made by its first setting. */
static int find_section(cfg_t *cfg, struct advise_place *place, struct failure *failure)
{
    struct advise_input *input = &reading->file->input;
    const char *title = cfg_title(cfg);
    *place = (struct advise_place){.file = reading->file,
                                   .region = &reading->region,
                                   .site = &reading->site,
                                   .line = (unsigned)cfg->line,
                                   .path = reading->path};
    if (!title)
        return 0;
    bool region = strcmp(cfg_name(cfg), "region") == 0;
    place->where = region ? ADVISE_IN_REGION : ADVISE_IN_SITE;
    place->index = region ? advise_file_region(reading->file, str_of(title))
                          : advise_file_site(reading->file, str_of(title));
    if (place->index == (region ? input->region_count : input->site_count) &&
        add_section(region, title, place->line, &place->index, failure))
        return ERR_INVALID;
    place->region = region ? &input->regions[place->index] : NULL;
    place->site = region ? NULL : &input->sites[place->index];
    return 0;
}

/* Judges VALUE and keeps it. */
static int take(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
    struct failure failure = {0};
    struct advise_place place;
    if (find_section(cfg, &place, &failure) ||
        advise_row_set(option->name, &place, str_of(value), &failure)) {
        cfg_error(cfg, "%s", failure.text);
        return -1;
    }
    *(const char **)result = value;
    return 0;
}

/* ---- The file ---- */

/* The settings that may stand in WHERE. */
static unsigned describe(unsigned where, cfg_opt_t *options)
{
    unsigned count = 0;
    for (unsigned i = 0; i < advise_row_count; i++) {
        const struct advise_row *row = &advise_rows[i];
        if (!(row->where & where))
            continue;
        options[count++] = row->list
                               ? (cfg_opt_t)CFG_STR_LIST_CB(row->name, NULL, CFGF_NODEFAULT, take)
                               : (cfg_opt_t)CFG_STR_CB(row->name, NULL, CFGF_NODEFAULT, take);
    }
    options[count] = (cfg_opt_t)CFG_END();
    return count;
}

static int parse(const char *path, struct failure *failure)
{
    cfg_opt_t regions[ADVISE_ROWS_MAX], sites[ADVISE_ROWS_MAX], all[ADVISE_ROWS_MAX];
    const cfg_flag_t section = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
    describe(ADVISE_IN_REGION, regions);
    describe(ADVISE_IN_SITE, sites);
    unsigned count = describe(ADVISE_ABOVE, all);
    all[count++] = (cfg_opt_t)CFG_SEC("region", regions, section);
    all[count++] = (cfg_opt_t)CFG_SEC("site", sites, section);
    all[count] = (cfg_opt_t)CFG_END();
    cfg_t *cfg = cfg_init(all, CFGF_NONE);
    if (!cfg)
        return fail(failure, ERR_NOMEM, "%s: out of memory", path);
    cfg_set_error_function(cfg, report);
    int parsed = cfg_parse(cfg, path);
    const struct advise_input *input = &reading->file->input;
    bool empty = cfg_size(cfg, "region") != input->region_count ||
                 cfg_size(cfg, "site") != input->site_count;
    cfg_free(cfg);
    if (parsed == CFG_FILE_ERROR)
        return fail_errno(failure, ERR_NOTFOUND, "%s: cannot read the file", path);
    if (parsed == CFG_PARSE_ERROR && !failure->err)
        return fail(failure, ERR_INVALID, "%s: not a file for stoa advise", path);
    if (!failure->err && empty)
        return fail(failure, ERR_INVALID, "%s: a region or site has no settings between its braces",
                    path);
    return failure->err;
}

static void set_defaults(struct reading *now)
{
    struct advise_input *input = &now->file->input;
    memset(now->file, 0, sizeof *now->file);
    input->utilisation = 0.7;
    input->tolerate = ADVISE_TOLERATE_SERVER;
    input->budget = INFINITY;
    now->site = (struct advise_site){.cost = NAN, .processors = 1, .most = ADVISE_VOTES_MAX};
    now->region = (struct advise_region){
        .peak = 1, .p50_s = INFINITY, .p99_s = INFINITY, .degraded_p99_s = NAN};
    for (unsigned s = 0; s < ADVISE_SITES_MAX; s++)
        now->site.to[s] = now->region.to[s] = (struct advise_time){NAN, NAN};
}

/* What was told as requests a second of a whole server, by processor. */
static void make_times(struct advise_input *input)
{
    for (unsigned s = 0; s < input->site_count; s++)
        for (unsigned k = 0; k < ADVISE_KINDS; k++)
            if (input->sites[s].work_s[k] < 0)
                input->sites[s].work_s[k] = input->sites[s].processors / -input->sites[s].work_s[k];
}

int advise_file_read(const char *path, struct advise_file *file, struct failure *failure)
{
    struct reading now = {.path = path, .file = file, .failure = failure};
    struct stat about;
    failure->err = 0;
    set_defaults(&now);
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        return fail(failure, ERR_INVALID, "%s: is a directory, not a file for stoa advise", path);
    reading = &now;
    int err = parse(path, failure);
    reading = NULL;
    make_times(&file->input);
    return err;
}

/* ---- Sources ---- */

int advise_file_add_source(struct advise_file *file, const char *text, struct failure *failure)
{
    struct str url = str_of(text), name;
    struct advise_place place = {.file = file};
    bool cut = str_find_byte(url, '=') > 0 && str_cut(&url, '=', &name);
    if (!cut)
        return fail(failure, ERR_INVALID,
                    "from \"%s\" does not say whose it is: write NAME=URL, with the name of a site "
                    "(a server there) or of a region (its load manager's status door)",
                    text);
    place.index = advise_file_site(file, name);
    place.where = ADVISE_IN_SITE;
    if (place.index == file->input.site_count) {
        place.where = ADVISE_IN_REGION;
        place.index = advise_file_region(file, name);
        if (place.index == file->input.region_count)
            return fail(failure, ERR_NOTFOUND, "from \"%s\": there is no site or region \"%.*s\"",
                        text, STR_FMT(name));
    }
    return advise_row_set("from", &place, url, failure);
}

/* ---- The whole ---- */

static int place_way(struct advise_file *file, const struct advise_way *way,
                     struct failure *failure)
{
    struct advise_input *input = &file->input;
    unsigned to = advise_file_site(file, str_of(way->to));
    if (to == input->site_count)
        return fail(failure, ERR_NOTFOUND, "%s:%u: there is no site \"%s\"", way->file, way->line,
                    way->to);
    struct advise_time *there =
        way->of_region ? &input->regions[way->from].to[to] : &input->sites[way->from].to[to];
    *there = way->time;
    return 0;
}

/* The way back is as long, where nobody says another; and within a site there is none. */
static void fill_back(struct advise_input *input)
{
    for (unsigned a = 0; a < input->site_count; a++)
        for (unsigned b = 0; b < input->site_count; b++) {
            if (isnan(input->sites[a].to[b].p50_s))
                input->sites[a].to[b] = input->sites[b].to[a];
            if (a == b && isnan(input->sites[a].to[a].p50_s))
                input->sites[a].to[a] = (struct advise_time){0, 0};
        }
}

static void fill_p99(struct advise_file *file, struct advise_time *time)
{
    if (isnan(time->p50_s) || !isnan(time->p99_s))
        return;
    time->p99_s = time->p50_s;
    file->alone++;
}

static int check_site(const char *path, const struct advise_file *file, unsigned s,
                      struct failure *failure)
{
    const struct advise_input *input = &file->input;
    const struct advise_site *site = &input->sites[s];
    unsigned line = file->site_line[s];
    if (isnan(site->cost))
        return fail(failure, ERR_INVALID,
                    "%s:%u: site %s has no cost: write what a server there costs an hour "
                    "(cost = 0.42)",
                    path, line, site->name);
    if (site->least > site->most)
        return fail(failure, ERR_INVALID, "%s:%u: site %s: least is %u, and most is %u", path, line,
                    site->name, site->least, site->most);
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        for (unsigned r = 0; site->work_s[k] <= 0 && r < input->region_count; r++)
            if (input->regions[r].rate[k] > 0)
                return fail(failure, ERR_INVALID,
                            "%s:%u: site %s does not say what processor time a request takes: "
                            "write %s = TIME, or from = {URL} of a server there that is at work",
                            path, line, site->name,
                            (const char *[]){"read", "write", "compute"}[k]);
    for (unsigned to = 0; to < input->site_count; to++)
        if (isnan(site->to[to].p50_s))
            return fail(failure, ERR_INVALID,
                        "%s:%u: the way from site %s to site %s is not known: measure it (ping), "
                        "and write ways = {\"%s 88ms\"} in one of them",
                        path, line, site->name, input->sites[to].name, input->sites[to].name);
    return 0;
}

static int check_region(const char *path, const struct advise_file *file, unsigned r,
                        struct failure *failure)
{
    const struct advise_input *input = &file->input;
    const struct advise_region *region = &input->regions[r];
    bool reaches = false;
    for (unsigned s = 0; s < input->site_count; s++)
        reaches |= input->sites[s].most > 0 && !isnan(region->to[s].p50_s);
    if (!reaches)
        return fail(failure, ERR_INVALID,
                    "%s:%u: no way from region %s to any site is known: write ways = {\"%s 18ms\"}",
                    path, file->region_line[r], region->name, input->sites[0].name);
    return 0;
}

static int check_whole(const char *path, const struct advise_file *file, struct failure *failure)
{
    const struct advise_input *input = &file->input;
    unsigned least = 0, most = 0, now = 0;
    int err = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        most += input->sites[s].most;
    if (most == 0)
        return fail(failure, ERR_INVALID, "%s: no site may have a server: every most is 0", path);
    for (unsigned s = 0; !err && s < input->site_count; s++) {
        unsigned witness = input->sites[s].witness;
        least += input->sites[s].least + witness;
        now += input->sites[s].now + witness;
        err = check_site(path, file, s, failure);
    }
    for (unsigned r = 0; !err && r < input->region_count; r++)
        err = check_region(path, file, r, failure);
    if (err)
        return err;
    if (least > ADVISE_VOTES_MAX || now > ADVISE_VOTES_MAX)
        return fail(failure, ERR_INVALID,
                    "%s: a cluster has at most %d servers and witnesses, but %s are %u", path,
                    ADVISE_VOTES_MAX,
                    least > ADVISE_VOTES_MAX ? "the least of all" : "those of now",
                    least > ADVISE_VOTES_MAX ? least : now);
    if (advise_peak_rate(input) <= 0)
        return fail(failure, ERR_INVALID,
                    "%s: no region has any requests: write reads = N (a second), or from = {URL}",
                    path);
    return 0;
}

int advise_file_finish(const char *path, struct advise_file *file, struct failure *failure)
{
    struct advise_input *input = &file->input;
    if (!input->region_count || !input->site_count)
        return fail(failure, ERR_INVALID,
                    "%s: there is no %s: write %s \"NAME\" { … }; `stoa advise --help` lists "
                    "what belongs there",
                    path, input->site_count ? "region" : "site",
                    input->site_count ? "region" : "site");
    for (unsigned i = 0; i < file->way_count; i++)
        if (place_way(file, &file->ways[i], failure))
            return failure->err;
    fill_back(input);
    for (unsigned s = 0; s < input->site_count; s++) {
        fill_p99(file, &input->sites[s].durable);
        for (unsigned t = 0; t < input->site_count; t++)
            fill_p99(file, &input->sites[s].to[t]);
    }
    for (unsigned r = 0; r < input->region_count; r++) {
        struct advise_region *region = &input->regions[r];
        if (isnan(region->degraded_p99_s))
            region->degraded_p99_s = region->p99_s;
        for (unsigned s = 0; s < input->site_count; s++)
            fill_p99(file, &region->to[s]);
    }
    if (file->load_count &&
        !advise_growth(file->days, file->loads, file->load_count, &input->growth_per_day))
        return fail(failure, ERR_INVALID,
                    "%s: load has one day only, which tells no growth: give two or more, or growth",
                    path);
    return check_whole(path, file, failure);
}
