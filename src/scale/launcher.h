/* Launcher: how processes of a tier are started and ended. The seam of the fleet (scale/fleet.h).
 *
 *   main/launcher_here.h      processes of this machine, started by this one
 *   main/launcher_command.h   the operator's commands, one to start a member and one to stop it
 *   main/launcher_count.h     the operator's one command, which is told how many there are to be
 *
 * A launcher serves one tier and has a context of its own. A member is known by its slot (0 …
 * FLEET_SLOTS - 1); people and commands see the slot plus one as its number. Nothing here waits:
 * what takes time goes on beside, and comes back as news. Thread: the fleet's.
 */
#ifndef STOA_SCALE_LAUNCHER_H
#define STOA_SCALE_LAUNCHER_H

#include "base/err.h"
#include "scale/fleet_step.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum launcher_event { LAUNCHER_READY, LAUNCHER_ENDED };

struct launcher_news {
    enum launcher_event event;
    unsigned slot;
    enum fleet_end end; /* of LAUNCHER_ENDED */
    char text[128];     /* how it ended, for people: "died (signal 9)" */
};

struct launcher {
    const char *name;

    /* One that controls each member by itself. An error of start: nothing was started. */
    int (*start)(void *context, unsigned slot, struct failure *failure);
    /* Tells it to finish what it has and to end. */
    void (*drain)(void *context, unsigned slot);
    /* Ends it at once, as far as that can be done; may be repeated. */
    void (*kill)(void *context, unsigned slot);
    /* From now on looks after process PID, which somebody else has started. NULL: it has no
     * processes. An error: it is not there, or no member of this tier. */
    int (*adopt)(void *context, unsigned slot, pid_t pid, struct failure *failure);
    /* What it knows of its process; 0: none. */
    pid_t (*pid)(void *context, unsigned slot);

    /* One that is only told how many there are to be; the functions above are NULL then. */
    void (*resize)(void *context, unsigned count);

    /* Looks what has happened, goes on with what is under way. */
    void (*look)(void *context, uint64_t now_ns);
    /* Then, until it is false: what came of it. */
    bool (*next)(void *context, struct launcher_news *news);
    /* Readable when it should be looked at; -1: now and then will do. */
    int (*fd)(void *context);
    /* When it is to be looked at even so; UINT64_MAX: need not. */
    uint64_t (*due)(void *context);
};

#endif
