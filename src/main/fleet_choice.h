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

/* The rows of an option table for these; their offsets are within struct fleet_settings. */
extern const struct option_row fleet_setting_rows[];
extern const unsigned fleet_setting_count;

/* What a tier's members are. */
struct fleet_choice_tier {
    unsigned most;            /* 0: there are none of it */
    const char *const *words; /* their command line, {index} in it; ended by NULL. Lent */
    const char *ready;        /* what they print when they are (main/launcher_here.h). Lent */
};

struct fleet_choice {
    struct fleet *fleet;

    /* Inside. */
    struct cgroup *cgroup;
    struct fleet_machines machines;
    struct launcher_here *here[FLEET_TIERS];
    struct launcher_command *commands[FLEET_TIERS];
    struct launcher_count *counts[FLEET_TIERS];
};

/* Whether the settings go together, for tiers of these sizes: ERR_INVALID says what does not. */
int fleet_choice_check(const struct fleet_settings *settings,
                       const struct fleet_choice_tier tiers[FLEET_TIERS], struct failure *failure);

/* SETTINGS (checked), TIERS and LOG are lent until fleet_choice_close. With limits this process may
 * move into another control group (main/cgroup.h). */
int fleet_choice_open(struct fleet_choice *choice, const struct fleet_settings *settings,
                      const struct fleet_choice_tier tiers[FLEET_TIERS], const struct log *log,
                      struct failure *failure);
/* Leaves the members that run; kills commands that do. Harmless on one that is zeroed. */
void fleet_choice_close(struct fleet_choice *choice);

#endif
