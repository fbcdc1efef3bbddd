#include "balance/balance.h"

#include "base/check.h"
#include "main/balance_config.h"
#include "main/balance_settings.h"
#include "main/foreground.h"
#include "main/program.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Everything of one load manager, in the order in which it hangs together. */
struct manager {
    struct balance_settings settings;
    struct balance_config config;
    struct engine_config front, door;
    struct log log;
    struct balance *balance;
    struct engine *engine;
};

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (unsigned i = 0; i < COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

static void close_manager(struct manager *manager)
{
    if (manager->engine)
        engine_event.stop(manager->engine);
    if (manager->balance)
        balance_free(manager->balance);
}

static int open_manager(struct manager *manager, struct failure *failure)
{
    int err = balance_new(&manager->config, &manager->balance, failure);
    err = err ? err
              : engine_event.start(&manager->front, balance_app(manager->balance), &manager->engine,
                                   failure);
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
    manager->log = (struct log){STDERR_FILENO, level_of(manager->settings.log_level)};
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
