#include "main/launcher_here.h"

#include "base/check.h"
#include "base/str.h"
#include "main/lines.h"
#include "main/program.h"
#include "main/spawn.h"
#include "scale/placeholder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS = 64, WORDS_SIZE = 8192, NAME = 32 };
enum source { SOURCE_END, SOURCE_OUT, SOURCE_ERRORS, SOURCES };

struct child {
    struct launcher_here *here;
    unsigned slot;
    pid_t pid;
    int pidfd;
    bool is_ours; /* not adopted */
    bool became_ready, has_ended;
    enum cgroup_kill kill;
    int status; /* of waitpid; -1: unknown */
    struct lines out, errors;
};

struct launcher_here {
    struct launcher_here_config config;
    unsigned word_count;
    int epoll;
    struct child *children[FLEET_SLOTS];
};

int launcher_here_new(const struct launcher_here_config *config, struct launcher_here **out,
                      struct failure *failure)
{
    struct launcher_here *here = calloc(1, sizeof *here);
    *out = NULL;
    if (!here)
        return fail(failure, ERR_NOMEM, "out of memory");
    here->config = *config;
    while (config->words[here->word_count])
        here->word_count++;
    CHECK(here->word_count >= 1 && here->word_count <= LAUNCHER_WORDS);
    here->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (here->epoll < 0) {
        free(here);
        return fail_errno(failure, ERR_FULL, "no descriptor to watch processes with");
    }
    *out = here;
    return 0;
}

static void drop_line(void *context, const char *line, size_t len)
{
    (void)context, (void)line, (void)len;
}

static void free_child(struct child *child)
{
    lines_close(&child->out, drop_line, NULL);
    lines_close(&child->errors, drop_line, NULL);
    if (child->pidfd >= 0)
        close(child->pidfd);
    child->here->children[child->slot] = NULL;
    free(child);
}

void launcher_here_free(struct launcher_here *here)
{
    if (!here)
        return;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        if (here->children[i])
            free_child(here->children[i]);
    close(here->epoll);
    free(here);
}

static int watch(struct child *child, enum source source, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = child->slot * SOURCES + source};
    return epoll_ctl(child->here->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int watch_all(struct child *child, struct failure *failure)
{
    bool watched = watch(child, SOURCE_END, child->pidfd) == 0 &&
                   (child->out.fd < 0 || watch(child, SOURCE_OUT, child->out.fd) == 0) &&
                   (child->errors.fd < 0 || watch(child, SOURCE_ERRORS, child->errors.fd) == 0);
    return watched ? 0 : fail_errno(failure, ERR_FULL, "cannot watch a process");
}

static struct child *new_child(struct launcher_here *here, unsigned slot, struct failure *failure)
{
    CHECK(slot < FLEET_SLOTS && here->children[slot] == NULL);
    struct child *child = calloc(1, sizeof *child);
    if (!child) {
        fail(failure, ERR_NOMEM, "out of memory for a process");
        return NULL;
    }
    child->here = here;
    child->slot = slot;
    child->pidfd = child->out.fd = child->errors.fd = -1;
    child->status = -1;
    here->children[slot] = child;
    return child;
}

/* ---- Starting ---- */

static void group_name(const struct child *child, char *name)
{
    snprintf(name, NAME, "%s-%u", child->here->config.tier, child->slot + 1);
}

/* The words with the member's number in them, in TEXT. */
static int fill_words(const struct child *child, char **words, char *text, struct failure *failure)
{
    const struct launcher_here *here = child->here;
    char number[16];
    size_t used = 0;
    snprintf(number, sizeof number, "%u", child->slot + 1);
    const struct placeholder index = {"index", number};
    for (unsigned i = 0; i < here->word_count; i++) {
        int err = placeholder_fill(here->config.words[i], &index, 1, text + used, WORDS_SIZE - used,
                                   failure);
        if (err)
            return err;
        words[i] = text + used;
        used += strlen(words[i]) + 1;
    }
    words[here->word_count] = NULL;
    return 0;
}

static int open_pipe(struct lines *lines, int *other_end, struct failure *failure)
{
    int err = lines_open(lines, other_end, failure);
    if (!err) /* we may stand still: then it loses lines, not time */
        fcntl(*other_end, F_SETFL, O_WRONLY | O_NONBLOCK);
    return err;
}

static int spawn(struct child *child, struct failure *failure)
{
    char text[WORDS_SIZE], name[NAME], *words[LAUNCHER_WORDS + 1];
    const struct launcher_here_config *config = &child->here->config;
    struct spawn_lasting lasting = {config->program, words, -1, -1, -1};
    group_name(child, name);
    int err = fill_words(child, words, text, failure);
    err = err ? err : open_pipe(&child->out, &lasting.out, failure);
    if (!err && !config->keeps_log)
        err = open_pipe(&child->errors, &lasting.errors, failure);
    if (!err && config->cgroup)
        lasting.group = cgroup_member(config->cgroup, name);
    const int ends[] = {lasting.out, lasting.errors, lasting.group};
    if (config->keeps_log)
        lasting.errors = STDERR_FILENO;
    err = err ? err : spawn_lasting(&lasting, &child->pid, failure);
    for (unsigned i = 0; i < COUNT_OF(ends); i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return err;
}

static void end_unwatched(const struct child *child)
{
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int start(void *context, unsigned slot, struct failure *failure)
{
    struct child *child = new_child(context, slot, failure);
    if (!child)
        return ERR_NOMEM;
    child->is_ours = true;
    int err = spawn(child, failure);
    if (!err) {
        child->pidfd = pidfd_open(child->pid, 0);
        err = child->pidfd < 0 ? fail_errno(failure, ERR_FULL, "cannot watch a process")
                               : watch_all(child, failure);
        if (err)
            end_unwatched(child);
    }
    if (err)
        free_child(child);
    return err;
}

/* ---- Taking over ---- */

/* Whether PID runs the same command of this program. */
static bool is_member(const struct launcher_here *here, pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return false;
    text[len] = '\0';
    size_t first = strlen(text) + 1;
    const char *second = first < (size_t)len ? text + first : "";
    return here->word_count < 2 || strcmp(second, here->config.words[1]) == 0;
}

/* Whether nobody would get what is written to the pipe at PATH. */
static bool has_no_reader(const char *path)
{
    struct pollfd end = {open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC), 0, 0};
    bool without = end.fd >= 0 && poll(&end, 1, 0) == 1 && end.revents & POLLERR;
    if (end.fd >= 0)
        close(end.fd);
    return without;
}

/* Its pipe has lost its reader with the master that started it: we become that. What is no pipe, or
 * is read by somebody, is left alone. -1: so it is. */
static int reopen_pipe(pid_t pid, int number)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, number);
    if (stat(path, &status) || !S_ISFIFO(status.st_mode) || !has_no_reader(path))
        return -1;
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static int adopt(void *context, unsigned slot, pid_t pid, struct failure *failure)
{
    struct launcher_here *here = context;
    struct child *child = new_child(here, slot, failure);
    if (!child)
        return ERR_NOMEM;
    int err = 0;
    child->pid = pid;
    child->pidfd = pidfd_open(pid, 0);
    if (child->pidfd < 0)
        err = fail_errno(failure, ERR_NOTFOUND, "%s %u (pid %d) cannot be taken over",
                         here->config.tier, slot + 1, (int)pid);
    else if (!is_member(here, pid)) /* asked once the pidfd holds it fast */
        err = fail(failure, ERR_INVALID, "pid %d is no %s of Stoa", (int)pid, here->config.tier);
    if (!err) {
        child->out.fd = reopen_pipe(pid, STDOUT_FILENO);
        child->errors.fd = reopen_pipe(pid, STDERR_FILENO);
        err = watch_all(child, failure);
    }
    if (err)
        free_child(child);
    return err;
}

/* ---- Ending ---- */

static void drain(void *context, unsigned slot)
{
    struct launcher_here *here = context;
    struct child *child = here->children[slot];
    if (child)
        pidfd_send_signal(child->pidfd, SIGTERM, NULL, 0);
}

static void kill_child(void *context, unsigned slot)
{
    struct launcher_here *here = context;
    struct child *child = here->children[slot];
    if (child)
        pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
}

static pid_t pid_of(void *context, unsigned slot)
{
    struct launcher_here *here = context;
    return here->children[slot] ? here->children[slot]->pid : 0;
}

/* ---- Looking ---- */

struct hearing {
    struct child *child;
    bool is_out;
};

static void take_line(void *context, const char *line, size_t len)
{
    struct hearing *hearing = context;
    struct child *child = hearing->child;
    const struct launcher_here_config *config = &child->here->config;
    char front[NAME + 16];
    if (hearing->is_out && config->ready && str_starts(str_make(line, len), str_of(config->ready)))
        child->became_ready = true;
    snprintf(front, sizeof front, "%s %u: ", config->tier, child->slot + 1);
    lines_pass_on(front, line, len);
}

static void leave_group(struct child *child)
{
    char name[NAME];
    group_name(child, name);
    if (child->here->config.cgroup)
        child->kill = cgroup_gone(child->here->config.cgroup, name);
}

static void see_end(struct child *child)
{
    struct hearing out = {child, true}, errors = {child, false};
    if (child->is_ours) {
        kill(-child->pid, SIGKILL); /* what it has left; its number is its own until we wait */
        pid_t got = waitpid(child->pid, &child->status, WNOHANG);
        if (got == 0)
            return;
        if (got < 0)
            child->status = -1;
    }
    lines_close(&child->out, take_line, &out);
    lines_close(&child->errors, take_line, &errors);
    close(child->pidfd);
    child->pidfd = -1;
    leave_group(child);
    child->has_ended = true;
}

static void see(struct child *child, enum source source)
{
    struct hearing hearing = {child, source == SOURCE_OUT};
    if (source == SOURCE_END)
        see_end(child);
    else
        lines_read(source == SOURCE_OUT ? &child->out : &child->errors, take_line, &hearing);
}

static void look(void *context, uint64_t now_ns)
{
    struct launcher_here *here = context;
    struct epoll_event events[EVENTS];
    (void)now_ns;
    int count = epoll_wait(here->epoll, events, EVENTS, 0);
    for (int i = 0; i < count; i++) {
        struct child *child = here->children[events[i].data.u32 / SOURCES];
        if (child && !child->has_ended)
            see(child, (enum source)(events[i].data.u32 % SOURCES));
    }
}

/* ---- News ---- */

static void tell_end(const struct child *child, struct launcher_news *news)
{
    int status = child->status;
    news->event = LAUNCHER_ENDED;
    news->end = FLEET_ENDED_BADLY;
    if (child->kill == CGROUP_KILLED_BY_LIMIT) {
        snprintf(news->text, sizeof news->text, "was killed: it needed more memory than it may");
    } else if (child->kill == CGROUP_KILLED_FOR_OTHERS) {
        snprintf(news->text, sizeof news->text, "was killed: there was no memory left for all");
    } else if (status == -1) {
        snprintf(news->text, sizeof news->text, "has ended");
    } else if (WIFSIGNALED(status)) {
        snprintf(news->text, sizeof news->text, "died (signal %d)", WTERMSIG(status));
    } else if (WEXITSTATUS(status) == SPAWN_NOT_EXECUTED) {
        snprintf(news->text, sizeof news->text, "could not be executed");
    } else {
        snprintf(news->text, sizeof news->text, "ended with status %d", WEXITSTATUS(status));
        if (WEXITSTATUS(status) == EXIT_DONE)
            news->end = FLEET_ENDED_WELL;
        else if (WEXITSTATUS(status) == EXIT_USAGE)
            news->end = FLEET_ENDED_HOPELESS;
    }
}

static bool next(void *context, struct launcher_news *news)
{
    struct launcher_here *here = context;
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        struct child *child = here->children[i];
        if (!child || !(child->became_ready || child->has_ended))
            continue;
        *news = (struct launcher_news){.event = LAUNCHER_READY, .slot = i};
        if (child->became_ready) {
            child->became_ready = false;
        } else {
            tell_end(child, news);
            free_child(child);
        }
        return true;
    }
    return false;
}

static int fd_of(void *context)
{
    const struct launcher_here *here = context;
    return here->epoll;
}

static uint64_t due(void *context)
{
    (void)context;
    return UINT64_MAX;
}

const struct launcher launcher_here = {
    .name = "here",
    .start = start,
    .drain = drain,
    .kill = kill_child,
    .adopt = adopt,
    .pid = pid_of,
    .look = look,
    .next = next,
    .fd = fd_of,
    .due = due,
};
