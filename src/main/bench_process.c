#include "main/bench_process.h"

#include "base/clock.h"
#include "base/thread.h"
#include "main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- Starting ---- */

/* What a keeper is told, and tells until DONE. */
struct start {
    char *words[BENCH_PROCESS_WORDS + 2];
    int output, log;
    pid_t pid;
    int err;
    struct failure *failure;
    sem_t done;
};

/* A child dies with the thread that started it. A bench starts some from threads that end long
 * before, so each child has a keeper: the thread that starts it and stays until it has ended. It
 * leaves it to others to wait for it. */
static void *keep(void *argument)
{
    struct start *start = argument;
    int err = spawn_self(start->words, start->output, start->log, &start->pid, start->failure);
    pid_t pid = start->pid;
    siginfo_t end;
    start->err = err;
    sem_post(&start->done); /* START is the caller's again */
    while (!err && waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT) && errno == EINTR)
        ;
    return NULL;
}

static int start_kept(struct start *start)
{
    pthread_t keeper;
    sem_init(&start->done, 0, 0);
    if (thread_start(&keeper, "stoa-keeper", keep, start))
        return fail(start->failure, ERR_NOMEM, "cannot start a thread");
    pthread_detach(keeper);
    while (sem_wait(&start->done))
        ;
    sem_destroy(&start->done);
    return start->err;
}

static int take_words(struct start *start, const char *const *words)
{
    start->words[0] = (char *)"stoa";
    for (unsigned i = 0; words[i]; i++) {
        if (i == BENCH_PROCESS_WORDS)
            return fail(start->failure, ERR_FULL, "too many words for `stoa %s`", words[0]);
        start->words[i + 1] = (char *)words[i];
    }
    return 0;
}

int bench_process_start(struct bench_process *process, const char *const *words, const char *log,
                        struct failure *failure)
{
    struct start start = {.failure = failure};
    int pipe_fds[2], err = take_words(&start, words);
    if (err)
        return err;
    start.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (start.log < 0)
        return fail_errno(failure, ERR_IO, "cannot write %s", log);
    if (pipe2(pipe_fds, O_CLOEXEC)) {
        close(start.log);
        return fail_errno(failure, ERR_IO, "cannot make a pipe");
    }
    start.output = pipe_fds[1];
    err = start_kept(&start);
    close(start.log);
    close(pipe_fds[1]);
    process->pid = err ? 0 : start.pid;
    process->output = err ? -1 : pipe_fds[0];
    if (err)
        close(pipe_fds[0]);
    return err;
}

/* Whether a whole line of TEXT begins with READY. */
static bool has_line(const char *text, const char *ready)
{
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        if (strncmp(text, ready, strlen(ready)) == 0)
            return true;
    return false;
}

int bench_process_wait(struct bench_process *process, const char *ready, unsigned timeout_ms,
                       const char *name, struct failure *failure)
{
    uint64_t end = clock_mono_ns() + timeout_ms * MS_NS;
    char said[1024];
    size_t length = 0;
    while (clock_mono_ns() < end && length < sizeof said - 1) {
        struct pollfd poll_fd = {.fd = process->output, .events = POLLIN};
        poll(&poll_fd, 1, 100);
        if (!poll_fd.revents)
            continue;
        ssize_t got = read(process->output, said + length, sizeof said - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        said[length] = 0;
        if (has_line(said, ready))
            return 0;
    }
    return fail(failure, ERR_TIMEOUT, "%s was not ready within %u s", name, timeout_ms / 1000);
}

/* ---- Ending ---- */

static int reap(struct bench_process *process)
{
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
    return status;
}

static void close_output(struct bench_process *process)
{
    if (process->output >= 0)
        close(process->output);
    process->output = -1;
}

void bench_process_kill(struct bench_process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        reap(process);
    }
    close_output(process);
}

/* Whether it ends within TIMEOUT_MS; it is not reaped. */
static bool ends_within(const struct bench_process *process, unsigned timeout_ms)
{
    uint64_t now = clock_mono_ns(), end = now + timeout_ms * MS_NS;
    struct pollfd ended = {.fd = pidfd_open(process->pid, 0), .events = POLLIN};
    int got = 0;
    for (; ended.fd >= 0 && got <= 0 && now < end; now = clock_mono_ns())
        got = poll(&ended, 1, (int)((end - now) / MS_NS) + 1);
    if (ended.fd >= 0)
        close(ended.fd);
    return got > 0;
}

int bench_process_end(struct bench_process *process, unsigned timeout_ms, const char *name,
                      struct failure *failure)
{
    if (process->pid <= 0)
        return fail(failure, ERR_STATE, "%s does not run", name);
    if (kill(process->pid, SIGTERM))
        return fail_errno(failure, ERR_STATE, "cannot end %s", name);
    if (!ends_within(process, timeout_ms)) {
        bench_process_kill(process);
        return fail(failure, ERR_TIMEOUT,
                    "%s was asked to end and did not within %u s; it was killed", name,
                    timeout_ms / 1000);
    }
    int status = reap(process);
    close_output(process);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return fail(failure, ERR_STATE, "%s was asked to end and did not end well (wait status %d)",
                name, status);
}

/* ---- While it runs ---- */

int bench_process_hang(const struct bench_process *process, bool hangs, const char *name,
                       struct failure *failure)
{
    if (process->pid <= 0 || kill(process->pid, hangs ? SIGSTOP : SIGCONT))
        return fail_errno(failure, ERR_STATE, "cannot stop %s", name);
    return 0;
}

uint64_t bench_process_used_ns(const struct bench_process *process)
{
    clockid_t clock;
    struct timespec used;
    if (process->pid <= 0 || clock_getcpuclockid(process->pid, &clock) ||
        clock_gettime(clock, &used))
        return 0;
    return (uint64_t)used.tv_sec * SEC_NS + (uint64_t)used.tv_nsec;
}
