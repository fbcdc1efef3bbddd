#include "main/shared_front.h"

#include "admin/metrics_cache.h"
#include "base/process.h"
#include "main/cluster.h"
#include "main/file.h"
#include "main/listening.h"
#include "main/shared_changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HELPERS = 4, URL = 320 };

struct shared_front {
    struct shared_front_config config;
    struct cluster cluster;
    bool in_cluster;
    struct service service; /* the directory, without its lock */
    char database[DATADIR_PATH], token[DATADIR_TOKEN], name[24], url[URL];
    unsigned char secret[DATADIR_SECRET];
    dev_t device; /* of the database that is open */
    ino_t inode;
    struct shared_changes changes;
    struct cache *cache;
    struct web *web;
    const struct engine_kind *kind;
    struct engine *engine;
};

/* ---- What web/ asks ---- */

bool shared_front_is_current(const struct shared_front *front)
{
    struct stat about;
    return stat(front->database, &about) == 0 && about.st_ino == front->inode &&
           about.st_dev == front->device;
}

static bool is_same(void *context)
{
    return shared_front_is_current(context);
}

/* While this process takes over, its reader's engine and its server's both take what comes. What is
 * passed on to the server must not come to the reader: where one exchange runs at a time it would
 * wait for itself. An exchange asks, so that the engine is there. */
static bool takes_more(const struct shared_front *front)
{
    struct engine_stats stats;
    front->kind->stats(front->engine, &stats);
    return stats.doors > 0;
}

static bool find_writer(void *context, bool anew, char *url, size_t size)
{
    struct shared_front *front = context;
    struct shared_writer *writer = front->config.writer;
    return shared_writer_find(writer, anew, url, size) &&
           !(shared_writer_is_here(writer) && takes_more(front));
}

static bool is_healthy(void *context, struct buf *reason)
{
    struct shared_front *front = context;
    return shared_writer_answers(front->config.writer, reason);
}

static void put_figure(struct buf *out, const char *name, const char *kind, const char *about,
                       uint64_t value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, about, name, kind, name,
               (unsigned long long)value);
}

/* The last entry that the file has; 0: it cannot be read now. */
static uint64_t database_index(const struct shared_front *front)
{
    struct reader *reader = NULL;
    struct failure ignored;
    uint64_t index = 0;
    if (reader_open(front->database, &reader, &ignored))
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
    struct shared_front *front = context;
    struct web_stats *stats = calloc(1, sizeof *stats);
    struct cache_stats cache;
    struct process_figures process;
    struct buf reason;
    if (!stats)
        return;
    buf_init(&reason, 1000);
    web_stats(front->web, stats);
    uint64_t index = database_index(front);
    cache_read_stats(front->cache, &cache);
    process_look(&process);
    put_figure(out, "stoa_reader", "gauge", "1: this process reads what another one writes.", 1);
    put_figure(out, "stoa_reader_writer_answers", "gauge", "Whether the one that writes answers.",
               shared_writer_answers(front->config.writer, &reason));
    put_figure(out, "stoa_relayed_total", "counter", "Requests passed on to another server.",
               stats->relayed);
    metrics_put_cache(out, &cache, index);
    put_figure(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
               process.resident_bytes);
    buf_close(&reason);
    free(stats);
}

/* ---- Opening ---- */

static int read_directory(struct shared_front *front, struct failure *failure)
{
    const char *dir = front->config.settings->dir;
    unsigned char token[DATADIR_SECRET];
    front->service.lock = -1;
    str_copy(front->service.dir, sizeof front->service.dir, str_of(dir));
    int err = cluster_read(dir, &front->cluster, NULL);
    front->in_cluster = err == 0;
    err = file_join(front->database, dir, "shop.db", failure);
    err = err ? err
              : service_secret(&front->service, "secret", front->secret, DATADIR_SECRET, NULL,
                               failure);
    err =
        err ? err
            : service_secret(&front->service, "operator.token", token, sizeof token, NULL, failure);
    if (!err)
        hex_encode(token, sizeof token, front->token);
    return err;
}

/* Before the database is opened: what comes in between is found out, and nothing is missed. */
static int note_database(struct shared_front *front, struct failure *failure)
{
    struct stat about;
    if (stat(front->database, &about))
        return file_failed(failure, "look at", front->database);
    front->device = about.st_dev;
    front->inode = about.st_ino;
    return 0;
}

/* Without the writer's word of its changes nothing could be kept ready. From then on every writer
 * tells: the file is there. */
static int open_cache(struct shared_front *front, uint64_t writer, struct failure *failure)
{
    const struct settings *settings = front->config.settings;
    int err = shared_changes_open(settings->dir, false, &front->changes, failure);
    if (err == ERR_NOTFOUND || (!err && !shared_changes_told_by(&front->changes, writer)))
        return fail(failure, ERR_STATE,
                    "process %llu, which writes %s, was started without --shared: start it again "
                    "with it, or choose another --dir",
                    (unsigned long long)writer, settings->dir);
    front->cache =
        err ? NULL : cache_new_over((size_t)settings->cache_bytes, front->changes.changes);
    return front->cache ? 0 : err ? err : fail(failure, ERR_NOMEM, "no memory for a cache");
}

static int open_web(struct shared_front *front, struct failure *failure)
{
    const struct settings *settings = front->config.settings;
    if (settings->server_header)
        snprintf(front->name, sizeof front->name, "%llu",
                 (unsigned long long)(front->in_cluster ? front->cluster.own : 1));
    struct web_settings web = {
        .database = front->database,
        .server_name = front->name,
        .spool_dir = "",
        .operator_token = front->token,
        .cache = front->cache,
        .log = front->config.log,
        .watch = {front, put_metrics, is_healthy},
        .writer = {front, find_writer, is_same, front->in_cluster},
    };
    memcpy(web.secret, front->secret, sizeof web.secret);
    if (front->in_cluster) {
        web.cluster.id = front->cluster.id;
        web.cluster.generation = front->cluster.generation;
        web.cluster.name = front->cluster.name;
    }
    serving_pages(settings, &web);
    return web_new(&web, &front->web, failure);
}

static int open_engine(struct shared_front *front, struct failure *failure)
{
    const struct settings *settings = front->config.settings;
    struct engine_config config;
    int err = serving_engine(settings, settings->dir, front->config.log, &config, failure);
    if (err)
        return err;
    if (config.helpers < HELPERS)
        config.helpers = HELPERS;
    config.heir_of = front->config.heir_of;
    front->kind = serving_kind(settings);
    err = front->kind->start(&config, web_app(front->web), &front->engine, failure);
    if (!err)
        listening_url(config.listen[0].address, config.listen[0].tls,
                      front->kind->port(front->engine, 0), "127.0.0.1", front->url,
                      sizeof front->url);
    return err;
}

int shared_front_open(const struct shared_front_config *config, struct shared_front **out,
                      struct failure *failure)
{
    *out = NULL;
    uint64_t writer = shared_writer_pid(config->writer);
    if (!writer)
        return ERR_NOTFOUND;
    struct shared_front *front = calloc(1, sizeof *front);
    if (!front)
        return fail(failure, ERR_NOMEM, "out of memory");
    front->config = *config;
    int err = read_directory(front, failure);
    err = err ? err : note_database(front, failure);
    err = err ? err : open_cache(front, writer, failure);
    err = err ? err : open_web(front, failure);
    err = err ? err : open_engine(front, failure);
    if (err)
        shared_front_close(front, false);
    else
        *out = front;
    return err;
}

void shared_front_close(struct shared_front *front, bool heir)
{
    if (!front)
        return;
    if (front->web && !heir)
        web_stop(front->web);
    bool over = !front->engine || front->kind->stop(front->engine);
    if (front->web && heir)
        web_stop(front->web);
    if (!over) /* somebody is still at work with it; the process, which goes on, leaves it to them
                */
        return;
    web_free(front->web);
    if (front->cache)
        cache_free(front->cache);
    shared_changes_close(&front->changes);
    free(front);
}

const struct engine *shared_front_engine(const struct shared_front *front)
{
    return front->engine;
}

const char *shared_front_url(const struct shared_front *front)
{
    return front->url;
}
