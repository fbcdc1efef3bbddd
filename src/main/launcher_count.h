/* Launcher count: one command of the operator's is told how many members of a tier there are to be,
 * and sees to it (scale/launcher.h is the seam):
 *
 *   kubectl scale deployment/stoa-{tier} --replicas={count}
 *
 * Which members come and go is decided elsewhere, and so is who drains: this process only says a
 * number, when it changes, one command at a time (scale/fleet_count.h). Thread: the fleet's.
 */
#ifndef STOA_MAIN_LAUNCHER_COUNT_H
#define STOA_MAIN_LAUNCHER_COUNT_H

#include "base/log.h"
#include "scale/launcher.h"

struct launcher_count_config {
    const char *tier;    /* "worker"; this and the others are lent */
    const char *command; /* checked */
    uint32_t limit_ms;   /* ERRAND_MS is usual */
    const struct log *log;
};

/* Whether COMMAND is one of this kind: it has {count} in it. */
bool launcher_count_is(const char *command);
/* Whether it can be used. */
int launcher_count_check(const char *command, struct failure *failure);

struct launcher_count;

extern const struct launcher launcher_count;

int launcher_count_new(const struct launcher_count_config *config, struct launcher_count **out,
                       struct failure *failure);
/* Kills the command if it still runs. After the fleet's end. NULL is fine. */
void launcher_count_free(struct launcher_count *count);

#endif
