/* `stoa witness`: a third voter for two servers, without a shop (replica/raft_witness.h). Its
 * directory is made by `stoa join` with a token of `stoa token --witness`; beside cluster/
 * (main/cluster.h) it has raft/, which is the replica's, lock and server.json. */
#include "base/check.h"
#include "main/cluster.h"
#include "main/config.h"
#include "main/foreground.h"
#include "main/program.h"
#include "main/service.h"
#include "main/waker.h"
#include "replica/replica.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READY_WAIT_MS = 500, WORD_WAITS = 10 /* of these until it says what it waits for */ };

struct witness_settings {
    char config[OPTION_TEXT_SIZE], dir[OPTION_TEXT_SIZE];
    char peer_listen[OPTION_TEXT_SIZE], peer_address[OPTION_TEXT_SIZE];
    char log_level[OPTION_TEXT_SIZE];
    uint64_t election_ms, heartbeat_ms, log_max;
    struct option_list wake;
    uint64_t wake_after_ms;
};

#define AT(field) offsetof(struct witness_settings, field)

/* clang-format off */
static const struct option_row rows[] = {
    {"config", OPTION_TEXT, AT(config), NULL, 0, 0, NULL, "FILE",
     "configuration file with these same settings; flags win over it"},
    {"dir", OPTION_TEXT, AT(dir), "witness", 0, 0, NULL, "DIR",
     "the witness's directory, as `stoa join` has made it"},
    {"peer-listen", OPTION_TEXT, AT(peer_listen), NULL, 0, 0, NULL, "ADDR:PORT",
     "where the servers connect [as at its join]"},
    {"peer-address", OPTION_TEXT, AT(peer_address), NULL, 0, 0, NULL, "HOST:PORT",
     "how they reach it, where that is not --peer-listen"},
    {"log-max", OPTION_SIZE, AT(log_max), "256M", 1 << 20, 1ull << 40, NULL, "SIZE",
     "most of the log, in memory and on disk, that is kept for a server that is away"},
    {"election-timeout", OPTION_DURATION, AT(election_ms), "300ms", 50, 60000, NULL, "TIME",
     "a primary that was silent for so long is replaced; as on the servers"},
    {"heartbeat", OPTION_DURATION, AT(heartbeat_ms), "30ms", 5, 10000, NULL, "TIME",
     "how often a primary says that it is there; as on the servers"},
    {"wake", OPTION_LIST, AT(wake), NULL, 0, CLUSTER_SERVERS_MAX, NULL, "ID=COMMAND",
     "how to start server ID when it is cold and there is no primary: a shell command that ends by "
     "itself, such as 4=ssh cold1 systemctl start stoa"},
    {"wake-after", OPTION_DURATION, AT(wake_after_ms), "1s", 100, 86400000, NULL, "TIME",
     "so long there is no primary before a cold server is woken"},
    {"log-level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "least important lines to be logged"},
};
/* clang-format on */

static const struct option_table table = {rows, COUNT_OF(rows), "witness"};

struct witness_process {
    const struct witness_settings *settings;
    struct log log;
    struct service service;
    struct cluster cluster;
    char raft[DATADIR_PATH], listen[SERVER_ADDRESS], address[SERVER_ADDRESS];
    struct replica *replica;
    struct waker *waker;
};

static int read_settings(struct witness_settings *settings, int count, char **words,
                         struct failure *failure)
{
    int err = config_read(&table, settings, count, words, failure);
    if (!err && settings->election_ms < 4 * settings->heartbeat_ms)
        err = fail(failure, ERR_INVALID,
                   "election-timeout is %llums, but must be at least four heartbeats of %llums",
                   (unsigned long long)settings->election_ms,
                   (unsigned long long)settings->heartbeat_ms);
    return err ? err : waker_check(&settings->wake, failure);
}

static int open_cluster(struct witness_process *process, struct failure *failure)
{
    const struct witness_settings *s = process->settings;
    struct cluster *cluster = &process->cluster;
    int err = cluster_read(s->dir, cluster, failure);
    if (err == ERR_NOTFOUND)
        return fail(failure, err,
                    "%s is no witness's directory: make one by `stoa join --token TOKEN --dir %s`, "
                    "with what `stoa token --witness` prints on a server",
                    s->dir, s->dir);
    if (!err && !cluster->witness)
        return fail(
            failure, ERR_STATE,
            "%s is the directory of server %llu, which is no witness: run it by `stoa serve "
            "--dir %s`",
            s->dir, (unsigned long long)cluster->own, s->dir);
    if (err)
        return err;
    const char *listen = s->peer_listen[0] ? s->peer_listen : cluster->listen;
    const char *given = s->peer_address[0]  ? s->peer_address
                        : s->peer_listen[0] ? ""
                                            : cluster->address;
    str_copy(process->listen, sizeof process->listen, str_of(listen));
    return cluster_reach(listen, given, process->address, failure);
}

/* As a server's: what it has confirmed is on disk, and nothing may follow. */
static void end_process(void *context, const char *reason)
{
    (void)reason; /* replica has logged it */
    log_line(context, LOG_ERROR, "replica", "this witness stops");
    _exit(EXIT_FAILED);
}

static int start_replica(struct witness_process *process, struct failure *failure)
{
    const struct cluster *cluster = &process->cluster;
    bool made = false;
    struct replica_cluster servers = {
        .id = cluster->id,
        .generation = cluster->generation,
        .listen = process->listen,
        .address = process->address,
        .certificate = cluster->certificate,
        .key = cluster->key,
        .authority = cluster->authority,
        .book = cluster->book,
    };
    struct replica_config config = {
        .cluster = &servers,
        .dir = process->raft,
        .id = cluster->own,
        .election_ms = (uint32_t)process->settings->election_ms,
        .heartbeat_ms = (uint32_t)process->settings->heartbeat_ms,
        .log = &process->log,
        .fatal = end_process,
        .fatal_context = &process->log,
        .witness = true,
        .log_max = process->settings->log_max,
    };
    int err = file_join(process->raft, process->settings->dir, "raft", failure);
    err = err ? err : file_make_dir(process->raft, 0700, &made, failure);
    return err ? err : replica_start(&config, NULL, &process->replica, failure);
}

/* Without a primary nobody else may be there to wake a cold server. */
static int start_waker(struct witness_process *process, struct failure *failure)
{
    struct waker_config config = {
        .replica = process->replica,
        .commands = &process->settings->wake,
        .after_ms = (uint32_t)process->settings->wake_after_ms,
        .log = &process->log,
    };
    return waker_start(&config, &process->waker, failure);
}

/* The log has shoppers' addresses in it. */
static int open_process(struct witness_process *process, struct failure *failure)
{
    umask(077);
    int err = open_cluster(process, failure);
    err = err ? err : service_open(process->settings->dir, &process->service, failure);
    err = err ? err : start_replica(process, failure);
    err = err ? err : start_waker(process, failure);
    return err ? err : service_announce(&process->service, "", "", failure);
}

static void close_process(struct witness_process *process)
{
    waker_stop(process->waker);
    if (process->replica)
        replica_stop(process->replica);
    service_close(&process->service);
}

/* Until it is one of the cluster's; says meanwhile what it waits for. A signal ends the process. */
static int wait_until_ready(struct witness_process *process)
{
    for (unsigned waits = 1;; waits++) {
        struct failure why = {0};
        int err = replica_wait_ready(process->replica, READY_WAIT_MS, &why);
        if (err != ERR_TIMEOUT)
            return err;
        if (waits % WORD_WAITS == 4)
            log_line(&process->log, LOG_INFO, "main", "not ready yet: %s", why.text);
    }
}

static int witness(const struct program_command *self, struct witness_process *process,
                   struct foreground *foreground)
{
    struct failure failure = {0};
    if (open_process(process, &failure)) {
        close_process(process);
        return command_failed(self, failure.text);
    }
    int err = wait_until_ready(process);
    if (!err) {
        foreground_ready(foreground);
        printf("stoa: witness %llu of the cluster \"%s\" is ready\n",
               (unsigned long long)process->cluster.own, process->cluster.name);
        fflush(stdout);
        foreground_wait(foreground);
    }
    log_line(&process->log, LOG_INFO, "main", "stopping");
    close_process(process);
    return err ? command_failed(self, err_sentence(err)) : EXIT_DONE;
}

static int run_witness(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct foreground *foreground;
    struct witness_settings *settings = calloc(1, sizeof *settings);
    struct witness_process *process = calloc(1, sizeof *process);
    int status;
    if (!settings || !process) {
        status = command_failed(self, err_sentence(ERR_NOMEM));
    } else if (read_settings(settings, count, words, &failure)) {
        status = command_usage_error(self, failure.text);
    } else if (foreground_begin(&foreground, &failure)) {
        status = command_failed(self, failure.text);
    } else {
        process->settings = settings;
        process->log = (struct log){STDERR_FILENO, log_level_of(settings->log_level)};
        process->service.lock = -1;
        status = witness(self, process, foreground);
    }
    free(settings);
    free(process);
    return status;
}

const struct program_command command_witness = {
    "witness",
    "[options]",
    "run a third voter for two servers: it has no shop, a small machine will do",
    "Two servers and a witness go on when any one of the three is lost; two servers alone do not, "
    "for\n"
    "neither can know whether the other is dead or only cut off. Make a token on a server, by\n"
    "`stoa token --witness`, then on the third machine:\n"
    "    stoa join --token TOKEN --dir DIR --peer-listen ADDR:PORT\n"
    "    stoa witness --dir DIR\n"
    "It keeps the end of the log, in which there are shoppers' addresses, and none of the "
    "secrets.\n"
    "Prints \"stoa: witness N of the cluster ... is ready\" when it is one of the cluster's.",
    &table,
    run_witness,
};
