#include "main/launcher_command.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/errand.h"
#include "scale/placeholder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LOOK_MS = 50 }; /* a command that has closed its output is looked at so often */
enum direction { IDLE, UP, DOWN };

struct member {
    enum direction wish, doing;
    bool has_ended;
    const char *how; /* it has ended */
    enum fleet_end end;
    struct errand errand;
};

struct launcher_command {
    struct launcher_command_config config;
    int epoll;
    unsigned running;
    struct member members[FLEET_SLOTS];
};

/* ---- What is typed ---- */

static int check_one(const char *name, const char *command, bool has_machines,
                     struct failure *failure)
{
    if (strlen(command) == 0)
        return fail(failure, ERR_INVALID, "%s is missing: --scale-up and --scale-down go together",
                    name);
    if (strlen(command) >= LAUNCHER_COMMAND_SIZE / 2)
        return fail(failure, ERR_INVALID, "%s is longer than %d characters; put it into a script",
                    name, LAUNCHER_COMMAND_SIZE / 2 - 1);
    if (!placeholder_is_in(command, "index"))
        return fail(
            failure, ERR_INVALID,
            "%s does not say which member is meant: write {index} where its number belongs, "
            "as in systemctl start stoa-{tier}@{index}",
            name);
    if (placeholder_is_in(command, "machine") != has_machines)
        return fail(failure, ERR_INVALID,
                    has_machines
                        ? "%s does not say on which machine: write {machine} where its name "
                          "belongs, as in ssh {machine} systemctl start stoa-{tier}@{index}"
                        : "%s has {machine}, but no machine is given",
                    name);
    return 0;
}

int launcher_command_check(const char *up, const char *down, const struct fleet_machines *machines,
                           struct failure *failure)
{
    bool has_machines = machines && machines->count > 0;
    int err = check_one("--scale-up", up, has_machines, failure);
    return err ? err : check_one("--scale-down", down, has_machines, failure);
}

int launcher_command_new(const struct launcher_command_config *config,
                         struct launcher_command **out, struct failure *failure)
{
    struct launcher_command *command = calloc(1, sizeof *command);
    *out = NULL;
    if (!command)
        return fail(failure, ERR_NOMEM, "out of memory");
    command->config = *config;
    command->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (command->epoll < 0) {
        free(command);
        return fail_errno(failure, ERR_FULL, "no descriptor to watch commands with");
    }
    *out = command;
    return 0;
}

void launcher_command_free(struct launcher_command *command)
{
    if (!command)
        return;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        errand_kill(&command->members[i].errand);
    close(command->epoll);
    free(command);
}

/* ---- Running one ---- */

static int fill(const struct launcher_command *command, unsigned slot, char *out,
                struct failure *failure)
{
    const struct launcher_command_config *config = &command->config;
    const struct member *member = &command->members[slot];
    const char *machine = "";
    char number[16];
    unsigned room = config->machines ? fleet_machines_most(config->machines) : 0;
    if (room > 0) /* one beyond it: a member is master, and keeps its number */
        machine = fleet_place_of(config->machines, slot % room + 1)->name;
    snprintf(number, sizeof number, "%u", slot + 1);
    const struct placeholder values[] = {
        {"tier", config->tier}, {"index", number}, {"machine", machine}};
    return placeholder_fill(member->wish == UP ? config->up : config->down, values,
                            COUNT_OF(values), out, LAUNCHER_COMMAND_SIZE, failure);
}

static void tell(struct member *member, enum fleet_end end, const char *how)
{
    member->has_ended = true;
    member->end = end;
    member->how = how;
}

static void begin(struct launcher_command *command, unsigned slot)
{
    struct member *member = &command->members[slot];
    const struct launcher_command_config *config = &command->config;
    char text[LAUNCHER_COMMAND_SIZE], name[ERRAND_NAME], variable[32];
    struct failure failure = {0};
    snprintf(name, sizeof name, "%s %s %u", member->wish == UP ? "starting" : "stopping",
             config->tier, slot + 1);
    snprintf(variable, sizeof variable, "STOA_INDEX=%u", slot + 1);
    int err = fill(command, slot, text, &failure);
    const struct errand_task task = {name, "fleet", text, variable, config->limit_ms, config->log};
    err = err ? err : errand_begin(&member->errand, &task, &failure);
    if (err) {
        log_line(config->log, LOG_ERROR, "fleet", "%s: %s", name, failure.text);
        if (member->wish == UP)
            tell(member, FLEET_ENDED_BADLY, "could not be started");
        member->wish = IDLE;
        return;
    }
    struct epoll_event event = {.events = EPOLLIN};
    (void)epoll_ctl(command->epoll, EPOLL_CTL_ADD, member->errand.out, &event); /* else by time */
    member->doing = member->wish;
    member->wish = IDLE;
    command->running++;
}

static void finish(struct launcher_command *command, struct member *member)
{
    bool was_up = member->doing == UP, failed = member->errand.failed;
    command->running--;
    member->doing = IDLE;
    if (member->wish != IDLE)
        return; /* whatever came of this one, something else is to be done already */
    if (was_up && failed)
        tell(member, FLEET_ENDED_BADLY, "could not be started: the command failed");
    else if (!was_up && !failed)
        tell(member, FLEET_ENDED_WELL, "was stopped");
}

static void look(void *context, uint64_t now_ns)
{
    struct launcher_command *command = context;
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        struct member *member = &command->members[i];
        if (member->doing == IDLE)
            continue;
        errand_look(&member->errand, now_ns);
        if (!errand_runs(&member->errand))
            finish(command, member);
    }
    for (unsigned i = 0; i < FLEET_SLOTS && command->running < LAUNCHER_COMMANDS; i++)
        if (command->members[i].wish != IDLE && command->members[i].doing == IDLE)
            begin(command, i);
}

/* ---- The seam ---- */

static int start(void *context, unsigned slot, struct failure *failure)
{
    struct launcher_command *command = context;
    (void)failure;
    command->members[slot].wish = UP;
    command->members[slot].has_ended = false;
    return 0;
}

static void stop(void *context, unsigned slot)
{
    struct launcher_command *command = context;
    if (command->members[slot].doing != DOWN)
        command->members[slot].wish = DOWN;
}

static pid_t pid_of(void *context, unsigned slot)
{
    (void)context, (void)slot;
    return 0;
}

static bool next(void *context, struct launcher_news *news)
{
    struct launcher_command *command = context;
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        struct member *member = &command->members[i];
        if (!member->has_ended)
            continue;
        member->has_ended = false;
        *news = (struct launcher_news){.event = LAUNCHER_ENDED, .slot = i, .end = member->end};
        snprintf(news->text, sizeof news->text, "%s", member->how);
        return true;
    }
    return false;
}

static int fd_of(void *context)
{
    const struct launcher_command *command = context;
    return command->epoll;
}

static uint64_t due(void *context)
{
    const struct launcher_command *command = context;
    bool waits = command->running > 0;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        waits |= command->members[i].wish != IDLE;
    return waits ? clock_mono_ns() + LOOK_MS * MS_NS : UINT64_MAX;
}

const struct launcher launcher_command = {
    .name = "command",
    .start = start,
    .drain = stop,
    .kill = stop,
    .pid = pid_of,
    .look = look,
    .next = next,
    .fd = fd_of,
    .due = due,
};
