#include "main/bench_process.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 48 };

/* Does not return. */
static void become(const char *const *words, const char *log, int output)
{
    char *copies[WORDS_MAX + 2] = {(char *)"stoa"};
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(127);
    for (unsigned i = 0; words[i] && i < WORDS_MAX; i++)
        copies[i + 1] = (char *)words[i];
    execv("/proc/self/exe", copies);
    _exit(127);
}

int bench_process_start(struct bench_process *process, const char *const *words, const char *log,
                        struct failure *failure)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC))
        return fail_errno(failure, ERR_IO, "cannot make a pipe");
    process->pid = fork();
    if (process->pid == 0)
        become(words, log, pipe_fds[1]);
    close(pipe_fds[1]);
    if (process->pid < 0) {
        process->pid = 0;
        close(pipe_fds[0]);
        return fail_errno(failure, ERR_IO, "cannot start a process");
    }
    process->output = pipe_fds[0];
    return 0;
}

int bench_process_wait(struct bench_process *process, const char *ready, unsigned timeout_ms,
                       const char *name, struct failure *failure)
{
    uint64_t end = clock_mono_ns() + timeout_ms * MS_NS;
    char line[256];
    size_t length = 0;
    while (clock_mono_ns() < end && length < sizeof line - 1) {
        struct pollfd poll_fd = {.fd = process->output, .events = POLLIN};
        poll(&poll_fd, 1, 100);
        if (!poll_fd.revents)
            continue;
        ssize_t got = read(process->output, line + length, sizeof line - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        line[length] = 0;
        if (strncmp(line, ready, strlen(ready)) == 0 && strchr(line, '\n'))
            return 0;
    }
    return fail(failure, ERR_TIMEOUT, "%s was not ready within %u s", name, timeout_ms / 1000);
}

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

int bench_process_end(struct bench_process *process, const char *name, struct failure *failure)
{
    if (process->pid <= 0 || kill(process->pid, SIGTERM))
        return fail_errno(failure, ERR_STATE, "%s does not run", name);
    int status = reap(process);
    close_output(process);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return fail(failure, ERR_STATE, "%s was asked to end and did not end well (wait status %d)",
                name, status);
}

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
