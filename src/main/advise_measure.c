#include "main/advise_measure.h"

#include "base/clock.h"
#include "main/remote.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <yyjson.h>

enum { ASK_MS = 5000, ANSWER_MAX = 4 << 20 };

struct looks {
    struct advise_figures before[ADVISE_SOURCES_MAX], after[ADVISE_SOURCES_MAX];
};

static int get(const char *url, const char *path, struct buf *answer, struct failure *failure)
{
    struct remote remote = {0};
    str_copy(remote.url, sizeof remote.url, str_of(url));
    return remote_call(&remote, path, NULL, ASK_MS, answer, failure);
}

static bool knows_way(const struct advise_file *file, unsigned region, const char *site)
{
    for (unsigned i = 0; i < file->way_count; i++)
        if (file->ways[i].of_region && file->ways[i].from == region &&
            str_eq(str_of(file->ways[i].to), str_of(site)))
            return true;
    return false;
}

/* The site that one of the sources has at URL; NULL: none. */
static const char *site_at(const struct advise_file *file, const char *url)
{
    for (unsigned i = 0; i < file->source_count; i++)
        if (!file->sources[i].of_region && str_eq(str_of(file->sources[i].url), str_of(url)))
            return file->input.sites[file->sources[i].index].name;
    return NULL;
}

/* From a load manager to the servers that are sources too: as from its region, if the file has no
 * way. */
static void take_ways(struct advise_file *file, unsigned region, yyjson_val *servers,
                      struct buf *notes)
{
    size_t i, count;
    yyjson_val *server;
    yyjson_arr_foreach(servers, i, count, server)
    {
        const char *url = yyjson_get_str(yyjson_obj_get(server, "url"));
        const char *site = url ? site_at(file, url) : NULL;
        double ms = yyjson_get_num(yyjson_obj_get(server, "round_trip_ms"));
        if (!site || ms <= 0 || knows_way(file, region, site) || file->way_count == ADVISE_WAYS_MAX)
            continue;
        struct advise_way *way = &file->ways[file->way_count++];
        *way = (struct advise_way){
            .of_region = true, .from = region, .file = "--from", .time = {ms / 1e3, NAN}};
        str_copy(way->to, sizeof way->to, str_of(site));
        buf_printf(notes,
                   "region %s: %.2f ms from its load manager to site %s and back; from shoppers to "
                   "the load manager is not in it\n",
                   file->input.regions[region].name, ms, site);
    }
}

/* What it has measured, beside which the model's figures can be held. */
static void note_latency(const struct advise_file *file, const struct advise_source *source,
                         yyjson_val *totals, struct buf *notes)
{
    double p50_ms = yyjson_get_num(yyjson_obj_get(totals, "p50_ms"));
    double p99_ms = yyjson_get_num(yyjson_obj_get(totals, "p99_ms"));
    if (p99_ms > 0)
        buf_printf(notes,
                   "region %s: its load manager had half of the answers within %.1f ms, 99 of 100 "
                   "within %.1f ms\n",
                   file->input.regions[source->index].name, p50_ms, p99_ms);
}

/* False: there is no load manager's status door at the source. */
static bool look_at_door(struct advise_file *file, const struct advise_source *source,
                         struct advise_figures *figures, struct buf *notes)
{
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    int err = get(source->url, "/balance.json", &answer, NULL);
    yyjson_doc *doc = err ? NULL : yyjson_read(answer.at, answer.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *totals = yyjson_obj_get(root, "totals");
    yyjson_val *requests = yyjson_obj_get(totals, "requests");
    bool good = yyjson_is_num(requests);
    if (good) {
        *figures = (struct advise_figures){.door = true, .all = yyjson_get_num(requests)};
        if (notes)
            note_latency(file, source, totals, notes);
        if (notes)
            take_ways(file, source->index, yyjson_obj_get(root, "servers"), notes);
    }
    yyjson_doc_free(doc);
    buf_close(&answer);
    return good;
}

static int look_at_server(const struct advise_source *source, struct advise_figures *figures,
                          struct failure *failure)
{
    struct failure why = {0};
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    int err = get(source->url, "/metrics", &answer, &why);
    if (err)
        err = fail(failure, err, "cannot measure at %s: %s", source->url, why.text);
    else if (!advise_figures_read(buf_text(&answer), figures))
        err = fail(failure, ERR_INVALID,
                   "cannot measure at %s: that is no server of Stoa, and no load manager's status "
                   "door (`stoa balance --status`)",
                   source->url);
    buf_close(&answer);
    return err;
}

/* NOTES: NULL at the second look, which tells nothing new. */
static int look(struct advise_file *file, struct advise_figures *figures, struct buf *notes,
                struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < file->source_count; i++) {
        const struct advise_source *source = &file->sources[i];
        if (!source->of_region || !look_at_door(file, source, &figures[i], notes))
            err = look_at_server(source, &figures[i], failure);
    }
    return err;
}

int advise_measure(struct advise_file *file, uint64_t pause_ms, struct buf *notes,
                   struct failure *failure)
{
    if (file->source_count == 0)
        return 0;
    struct looks *looks = calloc(1, sizeof *looks);
    if (!looks)
        return fail(failure, ERR_NOMEM, "out of memory");
    const struct timespec pause = {(time_t)(pause_ms / 1000), (long)(pause_ms % 1000 * MS_NS)};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uint64_t began_ns = clock_mono_ns();
    int err = look(file, looks->before, notes, failure);
    if (!err)
        nanosleep(&pause, NULL);
    uint64_t ended_ns = clock_mono_ns();
    err = err ? err : look(file, looks->after, NULL, failure);
    if (!err)
        err = advise_measure_fill(file, looks->before, looks->after,
                                  (double)(ended_ns - began_ns) / 1e9, notes, failure);
    free(looks);
    return err;
}
