#include "main/balance_config.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/cluster_view.h"
#include "main/file.h"
#include "main/free_address.h"
#include "main/listening.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 3000, POLICY_NAME_MAX = 40, WEIGHT_MAX = 10000 };

static const char THIS_MACHINE[] = "127.0.0.1";

/* ---- URLs ---- */

int balance_config_url(const char *what, struct str url, char *out, size_t size,
                       struct failure *failure)
{
    struct str host, rest = url;
    uint16_t port = 0;
    bool tls = str_starts(url, STR("https://")), plain = str_starts(url, STR("http://"));
    if (!tls && !plain)
        return fail(failure, ERR_INVALID, "%s \"%.*s\" is no URL: write http://HOST:PORT", what,
                    STR_FMT(url));
    rest = str_from(url, tls ? 8 : 7);
    if (str_ends(rest, STR("/")))
        rest.len--;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.at[i] <= ' ' || strchr("/?#@\"\\", rest.at[i]))
            return fail(failure, ERR_INVALID,
                        "%s \"%.*s\" has more than a host and a port: write %s://HOST:PORT", what,
                        STR_FMT(url), tls ? "https" : "http");
    ptrdiff_t bracket = str_find_byte(rest, ']');
    bool has_port = str_find_byte(str_from(rest, bracket > 0 ? (size_t)bracket : 0), ':') >= 0;
    int len = snprintf(out, size, "%s://%.*s%s", tls ? "https" : "http", STR_FMT(rest),
                       has_port ? ""
                       : tls    ? ":443"
                                : ":80");
    if (len < 0 || (size_t)len >= size)
        return fail(failure, ERR_INVALID, "%s is longer than %zu characters: %.*s", what, size - 1,
                    STR_FMT(url));
    struct failure why = {0};
    if (endpoint_split(str_of(out + (tls ? 8 : 7)), &host, &port, &why) || !host.len || !port)
        return fail(failure, ERR_INVALID, "%s \"%.*s\" %s%s: write %s://HOST:PORT", what,
                    STR_FMT(url), why.text[0] ? "cannot be read: " : "names no host and port",
                    why.text, tls ? "https" : "http");
    return 0;
}

/* "URL[,weight=N]" */
static int take_seed(const char *what, const char *text, struct balance_seed *seed,
                     struct failure *failure)
{
    struct str rest = str_of(text), url, more;
    uint64_t weight = POLICY_WEIGHT;
    str_cut(&rest, ',', &url);
    while (str_cut(&rest, ',', &more)) {
        if (!str_starts(more, STR("weight=")) || str_to_u64(str_from(more, 7), &weight) ||
            weight < 1 || weight > WEIGHT_MAX)
            return fail(failure, ERR_INVALID,
                        "%s \"%s\" has \"%.*s\" after the URL, but only weight=N may stand there, "
                        "with N from 1 to %d (usual: %d)",
                        what, text, STR_FMT(more), WEIGHT_MAX, POLICY_WEIGHT);
    }
    seed->weight = (uint32_t)weight;
    return balance_config_url(what, url, seed->url, sizeof seed->url, failure);
}

static int take_seeds(const char *what, const struct option_list *list, struct balance_seed *seeds,
                      unsigned room, unsigned *count, struct failure *failure)
{
    if (list->count > room)
        return fail(failure, ERR_INVALID, "%s is given %u times; at most %u", what, list->count,
                    room);
    for (unsigned i = 0; i < list->count; i++) {
        int err = take_seed(what, list->items[i], &seeds[i], failure);
        for (unsigned k = 0; !err && k < i; k++)
            if (strcmp(seeds[k].url, seeds[i].url) == 0)
                err = fail(failure, ERR_INVALID, "%s %s is given twice", what, seeds[i].url);
        if (err)
            return err;
    }
    *count = list->count;
    return 0;
}

/* ---- The servers of a directory ---- */

static int find_servers(const char *dir, struct balance_config *config, struct failure *failure)
{
    struct cluster_view *view = malloc(sizeof *view);
    if (!view)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = cluster_view_look(dir, LOOK_MS, view, failure);
    for (unsigned i = 0; !err && i < view->count && config->server_count < BALANCE_SEEDS_MAX; i++) {
        struct balance_seed *seed = &config->servers[config->server_count];
        if (view->servers[i].url[0] && !take_seed("server", view->servers[i].url, seed, NULL))
            config->server_count++;
    }
    free(view);
    if (!err && config->server_count == 0)
        err = fail(failure, ERR_NOTFOUND,
                   "no server of %s runs, and it is not known where one would: start it, or give "
                   "--server URL",
                   dir);
    return err;
}

static int read_token(const struct balance_settings *s, char *out, size_t size,
                      struct failure *failure)
{
    char path[FILE_PATH], text[256];
    size_t len = 0;
    int err = 0;
    if (s->token_file[0])
        str_copy(path, sizeof path, str_of(s->token_file));
    else if (s->dir[0])
        err = file_join(path, s->dir, "operator.token", failure);
    else
        return fail(failure, ERR_INVALID,
                    "the servers of a cluster want the operator's token: give --token-file FILE (a "
                    "server has it as operator.token in its directory), or --dir DIR of a server "
                    "on this machine");
    if (err)
        return err;
    err = file_read(path, text, sizeof text, &len, NULL);
    if (err)
        return fail(failure, err,
                    "cannot read the operator's token in %s: %s; a server has it as operator.token "
                    "in its directory",
                    path, strerror(errno));
    struct str token = str_trim(str_make(text, len));
    if (token.len == 0 || token.len >= size || str_find_byte(token, '\n') >= 0)
        return fail(failure, ERR_INVALID, "%s holds no token: it should be one line", path);
    str_copy(out, size, token);
    return 0;
}

static int take_listed(const struct balance_settings *s, struct balance_config *config,
                       struct failure *failure)
{
    int err = take_seeds("upstream", &s->upstreams, config->upstreams, BACKENDS_MAX,
                         &config->upstream_count, failure);
    return err ? err
               : take_seeds("server", &s->servers, config->servers, BALANCE_SEEDS_MAX,
                            &config->server_count, failure);
}

/* What of a cluster is found in files and by asking. */
static int find_cluster(const struct balance_settings *s, struct balance_config *config,
                        struct failure *failure)
{
    int err = 0;
    if (config->upstream_count)
        return 0;
    if (config->server_count == 0)
        err = find_servers(s->dir, config, failure);
    if (!err && !s->token[0])
        err = read_token(s, config->token, sizeof config->token, failure);
    return err;
}

/* ---- Policy ---- */

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many letters have to be put in, taken out or replaced (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[POLICY_NAME_MAX + 1], width = (unsigned)strlen(b);
    if (width > POLICY_NAME_MAX)
        return POLICY_NAME_MAX;
    for (unsigned i = 0; i <= width; i++)
        row[i] = i;
    for (unsigned y = 0; a[y]; y++) {
        unsigned corner = row[0];
        row[0] = y + 1;
        for (unsigned x = 0; x < width; x++) {
            unsigned above = row[x + 1];
            row[x + 1] = least_of(above + 1, row[x] + 1, corner + (a[y] != b[x]));
            corner = above;
        }
    }
    return row[width];
}

static int take_policy(const char *name, struct balance_config *config, struct failure *failure)
{
    const struct policy *nearest = policies[0];
    config->policy = name[0] ? policy_find(name) : policies[0];
    if (config->policy)
        return 0;
    for (unsigned i = 1; policies[i]; i++)
        if (distance(name, policies[i]->name) < distance(name, nearest->name))
            nearest = policies[i];
    if (distance(name, nearest->name) <= strlen(name) / 3 + 1)
        return fail(failure, ERR_INVALID, "there is no policy \"%s\"; did you mean %s?", name,
                    nearest->name);
    char all[256] = "";
    for (unsigned i = 0, at = 0; policies[i] && at < sizeof all; i++)
        at += (unsigned)snprintf(all + at, sizeof all - at, " %s", policies[i]->name);
    return fail(failure, ERR_INVALID, "there is no policy \"%s\"; there are:%s", name, all);
}

/* ---- Networks ---- */

/* The table has judged how many they are, and each. */
static unsigned take_trusted(const struct option_list *list,
                             char trusted[BALANCE_TRUSTED_MAX][OPTION_NETWORK_SIZE])
{
    _Static_assert((int)BALANCE_TRUSTED_MAX <= (int)ENGINE_TRUSTED_MAX, "all go to the engine");
    CHECK(list->count <= BALANCE_TRUSTED_MAX);
    for (unsigned i = 0; i < list->count; i++)
        str_copy(trusted[i], OPTION_NETWORK_SIZE, str_of(list->items[i]));
    return list->count;
}

/* ---- Where it listens ---- */

/* OPTION's ADDRESS; empty: nowhere. */
static int settle_port(const char *option, char *address, struct failure *failure)
{
    char host[OPTION_TEXT_SIZE], free[OPTION_TEXT_SIZE];
    struct str text = str_of(address), name;
    struct failure why = {0};
    uint16_t port;
    if (text.len && endpoint_split(text, &name, &port, &why))
        return fail(failure, ERR_INVALID, "%s cannot be read: %s", option, why.text);
    if (!str_ends(text, STR(":0")))
        return 0;
    str_copy(host, sizeof host, str_sub(text, 0, text.len - 2));
    int err = free_address(host, NULL, NULL, free, sizeof free, failure);
    if (!err)
        str_copy(address, OPTION_TEXT_SIZE, str_of(free));
    return err;
}

int balance_config_ports(struct balance_settings *s, struct failure *failure)
{
    struct {
        const char *option;
        struct option_list *list;
    } lists[] = {
        {"listen", &s->listen}, {"listen-tls", &s->listen_tls}, {"listen-proxy", &s->listen_proxy}};
    int err = settle_port("status", s->status, failure);
    for (unsigned i = 0; i < COUNT_OF(lists); i++)
        for (unsigned k = 0; !err && k < lists[i].list->count; k++)
            err = settle_port(lists[i].option, lists[i].list->items[k], failure);
    return err;
}

/* What shoppers are told: as the operator wrote it. */
static int take_own_url(const char *url, struct balance_config *config, struct failure *failure)
{
    int err = balance_config_url("url", str_of(url), config->url, sizeof config->url, failure);
    struct str text = str_of(url);
    if (str_ends(text, STR("/")))
        text.len--;
    if (!err)
        str_copy(config->url, sizeof config->url, text);
    return err;
}

/* Where shoppers reach it, and operators its status door. */
static int take_urls(const struct balance_settings *s, struct balance_config *config,
                     struct failure *failure)
{
    const struct option_list *first = s->listen.count       ? &s->listen
                                      : s->listen_tls.count ? &s->listen_tls
                                                            : &s->listen_proxy;
    if (s->status[0])
        listening_url(s->status, false, 0, THIS_MACHINE, config->status_url,
                      sizeof config->status_url);
    if (s->url[0])
        return take_own_url(s->url, config, failure);
    if (config->mode == BALANCE_DIRECT && listening_is_everywhere(first->items[0]))
        return fail(failure, ERR_INVALID,
                    "mode direct sends shoppers back here when their server is gone: give --url, "
                    "the address that they know");
    listening_url(first->items[0], first == &s->listen_tls, 0, THIS_MACHINE, config->url,
                  sizeof config->url);
    return 0;
}

/* ---- All of it ---- */

static struct health_rules rules_of(const struct balance_settings *s)
{
    return (struct health_rules){
        .failures = (uint32_t)s->failures,
        .checks_lost = (uint32_t)s->checks_lost,
        .checks_fine = (uint32_t)s->checks_fine,
        .eject_ns = s->eject_ms * MS_NS,
        .eject_max_ns = s->eject_max_ms * MS_NS,
        .forgive_ns = s->forgive_ms * MS_NS,
        .slow_start_ns = s->slow_start_ms * MS_NS,
        .slow_start_min = (uint32_t)s->slow_start_min,
    };
}

static int take_text(const char *what, const char *text, char *out, size_t size,
                     struct failure *failure)
{
    if (strlen(text) >= size)
        return fail(failure, ERR_INVALID, "%s is longer than %zu characters", what, size - 1);
    str_copy(out, size, str_of(text));
    return 0;
}

static int take_texts(const struct balance_settings *s, struct balance_config *config,
                      struct failure *failure)
{
    int err = take_text("check-path", s->check_path, config->check_path, sizeof config->check_path,
                        failure);
    err = err ? err
              : take_text("authority", s->authority, config->authority, sizeof config->authority,
                          failure);
    if (err || s->upstreams.count) /* a cluster alone has one */
        return err;
    return take_text("token", s->token, config->token, sizeof config->token, failure);
}

/* All that the words alone say. */
static int take_words(const struct balance_settings *s, const struct log *log,
                      struct balance_config *config, struct failure *failure)
{
    *config = (struct balance_config){
        .mode = strcmp(s->mode, "direct") == 0 ? BALANCE_DIRECT : BALANCE_PROXY,
        .aways = (unsigned)s->aways,
        .server_header = s->server_header,
        .insecure = s->insecure,
        .proxy_out = s->proxy_out,
        .via = s->via,
        .limit = (uint32_t)s->limit,
        .queue = (uint32_t)s->queue,
        .queue_per_client = (uint32_t)s->queue_per_client,
        .queue_ns = s->queue_ms * MS_NS,
        .answer_ns = s->answer_ms * MS_NS,
        .body_idle_ns = s->answer_idle_ms * MS_NS,
        .connect_ns = s->connect_ms * MS_NS,
        .check_ns = s->check_ms * MS_NS,
        .silent_ns = s->silent_ms * MS_NS,
        .retry_share = (uint32_t)s->retries,
        .hedge_share = (uint32_t)s->hedge,
        .replay_bytes = (uint32_t)s->replay_bytes,
        .backup_connections = (uint32_t)s->backup_connections,
        .idle_connections = (uint32_t)s->idle_connections,
        .health = rules_of(s),
        .max_out = (uint32_t)s->out_max,
        .panic = (uint32_t)s->panic,
        .log = log,
    };
    config->trusted_count = take_trusted(&s->trust, config->trusted);
    int err = take_texts(s, config, failure);
    err = err ? err : take_policy(s->policy, config, failure);
    err = err ? err : take_urls(s, config, failure);
    return err ? err : take_listed(s, config, failure);
}

int balance_config_make(const struct balance_settings *s, const struct log *log,
                        struct balance_config *config, struct failure *failure)
{
    int err = take_words(s, log, config, failure);
    return err ? err : find_cluster(s, config, failure);
}

int balance_config_check(const struct balance_settings *s, struct failure *failure)
{
    struct balance_config *scratch = calloc(1, sizeof *scratch);
    if (!scratch)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = take_words(s, NULL, scratch, failure);
    free(scratch);
    return err;
}

/* A client is answered by the load manager itself when a server does not: the engine's own patience
 * is longer than all that may come before. */
static uint32_t patience_ms(const struct balance_settings *s)
{
    uint64_t ms = s->queue_ms + 2 * (s->connect_ms + s->answer_ms) + 5000;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

int balance_config_engine(const struct balance_settings *s, const struct log *log,
                          struct engine_config *config, struct failure *failure)
{
    *config = (struct engine_config){
        .helpers = 1,
        .stop_grace_ms = s->stop_grace_ms,
        .limits.answer_ms = patience_ms(s),
        .log = log,
    };
    listening_limit(config, &s->limits);
    str_copy(config->certificate, sizeof config->certificate, str_of(s->certificate));
    str_copy(config->key, sizeof config->key, str_of(s->key));
    str_copy(config->state_dir, sizeof config->state_dir, str_of(s->dir));
    config->trusted_count = take_trusted(&s->trust, config->trusted);
    if (s->listen_tls.count && !s->certificate[0] && !s->dir[0])
        return fail(failure, ERR_INVALID,
                    "listen-tls needs --certificate and --key, or --dir DIR, where a self-signed "
                    "certificate is kept");
    int err = listening_add(config, &s->listen, LISTENING_HTTP, failure);
    err = err ? err : listening_add(config, &s->listen_tls, LISTENING_TLS, failure);
    return err ? err : listening_add(config, &s->listen_proxy, LISTENING_PROXY, failure);
}
