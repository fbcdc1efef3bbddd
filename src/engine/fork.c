#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "engine/fork_inner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 60000, /* most that the zygote's beginning may take: the app's files may be slow */
    JOINED_MS = 200,
    STOP_MS = 5000, /* after the grace, for killing and reaping what is left */
};

static struct fork_zygote *zygote_of(const struct engine *engine)
{
    return (struct fork_zygote *)CONTAINER_OF(engine, struct fork_zygote, base);
}

/* ---- The zygote, from the program's side ---- */

/* ThreadSanitizer runs one of its own beside the program's, and sees to it at a fork itself. */
#ifdef __SANITIZE_THREAD__
enum { FOREIGN_THREADS = 1 };
#else
enum { FOREIGN_THREADS = 0 };
#endif

/* 0: nobody knows. */
static unsigned threads_of_process(void)
{
    char line[256];
    unsigned count = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "Threads:", 8) == 0)
            count = (unsigned)strtoul(line + 8, NULL, 10);
    if (status)
        fclose(status);
    return count > FOREIGN_THREADS ? count - FOREIGN_THREADS : count;
}

/* One that has been joined is counted until the kernel is done with it. */
static unsigned threads_that_stay(void)
{
    unsigned threads = threads_of_process();
    for (unsigned ms = 0; threads > 1 && ms < JOINED_MS; ms++) {
        nanosleep(&(struct timespec){.tv_nsec = MS_NS}, NULL);
        threads = threads_of_process();
    }
    return threads;
}

static void release(struct fork_zygote *zygote)
{
    if (zygote->line >= 0)
        close(zygote->line);
    if (zygote->end_fd >= 0)
        close(zygote->end_fd);
    if (zygote->stop_fd >= 0)
        close(zygote->stop_fd);
    munmap(zygote, sizeof *zygote);
}

static int fork_it(struct fork_zygote *zygote, struct failure *failure)
{
    int line[2];
    pid_t program = getpid();
    zygote->stop_fd = eventfd(0, EFD_CLOEXEC);
    zygote->end_fd = eventfd(0, EFD_CLOEXEC);
    if (zygote->stop_fd < 0 || zygote->end_fd < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
        return fail_errno(failure, ERR_FULL, "cannot prepare the engine");
    fflush(NULL);       /* what is buffered is written by one of the two */
    pid_t pid = fork(); /* not into the memory that the child has, too */
    if (pid == 0) {
        close(line[0]);
        close(zygote->end_fd);
        fork_zygote_live(zygote, line[1], program);
    }
    zygote->pid = pid;
    int err = pid < 0 ? fail_errno(failure, ERR_FULL, "cannot fork the engine's process") : 0;
    close(line[1]);
    zygote->line = line[0];
    return err;
}

/* *EARLY, if any, is set before the fork, so that both sides have it. */
static int zygote_new(const struct fork_app *app, struct engine **early, struct fork_zygote **out,
                      struct failure *failure)
{
    *out = NULL;
    unsigned threads = threads_that_stay();
    if (threads != 1)
        return fail(failure, ERR_STATE,
                    "the engine fork needs a process with one thread, and this one has %u: start "
                    "the engine, or make its zygote, before any other thread",
                    threads);
    struct fork_zygote *zygote =
        mmap(NULL, sizeof *zygote, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zygote == MAP_FAILED)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    zygote->line = zygote->stop_fd = zygote->end_fd = -1;
    zygote->app = *app;
    if (early)
        *early = &zygote->base;
    int err = fork_it(zygote, failure);
    if (err)
        release(zygote);
    else
        *out = zygote;
    return err;
}

int fork_zygote_new(const struct fork_app *app, struct fork_zygote **zygote,
                    struct failure *failure)
{
    return zygote_new(app, NULL, zygote, failure);
}

/* The line's end, which the zygote's is, or what it says, within MS. */
static bool hears(const struct fork_zygote *zygote, int ms)
{
    struct pollfd fd = {zygote->line, POLLIN, 0};
    int ready;
    do
        ready = poll(&fd, 1, ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* Waits MS for its end, which it is to come to by itself. */
static void bury(struct fork_zygote *zygote, int ms)
{
    if (!hears(zygote, ms))
        kill(zygote->pid, SIGKILL);
    while (waitpid(zygote->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    release(zygote);
}

void fork_zygote_free(struct fork_zygote *zygote)
{
    if (!zygote || zygote->started)
        return;
    shutdown(zygote->line, SHUT_WR);
    bury(zygote, STOP_MS);
}

/* ---- Watching it ---- */

/* It ends by itself at the stop alone. Without it nobody is served any more, and the program cannot
 * make another one; whoever supervises it can. */
static void *watch(void *argument)
{
    struct fork_zygote *zygote = argument;
    struct pollfd fds[] = {{zygote->line, POLLIN, 0}, {zygote->end_fd, POLLIN, 0}};
    while (poll(fds, COUNT_OF(fds), -1) < 0 && errno == EINTR)
        ;
    if (!fds[1].revents && !engine_is_stopping(&zygote->base)) {
        log_line(zygote->config.log, LOG_ERROR, "engine",
                 "process %d, which accepts the clients, has been killed: this one ends, too, to "
                 "be started again",
                 (int)zygote->pid);
        kill(getpid(), SIGTERM);
    }
    return NULL;
}

/* ---- The seam ---- */

static struct app *make_given(void *context, struct engine_config *config, struct failure *failure)
{
    (void)config;
    (void)failure;
    return context;
}

static int ask_to_serve(struct fork_zygote *zygote, struct failure *failure)
{
    char word = FORK_GO;
    if (send(zygote->line, &word, 1, MSG_NOSIGNAL) != 1 || !hears(zygote, START_MS) ||
        recv(zygote->line, &word, 1, 0) != 1)
        return fail(failure, ERR_STATE, "the process that is to accept clients does not begin");
    if (word != FORK_SERVES) {
        *failure = zygote->failure;
        return failure->err;
    }
    zygote->watched = thread_start(&zygote->watcher, "stoa-zygote", watch, zygote) == 0;
    return zygote->watched ? 0 : fail(failure, ERR_NOMEM, "cannot start a thread");
}

static int start_zygote(struct fork_zygote *zygote, const struct engine_config *config,
                        struct failure *failure)
{
    zygote->config = *config;
    zygote->config.zygote = NULL;
    if (config->log) {
        zygote->log = *config->log;
        zygote->config.log = &zygote->log;
    }
    zygote->started = true;
    int err = ask_to_serve(zygote, failure);
    if (err) {
        shutdown(zygote->line, SHUT_WR);
        bury(zygote, STOP_MS);
    }
    return err;
}

static int start(const struct engine_config *config, struct app *app, struct engine **engine,
                 struct failure *failure)
{
    const struct fork_app given = {.context = app, .make = make_given};
    struct fork_zygote *zygote = config->zygote;
    int err = 0;
    if (config->heir_of)
        err = fail(failure, ERR_INVALID,
                   "the engine fork cannot take over another engine's addresses");
    else if (!zygote)
        err = zygote_new(&given, engine, &zygote, failure);
    else
        *engine = &zygote->base;
    err = err ? err : start_zygote(zygote, config, failure);
    if (err)
        *engine = NULL;
    return err;
}

static void stats(const struct engine *base, struct engine_stats *stats)
{
    engine_stats(base, stats);
    const struct fork_zygote *zygote = zygote_of(base);
    stats->processes = atomic_load_explicit(&zygote->processes, memory_order_relaxed);
    stats->crashed = atomic_load_explicit(&zygote->crashed, memory_order_relaxed);
}

/* What others hold ends with their processes. */
static bool stop(struct engine *base)
{
    struct fork_zygote *zygote = zygote_of(base);
    engine_begin_stop(base);
    eventfd_write(zygote->stop_fd, 1);
    eventfd_write(zygote->end_fd, 1);
    pthread_join(zygote->watcher, NULL);
    bury(zygote, (int)base->config.stop_grace_ms + STOP_MS);
    return true;
}

const struct engine_kind engine_fork = {
    .name = "fork",
    .about = "a process for each connection",
    .start = start,
    .port = engine_port,
    .stats = stats,
    .stop = stop,
};
