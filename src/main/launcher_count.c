#include "main/launcher_count.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/errand.h"
#include "main/launcher_command.h"
#include "scale/fleet_count.h"
#include "scale/placeholder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LOOK_MS = 50 };

struct launcher_count {
    struct launcher_count_config config;
    int epoll;
    struct fleet_count count;
    struct errand errand;
};

bool launcher_count_is(const char *command)
{
    return placeholder_is_in(command, "count");
}

int launcher_count_check(const char *command, struct failure *failure)
{
    if (strlen(command) >= LAUNCHER_COMMAND_SIZE / 2)
        return fail(failure, ERR_INVALID,
                    "the command with {count} is longer than %d characters; put it into a script",
                    LAUNCHER_COMMAND_SIZE / 2 - 1);
    if (placeholder_is_in(command, "index") || placeholder_is_in(command, "machine"))
        return fail(failure, ERR_INVALID,
                    "a command is told either how many there are to be ({count}) or which one is "
                    "meant ({index}, {machine}), not both: %.200s",
                    command);
    return 0;
}

int launcher_count_new(const struct launcher_count_config *config, struct launcher_count **out,
                       struct failure *failure)
{
    struct launcher_count *count = calloc(1, sizeof *count);
    *out = NULL;
    if (!count)
        return fail(failure, ERR_NOMEM, "out of memory");
    count->config = *config;
    count->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (count->epoll < 0) {
        free(count);
        return fail_errno(failure, ERR_FULL, "no descriptor to watch a command with");
    }
    *out = count;
    return 0;
}

void launcher_count_free(struct launcher_count *count)
{
    if (!count)
        return;
    errand_kill(&count->errand);
    close(count->epoll);
    free(count);
}

static int begin(struct launcher_count *count, unsigned number, struct failure *failure)
{
    const struct launcher_count_config *config = &count->config;
    char text[LAUNCHER_COMMAND_SIZE], name[ERRAND_NAME], variable[32], digits[16];
    snprintf(name, sizeof name, "%u of tier %s", number, config->tier);
    snprintf(variable, sizeof variable, "STOA_COUNT=%u", number);
    snprintf(digits, sizeof digits, "%u", number);
    const struct placeholder values[] = {{"tier", config->tier}, {"count", digits}};
    const struct errand_task task = {name, "fleet", text, variable, config->limit_ms, config->log};
    int err =
        placeholder_fill(config->command, values, COUNT_OF(values), text, sizeof text, failure);
    err = err ? err : errand_begin(&count->errand, &task, failure);
    if (err)
        return err;
    struct epoll_event event = {.events = EPOLLIN};
    (void)epoll_ctl(count->epoll, EPOLL_CTL_ADD, count->errand.out, &event); /* else by time */
    log_line(config->log, LOG_INFO, "fleet", "%s %u: the command is told", config->tier, number);
    return 0;
}

static void look(void *context, uint64_t now_ns)
{
    struct launcher_count *count = context;
    struct failure failure = {0};
    unsigned number = 0;
    if (count->count.under_way) {
        errand_look(&count->errand, now_ns);
        if (!errand_runs(&count->errand))
            fleet_count_done(&count->count, count->errand.failed, now_ns);
    }
    if (!fleet_count_turn(&count->count, now_ns, &number))
        return;
    if (begin(count, number, &failure)) {
        log_line(count->config.log, LOG_ERROR, "fleet", "%s: %s", count->config.tier, failure.text);
        fleet_count_done(&count->count, true, now_ns);
    }
}

static void resize(void *context, unsigned number)
{
    struct launcher_count *count = context;
    fleet_count_want(&count->count, number);
}

static bool next(void *context, struct launcher_news *news)
{
    (void)context, (void)news;
    return false;
}

static int fd_of(void *context)
{
    const struct launcher_count *count = context;
    return count->epoll;
}

static uint64_t due(void *context)
{
    const struct launcher_count *count = context;
    return count->count.under_way ? clock_mono_ns() + LOOK_MS * MS_NS
                                  : fleet_count_due(&count->count);
}

const struct launcher launcher_count = {
    .name = "count",
    .resize = resize,
    .look = look,
    .next = next,
    .fd = fd_of,
    .due = due,
};
