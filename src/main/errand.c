#include "main/errand.h"

#include "base/clock.h"
#include "base/str.h"
#include "main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int errand_begin(struct errand *errand, const struct errand_task *task, struct failure *failure)
{
    int ends[2];
    *errand = (struct errand){0};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return fail_errno(failure, ERR_FULL, "no pipe for a command");
    fcntl(ends[1], F_SETFL, 0); /* the command may wait for us */
    int err = spawn_shell(task->command, task->variable, ends[1], &errand->pid, failure);
    close(ends[1]);
    if (err) {
        close(ends[0]);
        return err;
    }
    errand->out = ends[0];
    errand->until_ns = clock_mono_ns() + task->limit_ms * MS_NS;
    errand->log = task->log;
    errand->area = task->area;
    str_copy(errand->name, sizeof errand->name, str_of(task->name));
    return 0;
}

/* ---- What it prints ---- */

static void say_line(struct errand *errand)
{
    if (errand->len > 0 && errand->lines < ERRAND_LINES)
        log_line(errand->log, LOG_INFO, errand->area, "%s: %.*s", errand->name, (int)errand->len,
                 errand->line);
    errand->lines += errand->len > 0;
    errand->len = 0;
}

/* A line that is too long becomes several. */
static void take(struct errand *errand, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '\n')
            errand->line[errand->len++] = bytes[i];
        if (bytes[i] == '\n' || errand->len == sizeof errand->line)
            say_line(errand);
    }
}

static void close_output(struct errand *errand)
{
    if (errand->out >= 0)
        close(errand->out);
    errand->out = -1;
}

/* Not more in one look than a pipe holds: who prints without end is looked at again. */
static void read_output(struct errand *errand)
{
    char bytes[4096];
    for (unsigned i = 0; i < 16 && errand->out >= 0; i++) {
        ssize_t got = read(errand->out, bytes, sizeof bytes);
        if (got == 0)
            close_output(errand);
        if (got <= 0)
            return;
        take(errand, bytes, (size_t)got);
    }
}

/* ---- Its end ---- */

static void say_end(const struct errand *errand, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        log_line(errand->log, LOG_INFO, errand->area, "%s: the command is done", errand->name);
    else if (WIFEXITED(status))
        log_line(errand->log, LOG_WARN, errand->area, "%s: the command failed with status %d",
                 errand->name, WEXITSTATUS(status));
    else
        log_line(errand->log, LOG_WARN, errand->area, "%s: the command was ended by signal %d",
                 errand->name, WTERMSIG(status));
}

static void end(struct errand *errand, int status)
{
    read_output(errand);
    say_line(errand);
    say_end(errand, status);
    close_output(errand);
    *errand = (struct errand){.failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0};
}

void errand_look(struct errand *errand, uint64_t now_ns)
{
    int status = 0;
    if (!errand_runs(errand))
        return;
    read_output(errand);
    if (waitpid(errand->pid, &status, WNOHANG) == errand->pid) {
        end(errand, status);
    } else if (now_ns >= errand->until_ns) {
        log_line(errand->log, LOG_WARN, errand->area,
                 "%s: the command takes too long and is killed", errand->name);
        errand_kill(errand);
    }
}

void errand_kill(struct errand *errand)
{
    int status = 0;
    if (!errand_runs(errand))
        return;
    kill(-errand->pid, SIGKILL);
    kill(errand->pid, SIGKILL); /* if it is so new that it has no group yet */
    while (waitpid(errand->pid, &status, 0) < 0 && errno == EINTR)
        ;
    end(errand, status);
}
