#include "base/check.h"
#include "main/opening.h"
#include "main/program.h"
#include "main/server.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* SIGINT and SIGTERM are taken by sigwait on one thread alone: blocked here, before
 * any thread is made, so that all inherit it. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* What the databases, the log and the loops take, before the first shopper comes. */
enum { DESCRIPTORS_LEAST = 64 };

/* As many descriptors as the system lets us have: each shopper is one. */
static int raise_descriptor_limit(struct failure *failure)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 0;
    if (limit.rlim_max < DESCRIPTORS_LEAST)
        return fail(failure, ERR_FULL,
                    "only %llu files may be open at once, and a shop needs at least %d: raise the "
                    "limit (ulimit -n, LimitNOFILE)",
                    (unsigned long long)limit.rlim_max, DESCRIPTORS_LEAST);
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return 0;
}

/* Who waits for the signal, on a thread of its own: bringing a shop up may take long (a
 * first import, a long log), and is broken off at once. That is safe at any moment, as
 * being killed is; nothing has been promised to anyone yet. */
struct stopper {
    const sigset_t *signals;
    atomic_bool settled; /* by whoever comes first: the signal, or the shop being ready */
    pthread_t thread;
};

static void *wait_for_signal(void *argument)
{
    struct stopper *stopper = argument;
    int signal;
    while (sigwait(stopper->signals, &signal) == EINTR)
        ;
    if (!atomic_exchange(&stopper->settled, true))
        _exit(EXIT_DONE);
    return NULL;
}

static int serve(const struct program_command *self, const struct settings *settings,
                 struct stopper *stopper)
{
    struct server server;
    struct failure failure = {0};
    int err = server_open(&server, settings, &failure);
    if (err)
        return command_failed(self, failure.text);
    /* In a cluster it listens at once, and says by /healthz why it does not sell yet: what it waits
     * for may take long, and the others want to know where it is. */
    bool early = server.member != NULL;
    err = early ? server_listen(&server, &failure) : 0;
    err = err ? err : opening_wait(&server, &failure);
    err = err || early ? err : server_listen(&server, &failure);
    if (err) {
        server_close(&server);
        return command_failed(self, failure.text);
    }
    if (atomic_exchange(&stopper->settled, true))
        pthread_join(stopper->thread, NULL); /* the process ends meanwhile */
    printf("stoa: shop ready at %s\n", server.url);
    fflush(stdout);
    pthread_join(stopper->thread, NULL);
    log_line(&server.log, LOG_INFO, "main", "stopping");
    /* A second signal does not wait for what is in flight. */
    pthread_sigmask(SIG_UNBLOCK, stopper->signals, NULL);
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
    if (raise_descriptor_limit(&failure)) {
        free(settings);
        return command_failed(self, failure.text);
    }
    block_signals(&signals);
    /* Not on the stack: when the server fails, the thread is still there. */
    static struct stopper stopper;
    static sigset_t taken;
    taken = signals;
    stopper.signals = &taken;
    if (pthread_create(&stopper.thread, NULL, wait_for_signal, &stopper)) {
        free(settings);
        return command_failed(self, "cannot start a thread");
    }
    int status = serve(self, settings, &stopper);
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
