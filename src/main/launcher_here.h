/* Launcher here: members of a tier as processes of this machine: this program with the words of one
 * of its commands (scale/launcher.h is the seam).
 *
 * A member's life is its own. It does not die with the master that started it, however that dies: a
 * follower becomes master, finds it at work and takes it over (adopt), with what it prints. So
 * there is no signal at the parent's death; a member that finds no queue for a while ends by
 * itself, which is its part of the contract. What ends is noticed at once, by a pidfd: children of
 * ours are waited for, those that were adopted are their new parent's to wait for. Signals go
 * through the pidfd too, so that none ever reaches a process that has got an old number.
 *
 * What it prints is passed on to standard error line by line, with its name in front: "worker 3: ";
 * but what those with keeps_log say on their standard error goes there by itself. It never waits
 * for that; when nobody reads, lines are lost. It is ready when it prints a line that begins as
 * `ready` says, or when fleet_ready tells so. It drains on SIGTERM.
 *
 * Thread: the fleet's; it need not be the one that lives longest.
 */
#ifndef STOA_MAIN_LAUNCHER_HERE_H
#define STOA_MAIN_LAUNCHER_HERE_H

#include "main/cgroup.h"
#include "scale/launcher.h"

struct launcher_here_config {
    const char *tier;         /* "worker" */
    const char *program;      /* NULL: this one */
    const char *const *words; /* its command line, from its name on, ended by NULL; {index} is the
                                 member's number; at most LAUNCHER_WORDS. Lent */
    const char *ready;        /* "stoa: worker ready"; NULL: only fleet_ready tells */
    bool keeps_log; /* its standard error is ours, and stays what it is when we die: for those who
                       may be master one day, and whom nobody would read then */
    struct cgroup *cgroup; /* where each gets a group of its own; NULL: none. Lent */
};

enum { LAUNCHER_WORDS = 64 };

struct launcher_here;

extern const struct launcher launcher_here;

int launcher_here_new(const struct launcher_here_config *config, struct launcher_here **out,
                      struct failure *failure);
/* Leaves what runs. After the fleet's end. NULL is fine. */
void launcher_here_free(struct launcher_here *here);

#endif
