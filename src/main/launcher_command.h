/* Launcher command: members of a tier by the operator's own commands, one that starts a member and
 * one that stops it (scale/launcher.h is the seam):
 *
 *   up:    systemctl start stoa-{tier}@{index}
 *   down:  systemctl stop stoa-{tier}@{index}
 *   up:    ssh {machine} sudo systemctl start stoa-{tier}@{index}
 *
 * {tier} is "worker" or "front", {index} the member's number, {machine} where it lives
 * (scale/fleet_place.h). Whether a member is ready, or gone, is told by whoever hears it
 * (fleet_ready, fleet_gone): its process is not ours to see. "up" may be run for one that runs
 * already, and must do nothing then. "down" has it drain, and ends when it has ended; with status
 * 0, or it is tried again when the grace is over. There is no harder way: what stops it kills it
 * when it must (systemd's TimeoutStopSec).
 *
 *             start               up is over              drain, kill
 *   IDLE ───────────────▶ UP ──────────────────▶ IDLE ───────────────▶ DOWN ──▶ IDLE
 *                          └── failed: it has ended                     └── status 0: it has ended
 *
 * At most one command at a time for each member, at most LAUNCHER_COMMANDS together; each with a
 * time limit, what it prints bounded (main/errand.h). Thread: the fleet's.
 */
#ifndef STOA_MAIN_LAUNCHER_COMMAND_H
#define STOA_MAIN_LAUNCHER_COMMAND_H

#include "base/log.h"
#include "scale/fleet_place.h"
#include "scale/launcher.h"

enum { LAUNCHER_COMMANDS = 8, LAUNCHER_COMMAND_SIZE = 1024 };

struct launcher_command_config {
    const char *tier;                      /* "worker"; this and all others are lent */
    const char *up, *down;                 /* checked */
    const struct fleet_machines *machines; /* none in it, or NULL: {machine} is not used */
    uint32_t limit_ms;                     /* of one command; ERRAND_MS is usual */
    const struct log *log;
};

/* Whether the two can be used: both are there, and each says which member is meant. With MACHINES
 * (may be NULL) also where. */
int launcher_command_check(const char *up, const char *down, const struct fleet_machines *machines,
                           struct failure *failure);

struct launcher_command;

extern const struct launcher launcher_command;

int launcher_command_new(const struct launcher_command_config *config,
                         struct launcher_command **out, struct failure *failure);
/* Kills commands that still run. After the fleet's end. NULL is fine. */
void launcher_command_free(struct launcher_command *command);

#endif
