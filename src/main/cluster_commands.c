/* What the operator asks of a cluster: thin clients of the operator's API (docs/api.md). */
#include "base/check.h"
#include "main/cluster_ask.h"
#include "main/program.h"
#include "main/server_dirs.h"
#include "main/tier_token.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>

enum { ANSWER_MAX = 64 << 10, NEWS_LOOKS = 100, NEWS_LOOK_MS = 20, EXPIRES_MS = 3600000 };

struct flags {
    char dir[OPTION_TEXT_SIZE];
    uint64_t to, expires_ms;
    bool json, force, none, witness, tiers;
};

#define AT(field) offsetof(struct flags, field)
#define DIR_ROW                                                     \
    {                                                               \
        "dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",     \
            "the data directory of one of the servers, or a demo's" \
    }

/* The flags, and one operand if OPERAND is given. Nonzero: the exit status. */
static int read_flags(const struct program_command *self, struct flags *flags, int count,
                      char **words, const char **operand)
{
    struct failure failure = {0};
    const char *operands[1] = {NULL};
    unsigned operand_count = 0;
    *flags = (struct flags){0};
    option_defaults(self->options, flags);
    if (option_parse(self->options, flags, count, words, operands, operand ? 1 : 0, &operand_count,
                     &failure))
        return command_usage_error(self, failure.text);
    if (operand)
        *operand = operand_count ? operands[0] : NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return 0;
}

static int view_of(const struct flags *flags, struct cluster_view **view, struct failure *failure)
{
    *view = malloc(sizeof **view);
    if (!*view)
        return fail(failure, ERR_NOMEM, "out of memory");
    return cluster_view_look(flags->dir, VIEW_TIMEOUT_MS, *view, failure);
}

static int view_running(const struct flags *flags, struct cluster_view **view,
                        struct failure *failure)
{
    return cluster_ask_view(flags->dir, view, failure);
}

/* POSTs {"KEY":ID} (or nothing for KEY NULL) to the cluster API. */
static int post_plainly(const struct remote *remote, const char *what, const char *key, uint64_t id,
                        struct failure *failure)
{
    char body[64] = "{}";
    if (key)
        snprintf(body, sizeof body, "{\"%s\":%llu}", key, (unsigned long long)id);
    return cluster_ask_post(remote, what, body, failure);
}

/* ---- status ---- */

static const struct option_row status_rows[] = {
    DIR_ROW,
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table status_table = {status_rows, COUNT_OF(status_rows)};

static int run_status(const struct program_command *self, int count, char **words)
{
    struct flags flags;
    struct failure failure = {0};
    struct cluster_view *view = NULL;
    int status = read_flags(self, &flags, count, words, NULL);
    if (status)
        return status;
    bool failed = view_of(&flags, &view, &failure);
    if (!failed)
        cluster_lanes_look(VIEW_TIMEOUT_MS, view);
    if (failed)
        status = command_failed(self, failure.text);
    else if (flags.json)
        cluster_view_json(view, stdout);
    else
        cluster_view_print(view, stdout);
    free(view);
    return status;
}

const struct program_command command_status = {
    "status",
    "[options]",
    "tell which servers there are and how they are",
    "Asks a server that runs on DIR; when none does, tells what is known from the files there.",
    &status_table,
    run_status,
};

/* ---- token ---- */

static const struct option_row token_rows[] = {
    DIR_ROW,
    {"expires", OPTION_DURATION, AT(expires_ms), NULL, 1000, 30ull * 86400000, NULL, "TIME",
     "how long it holds [1h]"},
    {"witness", OPTION_SWITCH, AT(witness), NULL, 0, 0, NULL, NULL,
     "for a witness (stoa witness), which gets none of the cluster's secrets"},
    {"tiers", OPTION_SWITCH, AT(tiers), NULL, 0, 0, NULL, NULL,
     "instead the one for workers and fronts on other machines (stoa front --link), of the shop in "
     "--dir: it holds until DIR/link/key is deleted"},
};
static const struct option_table token_table = {token_rows, COUNT_OF(token_rows)};

static int print_token(struct str answer, struct failure *failure)
{
    yyjson_doc *doc = answer.len ? yyjson_read(answer.at, answer.len, 0) : NULL;
    const char *token = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "token"));
    int err = token ? 0 : fail(failure, ERR_INTERNAL, "the server gave no token");
    if (token)
        puts(token);
    yyjson_doc_free(doc);
    return err;
}

static int print_tier_token(const struct program_command *self, const char *dir)
{
    struct failure failure = {0};
    struct tier_token token;
    char text[TIER_TOKEN_TEXT];
    if (tier_token_of(dir, &token, &failure))
        return command_failed(self, failure.text);
    tier_token_encode(&token, text);
    puts(text);
    return EXIT_DONE;
}

static int run_token(const struct program_command *self, int count, char **words)
{
    struct flags flags;
    struct failure failure = {0};
    struct cluster_view *view = NULL;
    struct buf answer;
    int status = read_flags(self, &flags, count, words, NULL);
    if (status)
        return status;
    if (flags.tiers && (flags.witness || flags.expires_ms))
        return command_usage_error(self, "--tiers goes with neither --witness nor --expires: that "
                                         "token holds until DIR/link/key is deleted");
    if (flags.tiers)
        return print_tier_token(self, flags.dir);
    buf_init(&answer, ANSWER_MAX);
    int err = view_running(&flags, &view, &failure);
    char body[64];
    snprintf(body, sizeof body, "{\"lifetime\":%llu%s}",
             (unsigned long long)((flags.expires_ms ? flags.expires_ms : EXPIRES_MS) / 1000),
             flags.witness ? ",\"witness\":true" : "");
    err = err ? err
              : remote_call(&view->remote, "/api/v1/cluster/token", body, CLUSTER_ASK_MS, &answer,
                            &failure);
    err = err ? err : print_token(buf_text(&answer), &failure);
    buf_close(&answer);
    free(view);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_token = {
    "token",
    "[options]",
    "make a token that lets one new server, or a witness, join",
    "Prints it on standard output. It is a secret, good for one `stoa join`, until it expires.",
    &token_table,
    run_token,
};

/* ---- handover and prefer ---- */

static const struct option_row handover_rows[] = {
    DIR_ROW,
    {"to", OPTION_COUNT, AT(to), NULL, 1, 0, NULL, "ID", "which server [the best of the others]"},
};
static const struct option_table handover_table = {handover_rows, COUNT_OF(handover_rows)};

/* Asks again until the new primary is known, which takes a moment. */
static uint64_t primary_after(const struct flags *flags, uint64_t before)
{
    uint64_t primary = before;
    for (int i = 0; i < NEWS_LOOKS && (primary == 0 || primary == before); i++) {
        struct cluster_view *view = NULL;
        nanosleep(&(struct timespec){.tv_nsec = NEWS_LOOK_MS * 1000000L}, NULL);
        if (view_of(flags, &view, NULL) == 0)
            primary = view->primary;
        free(view);
    }
    return primary;
}

static int run_handover(const struct program_command *self, int count, char **words)
{
    struct flags flags;
    struct failure failure = {0};
    struct cluster_view *view = NULL;
    int status = read_flags(self, &flags, count, words, NULL);
    if (status)
        return status;
    int err = view_running(&flags, &view, &failure);
    uint64_t before = err ? 0 : view->primary;
    if (!err && flags.to && flags.to == before) {
        printf("Server %llu is primary already.\n", (unsigned long long)before);
        free(view);
        return EXIT_DONE;
    }
    err = err ? err : post_plainly(&view->remote, "handover", "to", flags.to, &failure);
    free(view);
    if (err)
        return command_failed(self, failure.text);
    uint64_t primary = primary_after(&flags, before);
    if (primary == 0 || primary == before)
        printf("Server %llu has handed over; `stoa status` tells who is primary now.\n",
               (unsigned long long)before);
    else
        printf("Server %llu is primary now; before it was server %llu.\n",
               (unsigned long long)primary, (unsigned long long)before);
    return EXIT_DONE;
}

const struct program_command command_handover = {
    "handover",
    "[--to ID] [options]",
    "make another server the primary, without a failed request",
    "Changes wait for some milliseconds meanwhile; nothing fails. For taking a machine down.",
    &handover_table,
    run_handover,
};

static const struct option_row prefer_rows[] = {
    DIR_ROW,
    {"none", OPTION_SWITCH, AT(none), NULL, 0, 0, NULL, NULL, "no server is preferred any more"},
};
static const struct option_table prefer_table = {prefer_rows, COUNT_OF(prefer_rows)};

/* NULL: nobody. */
static void say_preferred(const struct view_server *server)
{
    unsigned long long id = server ? server->id : 0;
    if (!server)
        puts("No server is preferred as primary.");
    else if (cluster_view_is_hot(server))
        printf("Server %llu becomes primary whenever it is healthy and has caught up.\n", id);
    else
        printf("Server %llu is %s, and becomes primary by itself only when it is hot: `stoa ready "
               "%llu hot`.\n",
               id, server->ready, id);
}

static int run_prefer(const struct program_command *self, int count, char **words)
{
    struct flags flags;
    struct failure failure = {0};
    struct cluster_view *view = NULL;
    const char *operand = NULL;
    uint64_t id = 0;
    int status = read_flags(self, &flags, count, words, &operand);
    if (status)
        return status;
    if (!operand == !flags.none)
        return command_usage_error(self, "give the ID of a server, or --none");
    if (operand && cluster_ask_id(operand, &id))
        return command_usage_error(self, "ID is a number, as `stoa status` shows it");
    int err = view_running(&flags, &view, &failure);
    if (!err && id && !cluster_ask_find(view, id))
        err = fail(&failure, ERR_NOTFOUND, "there is no server %llu", (unsigned long long)id);
    err = err ? err : post_plainly(&view->remote, "prefer", "id", id, &failure);
    const struct view_server *server = err ? NULL : cluster_ask_find(view, id);
    if (!err)
        say_preferred(server);
    free(view);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_prefer = {
    "prefer",
    "ID | --none [options]",
    "say which server shall be primary whenever it can",
    "When that server comes back and has caught up for some seconds, the primary hands over to it.",
    &prefer_table,
    run_prefer,
};

/* ---- remove and leave ---- */

static const struct option_row remove_rows[] = {
    DIR_ROW,
    {"force", OPTION_SWITCH, AT(force), NULL, 0, 0, NULL, NULL,
     "even if nothing can be changed any more afterwards"},
};
static const struct option_table remove_table = {remove_rows, COUNT_OF(remove_rows)};

static bool has_vote(const struct view_server *server)
{
    return server->vote;
}

/* Whether those that stay are a majority of what is then left. */
static int check_majority(const struct cluster_view *view, uint64_t id, bool force,
                          struct failure *failure)
{
    unsigned voters = 0, up = 0;
    const struct view_server *leaving = cluster_ask_find(view, id);
    if (!leaving)
        return fail(failure, ERR_NOTFOUND,
                    "there is no server %llu in the cluster; `stoa status` lists them",
                    (unsigned long long)id);
    if (view->count == 1)
        return fail(failure, ERR_STATE, "server %llu is the only one; it cannot be removed",
                    (unsigned long long)id);
    for (unsigned i = 0; i < view->count; i++) {
        const struct view_server *server = &view->servers[i];
        bool stays = server->id != id && has_vote(server);
        voters += stays;
        up += stays && strcmp(server->state, "up") == 0;
    }
    if (force || !has_vote(leaving) || up > voters / 2)
        return 0;
    return fail(failure, ERR_STATE,
                "without server %llu only %u of %u deciding servers are up, which is no majority: "
                "nothing could be changed any more. Bring the others up first, or remove those "
                "that are down; --force does it all the same",
                (unsigned long long)id, up, voters);
}

static void say_left(const struct cluster_view *view, uint64_t id)
{
    unsigned left = view->count - 1;
    printf("Server %llu is not of the cluster any more. What is in its directory is of no use to "
           "it: remove that.\n",
           (unsigned long long)id);
    bool witness = false;
    for (unsigned i = 0; i < view->count; i++)
        witness |= view->servers[i].id != id && strcmp(view->servers[i].role, "witness") == 0;
    if (left == 2 && !witness)
        puts("With two servers nothing can be changed while one of them is down.");
    else if (left == 1 || witness)
        puts("One server is left: when it is lost, so is what changed since the last backup.");
}

static int run_remove(const struct program_command *self, int count, char **words)
{
    struct flags flags;
    struct failure failure = {0};
    struct cluster_view *view = NULL;
    const char *operand = NULL;
    uint64_t id = 0;
    int status = read_flags(self, &flags, count, words, &operand);
    if (status)
        return status;
    if (!operand || cluster_ask_id(operand, &id))
        return command_usage_error(self, "which server? Give its ID, as `stoa status` shows it");
    int err = view_running(&flags, &view, &failure);
    err = err ? err : check_majority(view, id, flags.force, &failure);
    err = err ? err : post_plainly(&view->remote, "remove", "id", id, &failure);
    if (!err)
        say_left(view, id);
    free(view);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_remove = {
    "remove",
    "ID [options]",
    "take a server out of the cluster, whether it runs or not",
    "For a machine that is gone for good. One that runs had better leave by itself: `stoa leave`.\n"
    "Refuses to take so many away that those left are no majority.",
    &remove_table,
    run_remove,
};

static const struct option_row leave_rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR", "the data directory of this server"},
    {"force", OPTION_SWITCH, AT(force), NULL, 0, 0, NULL, NULL,
     "even if nothing can be changed any more afterwards"},
};
static const struct option_table leave_table = {leave_rows, COUNT_OF(leave_rows)};

/* Which server DIR is. */
static int own_id(const char *dir, uint64_t *id, struct failure *failure)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = server_dirs_find(dir, dirs, failure);
    if (!err && dirs->demo)
        err = fail(failure, ERR_INVALID,
                   "%s is a demo of several servers: give the --dir of the one that is to leave",
                   dir);
    if (!err)
        *id = dirs->at[0].id;
    free(dirs);
    return err;
}

static int run_leave(const struct program_command *self, int count, char **words)
{
    struct flags flags;
    struct failure failure = {0};
    struct cluster_view *view = NULL;
    uint64_t id = 0;
    int status = read_flags(self, &flags, count, words, NULL);
    if (status)
        return status;
    int err = own_id(flags.dir, &id, &failure);
    err = err ? err : view_running(&flags, &view, &failure);
    err = err ? err : check_majority(view, id, flags.force, &failure);
    err = err ? err : post_plainly(&view->remote, "leave", NULL, 0, &failure);
    if (!err)
        say_left(view, id);
    free(view);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_leave = {
    "leave",
    "[options]",
    "have the server that runs on DIR leave its cluster, and end",
    "A primary hands over first. Refuses to leave so few that those left are no majority.",
    &leave_table,
    run_leave,
};
