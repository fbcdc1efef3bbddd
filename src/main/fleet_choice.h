/* Fleet choice: how the members of the tiers are started, by the settings: as processes of this
 * machine, or by the operator's commands (--scale-up). Puts the fleet and its launchers together.
 *
 * Thread: main until it is open; then the fleet's.
 */
#ifndef STOA_MAIN_FLEET_CHOICE_H
#define STOA_MAIN_FLEET_CHOICE_H

#include "main/cgroup.h"
#include "main/launcher_command.h"
#include "main/launcher_count.h"
#include "main/launcher_here.h"
#include "main/option.h"
#include "scale/fleet.h"

struct fleet_settings {
    char up[OPTION_TEXT_SIZE], down[OPTION_TEXT_SIZE]; /* both empty: processes of this machine */
    struct option_list machines;
    uint64_t command_ms, ready_ms, drain_ms; /* ready_ms 0: 10 s here, 2 min by commands */
    uint64_t memory_bytes, cpu_share;        /* of a member here; 0: no limit */
};

#define FLEET_AT(base, field) (base) + offsetof(struct fleet_settings, field)

/* Rows of an option table for a struct fleet_settings at offset BASE of the command's settings. */
/* clang-format off */
#define FLEET_ROWS(base) \
    {"scale-up", OPTION_TEXT, FLEET_AT(base, up), NULL, 0, 0, NULL, "COMMAND", \
     "starts member {index} of tier {tier} (worker or front), as in 'systemctl start " \
     "stoa-{tier}@{index}'; or, with {count} in place of {index}, is told how many there are to " \
     "be [processes of this machine]"}, \
    {"scale-down", OPTION_TEXT, FLEET_AT(base, down), NULL, 0, 0, NULL, "COMMAND", \
     "has such a member drain and end, and returns when it has; not with {count}"}, \
    {"scale-machine", OPTION_LIST, FLEET_AT(base, machines), NULL, 0, FLEET_MACHINES, NULL, \
     "NAME=N", \
     "a machine for up to N members of each tier, which those commands are told as {machine}"}, \
    {"scale-command-time", OPTION_DURATION, FLEET_AT(base, command_ms), "60s", 1000, 3600000, \
     NULL, "TIME", "such a command is killed, and has failed, after this time"}, \
    {"member-ready", OPTION_DURATION, FLEET_AT(base, ready_ms), NULL, 0, 3600000, NULL, "TIME", \
     "a member that is not ready by then is killed [10s, or 2m with --scale-up]"}, \
    {"member-drain", OPTION_DURATION, FLEET_AT(base, drain_ms), "30s", 100, 3600000, NULL, "TIME", \
     "a member that has not ended so long after it was told to is killed"}, \
    {"member-memory", OPTION_SIZE, FLEET_AT(base, memory_bytes), NULL, 0, 0, NULL, "SIZE", \
     "memory that each member on this machine may use, where control groups allow it [no limit]"}, \
    {"member-cpu", OPTION_SHARE, FLEET_AT(base, cpu_share), NULL, 0, 0, NULL, "SHARE", \
     "time that each may use, of one processor: 50%, 200% [no limit]"}
/* clang-format on */

/* What a tier's members are. */
struct fleet_choice_tier {
    unsigned most;            /* 0: there are none of it */
    const char *const *words; /* their command line, {index} in it; ended by NULL. Lent */
    const char *ready;        /* what they print when they are (main/launcher_here.h). Lent */
};

struct fleet_choice {
    struct fleet *fleet;
    /* Members are processes of this machine, which end when this one stops in good order. Those
     * that others supervise stay: a master that is started again takes them over. */
    bool is_here;

    /* Inside. */
    struct cgroup *cgroup;
    struct fleet_machines machines;
    struct launcher_here *here[FLEET_TIERS];
    struct launcher_command *commands[FLEET_TIERS];
    struct launcher_count *counts[FLEET_TIERS];
};

/* Whether the settings go together, for tiers of so many members at MOST: ERR_INVALID says what
 * does not. */
int fleet_choice_check(const struct fleet_settings *settings, const unsigned most[FLEET_TIERS],
                       struct failure *failure);

/* SETTINGS (checked), TIERS and LOG are lent until fleet_choice_close. With limits this process may
 * move into another control group (main/cgroup.h). */
int fleet_choice_open(struct fleet_choice *choice, const struct fleet_settings *settings,
                      const struct fleet_choice_tier tiers[FLEET_TIERS], const struct log *log,
                      struct failure *failure);
/* Leaves the members that run; kills commands that do. Harmless on one that is zeroed. */
void fleet_choice_close(struct fleet_choice *choice);

#endif
