#include "main/shared_pages.h"

#include "admin/metrics_cache.h"
#include "admin/worker_cache.h"
#include "base/clock.h"
#include "base/process.h"
#include "main/cluster.h"
#include "main/file.h"
#include "main/service.h"
#include "main/serving.h"
#include "main/shared_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INDEX_MS = 500 }; /* how often the database is asked how far it is */

struct shared_pages {
    struct shared_pages_config config;
    struct cluster cluster;
    bool in_cluster;
    struct service service; /* the directory, without its lock */
    char database[DATADIR_PATH], token[DATADIR_TOKEN], name[24];
    unsigned char secret[DATADIR_SECRET];
    dev_t device; /* of the database that is open */
    ino_t inode;
    struct shared_changes changes;
    struct cache *cache;
    struct web *web;
    /* shared_pages_count's. */
    struct reader *reader; /* NULL: it could not be opened yet */
    uint64_t index, index_ns;
};

/* ---- What web/ asks ---- */

bool shared_pages_is_current(const struct shared_pages *pages)
{
    struct stat about;
    return stat(pages->database, &about) == 0 && about.st_ino == pages->inode &&
           about.st_dev == pages->device;
}

static bool is_same(void *context)
{
    return shared_pages_is_current(context);
}

static bool find_writer(void *context, bool anew, char *url, size_t size)
{
    const struct shared_pages *pages = context;
    const struct shared_pages_config *config = &pages->config;
    return shared_writer_find(config->writer, anew, url, size) &&
           !(config->waits && config->waits(config->context));
}

static bool is_healthy(void *context, struct buf *reason)
{
    struct shared_pages *pages = context;
    return shared_writer_answers(pages->config.writer, reason);
}

static void put_figure(struct buf *out, const char *name, const char *kind, const char *about,
                       uint64_t value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, about, name, kind, name,
               (unsigned long long)value);
}

/* The last entry that the file has; 0: it cannot be read now. */
static uint64_t database_index(const struct shared_pages *pages)
{
    struct reader *reader = NULL;
    struct failure ignored;
    uint64_t index = 0;
    if (reader_open(pages->database, &reader, &ignored))
        return 0;
    if (reader_begin(reader, &index) == 0)
        reader_end(reader);
    else
        index = 0;
    reader_close(reader);
    return index;
}

/* A reader has no log; what it has is under the names that all servers have. */
static void put_metrics(void *context, struct buf *out)
{
    struct shared_pages *pages = context;
    struct web_stats *stats = calloc(1, sizeof *stats);
    struct cache_stats cache;
    struct process_figures process;
    struct buf reason;
    if (!stats)
        return;
    buf_init(&reason, 1000);
    web_stats(pages->web, stats);
    uint64_t index = database_index(pages);
    cache_read_stats(pages->cache, &cache);
    process_look(&process);
    put_figure(out, "stoa_reader", "gauge", "1: this process reads what another one writes.", 1);
    put_figure(out, "stoa_reader_writer_answers", "gauge", "Whether the one that writes answers.",
               shared_writer_answers(pages->config.writer, &reason));
    put_figure(out, "stoa_relayed_total", "counter", "Requests passed on to another server.",
               stats->relayed);
    metrics_put_cache(out, &cache, index);
    put_figure(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
               process.resident_bytes);
    buf_close(&reason);
    free(stats);
}

/* ---- For the seat at the queue ---- */

/* Of its own reader, as often as somebody can see it: each time would cost a worker more than all
 * else that it tells. */
static void look_at_database(struct shared_pages *pages, uint64_t now_ns)
{
    struct failure ignored;
    if (now_ns < pages->index_ns + INDEX_MS * MS_NS)
        return;
    pages->index_ns = now_ns;
    pages->index = 0;
    if (!pages->reader && reader_open(pages->database, &pages->reader, &ignored))
        return;
    if (reader_begin(pages->reader, &pages->index) == 0)
        reader_end(pages->reader);
    else
        pages->index = 0;
}

void shared_pages_count(struct shared_pages *pages, uint64_t counts[static QUEUE_COUNTS])
{
    struct cache_stats stats;
    look_at_database(pages, clock_mono_ns());
    cache_read_stats(pages->cache, &stats);
    worker_cache_tell(&stats, pages->index, counts);
}

/* ---- Opening ---- */

static int read_directory(struct shared_pages *pages, struct failure *failure)
{
    const char *dir = pages->config.settings->dir;
    unsigned char token[DATADIR_SECRET];
    pages->service.lock = -1;
    str_copy(pages->service.dir, sizeof pages->service.dir, str_of(dir));
    int err = cluster_read(dir, &pages->cluster, NULL);
    pages->in_cluster = err == 0;
    err = file_join(pages->database, dir, "shop.db", failure);
    err = err ? err
              : service_secret(&pages->service, "secret", pages->secret, DATADIR_SECRET, NULL,
                               failure);
    err =
        err ? err
            : service_secret(&pages->service, "operator.token", token, sizeof token, NULL, failure);
    if (!err)
        hex_encode(token, sizeof token, pages->token);
    return err;
}

/* Before the database is opened: what comes in between is found out, and nothing is missed. */
static int note_database(struct shared_pages *pages, struct failure *failure)
{
    struct stat about;
    if (stat(pages->database, &about))
        return file_failed(failure, "look at", pages->database);
    pages->device = about.st_dev;
    pages->inode = about.st_ino;
    return 0;
}

/* Without the writer's word of its changes nothing could be kept ready. From then on every writer
 * tells: the file is there. */
static int open_cache(struct shared_pages *pages, uint64_t writer, struct failure *failure)
{
    const struct settings *settings = pages->config.settings;
    int err = shared_changes_open(settings->dir, false, &pages->changes, failure);
    if (err == ERR_NOTFOUND || (!err && !shared_changes_told_by(&pages->changes, writer)))
        return fail(failure, ERR_STATE,
                    "process %llu, which writes %s, was started without --shared: start it again "
                    "with it, or choose another --dir",
                    (unsigned long long)writer, settings->dir);
    pages->cache =
        err ? NULL : cache_new_over((size_t)settings->cache_bytes, pages->changes.changes);
    return pages->cache ? 0 : err ? err : fail(failure, ERR_NOMEM, "no memory for a cache");
}

static int open_web(struct shared_pages *pages, struct failure *failure)
{
    const struct settings *settings = pages->config.settings;
    if (settings->server_header)
        snprintf(pages->name, sizeof pages->name, "%llu",
                 (unsigned long long)(pages->in_cluster ? pages->cluster.own : 1));
    struct web_settings web = {
        .database = pages->database,
        .server_name = pages->name,
        .spool_dir = "",
        .operator_token = pages->token,
        .cache = pages->cache,
        .log = pages->config.log,
        .watch = {pages, put_metrics, is_healthy},
        .writer = {pages, find_writer, is_same, pages->in_cluster},
    };
    memcpy(web.secret, pages->secret, sizeof web.secret);
    if (pages->in_cluster) {
        web.cluster.id = pages->cluster.id;
        web.cluster.generation = pages->cluster.generation;
        web.cluster.name = pages->cluster.name;
    }
    serving_pages(settings, &web);
    return web_new(&web, &pages->web, failure);
}

int shared_pages_open(const struct shared_pages_config *config, struct shared_pages **out,
                      struct failure *failure)
{
    *out = NULL;
    uint64_t writer = shared_writer_pid(config->writer);
    if (!writer)
        return ERR_NOTFOUND;
    struct shared_pages *pages = calloc(1, sizeof *pages);
    if (!pages)
        return fail(failure, ERR_NOMEM, "out of memory");
    pages->config = *config;
    int err = read_directory(pages, failure);
    err = err ? err : note_database(pages, failure);
    err = err ? err : open_cache(pages, writer, failure);
    err = err ? err : open_web(pages, failure);
    if (err)
        shared_pages_close(pages);
    else
        *out = pages;
    return err;
}

struct app *shared_pages_app(struct shared_pages *pages)
{
    return web_app(pages->web);
}

void shared_pages_stop(struct shared_pages *pages)
{
    web_stop(pages->web);
}

void shared_pages_close(struct shared_pages *pages)
{
    if (!pages)
        return;
    web_free(pages->web);
    if (pages->reader)
        reader_close(pages->reader);
    if (pages->cache)
        cache_free(pages->cache);
    shared_changes_close(&pages->changes);
    free(pages);
}
