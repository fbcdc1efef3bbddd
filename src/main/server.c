#include "main/server.h"

#include "base/check.h"
#include "outside/import.h"
#include "shop/defaults.h"
#include "shop/read.h"
#include "web/asset.h"
#include "web/cache.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- The machine: replica's view of the shop ---- */

static uint64_t machine_applied(void *shop)
{
    return shop_applied_index(shop);
}

static int64_t machine_applied_time(void *shop)
{
    return shop_applied_time(shop);
}

static int machine_begin(void *shop, struct failure *failure)
{
    return shop_begin(shop, failure);
}

static int machine_apply(void *shop, uint64_t index, int64_t time_ms, struct str command,
                         struct buf *result, struct failure *failure)
{
    return shop_apply(shop, index, time_ms, command, result, failure);
}

static int machine_commit(void *shop, uint64_t index, int64_t time_ms, struct failure *failure)
{
    return shop_commit(shop, index, time_ms, failure);
}

static int machine_make_durable(void *shop, uint64_t *index, struct failure *failure)
{
    return shop_make_durable(shop, index, failure);
}

/* After a burst most of the heap is free, but in pieces that free() does not give back. Takes
 * some milliseconds, in which other threads wait for memory: there are no commands now. */
static void machine_rest(void *shop)
{
    shop_rest(shop);
    malloc_trim(0);
}

/* Replication cannot go on. Nothing was answered that is not durable, and nothing may
 * be answered from here on: the process ends at once, without any cleaning up. */
static void end_process(void *context, const char *reason)
{
    const struct log *log = context;
    (void)reason; /* replica has logged it */
    log_line(log, LOG_ERROR, "replica", "this server stops; what was acknowledged is in its log");
    _exit(1);
}

/* ---- Opening ---- */

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (unsigned i = 0; i < COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

static int open_shop(struct server *server, struct failure *failure)
{
    server->cache = cache_new((size_t)server->settings->cache_bytes);
    if (!server->cache)
        return fail(failure, ERR_NOMEM, "no memory for a cache of %llu bytes",
                    (unsigned long long)server->settings->cache_bytes);
    struct shop_listener listener = {cache_changed, server->cache};
    return shop_open(server->dir.database, &listener, &server->log, &server->shop, failure);
}

static int start_replica(struct server *server, struct failure *failure)
{
    struct machine machine = {
        .context = server->shop,
        .applied = machine_applied,
        .applied_time = machine_applied_time,
        .begin = machine_begin,
        .apply = machine_apply,
        .commit = machine_commit,
        .make_durable = machine_make_durable,
        .rest = machine_rest,
    };
    struct replica_config config = {
        .dir = server->dir.raft,
        .id = 1,
        .election_ms = 1000,
        .heartbeat_ms = 100,
        .wait_ms = (uint32_t)server->settings->wait_ms,
        .log = &server->log,
        .fatal = end_process,
        .fatal_context = &server->log,
    };
    return replica_start(&config, &machine, &server->replica, failure);
}

static int start_settle(struct server *server, struct failure *failure)
{
    if (bank_sandbox_new(&server->bank))
        return fail(failure, ERR_NOMEM, "no memory for the bank's sandbox");
    int err = settle_view_open(server->dir.database, &server->view, failure);
    if (err)
        return err;
    struct settle_config config = {
        .order = replica_order(server->replica),
        .bank = server->bank,
        .view = server->view,
        .log = &server->log,
    };
    return settle_start(&config, &server->settle, failure);
}

/* Gives a shop without any history its default settings and rates. */
static int give_defaults(struct server *server, struct failure *failure)
{
    struct buf record, result;
    int err = 0;
    if (shop_applied_time(server->shop) != 0)
        return 0;
    buf_init(&record, ORDER_COMMAND_MAX);
    buf_init(&result, ORDER_COMMAND_MAX);
    for (unsigned i = 0; !err && i < defaults_count(); i++) {
        struct command command;
        defaults_command(i, &command);
        buf_clear(&record);
        command_encode(&record, &command);
        CHECK(!record.failed);
        err = order_submit_wait(replica_order(server->replica), buf_text(&record), &result, NULL);
    }
    buf_close(&record);
    buf_close(&result);
    return err ? fail(failure, err, "cannot set the new shop's defaults: %s", err_sentence(err))
               : 0;
}

int server_open(struct server *server, const struct settings *settings, struct failure *failure)
{
    *server = (struct server){.settings = settings, .dir.lock = -1};
    server->log = (struct log){STDERR_FILENO, level_of(settings->log_level)};
    int err = datadir_open(settings->dir, &server->dir, failure);
    err = err ? err : open_shop(server, failure);
    err = err ? err : start_replica(server, failure);
    err = err ? err : start_settle(server, failure);
    err = err ? err : give_defaults(server, failure);
    if (err)
        server_close(server);
    return err;
}

/* ---- The catalogue of a new shop ---- */

static int has_products(struct server *server, bool *has, struct failure *failure)
{
    struct reader *reader;
    struct shop_counts counts = {0};
    int err = reader_open(server->dir.database, &reader, failure);
    if (err)
        return err;
    err = reader_counts(reader, &counts);
    reader_close(reader);
    *has = counts.products > 0;
    return err ? fail(failure, err, "cannot count the products of %s: %s", server->dir.database,
                      err_sentence(err))
               : 0;
}

/* The demo catalogue as a file that can be opened by PATH; its descriptor, or -1. */
static int demo_file(char *path, size_t size)
{
    for (unsigned i = 0; i < asset_count; i++) {
        if (strcmp(assets[i].path, "catalogue/demo.csv"))
            continue;
        int fd = memfd_create("demo.csv", MFD_CLOEXEC);
        if (fd < 0 || write(fd, assets[i].bytes, assets[i].length) != (ssize_t)assets[i].length)
            return -1;
        snprintf(path, size, "/proc/self/fd/%d", fd);
        return fd;
    }
    return -1;
}

static void say_bad_row(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "%s\n", sentence);
}

int server_stock_up(struct server *server, const char *file, struct failure *failure)
{
    char path[64];
    int demo = -1;
    bool has = false;
    int counted = has_products(server, &has, failure);
    if (counted || has)
        return counted;
    if (strcmp(file, "demo") == 0) {
        demo = demo_file(path, sizeof path);
        if (demo < 0)
            return fail_errno(failure, ERR_IO, "cannot unpack the demo catalogue");
    }
    struct import_options options = {
        .order = replica_order(server->replica),
        .database = server->dir.database,
        .name = demo >= 0 ? "demo.csv" : file,
        .bad = say_bad_row,
    };
    struct import_progress result = {0};
    settle_wake(server->settle);
    int err = import_run(&options, demo >= 0 ? path : file, &result, failure);
    if (demo >= 0)
        close(demo);
    if (!err)
        log_line(&server->log, LOG_INFO, "import", "%s: %llu products with %llu variants",
                 options.name, (unsigned long long)result.products,
                 (unsigned long long)result.variants);
    return err;
}

/* ---- Serving ---- */

static const struct engine_kind *kind_of(const char *name)
{
    static const struct engine_kind *const kinds[] = {&engine_event};
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return kinds[0];
}

static int add_listen(struct engine_config *config, const struct option_list *list, bool tls,
                      struct failure *failure)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct engine_listen *listen = &config->listen[config->listen_count];
        if (config->listen_count == ENGINE_LISTEN_MAX)
            return fail(failure, ERR_INVALID, "more than %d addresses to listen on",
                        ENGINE_LISTEN_MAX);
        if (strlen(list->items[i]) >= sizeof listen->address)
            return fail(failure, ERR_INVALID, "listen address \"%s\" is too long", list->items[i]);
        strcpy(listen->address, list->items[i]);
        listen->tls = tls;
        config->listen_count++;
    }
    return 0;
}

static int engine_settings(const struct server *server, struct engine_config *config,
                           struct failure *failure)
{
    const struct settings *s = server->settings;
    *config = (struct engine_config){
        .loops = (unsigned)s->loops,
        .helpers = (unsigned)s->helpers,
        .helper_queue = (unsigned)s->helper_queue,
        .connections_max = (unsigned)s->connections_max,
        .stop_grace_ms = s->stop_grace_ms,
        .limits = {.head_bytes = (uint32_t)s->head_bytes,
                   .header_count = (uint32_t)s->header_count,
                   .body_bytes = s->body_bytes,
                   .head_ms = (uint32_t)s->head_ms,
                   .idle_ms = (uint32_t)s->idle_ms,
                   .body_idle_ms = (uint32_t)s->body_idle_ms,
                   .send_idle_ms = (uint32_t)s->send_idle_ms,
                   .answer_ms = (uint32_t)s->answer_ms},
        .log = &server->log,
    };
    str_copy(config->certificate, sizeof config->certificate, str_of(s->certificate));
    str_copy(config->key, sizeof config->key, str_of(s->key));
    str_copy(config->state_dir, sizeof config->state_dir, str_of(server->dir.path));
    int err = add_listen(config, &s->listen, false, failure);
    return err ? err : add_listen(config, &s->listen_tls, true, failure);
}

/* The address of listen[INDEX] as a URL, with the port that it really got. */
static void listen_url(const struct server *server, const struct engine_config *config,
                       unsigned index, char *out, size_t size)
{
    const struct engine_listen *listen = &config->listen[index];
    const char *colon = strrchr(listen->address, ':');
    size_t host = colon ? (size_t)(colon - listen->address) : strlen(listen->address);
    const char *scheme = listen->tls ? "https" : "http";
    uint16_t port = server->kind->port(server->engine, index);
    bool every = host == 0 || strncmp(listen->address, "0.0.0.0:", 8) == 0 ||
                 strncmp(listen->address, "[::]:", 5) == 0;
    if (every)
        snprintf(out, size, "%s://127.0.0.1:%u", scheme, port);
    else
        snprintf(out, size, "%s://%.*s:%u", scheme, (int)host, listen->address, port);
}

static void watch_metrics_of(void *context, struct buf *out)
{
    const struct server *server = context;
    metrics_write(server->metrics, out);
}

static bool watch_health_of(void *context, struct buf *reason)
{
    const struct server *server = context;
    return health_look(server->health, reason);
}

/* What /metrics and /healthz look at. */
static int start_watch(struct server *server, struct failure *failure)
{
    server->watched.database = server->dir.database;
    server->watched.data_dir = server->dir.path;
    server->watched.cache = server->cache;
    server->watched.order = replica_order(server->replica);
    server->watched.buying = server->buying;
    server->health = health_new(&server->watched);
    if (!server->health)
        return fail(failure, ERR_NOMEM, "no memory for health");
    return metrics_new(&server->watched, &server->metrics, failure);
}

int server_listen(struct server *server, struct failure *failure)
{
    struct engine_config config;
    snprintf(server->spool, sizeof server->spool, "%s/spool", server->dir.path);
    struct web_settings web = {
        .database = server->dir.database,
        .base_url = server->settings->url,
        .media_dir = server->settings->media,
        .spool_dir = server->spool,
        .upload_max = server->settings->upload_bytes,
        .operator_token = server->dir.token,
        .cache = server->cache,
        .order = replica_order(server->replica),
        .buying = server->buying,
        .log = &server->log,
    };
    memcpy(web.secret, server->dir.secret, sizeof web.secret);
    int err = engine_settings(server, &config, failure);
    if (!err && buying_new(web.order, server->bank, &server->log, &server->buying))
        err = fail(failure, ERR_NOMEM, "no memory for purchases");
    web.buying = server->buying;
    err = err ? err : start_watch(server, failure);
    web.watch = (struct web_watch){server, watch_metrics_of, watch_health_of};
    err = err ? err : web_new(&web, &server->web, failure);
    if (err)
        return err;
    server->kind = kind_of(server->settings->engine);
    server->watched.web = server->web;
    server->watched.kind = server->kind;
    err = server->kind->start(&config, web_app(server->web), &server->engine, failure);
    if (err)
        return err;
    server->watched.engine = server->engine;
    listen_url(server, &config, 0, server->url, sizeof server->url);
    return datadir_announce(&server->dir, server->url, failure);
}

void server_close(struct server *server)
{
    if (server->web)
        web_stop(server->web);
    if (server->engine)
        server->kind->stop(server->engine);
    web_free(server->web);
    metrics_free(server->metrics);
    health_free(server->health);
    if (server->buying)
        buying_free(server->buying);
    if (server->settle)
        settle_stop(server->settle);
    settle_view_close(&server->view);
    if (server->replica)
        replica_stop(server->replica);
    if (server->bank)
        bank_sandbox_free(server->bank);
    if (server->shop)
        shop_close(server->shop);
    if (server->cache)
        cache_free(server->cache);
    datadir_close(&server->dir);
    *server = (struct server){.dir.lock = -1};
}
