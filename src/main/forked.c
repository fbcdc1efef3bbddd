#include "main/forked.h"

#include "engine/fork.h"
#include "main/cluster.h"
#include "main/foreground.h"
#include "main/listening.h"
#include "main/serving.h"
#include "main/shared_changes.h"
#include "net/sign.h"
#include "web/inner.h"
#include "web/traffic.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define INNER_ADDRESS "127.0.0.1:0"

enum {
    URL = 64,
    HEADERS = 8,         /* that a head may have more at the inner door than where it came in, */
    HEAD_BYTES = 1024,   /* for what the client's process says */
    HELPERS = 4,         /* of the inner door: what a client's process would do itself waits here */
    CACHE_MAX = 1 << 20, /* bytes of ready-made answers of one process: there may be a thousand */
};

/* What the server tells the zygote. */
struct forked_words {
    char database[DATADIR_PATH], token[DATADIR_TOKEN], server_name[24];
    char url[URL], key[INNER_KEY]; /* of the inner door */
    unsigned char secret[WEB_SECRET_BYTES];
    bool in_cluster;
    struct id cluster_id;
    uint64_t cluster_generation;
    char cluster_name[CLUSTER_NAME];
};

struct forked {
    const struct settings *settings;
    struct forked_words *words;    /* all processes', as are the next */
    struct traffic_thread *counts; /* [places], one for each client's process */
    unsigned places;
    /* The server's. */
    struct fork_zygote *zygote; /* NULL: the engine has it */
    struct engine *inner;
    /* The zygote's. */
    struct shared_changes changes;
    struct web *web;
};

/* ---- In the zygote, and the clients' processes ---- */

static bool find_server(void *context, bool anew, char *url, size_t size)
{
    const struct forked *forked = context;
    (void)anew; /* it stays where it is, or all end */
    str_copy(url, size, str_of(forked->words->url));
    return true;
}

/* A server that fetches another copy of the database begins anew, with another zygote. */
static bool is_same(void *context)
{
    (void)context;
    return true;
}

static struct web_settings pages_of(struct forked *forked, struct cache *cache,
                                    const struct log *log)
{
    const struct forked_words *words = forked->words;
    struct web_settings web = {
        .database = words->database,
        .server_name = words->server_name,
        .spool_dir = "",
        .operator_token = words->token,
        .cache = cache,
        .log = log,
        .inner_key = words->key,
        .counts = forked->counts,
        .counts_max = forked->places,
        .writer = {forked, find_server, is_same, words->in_cluster, true},
        .cluster = {.id = words->cluster_id,
                    .generation = words->cluster_generation,
                    .name = words->cluster_name},
    };
    memcpy(web.secret, words->secret, sizeof web.secret);
    serving_pages(forked->settings, &web);
    return web;
}

/* What each process would else do for itself, for milliseconds: OpenSSL makes its lists, and looks
 * for what signs, at the first use. No database: a connection of SQLite's must not come through a
 * fork. */
static void warm(const unsigned char *secret)
{
    unsigned char mark[SIGN_BYTES];
    struct signer *signer = signer_new(secret, WEB_SECRET_BYTES);
    if (signer)
        signer_sign(signer, secret, WEB_SECRET_BYTES, mark);
    signer_free(signer);
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static struct app *make(void *context, struct engine_config *config, struct failure *failure)
{
    struct forked *forked = context;
    size_t bytes = (size_t)forked->settings->cache_bytes;
    int err = shared_changes_open(forked->settings->dir, false, &forked->changes, failure);
    if (err) {
        if (err == ERR_NOTFOUND)
            fail(failure, err, "the server does not tell of its changes");
        return NULL;
    }
    struct cache *cache =
        cache_new_over(bytes < CACHE_MAX ? bytes : CACHE_MAX, forked->changes.changes);
    if (!cache) {
        fail(failure, ERR_NOMEM, "no memory for a cache");
        return NULL;
    }
    struct web_settings web = pages_of(forked, cache, config->log);
    warm(web.secret);
    return web_new(&web, &forked->web, failure) ? NULL : web_app(forked->web);
}

static void begin(void *context, unsigned place)
{
    struct forked *forked = context;
    web_count_at(forked->web, place);
}

/* ---- At the server ---- */

static void *shared_memory(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void release(struct forked *forked)
{
    if (forked->words)
        munmap(forked->words, sizeof *forked->words);
    if (forked->counts)
        munmap(forked->counts, forked->places * sizeof *forked->counts);
    free(forked);
}

int forked_new(const struct settings *settings, struct forked **out, struct failure *failure)
{
    struct forked *forked = calloc(1, sizeof *forked);
    *out = NULL;
    if (!forked)
        return fail(failure, ERR_NOMEM, "out of memory");
    forked->settings = settings;
    forked->places = settings->workers > 0 ? (unsigned)settings->workers : FORK_CLIENTS;
    forked->words = shared_memory(sizeof *forked->words);
    forked->counts = shared_memory(forked->places * sizeof *forked->counts);
    const struct fork_app app = {forked, make, begin};
    int err = forked->words && forked->counts ? fork_zygote_new(&app, &forked->zygote, failure)
                                              : fail(failure, ERR_NOMEM, "out of memory");
    if (err)
        release(forked);
    else
        *out = forked;
    return err;
}

void forked_tell(struct forked *forked, struct web_settings *web)
{
    struct forked_words *words = forked->words;
    inner_key_new(words->key);
    str_copy(words->database, sizeof words->database, str_of(web->database));
    str_copy(words->token, sizeof words->token, str_of(web->operator_token));
    str_copy(words->server_name, sizeof words->server_name, str_of(web->server_name));
    memcpy(words->secret, web->secret, sizeof words->secret);
    words->in_cluster = web->cluster.status != NULL;
    words->cluster_id = web->cluster.id;
    words->cluster_generation = web->cluster.generation;
    if (web->cluster.name)
        str_copy(words->cluster_name, sizeof words->cluster_name, str_of(web->cluster.name));
    web->inner_key = words->key;
    web->counts = forked->counts;
    web->counts_max = forked->places;
}

int forked_open(struct forked *forked, struct engine_config *config, struct app *app,
                struct failure *failure)
{
    struct engine_config inner = *config;
    inner.listen_count = 1;
    inner.listen[0] = (struct engine_listen){.address = INNER_ADDRESS};
    inner.helpers = inner.helpers > HELPERS ? inner.helpers : HELPERS;
    inner.limits.header_count += HEADERS;
    inner.limits.head_bytes += HEAD_BYTES;
    inner.connections_max = 0; /* the engine fork has that bound */
    int err = engine_event.start(&inner, app, &forked->inner, failure);
    if (err)
        return err;
    listening_url(INNER_ADDRESS, false, engine_event.port(forked->inner, 0), "127.0.0.1",
                  forked->words->url, sizeof forked->words->url);
    config->zygote = forked->zygote;
    forked->zygote = NULL;
    return 0;
}

void forked_close(struct forked *forked)
{
    if (!forked)
        return;
    foreground_stop(&engine_event, forked->inner);
    fork_zygote_free(forked->zygote);
}

void forked_free(struct forked *forked)
{
    if (forked)
        release(forked);
}
