/* How ready the servers of a cluster are, and when the operator's configuration is restored after a
 * takeover: what the operator says of both. */
#include "base/check.h"
#include "main/cluster_ask.h"
#include "main/program.h"
#include "main/server_dirs.h"
#include "replica/readiness.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

struct ready_flags {
    char dir[OPTION_TEXT_SIZE];
    uint64_t every_ms;
};

#define AT(field) offsetof(struct ready_flags, field)
#define DIR_ROW                                                     \
    {                                                               \
        "dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",     \
            "the data directory of one of the servers, or a demo's" \
    }

/* COUNT operands exactly, else *OPERANDS is NULLs. Nonzero: the exit status. */
static int read_flags(const struct program_command *self, struct ready_flags *flags, int count,
                      char **words, const char **operands, unsigned operand_count)
{
    struct failure failure = {0};
    unsigned given = 0;
    *flags = (struct ready_flags){0};
    option_defaults(self->options, flags);
    if (option_parse(self->options, flags, count, words, operands, operand_count, &given, &failure))
        return command_usage_error(self, failure.text);
    if (given != operand_count)
        return command_usage_error(self, self->usage);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return 0;
}

/* ---- ready ---- */

static const struct option_row ready_rows[] = {
    DIR_ROW,
    {"every", OPTION_DURATION, AT(every_ms), NULL, READINESS_EVERY_MIN_MS, READINESS_EVERY_MAX_MS,
     NULL, "TIME",
     "how often a warm server applies [30s], and a cold one is woken to catch up "
     "[1h]"},
};
static const struct option_table ready_table = {ready_rows, COUNT_OF(ready_rows)};

static int refuse_sleep(const char *dir, struct failure *failure)
{
    struct server_dirs dirs;
    if (server_dirs_find(dir, &dirs, NULL) || !dirs.demo)
        return 0;
    return fail(failure, ERR_STATE,
                "%s is a demo's, which starts every server again that has ended: none of them can "
                "be cold. Try warm, or run the servers by themselves",
                dir);
}

static int ask_ready(const struct ready_flags *flags, const struct server_readiness *server,
                     struct failure *failure)
{
    struct cluster_view *view = NULL;
    char body[96];
    int err = server->kind == READINESS_COLD ? refuse_sleep(flags->dir, failure) : 0;
    err = err ? err : cluster_ask_view(flags->dir, &view, failure);
    if (!err && !cluster_ask_find(view, server->id))
        err = fail(failure, ERR_NOTFOUND, "there is no server %llu; `stoa status` lists them",
                   (unsigned long long)server->id);
    snprintf(body, sizeof body, "{\"id\":%llu,\"ready\":\"%s\",\"every_ms\":%lu}",
             (unsigned long long)server->id, readiness_names[server->kind],
             (unsigned long)server->every_ms);
    err = err ? err : cluster_ask_post(&view->remote, "ready", body, failure);
    free(view);
    return err;
}

static void say_ready(const struct server_readiness *server)
{
    unsigned long long id = server->id, seconds = server->every_ms / 1000;
    if (server->kind == READINESS_HOT)
        printf("Server %llu is hot: it applies each change at once and serves shoppers.\n", id);
    else if (server->kind == READINESS_WARM)
        printf("Server %llu is warm: it keeps the log, applies it every %llu s, and serves no "
               "shoppers.\n",
               id, seconds);
    else
        printf("Server %llu is cold: its process does not run unless it is needed, or for a moment "
               "every %llu s to catch up.\n",
               id, seconds);
}

static int run_ready(const struct program_command *self, int count, char **words)
{
    struct ready_flags flags;
    struct failure failure = {0};
    const char *operands[2] = {NULL};
    struct server_readiness server = {0};
    int status = read_flags(self, &flags, count, words, operands, 2);
    if (status)
        return status;
    if (cluster_ask_id(operands[0], &server.id))
        return command_usage_error(self, "ID is a number, as `stoa status` shows it");
    if (readiness_kind_read(str_of(operands[1]), &server.kind))
        return command_usage_error(self, "a server is hot, warm or cold");
    if (server.kind == READINESS_HOT && flags.every_ms)
        return command_usage_error(self, "a hot server applies at once: --every is for warm and "
                                         "cold ones");
    server.every_ms =
        flags.every_ms ? (uint32_t)flags.every_ms : readiness_usual_every_ms(server.kind);
    if (ask_ready(&flags, &server, &failure))
        return command_failed(self, failure.text);
    say_ready(&server);
    return EXIT_DONE;
}

const struct program_command command_ready = {
    "ready",
    "ID hot|warm|cold [options]",
    "say how soon a server must be able to take over, and so what it costs until then",
    "A hot server applies each change at once and serves shoppers. A warm one keeps and confirms\n"
    "the log, but applies it only every so often, or when it becomes primary; what shoppers ask "
    "of\n"
    "it goes to the primary. The process of a cold one does not run until it is needed. At least\n"
    "one server stays hot.",
    &ready_table,
    run_ready,
};

/* ---- failback ---- */

static const struct option_row failback_rows[] = {DIR_ROW};
static const struct option_table failback_table = {failback_rows, COUNT_OF(failback_rows)};

static int ask_failback(const struct ready_flags *flags, enum failback failback,
                        struct failure *failure)
{
    struct cluster_view *view = NULL;
    char body[64];
    int err = cluster_ask_view(flags->dir, &view, failure);
    snprintf(body, sizeof body, "{\"failback\":\"%s\"}", failback_names[failback]);
    err = err ? err : cluster_ask_post(&view->remote, "failback", body, failure);
    free(view);
    return err;
}

static int run_failback(const struct program_command *self, int count, char **words)
{
    static const char *const says[FAILBACK_COUNT] = {
        "After a takeover the preferred server is primary again as soon as it is healthy.",
        "After a takeover the preferred server is primary again when it is healthy and nothing is "
        "being changed.",
        "After a takeover whoever is primary stays it, until it fails or `stoa handover`.",
    };
    struct ready_flags flags;
    struct failure failure = {0};
    const char *operand = NULL;
    enum failback failback;
    int status = read_flags(self, &flags, count, words, &operand, 1);
    if (status)
        return status;
    if (failback_read(str_of(operand), &failback))
        return command_usage_error(self, "failback is at-once, idle or never");
    if (ask_failback(&flags, failback, &failure))
        return command_failed(self, failure.text);
    puts(says[failback]);
    return EXIT_DONE;
}

const struct program_command command_failback = {
    "failback",
    "at-once|idle|never [options]",
    "say when the configuration you want is restored after a takeover",
    "at-once: the preferred server (stoa prefer), or a hot one in place of one that is not, "
    "becomes\n"
    "primary again when it has been healthy for some seconds. idle: and when nothing has been\n"
    "changed for some seconds either. never: not by itself.",
    &failback_table,
    run_failback,
};
