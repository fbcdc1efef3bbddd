#include "base/check.h"

#include "main/program.h"
#include "main/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

/* SIGINT and SIGTERM are taken by sigwait on the main thread alone: blocked here, before
 * any thread is made, so that all inherit it. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* As many descriptors as the system lets us have: each shopper is one. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void wait_for_signal(const sigset_t *set)
{
    int signal;
    while (sigwait(set, &signal) == EINTR)
        ;
}

static int serve(const struct program_command *self, const struct settings *settings,
                 const sigset_t *signals)
{
    struct server server;
    struct failure failure = {0};
    int err = server_open(&server, settings, &failure);
    if (err)
        return command_failed(self, failure.text);
    if (settings->catalogue[0])
        err = server_stock_up(&server, settings->catalogue, &failure);
    err = err ? err : server_listen(&server, &failure);
    if (err) {
        server_close(&server);
        return command_failed(self, failure.text);
    }
    printf("stoa: shop ready at %s\n", server.url);
    fflush(stdout);
    wait_for_signal(signals);
    log_line(&server.log, LOG_INFO, "main", "stopping");
    /* A second signal does not wait for what is in flight. */
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    server_close(&server);
    return EXIT_DONE;
}

static int run_serve(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    sigset_t signals;
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return command_failed(self, err_sentence(ERR_NOMEM));
    if (settings_read(settings, count, words, &failure)) {
        free(settings);
        return command_usage_error(self, failure.text);
    }
    block_signals(&signals);
    raise_descriptor_limit();
    int status = serve(self, settings, &signals);
    free(settings);
    return status;
}

const struct program_command command_serve = {
    "serve",
    "[options]",
    "run a shop server in the foreground",
    "Prints \"stoa: shop ready at URL\" on standard output when a purchase would go through;\n"
    "everything else goes to standard error. SIGINT or SIGTERM stops it: what is in flight is\n"
    "finished (see --stop-grace), what is new is refused.",
    &settings_table,
    run_serve,
};
