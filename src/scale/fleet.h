/* Fleet: keeps as many processes of each tier running as the scaler wants: workers, and fronts
 * beside the master. What is to be done is decided by scale/fleet_step.h, done by a launcher
 * (scale/launcher.h).
 *
 * The master front has one, on a thread of its own (one that may fork and may wait for the log):
 *
 *   fleet_new ─▶ (fleet_adopt …) ─▶ { fleet_want, fleet_turn, wait for fleet_fd } ─▶ fleet_free
 *
 * Members outlive the fleet, unless it was told to want none and given time until fleet_is_empty.
 * That is meant: when a master is killed, a follower becomes master, and takes over (fleet_adopt)
 * what runs. A worker that finds no master ends by itself, so that nothing is left over. Whoever
 * takes over adopts first and wants afterwards; else members are started beside those that are
 * still on their way to the new master.
 *
 * Thread: one. What is lent by the configuration lives as long as the fleet.
 */
#ifndef STOA_SCALE_FLEET_H
#define STOA_SCALE_FLEET_H

#include "base/err.h"
#include "base/log.h"
#include "scale/launcher.h"

#include <stdbool.h>
#include <stdint.h>

enum fleet_tier { FLEET_WORKER, FLEET_FRONT, FLEET_TIERS };

struct fleet_tier_config {
    const struct launcher *launcher; /* NULL: there are none of this tier */
    void *context;                   /* the launcher's; lent */
    struct fleet_rules rules;        /* fleet_rules_usual(most) */
};

struct fleet_config {
    struct fleet_tier_config tiers[FLEET_TIERS];
    const struct log *log; /* lent */
};

struct fleet;

int fleet_new(const struct fleet_config *config, struct fleet **out, struct failure *failure);
/* Leaves what runs. NULL is fine. */
void fleet_free(struct fleet *fleet);

/* This process is a member itself, with this NUMBER, that has become master: nobody else gets it.
 */
void fleet_reserve(struct fleet *fleet, enum fleet_tier tier, unsigned number);

/* So many are wanted from now on, until the next call. FRONTS: without the master. */
void fleet_want(struct fleet *fleet, unsigned workers, unsigned fronts);

/* What is known from elsewhere (the central queue) about the member with this NUMBER, from 1 on, as
 * it was given to its command line. A number that fits nobody changes nothing; but where the
 * launcher sees no processes, one that was not known to run is taken over by this. */
void fleet_ready(struct fleet *fleet, enum fleet_tier tier, unsigned number, uint64_t now_ns);
/* It has nothing to do: if one is to go soon, this one. */
void fleet_leave(struct fleet *fleet, enum fleet_tier tier, unsigned number, uint64_t now_ns);
/* It is no longer there. Only for members whose process the launcher cannot see. */
void fleet_gone(struct fleet *fleet, enum fleet_tier tier, unsigned number, uint64_t now_ns);

/* Takes over a member that another fleet has started; PID 0: its launcher sees no processes. It
 * gets another number when that one is taken. */
int fleet_adopt(struct fleet *fleet, enum fleet_tier tier, unsigned number, pid_t pid,
                uint64_t now_ns, struct failure *failure);

/* Sees what has happened and does what is to be done. When fleet_fd is readable, and when
 * fleet_wait_ms is over. */
void fleet_turn(struct fleet *fleet, uint64_t now_ns);
int fleet_fd(const struct fleet *fleet);
/* For poll: until the next turn that is needed even if nothing happens; at most 250 ms. */
int fleet_wait_ms(const struct fleet *fleet, uint64_t now_ns);

/* Whether no member is left, as far as it knows. */
bool fleet_is_empty(const struct fleet *fleet);

struct fleet_member_view {
    unsigned number;
    enum fleet_state state;
    pid_t pid;         /* 0: unknown */
    unsigned failures; /* in a row */
    uint64_t since_ns; /* in this state */
};

struct fleet_tier_view {
    unsigned wanted, most;
    bool counted; /* the operator's command is told how many; nothing else is known here */
    struct fleet_sizes sizes;
    uint64_t starts, crashes, slow_starts, kills;
    unsigned count;
    struct fleet_member_view members[FLEET_SLOTS]; /* those that are not absent */
};

void fleet_view(const struct fleet *fleet, enum fleet_tier tier, struct fleet_tier_view *view);

/* "worker", "front". */
const char *fleet_tier_name(enum fleet_tier tier);

#endif
