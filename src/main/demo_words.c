#include "main/demo_words.h"

#include "base/check.h"
#include "main/balance_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERVER_GRACE_MS = 800, MANAGER_GRACE_MS = 350, URL_TEXT = OPTION_TEXT_SIZE + 16 };

#define AT(field) offsetof(struct demo_options, field)
static const struct option_row rows[] = {
    {"servers", OPTION_COUNT, AT(servers), NULL, 1, DEMO_SERVERS_MAX, NULL, "N",
     "how many servers there are to be; others than before join or are removed [as before; 3]"},
    {"load-managers", OPTION_COUNT, AT(managers), "1", 1, DEMO_MANAGERS_MAX, NULL, "N",
     "how many load managers stand in front, the first at --listen"},
    {"no-load-manager", OPTION_SWITCH, AT(no_managers), NULL, 0, 0, NULL, NULL,
     "none does: the first server is at --listen"},
    {"direct", OPTION_SWITCH, AT(direct), NULL, 0, 0, NULL, NULL,
     "shoppers are sent on to their server's own address (--mode direct of `stoa balance`)"},
    {"status", OPTION_TEXT, AT(status), NULL, 0, 0, NULL, "ADDR:PORT",
     "where the first load manager shows what it does [127.0.0.1, a thousand ports above "
     "--listen]"},
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

static bool was_given(char *const *words, unsigned count, const char *flag)
{
    for (unsigned i = 0; i < count; i++)
        if (strncmp(words[i], flag, strlen(flag)) == 0)
            return true;
    return false;
}

/* The load managers judge their words when they start, but what is wrong with one is to be said at
 * once. */
static int check_balance(struct demo_words *words, struct failure *failure)
{
    const char *operands[1];
    unsigned operand_count;
    for (unsigned i = 0; i < words->balance_count; i++) {
        const struct option_row *row = row_of(&balance_settings_table, words->balance[i]);
        if (row && (strcmp(row->name, "server") == 0 || strcmp(row->name, "upstream") == 0))
            return fail(failure, ERR_INVALID,
                        "a demo's load manager has the demo's servers; for others there is `stoa "
                        "balance`");
    }
    struct balance_settings *scratch = calloc(1, sizeof *scratch);
    if (!scratch)
        return fail(failure, ERR_NOMEM, "out of memory");
    option_defaults(&balance_settings_table, scratch);
    int err = option_parse(&balance_settings_table, scratch, (int)words->balance_count,
                           words->balance, operands, 0, &operand_count, failure);
    if (words->options.direct)
        strcpy(scratch->mode, "direct");
    if (words->settings.listen.count)
        strcpy(scratch->listen.items[0], words->settings.listen.items[0]);
    strcpy(scratch->url, words->settings.url);
    err = err ? err : balance_config_check(scratch, failure);
    free(scratch);
    return err;
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
    words->managers = words->options.no_managers ? 0 : (unsigned)words->options.managers;
    if (!words->managers && (words->balance_count || words->options.direct))
        return fail(failure, ERR_INVALID, "without a load manager %s means nothing",
                    words->options.direct ? "--direct" : words->balance[0]);
    err = check_balance(words, failure);
    if (err)
        return err;
    bool given = was_given(words->serve, words->serve_count, "--stop-grace");
    words->server_grace_ms = given ? words->settings.stop_grace_ms : SERVER_GRACE_MS;
    words->manager_grace_ms = given ? words->settings.stop_grace_ms : MANAGER_GRACE_MS;
    return 0;
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

static bool is_setting(const struct option_table *table, const char *name)
{
    return option_find(table, str_of(name)) != NULL;
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
    if (words->managers && is_setting(&settings_table, "server-header"))
        add(line, "--server-header");
    for (unsigned i = 0; i < words->serve_count; i++)
        add(line, words->serve[i]);
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

/* Where the load managers of this machine reach a server. */
static void add_server(struct demo_line *line, const char *listen)
{
    char url[URL_TEXT];
    const char *port = strrchr(listen, ':');
    bool every =
        port == listen || strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0;
    snprintf(url, sizeof url, "http://%s%s", every ? "127.0.0.1" : "",
             every && port ? port : listen);
    add_both(line, "--server", url);
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
    add_time(line, "--stop-grace", words->manager_grace_ms);
    add_both(line, "--log-level", settings->log_level);
    add_both(line, "--dir", plan->dir);
    add_both(line, "--listen", manager->listen);
    add_both(line, "--status", manager->status);
    if (at == 0) {
        add_list(line, "--listen", &settings->listen, 1);
        add_list(line, "--listen-tls", &settings->listen_tls, 0);
        if (settings->certificate[0]) {
            add_both(line, "--certificate", settings->certificate);
            add_both(line, "--key", settings->key);
        }
        if (settings->url[0])
            add_both(line, "--url", settings->url);
    }
    if (words->options.direct)
        add_both(line, "--mode", "direct");
    for (unsigned i = 0; i < plan->count && i < BALANCE_SEEDS_MAX; i++)
        add_server(line, plan->servers[i].listen);
    for (unsigned i = 0; i < words->balance_count; i++)
        add(line, words->balance[i]);
    return finish(line, failure);
}
