#include "base/check.h"
#include "main/cluster.h"
#include "main/file.h"
#include "main/join.h"
#include "main/program.h"
#include "main/token.h"

#include <stdlib.h>
#include <unistd.h>

#define PEER_LISTEN "127.0.0.1:7420"

/* ---- init ---- */

struct init_flags {
    char dir[OPTION_TEXT_SIZE], name[OPTION_TEXT_SIZE];
    char peer_listen[OPTION_TEXT_SIZE], peer_address[OPTION_TEXT_SIZE];
};

#define AT(field) offsetof(struct init_flags, field)
static const struct option_row init_rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "the first server's data directory; made if need be, or that of a shop which was alone"},
    {"name", OPTION_TEXT, AT(name), "shop", 0, 0, NULL, "NAME", "what the cluster is called"},
    {"peer-listen", OPTION_TEXT, AT(peer_listen), PEER_LISTEN, 0, 0, NULL, "ADDR:PORT",
     "where the other servers will connect"},
    {"peer-address", OPTION_TEXT, AT(peer_address), NULL, 0, 0, NULL, "HOST:PORT",
     "how they reach it, where that is not --peer-listen"},
};
static const struct option_table init_table = {init_rows, COUNT_OF(init_rows)};

static void say_next(const struct init_flags *flags)
{
    printf("The cluster \"%s\" is founded; its first server is in %s.\n\n"
           "Start it:\n"
           "    stoa serve --dir %s --listen ADDR:PORT\n"
           "For each further server, here:\n"
           "    stoa token --dir %s\n"
           "and on its machine, with what that printed:\n"
           "    stoa join --token TOKEN --dir DIR --peer-listen ADDR:PORT\n"
           "    stoa serve --dir DIR --listen ADDR:PORT\n",
           flags->name, flags->dir, flags->dir, flags->dir);
    if (strncmp(flags->peer_listen, "127.", 4) == 0 && !flags->peer_address[0])
        printf("\nThe others reach it at %s, which is on this machine only: `stoa serve\n"
               "--peer-listen ADDR:PORT` lets in those of other machines.\n",
               flags->peer_listen);
}

static int run_init(const struct program_command *self, int count, char **words)
{
    struct init_flags flags = {0};
    struct failure failure = {0};
    struct server_place place = {.id = 1};
    unsigned operand_count;
    option_defaults(&init_table, &flags);
    if (option_parse(&init_table, &flags, count, words, NULL, 0, &operand_count, &failure) ||
        cluster_check_name(flags.name, &failure) ||
        cluster_reach(flags.peer_listen, flags.peer_address, place.address, &failure))
        return command_usage_error(self, failure.text);
    const char *dir = flags.dir;
    if (cluster_found(flags.name, &dir, &place, 1, &failure))
        return command_failed(self, failure.text);
    struct cluster *cluster = malloc(sizeof *cluster);
    int err =
        cluster ? cluster_read(dir, cluster, &failure) : fail(&failure, ERR_NOMEM, "out of memory");
    if (!err && strcmp(cluster->listen, flags.peer_listen)) {
        str_copy(cluster->listen, sizeof cluster->listen, str_of(flags.peer_listen));
        err = cluster_write(cluster, &failure);
    }
    free(cluster);
    if (err)
        return command_failed(self, failure.text);
    say_next(&flags);
    return EXIT_DONE;
}

const struct program_command command_init = {
    "init",
    "[options]",
    "found a cluster, of one server at first",
    "Makes the cluster's identity and its certificate authority in DIR/cluster. Whoever can read\n"
    "that directory can join the cluster. A shop that is in DIR stays as it is.",
    &init_table,
    run_init,
};

/* ---- join ---- */

struct join_flags {
    char dir[OPTION_TEXT_SIZE], peer_listen[OPTION_TEXT_SIZE], peer_address[OPTION_TEXT_SIZE];
    bool token; /* never set: see take_token */
};

#undef AT
#define AT(field) offsetof(struct join_flags, field)
/* A token may be longer than an option's text, so it is taken out of the words before. */
static const struct option_row join_rows[] = {
    {"token", OPTION_SWITCH, AT(token), NULL, 0, 0, NULL, NULL,
     "TOKEN: what `stoa token` printed; - reads it from standard input"},
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "the new server's data directory, empty or not there yet"},
    {"peer-listen", OPTION_TEXT, AT(peer_listen), PEER_LISTEN, 0, 0, NULL, "ADDR:PORT",
     "where the other servers will connect"},
    {"peer-address", OPTION_TEXT, AT(peer_address), NULL, 0, 0, NULL, "HOST:PORT",
     "how they reach it, where that is not --peer-listen"},
};
static const struct option_table join_table = {join_rows, COUNT_OF(join_rows)};

/* Takes --token TOKEN or --token=TOKEN out of WORDS; NULL: there is none. */
static const char *take_token(int *count, char **words)
{
    for (int i = 0; i < *count; i++) {
        bool equals = strncmp(words[i], "--token=", 8) == 0;
        if (!equals && (strcmp(words[i], "--token") || i + 1 >= *count))
            continue;
        const char *token = equals ? words[i] + 8 : words[i + 1];
        int used = equals ? 1 : 2;
        for (int k = i; k + used < *count; k++)
            words[k] = words[k + used];
        *count -= used;
        return token;
    }
    return NULL;
}

static const char *read_token(char *text, size_t size)
{
    size_t len = fread(text, 1, size - 1, stdin);
    text[len] = 0;
    return text;
}

static int run_join(const struct program_command *self, int count, char **words)
{
    struct join_flags flags = {0};
    struct failure failure = {0};
    char address[SERVER_ADDRESS], text[TOKEN_TEXT];
    unsigned operand_count;
    uint64_t id = 0;
    bool witness = false;
    const char *token = take_token(&count, words);
    option_defaults(&join_table, &flags);
    if (option_parse(&join_table, &flags, count, words, NULL, 0, &operand_count, &failure) ||
        cluster_reach(flags.peer_listen, flags.peer_address, address, &failure))
        return command_usage_error(self, failure.text);
    if (!token)
        return command_usage_error(self, "which cluster? Give --token TOKEN, as `stoa token` "
                                         "prints it on one of its servers");
    if (strcmp(token, "-") == 0)
        token = read_token(text, sizeof text);
    if (join_cluster(token, flags.dir, flags.peer_listen, address, &id, &witness, &failure))
        return command_failed(self, failure.text);
    if (witness)
        printf("This is witness %llu of the cluster now. Start it:\n"
               "    stoa witness --dir %s\n",
               (unsigned long long)id, flags.dir);
    else
        printf("This is server %llu of the cluster now. Start it:\n"
               "    stoa serve --dir %s --listen ADDR:PORT\n",
               (unsigned long long)id, flags.dir);
    return EXIT_DONE;
}

const struct program_command command_join = {
    "join",
    "--token TOKEN [options]",
    "make a new server of a cluster",
    "Asks the cluster's servers, whose addresses are in the token, to be taken in, and writes "
    "what\n"
    "they give into DIR. A token is good for one server, and for a limited time. If it fails, DIR "
    "is\n"
    "as it was, and another token may be tried. With a token for a witness (`stoa token "
    "--witness`)\n"
    "it becomes one: `stoa witness --help`. A second server alone makes nothing survive the death\n"
    "of one: that takes a third, or a witness.",
    &join_table,
    run_join,
};
