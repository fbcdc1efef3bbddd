#include "main/demo_words.h"

#include "base/check.h"
#include "main/balance_config.h"
#include "main/demo_services.h"
#include "main/listening.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERVER_GRACE_MS = 800, MANAGER_GRACE_MS = 350, SERVICE_GRACE_MS = 200 };
enum { URL_TEXT = OPTION_TEXT_SIZE + 32 };

#define AT(field) offsetof(struct demo_options, field)
static const struct option_row rows[] = {
    {"servers", OPTION_COUNT, AT(servers), NULL, 1, DEMO_SERVERS_MAX, NULL, "N",
     "how many servers there are to be; others than before join or are removed [as before; 3]"},
    {"shared", OPTION_SWITCH, AT(shared), NULL, 0, 0, NULL, NULL,
     "one server with so many processes over its directory, in place of servers with a copy each "
     "(docs/shared.md)"},
    {"load-managers", OPTION_COUNT, AT(managers), "1", 1, DEMO_MANAGERS_MAX, NULL, "N",
     "how many load managers stand in front, the first at --listen"},
    {"no-load-manager", OPTION_SWITCH, AT(no_managers), NULL, 0, 0, NULL, NULL,
     "none does: the first server is at --listen"},
    {"direct", OPTION_SWITCH, AT(direct), NULL, 0, 0, NULL, NULL,
     "shoppers are sent on to their server's own address (--mode direct of `stoa balance`)"},
    {"status", OPTION_TEXT, AT(status), NULL, 0, 0, NULL, "ADDR:PORT",
     "where the first load manager shows what it does [127.0.0.1, a thousand ports above "
     "--listen]"},
    {"no-bank", OPTION_SWITCH, AT(no_bank), NULL, 0, 0, NULL, NULL,
     "no `stoa bank` runs beside the servers: each has a sandbox of its own for payments; so it is "
     "with --bank too, where yours is used"},
    {"no-warehouse", OPTION_SWITCH, AT(no_warehouse), NULL, 0, 0, NULL, NULL,
     "no `stoa warehouse` runs beside the servers"},
    {"auto-ship", OPTION_DURATION, AT(auto_ship_ms), "0ms", 0, 86400000, NULL, "TIME",
     "the warehouse packs and ships each order so long after it came (0ms: people do)"},
    {"no-restart", OPTION_SWITCH, AT(no_restart), NULL, 0, 0, NULL, NULL,
     "do not start again who has died"},
};
const struct option_table demo_option_table = {rows, COUNT_OF(rows), NULL};

/* ---- What was typed ---- */

/* Whose option WORD is: the table that has it, or NULL. */
static const struct option_row *row_of(const struct option_table *table, const char *word)
{
    struct str name = str_of(word);
    if (!str_starts(name, STR("--")))
        return NULL;
    ptrdiff_t equals = str_find_byte(name, '=');
    return option_find(table, str_from(equals < 0 ? name : str_sub(name, 0, (size_t)equals), 2));
}

/* Takes over the option at TYPED[*AT], with its value, which may be the next word. */
static int take_option(const struct option_row *row, int count, char **typed, int *at, char **to,
                       unsigned *to_count, struct failure *failure)
{
    if (*to_count + 2 >= DEMO_WORDS_MAX)
        return fail(failure, ERR_INVALID, "too many arguments");
    bool apart = row && row->kind != OPTION_SWITCH && !strchr(typed[*at], '=');
    to[(*to_count)++] = typed[*at];
    if (apart && *at + 1 < count)
        to[(*to_count)++] = typed[++*at];
    return 0;
}

static int part(struct demo_words *words, int count, char **typed, char **own, unsigned *own_count,
                struct failure *failure)
{
    int err = 0;
    for (int i = 0; !err && i < count; i++) {
        const struct option_row *ours = row_of(&demo_option_table, typed[i]);
        const struct option_row *serve = row_of(&settings_table, typed[i]);
        const struct option_row *balance = row_of(&balance_settings_table, typed[i]);
        if (ours)
            err = take_option(ours, count, typed, &i, own, own_count, failure);
        else if (balance && !serve)
            err = take_option(balance, count, typed, &i, words->balance, &words->balance_count,
                              failure);
        else
            err = take_option(serve, count, typed, &i, words->serve, &words->serve_count, failure);
    }
    return err;
}

/* Whether NAME, one of the servers' settings, was typed. */
static bool was_given(const struct demo_words *words, const char *name)
{
    const struct option_row *row = option_find(&settings_table, str_of(name));
    for (unsigned i = 0; i < words->serve_count; i++)
        if (row_of(&settings_table, words->serve[i]) == row)
            return true;
    return false;
}

/* ---- What is wrong with it ---- */

/* Without a load manager nothing is left of what is for one. */
static int refuse_balance(const struct demo_words *words, struct failure *failure)
{
    const char *word = words->options.direct      ? "--direct"
                       : words->options.status[0] ? "--status"
                       : words->balance_count     ? words->balance[0]
                                                  : NULL;
    return word ? fail(failure, ERR_INVALID, "without a load manager %s means nothing", word) : 0;
}

/* A plan as it might be made. */
static void suppose(const struct demo_words *words, struct demo_plan *plan)
{
    plan->count = 1;
    strcpy(plan->servers[0].listen, "127.0.0.1:1");
    const char *listen = words->settings.listen.items[0], *colon = strrchr(listen, ':');
    str_copy(plan->dir, sizeof plan->dir, str_of(words->settings.dir));
    plan->manager_count = words->managers;
    for (unsigned i = 0; i < words->managers; i++) {
        struct demo_manager *manager = &plan->managers[i];
        size_t host = i && colon ? (size_t)(colon - listen) : strlen(listen);
        snprintf(manager->listen, sizeof manager->listen, "%.*s%s", (int)host, listen,
                 i ? ":1" : "");
        strcpy(manager->status, "127.0.0.1:1");
    }
}

/* The load managers read their words when they start, but what is wrong with one is to be said at
 * once: so they are read here as they will be. */
static int read_balance(const struct demo_words *words, struct failure *failure)
{
    struct demo_plan *plan = calloc(1, sizeof *plan);
    struct demo_line *line = calloc(1, sizeof *line);
    struct balance_settings *settings = calloc(1, sizeof *settings);
    int err = plan && line && settings ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    if (!err)
        suppose(words, plan);
    for (unsigned i = 0; !err && i < words->managers; i++) {
        err = demo_words_manager(words, plan, i, line, failure);
        err = err ? err
                  : balance_settings_read(settings, (int)line->count - 2, line->words + 2, failure);
        err = err ? err : balance_config_check(settings, failure);
    }
    free(settings);
    free(line);
    free(plan);
    return err;
}

static int check_balance(const struct demo_words *words, struct failure *failure)
{
    if (!words->managers)
        return refuse_balance(words, failure);
    if (words->options.shared && words->options.direct)
        return fail(failure, ERR_INVALID,
                    "--direct is for servers with homes, which processes of --shared are not");
    for (unsigned i = 0; i < words->balance_count; i++) {
        const struct option_row *row = row_of(&balance_settings_table, words->balance[i]);
        if (row && (strcmp(row->name, "server") == 0 || strcmp(row->name, "upstream") == 0))
            return fail(failure, ERR_INVALID,
                        "a demo's load manager has the demo's servers; for others there is `stoa "
                        "balance`");
    }
    return read_balance(words, failure);
}

int demo_words_part(struct demo_words *words, int count, char **typed, struct failure *failure)
{
    char *own[DEMO_WORDS_MAX];
    unsigned own_count = 0;
    const char *operands[1];
    unsigned operand_count;
    *words = (struct demo_words){0};
    option_defaults(&demo_option_table, &words->options);
    int err = part(words, count, typed, own, &own_count, failure);
    err = err ? err
              : option_parse(&demo_option_table, &words->options, (int)own_count, own, operands, 0,
                             &operand_count, failure);
    err =
        err ? err : settings_read(&words->settings, (int)words->serve_count, words->serve, failure);
    if (err)
        return err;
    if (words->settings.listen.count == 0)
        return fail(failure, ERR_INVALID, "give --listen ADDR:PORT");
    if (words->options.no_warehouse && words->options.auto_ship_ms)
        return fail(failure, ERR_INVALID, "without a warehouse --auto-ship means nothing");
    words->services[DEMO_BANK] = !words->options.no_bank && !words->settings.bank[0];
    words->services[DEMO_WAREHOUSE] = !words->options.no_warehouse;
    words->managers = words->options.no_managers ? 0 : (unsigned)words->options.managers;
    bool given = was_given(words, "stop-grace");
    words->server_grace_ms = given ? words->settings.stop_grace_ms : SERVER_GRACE_MS;
    words->manager_grace_ms = given ? words->settings.stop_grace_ms : MANAGER_GRACE_MS;
    return check_balance(words, failure);
}

/* ---- Command lines ---- */

static void add(struct demo_line *line, const char *word)
{
    size_t size = strlen(word) + 1;
    if (line->count == DEMO_LINE_MAX || line->used + size > sizeof line->bytes) {
        line->full = true;
        return;
    }
    line->words[line->count++] = memcpy(line->bytes + line->used, word, size);
    line->words[line->count] = NULL;
    line->used += size;
}

static void add_both(struct demo_line *line, const char *flag, const char *value)
{
    add(line, flag);
    add(line, value);
}

static void add_time(struct demo_line *line, const char *flag, uint64_t ms)
{
    char text[32];
    snprintf(text, sizeof text, "%llums", (unsigned long long)ms);
    add_both(line, flag, text);
}

static void add_value(struct demo_line *line, const char *flag, const char *value)
{
    char text[OPTION_TEXT_SIZE + 64];
    snprintf(text, sizeof text, "--%s=%s", flag, value);
    add(line, text);
}

static void add_list(struct demo_line *line, const char *flag, const struct option_list *list,
                     unsigned from)
{
    for (unsigned i = from; i < list->count; i++)
        add_both(line, flag, list->items[i]);
}

static int finish(const struct demo_line *line, struct failure *failure)
{
    return line->full ? fail(failure, ERR_FULL, "too many arguments") : 0;
}

static void add_file(struct demo_line *line, const char *flag, const char *dir, const char *name)
{
    char path[DATADIR_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    add_both(line, flag, path);
}

/* The bank beside the servers, and a place for their mail; what the user gave of his own comes
 * first. */
static void add_outside(struct demo_line *line, const struct settings *settings,
                        const struct demo_plan *plan)
{
    const struct demo_service *bank = &plan->services[DEMO_BANK];
    char box[DATADIR_PATH + 64];
    if (bank->wanted) {
        add_both(line, "--bank", bank->url);
        add_file(line, "--bank-key-file", bank->dir, "key");
        add_both(line, "--bank-pin", bank->pin);
        add_file(line, "--bank-webhook-secret-file", bank->dir, "webhook.secret");
    }
    if (settings->mail[0])
        return;
    snprintf(box, sizeof box, "maildir:%s/mail", plan->dir);
    add_both(line, "--mail", box);
    if (!settings->mail_from[0])
        add_both(line, "--mail-from", "orders@shop.example");
}

/* What the user gave, and after it what differs from server to server: of two the later wins, and
 * an empty one ends a list. */
int demo_words_server(const struct demo_words *words, const struct demo_plan *plan, unsigned at,
                      struct demo_line *line, struct failure *failure)
{
    const struct demo_server *server = &plan->servers[at];
    line->count = 0;
    line->used = 0;
    line->full = false;
    add(line, "stoa");
    add(line, "serve");
    add_time(line, "--stop-grace", words->server_grace_ms);
    if (words->managers)
        add(line, "--server-header");
    if (plan->shared)
        add(line, "--shared");
    for (unsigned i = 0; i < words->serve_count; i++)
        add(line, words->serve[i]);
    add_outside(line, &words->settings, plan);
    add_both(line, "--dir", server->dir);
    if (!server->given) {
        add(line, "--listen=");
        add_both(line, "--listen", server->listen);
    }
    if (at != 0 || words->managers)
        add(line, "--listen-tls=");
    add(line, "--peer-address=");
    add_both(line, "--peer-listen", server->peer_listen);
    return finish(line, failure);
}

/* Of what servers and load managers both take, what one of them alone is told, or each its own. */
static bool is_apart(const char *name)
{
    static const char *const names[] = {"config",     "dir",          "listen",
                                        "listen-tls", "url",          "answer-timeout",
                                        "stop-grace", "server-header"};
    for (unsigned i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The row's value in ONE and OTHER, which it has the same of. */
static bool is_same(const struct option_row *row, const void *one, const void *other)
{
    const struct option_list *list = one, *beside = other;
    bool same = true;
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        return strcmp(one, other) == 0;
    case OPTION_LIST:
    case OPTION_NETWORKS:
        for (unsigned i = 0; same && i < list->count && i < beside->count; i++)
            same = strcmp(list->items[i], beside->items[i]) == 0;
        return same && list->count == beside->count;
    case OPTION_SWITCH:
        return *(const bool *)one == *(const bool *)other;
    default:
        return *(const uint64_t *)one == *(const uint64_t *)other;
    }
}

/* As it would be typed. */
static void add_row(struct demo_line *line, const struct option_row *row, const void *slot)
{
    const struct option_list *list = slot;
    char text[32];
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        add_value(line, row->name, slot);
        return;
    case OPTION_LIST:
    case OPTION_NETWORKS:
        add_value(line, row->name, "");
        for (unsigned i = 0; i < list->count; i++)
            add_value(line, row->name, list->items[i]);
        return;
    case OPTION_SWITCH:
        add_value(line, row->name, *(const bool *)slot ? "yes" : "no");
        return;
    default:
        CHECK(row->kind != OPTION_SHARE); /* no server has one */
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)*(const uint64_t *)slot,
                 row->kind == OPTION_DURATION ? "ms" : "");
        add_value(line, row->name, text);
    }
}

/* What the servers are told of what load managers take too, be it typed or in their file: it is
 * about the clients' connections, which the load managers have. */
static int add_shared(struct demo_line *line, const struct settings *settings,
                      struct failure *failure)
{
    struct balance_settings *usual = calloc(1, sizeof *usual);
    if (!usual)
        return fail(failure, ERR_NOMEM, "out of memory");
    option_defaults(&balance_settings_table, usual);
    for (unsigned i = 0; i < settings_table.count; i++) {
        const struct option_row *row = &settings_table.rows[i];
        const struct option_row *theirs = option_find(&balance_settings_table, str_of(row->name));
        if (!theirs || is_apart(row->name))
            continue;
        CHECK(row->kind == theirs->kind);
        const void *slot = (const char *)settings + row->offset;
        if (!is_same(row, slot, (const char *)usual + theirs->offset))
            add_row(line, row, slot);
    }
    free(usual);
    return 0;
}

/* Where the load managers of this machine reach a server. */
static void add_server(struct demo_line *line, const char *option, const char *listen)
{
    char url[URL_TEXT];
    listening_url(listen, false, 0, "127.0.0.1", url, sizeof url);
    add_both(line, option, url);
}

/* Where shoppers reach load manager AT. What was typed is where they reach the first; the others
 * are on the same host, each at the port that it has. TLS that the demo itself takes is the first
 * one's alone. */
static void add_url(struct demo_line *line, const struct settings *settings,
                    const struct demo_plan *plan, unsigned at)
{
    char first[URL_TEXT], own[URL_TEXT + 8];
    const char *port = strrchr(plan->managers[at].listen, ':');
    if (!settings->url[0])
        return;
    if (at == 0 || !port ||
        balance_config_url("url", str_of(settings->url), first, sizeof first, NULL)) {
        add_both(line, "--url", settings->url); /* a bad one is refused by whoever gets it */
        return;
    }
    char *host = strstr(first, "://");
    *strrchr(first, ':') = 0; /* what balance_config_url writes has a port */
    bool plain = settings->listen_tls.count > 0;
    snprintf(own, sizeof own, "%s%s%s", plain ? "http" : "", plain ? host : first, port);
    add_both(line, "--url", own);
}

int demo_words_manager(const struct demo_words *words, const struct demo_plan *plan, unsigned at,
                       struct demo_line *line, struct failure *failure)
{
    const struct demo_manager *manager = &plan->managers[at];
    const struct settings *settings = &words->settings;
    line->count = 0;
    line->used = 0;
    line->full = false;
    add(line, "stoa");
    add(line, "balance");
    add(line, "--server-header");
    if (was_given(words, "server-header"))
        add_value(line, "server-header", settings->server_header ? "yes" : "no");
    add_time(line, "--stop-grace", words->manager_grace_ms);
    int err = add_shared(line, settings, failure);
    if (err)
        return err;
    if (!words->options.shared)
        add_both(line, "--dir", plan->dir);
    add_both(line, "--listen", manager->listen);
    add_both(line, "--status", manager->status);
    if (at == 0) {
        add_list(line, "--listen", &settings->listen, 1);
        add_list(line, "--listen-tls", &settings->listen_tls, 0);
    }
    add_url(line, settings, plan, at);
    if (words->options.direct)
        add_both(line, "--mode", "direct");
    if (words->options.shared)
        add_both(line, "--check-path", "/livez");
    const char *option = words->options.shared ? "--upstream" : "--server";
    for (unsigned i = 0; i < plan->count && i < BALANCE_SEEDS_MAX; i++)
        add_server(line, option, plan->servers[i].listen);
    for (unsigned i = 0; i < words->balance_count; i++)
        add(line, words->balance[i]);
    return finish(line, failure);
}

/* ---- The bank and the warehouse ---- */

/* The address that shoppers have of the shop, on this machine. */
static void put_front(const struct demo_plan *plan, const char *path, char *out, size_t size)
{
    char url[URL_TEXT];
    const char *listen = plan->manager_count ? plan->managers[0].listen : plan->servers[0].listen;
    listening_url(listen, false, 0, "127.0.0.1", url, sizeof url);
    snprintf(out, size, "%s%s", url, path);
}

static void add_bank(struct demo_line *line, const struct demo_plan *plan)
{
    char url[URL_TEXT + 32];
    put_front(plan, "/api/bank/events", url, sizeof url);
    add_both(line, "--webhook", url);
}

/* It reports to the load manager, and to the servers where that does not take it. */
static void add_warehouse(struct demo_line *line, const struct demo_words *words,
                          const struct demo_plan *plan)
{
    char url[URL_TEXT], phrase[DEMO_PHRASE];
    add_both(line, "--id", DEMO_WAREHOUSE_ID);
    put_front(plan, "", url, sizeof url);
    add_both(line, "--shop", url);
    for (unsigned i = plan->manager_count ? 0 : 1; i < plan->count && i < DEMO_SERVERS_MAX; i++) {
        listening_url(plan->servers[i].listen, false, 0, "127.0.0.1", url, sizeof url);
        add_both(line, "--shop", url);
    }
    add_file(line, "--token-file", plan->dir, "warehouse.token");
    demo_services_phrase(plan, phrase);
    if (!phrase[0]) /* nobody knows the one that there may be */
        add(line, "--new-passphrase");
    if (words->options.auto_ship_ms)
        add_time(line, "--auto-ship", words->options.auto_ship_ms);
}

int demo_words_service(const struct demo_words *words, const struct demo_plan *plan, unsigned at,
                       struct demo_line *line, struct failure *failure)
{
    const struct demo_service *service = &plan->services[at];
    line->count = 0;
    line->used = 0;
    line->full = false;
    add(line, "stoa");
    add(line, at == DEMO_BANK ? "bank" : "warehouse");
    add_both(line, "--dir", service->dir);
    add_both(line, "--listen", service->listen);
    add_time(line, "--stop-grace", SERVICE_GRACE_MS);
    add_value(line, "log-level", words->settings.log_level);
    if (at == DEMO_BANK)
        add_bank(line, plan);
    else
        add_warehouse(line, words, plan);
    return finish(line, failure);
}
