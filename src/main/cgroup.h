/* Control groups (cgroup v2): a limit of processor and memory for each member of a tier, where the
 * system allows it.
 *
 * Allowed is what was given to us: systemd with Delegate=yes, a container that may write its own
 * groups, a user's session. Processes may be in leaves only, so this process moves into a group
 * "stoa" below the one it was in, and members get theirs beside it:
 *
 *   stoa.service/        delegated to us: cgroup.subtree_control "+cpu +memory"
 *     stoa/              this process
 *     stoa-worker-1/     cpu.max, memory.max
 *     stoa-worker-2/
 *
 * A process that already is in a group of such a name (systemd's DelegateSubgroup=stoa; a front
 * that was a member and is master now) takes that group's parent. The group at the top of a cgroup
 * namespace is its container's, so it may be divided; the one at the top of the system never is.
 * Where nothing is allowed, nothing is limited: the log says it once, and why.
 *
 * Kernel documentation: Control Group v2; systemd: Control Group APIs and Delegation. Thread: the
 * fleet's, or before it runs.
 */
#ifndef STOA_MAIN_CGROUP_H
#define STOA_MAIN_CGROUP_H

#include "base/err.h"
#include "base/log.h"

#include <stddef.h>
#include <stdint.h>

struct cgroup_limits {
    uint64_t memory_bytes; /* memory.max; 0: no limit */
    uint64_t cpu_share;    /* thousandths of one processor, cpu.max; 0: no limit */
};

struct cgroup;

/* Takes the group that this process may divide. NULL: none, which was logged; or without limits. */
struct cgroup *cgroup_open(const struct cgroup_limits *limits, const struct log *log);
/* The same for a process of which /proc has these texts: mountinfo and cgroup. */
struct cgroup *cgroup_open_by(const char *mountinfo, const char *cgroups,
                              const struct cgroup_limits *limits, const struct log *log);
/* The same below FOLDER, which is used as it is: for tests, and for one that was prepared. */
struct cgroup *cgroup_open_at(const char *folder, const struct cgroup_limits *limits,
                              const struct log *log);
/* Members' groups stay for as long as somebody is in them. NULL is fine. */
void cgroup_close(struct cgroup *cgroup);

/* Makes the group of member NAME ("worker-1"), with its limits. Returns its cgroup.procs, opened
 * for writing, the caller's; -1: it has to go without (which was logged once). */
int cgroup_member(struct cgroup *cgroup, const char *name);

/* Whether the kernel has killed a member for want of memory. */
enum cgroup_kill {
    CGROUP_NO_KILL,
    CGROUP_KILLED_BY_LIMIT,   /* it needed more than its own limit */
    CGROUP_KILLED_FOR_OTHERS, /* the machine, or a group above, had no more */
};

/* The member has ended: its group goes. */
enum cgroup_kill cgroup_gone(struct cgroup *cgroup, const char *name);

/* Where the cgroup v2 of a process is, from what /proc/PID/mountinfo and /proc/PID/cgroup say.
 * Pure. ERR_NOTFOUND: there is no v2, or not in sight. */
int cgroup_find(const char *mountinfo, const char *cgroups, char *out, size_t size);

#endif
