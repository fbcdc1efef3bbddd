#include "main/far_pages.h"

#include "admin/metrics_cache.h"
#include "admin/worker_cache.h"
#include "base/clock.h"
#include "base/process.h"
#include "main/file.h"
#include "net/authority.h"
#include "net/socket.h"
#include "web/carry.h"

#include <stdlib.h>
#include <string.h>

enum { SERVERS_MAX = 16, AUTHORITY_MAX = 1 << 20 };

struct far_pages {
    char texts[SERVERS_MAX][OPTION_TEXT_SIZE];
    const char *servers[SERVERS_MAX];
    unsigned count;
    char token[SECRET_FILE_SIZE], authority[OPTION_TEXT_SIZE];
    struct far *far;
};

/* ---- Settings ---- */

/* Without its scheme: HOST, or HOST:PORT. */
static bool is_authority(struct str text)
{
    struct str host;
    uint16_t port;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] <= ' ' || text.at[i] == '\x7f' ||
            memchr("/?#@\\\"<>", text.at[i], 9))
            return false;
    ptrdiff_t end = text.len && text.at[0] == '[' ? str_find_byte(text, ']') : 0;
    bool has_port = end >= 0 && str_find_byte(str_from(text, (size_t)end), ':') >= 0;
    return text.len && end >= 0 &&
           (!has_port || (endpoint_split(text, &host, &port, NULL) == 0 && host.len && port));
}

static bool is_server(struct str url)
{
    if (str_starts(url, STR("http://")))
        return is_authority(str_from(url, 7));
    return str_starts(url, STR("https://")) && is_authority(str_from(url, 8));
}

static int add_server(struct far_pages *pages, struct str url, struct failure *failure)
{
    while (url.len && url.at[url.len - 1] == '/')
        url.len--;
    if (!is_server(url) || url.len >= CARRY_URL)
        return fail(failure, ERR_INVALID,
                    "--server \"%.*s\" is no server's address: write http://HOST:PORT, with a port "
                    "from 1 to 65535",
                    STR_FMT(url));
    if (pages->count == SERVERS_MAX)
        return fail(failure, ERR_INVALID, "--server names more than %d servers", SERVERS_MAX);
    pages->servers[pages->count] =
        str_copy(pages->texts[pages->count], sizeof pages->texts[pages->count], url);
    pages->count++;
    return 0;
}

static int read_servers(struct far_pages *pages, const struct option_list *list,
                        struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < list->count; i++) {
        struct str rest = str_of(list->items[i]), url;
        while (!err && str_cut(&rest, ',', &url))
            err = add_server(pages, str_trim(url), failure);
    }
    return err;
}

static int check_authority(const char *file, struct failure *failure)
{
    char fingerprint[FINGERPRINT_TEXT];
    struct failure why = {0};
    struct buf pem;
    buf_init(&pem, AUTHORITY_MAX);
    int err = file_read_all(file, &pem, &why);
    err = err ? err : authority_fingerprint(buf_text(&pem), fingerprint, &why);
    buf_close(&pem);
    return err ? fail(failure, ERR_INVALID, "--server-authority %s: %s", file, why.text) : 0;
}

int far_pages_check(const struct option_list *servers, const char *authority,
                    struct failure *failure)
{
    struct far_pages *pages = calloc(1, sizeof *pages);
    if (!pages)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = read_servers(pages, servers, failure);
    free(pages);
    return err || !authority[0] ? err : check_authority(authority, failure);
}

static int read_token(struct far_pages *pages, const char *file, struct failure *failure)
{
    if (!*file)
        return fail(failure, ERR_INVALID,
                    "--server needs --server-token-file, a file with the operator's token (a "
                    "server has it in its directory as operator.token)");
    return secret_file_read("--server-token-file", file, pages->token, sizeof pages->token,
                            failure);
}

/* ---- Figures ---- */

static void put(struct buf *out, const char *name, const char *kind, const char *about,
                double value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.9g\n", name, about, name, kind, name, value);
}

static void put_metrics(void *context, struct buf *out)
{
    struct far_pages *pages = context;
    struct process_figures process;
    struct far_stats stats;
    far_look(pages->far, &stats);
    process_look(&process);
    put(out, "stoa_far", "gauge", "1: this process keeps pages of servers elsewhere.", 1);
    put(out, "stoa_far_heard", "gauge",
        "Whether a server's changes are heard, so that ready-made pages are given out.",
        stats.fresh);
    if (stats.age_ns != UINT64_MAX)
        put(out, "stoa_far_age_seconds", "gauge",
            "How old what is known of the shop's changes may be.",
            (double)stats.age_ns / (double)SEC_NS);
    put(out, "stoa_far_begun_total", "counter", "How often a server's changes began to be heard.",
        (double)stats.begun);
    put(out, "stoa_far_passed_total", "counter", "Requests passed on to a server.",
        (double)stats.passed);
    put(out, "stoa_far_unheard_total", "counter",
        "Requests passed on while the changes were not heard.", (double)stats.unheard);
    put(out, "stoa_far_ahead_total", "counter",
        "Requests of shoppers who had seen more than was known here.", (double)stats.ahead);
    metrics_put_cache(out, &stats.cache, 0);
    put(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
        (double)process.resident_bytes);
}

void far_pages_count(struct far_pages *pages, uint64_t counts[static QUEUE_COUNTS])
{
    struct far_stats stats;
    far_look(pages->far, &stats);
    worker_cache_tell(&stats.cache, 0, counts);
}

/* ---- All of it ---- */

int far_pages_open(const struct far_pages_config *config, struct far_pages **out,
                   struct failure *failure)
{
    struct far_pages *pages = calloc(1, sizeof *pages);
    *out = NULL;
    if (!pages)
        return fail(failure, ERR_NOMEM, "out of memory");
    str_copy(pages->authority, sizeof pages->authority, str_of(config->authority));
    int err = read_servers(pages, config->servers, failure);
    err = err ? err : read_token(pages, config->token_file, failure);
    const struct far_config far = {
        .servers = pages->servers,
        .count = pages->count,
        .token = pages->token,
        .authority = pages->authority[0] ? pages->authority : NULL,
        .cache_bytes = (size_t)config->cache_bytes,
        .late_ms = config->late_ms,
        .log = config->log,
        .metrics = put_metrics,
        .context = pages,
    };
    err = err ? err : far_new(&far, &pages->far, failure);
    if (err)
        far_pages_close(pages);
    else
        *out = pages;
    return err;
}

struct app *far_pages_app(struct far_pages *pages)
{
    return far_app(pages->far);
}

void far_pages_stop(struct far_pages *pages)
{
    far_stop(pages->far);
}

void far_pages_close(struct far_pages *pages)
{
    if (!pages)
        return;
    far_free(pages->far);
    free(pages);
}
