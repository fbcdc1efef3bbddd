#include "main/waker.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "main/errand.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOK_MS = 250 };

struct waker {
    struct waker_config config;
    struct wake_config ways;
    const char *commands[CLUSTER_SERVERS_MAX];  /* beside ways.commands */
    struct errand errands[CLUSTER_SERVERS_MAX]; /* the same */
    struct readiness_table known;               /* as it was at the last look */
    struct wake wake;
    struct rest rest;
    bool resting;
    pthread_t thread;
    atomic_bool stopping;
    int bell; /* rung once, to stop */
};

/* ---- --wake ---- */

/* "4=systemctl start stoa-cold" */
static int read_way(const char *text, uint64_t *id, const char **command)
{
    struct str rest = str_of(text), number;
    if (!str_cut(&rest, '=', &number) || rest.at == NULL || rest.len == 0 ||
        str_to_u64(number, id) || *id == 0)
        return ERR_INVALID;
    *command = rest.at;
    return 0;
}

static int read_ways(const struct option_list *list, struct waker *waker, struct failure *failure)
{
    struct wake_config *ways = &waker->ways;
    for (unsigned i = 0; i < list->count; i++) {
        uint64_t id;
        const char *command;
        if (read_way(list->items[i], &id, &command))
            return fail(failure, ERR_INVALID,
                        "wake is \"%s\", but must be a server's number and a command, like "
                        "4=systemctl start stoa",
                        list->items[i]);
        for (unsigned k = 0; k < ways->command_count; k++)
            if (ways->commands[k] == id)
                return fail(failure, ERR_INVALID, "wake has two commands for server %llu",
                            (unsigned long long)id);
        if (ways->command_count == CLUSTER_SERVERS_MAX)
            return fail(failure, ERR_INVALID, "wake is given for more than %d servers",
                        CLUSTER_SERVERS_MAX);
        ways->commands[ways->command_count] = id;
        waker->commands[ways->command_count++] = command;
    }
    return 0;
}

int waker_check(const struct option_list *commands, struct failure *failure)
{
    struct waker *scratch = calloc(1, sizeof *scratch);
    int err = scratch ? read_ways(commands, scratch, failure) : ERR_NOMEM;
    free(scratch);
    return err;
}

/* ---- Calling ---- */

static unsigned way_of(const struct waker *waker, uint64_t id)
{
    unsigned i = 0;
    while (i < waker->ways.command_count && waker->ways.commands[i] != id)
        i++;
    return i;
}

static void run(struct waker *waker, const struct wake_call *call)
{
    char name[ERRAND_NAME], variable[48];
    struct failure failure = {0};
    unsigned way = way_of(waker, call->id);
    CHECK(way < waker->ways.command_count);
    if (errand_runs(&waker->errands[way])) /* it has some time left */
        return;
    snprintf(name, sizeof name, "waking server %llu", (unsigned long long)call->id);
    snprintf(variable, sizeof variable, "STOA_SERVER=%llu", (unsigned long long)call->id);
    log_line(waker->config.log, LOG_INFO, "wake", "server %llu is woken: %s",
             (unsigned long long)call->id, call->why);
    const struct errand_task task = {name,     "wake",    waker->commands[way],
                                     variable, ERRAND_MS, waker->config.log};
    if (errand_begin(&waker->errands[way], &task, &failure))
        log_line(waker->config.log, LOG_ERROR, "wake", "%s: %s", name, failure.text);
}

static void call(struct waker *waker, const struct wake_call *call)
{
    if (call->run)
        run(waker, call);
    else
        log_line(waker->config.log, LOG_WARN, "wake",
                 "server %llu is cold and has to be started: %s. Nobody told this process how (by "
                 "--wake %llu=COMMAND), so do it on its machine: systemctl start stoa, or stoa "
                 "serve --dir DIR",
                 (unsigned long long)call->id, call->why, (unsigned long long)call->id);
}

/* ---- The thread ---- */

/* Also a witness's operator sees in its log whom it takes for cold. */
static void note_readiness(struct waker *waker, const struct cluster_status *status)
{
    struct readiness_table now;
    replica_readiness(waker->config.replica, &now);
    for (unsigned i = 0; i < status->count; i++) {
        uint64_t id = status->servers[i].place.id;
        enum readiness kind = readiness_of(&now, id).kind;
        if (kind != readiness_of(&waker->known, id).kind)
            log_line(waker->config.log, LOG_INFO, "wake", "server %llu is to be %s",
                     (unsigned long long)id, readiness_names[kind]);
    }
    waker->known = now;
}

static void look(struct waker *waker)
{
    struct cluster_status status;
    struct wake_call calls[CLUSTER_SERVERS_MAX];
    char why[WAKE_WHY];
    uint64_t now_ms = clock_mono_ns() / MS_NS;
    replica_status(waker->config.replica, &status);
    note_readiness(waker, &status);
    unsigned count = wake_decide(&waker->wake, &waker->ways, &status, now_ms, calls);
    for (unsigned i = 0; i < count; i++)
        call(waker, &calls[i]);
    if (waker->config.rest == NULL || waker->resting ||
        !rest_due(&waker->rest, &status, now_ms, why))
        return;
    waker->resting = true;
    log_line(waker->config.log, LOG_INFO, "wake", "this server ends by itself: %s", why);
    waker->config.rest(waker->config.context);
}

/* Until something was printed, or it is time to look again. */
static void wait(struct waker *waker)
{
    struct pollfd fds[CLUSTER_SERVERS_MAX + 1] = {{waker->bell, POLLIN, 0}};
    nfds_t count = 1;
    for (unsigned i = 0; i < waker->ways.command_count; i++)
        if (errand_runs(&waker->errands[i]))
            fds[count++] = (struct pollfd){waker->errands[i].out, POLLIN, 0};
    poll(fds, count, LOOK_MS);
}

static void *watch(void *argument)
{
    struct waker *waker = argument;
    while (!atomic_load(&waker->stopping)) {
        uint64_t next_ns = clock_mono_ns() + LOOK_MS * MS_NS;
        look(waker);
        do {
            wait(waker);
            for (unsigned i = 0; i < waker->ways.command_count; i++)
                errand_look(&waker->errands[i], clock_mono_ns());
        } while (clock_mono_ns() < next_ns && !atomic_load(&waker->stopping));
    }
    return NULL;
}

int waker_start(const struct waker_config *config, struct waker **out, struct failure *failure)
{
    struct waker *waker = calloc(1, sizeof *waker);
    *out = NULL;
    if (waker == NULL)
        return fail(failure, ERR_NOMEM, "out of memory");
    waker->config = *config;
    waker->ways.after_ms = config->after_ms;
    int err = read_ways(config->commands, waker, failure);
    waker->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!err && waker->bell < 0)
        err = fail_errno(failure, ERR_FULL, "no event descriptor");
    if (!err && thread_start(&waker->thread, "stoa-wake", watch, waker))
        err = fail(failure, ERR_NOMEM, "cannot start a thread");
    if (err) {
        if (waker->bell >= 0)
            close(waker->bell);
        free(waker);
        return err;
    }
    *out = waker;
    return 0;
}

void waker_stop(struct waker *waker)
{
    if (waker == NULL)
        return;
    atomic_store(&waker->stopping, true);
    CHECK(eventfd_write(waker->bell, 1) == 0);
    pthread_join(waker->thread, NULL);
    for (unsigned i = 0; i < waker->ways.command_count; i++)
        errand_kill(&waker->errands[i]);
    close(waker->bell);
    free(waker);
}
