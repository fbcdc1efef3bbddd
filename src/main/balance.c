#include "balance/balance.h"

#include "balance/status_app.h"
#include "base/check.h"
#include "main/balance_config.h"
#include "main/balance_settings.h"
#include "main/foreground.h"
#include "main/listening.h"
#include "main/program.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DOOR_CONNECTIONS = 256, DOOR_GRACE_MS = 200 };

/* Everything of one load manager, in the order in which it hangs together. */
struct manager {
    struct balance_settings settings;
    struct balance_config config;
    struct engine_config front;
    struct log log;
    struct balance *balance;
    struct engine *engine;
    struct status_app *status; /* NULL: no status door */
    struct engine *door;

    pthread_mutex_t lock; /* the door's thread looks at the engine until that is stopped */
    bool stopping;
    struct engine_stats stats; /* as they were last */
};

/* ---- The status door ---- */

/* What the load manager knows, and what only the engine in front of it does. */
static void look(void *context, struct balance_view *view)
{
    struct manager *manager = context;
    struct view_totals *totals = &view->totals;
    balance_look(manager->balance, view);
    pthread_mutex_lock(&manager->lock);
    if (!manager->stopping)
        engine_event.stats(manager->engine, &manager->stats);
    totals->accepted = manager->stats.accepted;
    totals->clients = (uint32_t)manager->stats.open;
    totals->bytes_in = manager->stats.bytes_in;
    totals->bytes_out = manager->stats.bytes_out;
    pthread_mutex_unlock(&manager->lock);
}

static int drain(void *context, uint64_t id, bool away)
{
    const struct manager *manager = context;
    return balance_drain(manager->balance, id, away);
}

static int open_door(struct manager *manager, struct failure *failure)
{
    const char *address = manager->settings.status;
    struct engine_config config = {
        .listen_count = 1,
        .loops = 1,
        .helpers = 1,
        .connections_max = DOOR_CONNECTIONS,
        .stop_grace_ms = DOOR_GRACE_MS,
        .log = &manager->log,
    };
    struct status_settings settings = {
        .look = look,
        .drain = drain,
        .context = manager,
        .events = balance_events(manager->balance),
        .token = manager->config.token,
        .loopback = listening_is_loopback(address),
    };
    if (!address[0])
        return 0;
    str_copy(config.listen[0].address, sizeof config.listen[0].address, str_of(address));
    config.listen[0].option = "--status";
    int err = status_app_new(&settings, &manager->status, failure);
    return err ? err
               : engine_event.start(&config, status_app_app(manager->status), &manager->door,
                                    failure);
}

static void close_door(struct manager *manager)
{
    if (manager->status)
        status_app_stop(manager->status);
    foreground_stop(&engine_event, manager->door);
    status_app_free(manager->status);
}

/* ---- The whole ---- */

/* The door stays open while requests are finished, so that this can be seen. */
static void close_manager(struct manager *manager)
{
    pthread_mutex_lock(&manager->lock);
    manager->stopping = true;
    pthread_mutex_unlock(&manager->lock);
    foreground_stop(&engine_event, manager->engine);
    close_door(manager);
    if (manager->balance)
        balance_free(manager->balance);
}

static int open_manager(struct manager *manager, struct failure *failure)
{
    pthread_mutex_init(&manager->lock, NULL);
    int err = balance_new(&manager->config, &manager->balance, failure);
    err = err ? err
              : engine_event.start(&manager->front, balance_app(manager->balance), &manager->engine,
                                   failure);
    err = err ? err : open_door(manager, failure);
    if (err)
        close_manager(manager);
    return err;
}

static int run_manager(const struct program_command *self, struct manager *manager)
{
    struct failure failure = {0};
    struct foreground *foreground;
    if (foreground_begin(&foreground, &failure) || open_manager(manager, &failure))
        return command_failed(self, failure.text);
    foreground_ready(foreground);
    events_add(balance_events(manager->balance), EVENT_STARTED, 0, NULL,
               "Stoa %s, policy %s, %s mode, at %s.", STOA_VERSION, manager->config.policy->name,
               manager->config.mode == BALANCE_DIRECT ? "direct" : "proxy", manager->config.url);
    printf("stoa: load manager ready at %s\n", manager->config.url);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&manager->log, LOG_INFO, "main", "stopping");
    close_manager(manager);
    return EXIT_DONE;
}

static int read_manager(struct manager *manager, int count, char **words, struct failure *failure)
{
    int err = balance_settings_read(&manager->settings, count, words, failure);
    if (err)
        return err;
    manager->log = (struct log){STDERR_FILENO, log_level_of(manager->settings.log_level)};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    err = balance_config_ports(&manager->settings, failure);
    err = err ? err
              : balance_config_engine(&manager->settings, &manager->log, &manager->front, failure);
    return err ? err
               : balance_config_make(&manager->settings, &manager->log, &manager->config, failure);
}

static int run_balance(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct manager *manager = calloc(1, sizeof *manager);
    if (!manager)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int err = read_manager(manager, count, words, &failure);
    int status = err == ERR_INVALID ? command_usage_error(self, failure.text)
                 : err              ? command_failed(self, failure.text)
                                    : run_manager(self, manager);
    free(manager);
    return status;
}

static void show_policies(FILE *out)
{
    fprintf(out, "\npolicies, the first being the default:\n");
    for (unsigned i = 0; policies[i]; i++)
        fprintf(out, "  %-18s %s\n", policies[i]->name, policies[i]->about);
}

const struct program_command command_balance = {
    "balance",
    "[options]",
    "run a load manager in front of servers",
    "Prints \"stoa: load manager ready at URL\" on standard output when it takes requests;\n"
    "everything else goes to standard error. SIGINT or SIGTERM stops it: what is in flight is\n"
    "finished (see --stop-grace), what is new is refused.\n"
    "  stoa balance --listen :8080 --server http://10.0.0.1:8080 --token-file operator.token\n"
    "  stoa balance --listen :8080 --upstream http://10.0.0.1:9001 --upstream http://10.0.0.2:9001",
    &balance_settings_table,
    run_balance,
    show_policies,
};
