#include "main/demo_child.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/demo_services.h"
#include "main/program.h"
#include "main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAUSE_MS = 200, PAUSE_MAX_MS = 10000, LONG_LIFE_MS = 10000, HASTY_LIFE_MS = 1000 };

static const char *const ready[] = {"stoa: shop ready at ", "stoa: load manager ready at ",
                                    "stoa: bank ready at ",
                                    "stoa: warehouse " DEMO_WAREHOUSE_ID " ready at "};
static const char phrase_front[] =
    "stoa: pass phrase for the people of warehouse " DEMO_WAREHOUSE_ID ", shown only now: ";
static const char pin_front[] = "stoa: pin ";

/* One write, so that lines of several threads do not mix. */
static void write_line(const char *front, const char *text, size_t len)
{
    char line[CHILD_LINE + 64];
    int size = snprintf(line, sizeof line, "%s%.*s\n", front, (int)len, text);
    if (size >= (int)sizeof line)
        size = (int)sizeof line - 1;
    ssize_t written = write(STDERR_FILENO, line, (size_t)size);
    (void)written;
}

void demo_say(const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line("stoa: ", text, strlen(text));
}

/* ---- Starting ---- */

static int open_pipes(int out[2], int err[2], struct failure *failure)
{
    if (pipe2(out, O_CLOEXEC))
        return fail_errno(failure, ERR_FULL, "cannot make a pipe");
    if (pipe2(err, O_CLOEXEC)) {
        int result = fail_errno(failure, ERR_FULL, "cannot make a pipe");
        close(out[0]);
        close(out[1]);
        return result;
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    return 0;
}

int child_start(struct demo_child *child, char *const *words, struct failure *failure)
{
    int out[2], errors[2];
    int err = open_pipes(out, errors, failure);
    if (err)
        return err;
    err = spawn_self(words, out[1], errors[1], &child->pid, failure);
    close(out[1]);
    close(errors[1]);
    if (err) {
        close(out[0]);
        close(errors[0]);
        return err;
    }
    child->state = CHILD_STARTING;
    child->started_ns = clock_mono_ns();
    child->again_ns = 0;
    child->out = (struct child_pipe){.fd = out[0]};
    child->err = (struct child_pipe){.fd = errors[0]};
    return 0;
}

/* ---- Listening ---- */

static bool take_line(struct demo_child *child, bool is_out, const char *line, size_t len)
{
    char front[CHILD_NAME + 2];
    struct str text = str_make(line, len);
    for (unsigned i = 0; i < COUNT_OF(ready); i++) {
        if (!is_out || !str_starts(text, str_of(ready[i])) || child->state != CHILD_STARTING)
            continue;
        str_copy(child->url, sizeof child->url, str_trim(str_from(text, strlen(ready[i]))));
        child->state = CHILD_READY;
        child->was_ready = true;
        return true;
    }
    if (is_out && str_starts(text, str_of(phrase_front))) {
        str_copy(child->phrase, sizeof child->phrase, str_from(text, sizeof phrase_front - 1));
        return false; /* the demo says it in its own words */
    }
    if (is_out && str_starts(text, str_of(pin_front)))
        return false; /* whom it is for knows it */
    snprintf(front, sizeof front, "%s: ", child->name);
    write_line(front, line, len);
    return false;
}

/* Passes on the whole lines; one that is longer than there is room for goes in pieces. */
static bool take_lines(struct demo_child *child, struct child_pipe *pipe, bool all)
{
    bool became_ready = false;
    char *end;
    while (pipe->len) {
        end = memchr(pipe->line, '\n', pipe->len);
        size_t len = end ? (size_t)(end - pipe->line) : pipe->len;
        if (!end && !all && pipe->len < sizeof pipe->line)
            break;
        became_ready |= take_line(child, pipe == &child->out, pipe->line, len);
        size_t used = end ? len + 1 : len;
        memmove(pipe->line, pipe->line + used, pipe->len - used);
        pipe->len -= used;
    }
    return became_ready;
}

bool child_read(struct demo_child *child, struct child_pipe *pipe)
{
    bool became_ready = false;
    while (pipe->fd >= 0) {
        ssize_t got = read(pipe->fd, pipe->line + pipe->len, sizeof pipe->line - pipe->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0) {
            close(pipe->fd);
            pipe->fd = -1;
        } else {
            pipe->len += (size_t)got;
        }
        became_ready |= take_lines(child, pipe, pipe->fd < 0);
    }
    return became_ready;
}

/* ---- Ending ---- */

static void close_pipe(struct demo_child *child, struct child_pipe *pipe)
{
    child_read(child, pipe);
    if (pipe->fd >= 0)
        close(pipe->fd); /* a process of its own still has the other end */
    pipe->fd = -1;
    take_lines(child, pipe, true);
}

/* How long it rests, by how often it has failed lately. */
static unsigned pause_ms(const struct demo_child *child)
{
    unsigned failures = child->failures;
    if (child->hasty && child->state == CHILD_READY && failures == 0)
        return 0;
    unsigned pause = (unsigned)PAUSE_MS << (failures < 6 ? failures : 6);
    return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}

bool child_misused(const struct demo_child *child, int status)
{
    return !child->was_ready && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE;
}

void child_exited(struct demo_child *child, int status, bool again, uint64_t now_ns)
{
    char how[64], then[64] = "";
    close_pipe(child, &child->out);
    close_pipe(child, &child->err);
    uint64_t long_life = child->hasty ? HASTY_LIFE_MS : LONG_LIFE_MS;
    if (child->state == CHILD_READY && now_ns - child->started_ns > long_life * MS_NS)
        child->failures = 0;
    unsigned pause = pause_ms(child);
    child->failures++;
    child->again_ns = again ? now_ns + pause * MS_NS : 0;
    if (again && pause)
        snprintf(then, sizeof then, "; it starts again in %u.%u s", pause / 1000,
                 pause % 1000 / 100);
    else if (again)
        snprintf(then, sizeof then, "; it starts again at once");
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "died (signal %d)", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
    demo_say("%s %s%s", child->name, how, then);
    child->state = CHILD_RESTING;
    child->pid = 0;
    child->url[0] = 0;
}
