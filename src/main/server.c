#include "main/server.h"

#include "base/check.h"
#include "main/again.h"
#include "main/file.h"
#include "main/foreground.h"
#include "main/listening.h"
#include "main/machine.h"
#include "main/post.h"
#include "main/serving.h"
#include "replica/copy.h"
#include "web/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BANK_HURRY_MS = 3000 };

/* ---- When it cannot go on ---- */

/* Replication cannot go on. Nothing was answered that is not durable, and nothing may
 * be answered from here on: the process ends at once, without any cleaning up. */
static void end_process(void *context, const char *reason)
{
    const struct log *log = context;
    (void)reason; /* replica has logged it */
    log_line(log, LOG_ERROR, "replica", "this server stops; what was acknowledged is in its log");
    _exit(1);
}

/* The database is to be a copy of another server's: it is fetched before it is opened. */
static void begin_again(void *context)
{
    const struct log *log = context;
    log_line(log, LOG_INFO, "main", "this server begins anew, to fetch a copy of the database");
    again_begin();
}

/* ---- Opening ---- */

/* On the applier's thread. */
static void shop_changed(void *context, enum change_kind kind, uint64_t product_id,
                         struct str handle, uint64_t index)
{
    struct server *server = context;
    if (kind == CHANGE_OUTBOX) {
        outgoing_wake(&server->outgoing);
        return;
    }
    cache_changed(server->cache, kind, product_id, handle, index);
    change_ring_changed(server->told, kind, product_id, handle, index);
}

static void shop_committing(void *context)
{
    cache_committing(((struct server *)context)->cache);
}

static void shop_told(void *context, uint64_t index)
{
    struct server *server = context;
    cache_told(server->cache, index);
    change_ring_told(server->told, index);
}

static int open_cache(struct server *server, struct failure *failure)
{
    size_t bytes = (size_t)server->settings->cache_bytes;
    struct shared_changes *shared = &server->changes;
    bool tells = server->settings->shared || strcmp(server->settings->engine, "fork") == 0;
    int err = shared_changes_open(server->dir.service.dir, tells, shared, failure);
    if (err && err != ERR_NOTFOUND)
        return err;
    server->cache = shared->changes ? cache_new_over(bytes, shared->changes) : cache_new(bytes);
    return server->cache ? 0
                         : fail(failure, ERR_NOMEM, "no memory for a cache of %llu bytes",
                                (unsigned long long)bytes);
}

static int open_shop(struct server *server, struct failure *failure)
{
    struct shop_listener listener = {shop_changed, server, shop_committing, shop_told};
    int err = open_cache(server, failure);
    server->told = err ? NULL : change_ring_new();
    if (!err && !server->told)
        err = fail(failure, ERR_NOMEM, "no memory for late changes");
    err = err ? err
              : shop_open(server->dir.database, &listener, &server->log, &server->shop, failure);
    if (!err && server->changes.changes)
        shared_changes_begin(&server->changes, shop_applied_index(server->shop));
    else if (!err)
        cache_told(server->cache, shop_applied_index(server->shop));
    if (!err)
        change_ring_begin(server->told, shop_applied_index(server->shop));
    return err;
}

/* Whether this server is one of a cluster's; then it gets ready to be. */
static int open_cluster(struct server *server, struct failure *failure)
{
    int err = cluster_read(server->dir.service.dir, &server->cluster, failure);
    if (err == ERR_NOTFOUND)
        return 0;
    return err ? err
               : member_new(&server->cluster, &server->dir, server->settings, &server->log,
                            &server->member, failure);
}

/* What the replica is told. CLUSTER is filled in and lent. */
static struct replica_config replica_settings(const struct server *server,
                                              struct replica_cluster *cluster)
{
    struct replica_config config = {
        .dir = server->dir.raft,
        .id = 1,
        .election_ms = 1000,
        .heartbeat_ms = 100,
        .wait_ms = (uint32_t)server->settings->wait_ms,
        .snapshot_threshold = (uint32_t)server->settings->log_entries,
        .log = &server->log,
        .fatal = end_process,
        .fatal_context = (void *)&server->log,
        .again = begin_again,
        .tail = server->tail,
    };
    if (server->member) {
        member_replica(server->member, cluster);
        config.cluster = cluster;
        config.id = server->cluster.own;
        config.election_ms = (uint32_t)server->settings->election_ms;
        config.heartbeat_ms = (uint32_t)server->settings->heartbeat_ms;
    }
    return config;
}

/* Before the database is opened: another server's, when ours is of no use or missing. */
static int fetch_copy(struct server *server, struct failure *failure)
{
    struct replica_cluster cluster;
    struct replica_config config = replica_settings(server, &cluster);
    int err = replica_fetch_first(&config, server->dir.database, failure);
    server->tail = config.tail;
    return err;
}

static int start_replica(struct server *server, struct failure *failure)
{
    struct replica_cluster cluster;
    struct machine machine = machine_of(server->shop);
    struct replica_config config = replica_settings(server, &cluster);
    server->tail = NULL;
    int err = replica_start(&config, &machine, &server->replica, failure);
    return err || !server->member ? err : member_begin(server->member, server->replica, failure);
}

static int start_settle(struct server *server, struct failure *failure)
{
    int err = bank_choice_open(&server->choice, server->settings, server->dir.database,
                               &server->log, failure);
    server->bank = server->choice.bank;
    err = err ? err : settle_view_open(server->dir.database, &server->view, failure);
    if (err)
        return err;
    struct settle_config config = {
        .order = replica_order(server->replica),
        .bank = server->bank,
        .view = server->view,
        .crash = server->choice.crash,
        .log = &server->log,
    };
    return settle_start(&config, &server->settle, failure);
}

/* A shop of its own beside a demo's servers would be taken for one that is to become theirs. */
static int refuse_demo(const char *dir, struct failure *failure)
{
    char path[FILE_PATH];
    int err = file_join(path, dir, "demo.json", failure);
    if (err || access(path, F_OK))
        return err;
    return fail(failure, ERR_STATE,
                "%s belongs to a demo of several servers: run them by `stoa demo --dir %s`, or one "
                "by `stoa serve --dir %s/server-1`",
                dir, dir, dir);
}

int server_open(struct server *server, const struct settings *settings, struct failure *failure)
{
    return server_open_with(server, settings, -1, failure);
}

int server_open_with(struct server *server, const struct settings *settings, int lock,
                     struct failure *failure)
{
    *server = (struct server){.settings = settings, .dir.service.lock = -1};
    server->log = (struct log){STDERR_FILENO, log_level_of(settings->log_level)};
    int err = refuse_demo(settings->dir, failure);
    err = err ? err : cluster_refuse_witness(settings->dir, failure);
    err = err ? err : datadir_open_with(settings->dir, lock, &server->dir, failure);
    err = err ? err : open_cluster(server, failure);
    err = err ? err : fetch_copy(server, failure);
    err = err ? err : open_shop(server, failure);
    err = err ? err : start_replica(server, failure);
    err = err ? err : start_settle(server, failure);
    err = err ? err : outgoing_open(server, failure);
    if (err)
        server_close(server);
    return err;
}

/* ---- Serving ---- */

/* Where it serves. One who listens at every address of the machine is reached by the one that it
 * has for the cluster's others. */
static void find_url(struct server *server, const struct engine_config *config)
{
    char every_host[SERVER_ADDRESS] = "127.0.0.1";
    if (server->member)
        member_host(server->member, every_host, sizeof every_host);
    listening_url(config->listen[0].address, config->listen[0].tls,
                  server->kind->port(server->engine, 0), every_host, server->url,
                  sizeof server->url);
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
    server->watched.data_dir = server->dir.service.dir;
    server->watched.cache = server->cache;
    server->watched.order = replica_order(server->replica);
    server->watched.missing = server->member ? member_missing : NULL;
    server->watched.missing_context = server->member;
    server->watched.buying = server->buying;
    server->watched.bank = server->choice.bank;
    server->watched.outbox = server->outgoing.outbox;
    server->health = health_new(&server->watched);
    if (!server->health)
        return fail(failure, ERR_NOMEM, "no memory for health");
    return metrics_new(&server->watched, &server->metrics, failure);
}

/* The bank has told something: whatever is overdue is looked at. Any thread. */
static void bank_told(void *context)
{
    struct server *server = context;
    settle_wake(server->settle);
}

/* What the shop's pages are made of and with. */
static void shop_settings(struct server *server, struct web_settings *web)
{
    const struct settings *s = server->settings;
    snprintf(server->spool, sizeof server->spool, "%s/spool", server->dir.service.dir);
    if (s->server_header)
        snprintf(server->name, sizeof server->name, "%llu",
                 (unsigned long long)(server->member ? server->cluster.own : 1));
    *web = (struct web_settings){
        .database = server->dir.database,
        .server_name = server->name,
        .spool_dir = server->spool,
        .operator_token = server->dir.token,
        .cache = server->cache,
        .changes = server->told,
        .order = replica_order(server->replica),
        .copies = replica_copies(server->replica),
        .buying = server->buying,
        .outbox = server->outgoing.outbox,
        .log = &server->log,
        .bank = {bank_choice_event_secret(&server->choice), bank_told, server},
        .watch = {server, watch_metrics_of, watch_health_of},
    };
    memcpy(web->secret, server->dir.secret, sizeof web->secret);
    if (server->member)
        member_web(server->member, &web->cluster);
    serving_pages(s, web);
}

static int start_buying(struct server *server)
{
    struct buying_config config = {
        .order = replica_order(server->replica),
        .bank = server->bank,
        .crash = server->choice.crash,
        .log = &server->log,
    };
    return buying_new(&config, &server->buying);
}

int server_listen(struct server *server, struct failure *failure)
{
    struct engine_config config;
    struct web_settings web;
    int err =
        serving_engine(server->settings, server->dir.service.dir, &server->log, &config, failure);
    config.heir_of = server->heir_of;
    if (!err && start_buying(server))
        err = fail(failure, ERR_NOMEM, "no memory for purchases");
    err = err ? err : start_watch(server, failure);
    if (err)
        return err;
    shop_settings(server, &web);
    if (server->forked)
        forked_tell(server->forked, &web);
    err = web_new(&web, &server->web, failure);
    if (err)
        return err;
    server->kind = serving_kind(server->settings);
    server->watched.web = server->web;
    server->watched.kind = server->kind;
    err = server->forked ? forked_open(server->forked, &config, web_app(server->web), failure) : 0;
    err = err ? err : server->kind->start(&config, web_app(server->web), &server->engine, failure);
    if (err)
        return err;
    server->watched.engine = server->engine;
    find_url(server, &config);
    post_serves(server->outgoing.post, server->url);
    if (server->member)
        replica_announce(server->replica, server->url);
    return datadir_announce(&server->dir, server->url, failure);
}

/* How long the bank may take at the end: the rest of the grace is for the answers. */
static uint32_t hurry_ms(const struct settings *settings)
{
    uint64_t half_ms = settings->stop_grace_ms / 2;
    return half_ms < BANK_HURRY_MS ? (uint32_t)half_ms : BANK_HURRY_MS;
}

void server_close(struct server *server)
{
    if (server->web)
        web_stop(server->web);
    if (server->buying)
        buying_hurry(server->buying, hurry_ms(server->settings));
    foreground_stop(server->kind, server->engine);
    forked_close(server->forked);
    web_free(server->web);
    forked_free(server->forked);
    metrics_free(server->metrics);
    health_free(server->health);
    if (server->buying)
        buying_free(server->buying);
    if (server->settle)
        settle_stop(server->settle);
    settle_view_close(&server->view);
    outgoing_stop(&server->outgoing);
    member_stop(server->member);
    if (server->replica)
        replica_stop(server->replica);
    copy_tail_free(server->tail);
    member_free(server->member);
    bank_choice_close(&server->choice);
    outgoing_close(&server->outgoing);
    if (server->shop)
        shop_close(server->shop);
    if (server->cache)
        cache_free(server->cache);
    change_ring_free(server->told);
    shared_changes_close(&server->changes);
    datadir_close(&server->dir);
    *server = (struct server){.dir.service.lock = -1};
}
