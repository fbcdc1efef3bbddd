/* Fleet step: what is to be done about the processes of one tier, so that there are as many as are
 * wanted. The pure part of scale/fleet.h: events and the time in, deeds out.
 *
 *   ABSENT ── START ──▶ STARTING ── ready ──▶ READY ── DRAIN ──▶ DRAINING ── ended ──▶ ABSENT
 *      ▲                 │     │  │             │     (too many)     │
 *      │           ended │     │  └── DRAIN ──▶ DRAINING             │ KILL: the grace is over
 *      │                 ▼     │                │                    ▼
 *      └── too many ── CRASHED    │ KILL: too slow │ ended            KILLED ── ended ──▶ ABSENT
 *                        ▲            ▼         │
 *                        ├── ended ── KILLED    │
 *                        └──────────────────────┘
 *   CRASHED ── START: its pause is over ──▶ STARTING
 *
 * turn makes every move that has a deed (START, DRAIN, KILL), and ends pauses; ready and ended the
 * others.
 *
 * - All but ABSENT count towards the most there may be, so that the machine never carries more,
 *   also while some are leaving. What is leaving does not count towards what is wanted; what is
 *   starting or waiting to be started again does.
 * - Whoever ends without having been told to has crashed, and is started again after a pause: 0.2
 * s, 0.4 s, … 10 s, and from the beginning after a long life. The pause belongs to the place:
 * whoever is wanted less for a moment does not begin anew with short ones.
 * - What is to be ended is drained first (SIGTERM), and killed only when the grace is over or it
 *   never got ready. A kill that shows no effect is repeated.
 * - Too many: first go those who wait to be started again, then those who asked to leave (a worker
 *   with nothing to do), then who is still starting, then the youngest.
 *
 * As PHP-FPM and uWSGI count starting ones as capacity, and systemd (RestartSteps=) spaces
 * restarts.
 */
#ifndef STOA_SCALE_FLEET_STEP_H
#define STOA_SCALE_FLEET_STEP_H

#include <stdbool.h>
#include <stdint.h>

enum { FLEET_SLOTS = 256, FLEET_LOOPING = 5 /* so many crashes in a row are a loop */ };

enum fleet_state {
    FLEET_ABSENT,
    FLEET_STARTING,
    FLEET_READY,
    FLEET_DRAINING,
    FLEET_KILLED, /* killed; its end has not come yet */
    FLEET_CRASHED /* it waits to be started again */
};

enum fleet_deed { FLEET_START, FLEET_DRAIN, FLEET_KILL };

struct fleet_action {
    enum fleet_deed deed;
    unsigned slot;
};

enum fleet_end {
    FLEET_ENDED_WELL, /* status 0 */
    FLEET_ENDED_BADLY,
    FLEET_ENDED_HOPELESS /* it says that it was called in a wrong way: the next will, too */
};

struct fleet_rules {
    unsigned most;         /* 0 … FLEET_SLOTS */
    uint64_t ready_ns;     /* whoever is not ready by then is killed */
    uint64_t grace_ns;     /* who drains for longer is killed */
    uint64_t pause_ns;     /* after the first crash; doubled by each further one */
    uint64_t pause_max_ns; /* at most */
    uint64_t long_life_ns; /* whoever was ready for so long has no crashes behind it */
    uint64_t leave_ns;     /* so long who asked to leave is the first to go */
};

/* 10 s to get ready, 30 s to drain, pauses as above. MOST is clipped. */
struct fleet_rules fleet_rules_usual(unsigned most);

struct fleet_member {
    enum fleet_state state;
    bool too_slow;     /* KILLED: it never got ready, and is to be started again */
    unsigned failures; /* in a row */
    uint64_t birth;    /* the larger the younger */
    uint64_t since_ns; /* when it came into this state */
    uint64_t due_ns;   /* when its time in this state is up; ABSENT: no start before */
    uint64_t leave_until_ns;
};

struct fleet_step {
    struct fleet_rules rules;
    unsigned wanted;
    int own; /* the slot that is not to be used; -1: none */
    struct fleet_member members[FLEET_SLOTS];
    uint64_t births;
    uint64_t starts, crashes, slow_starts, kills; /* counted since the beginning */
};

struct fleet_sizes {
    unsigned starting, ready, draining, crashed; /* draining: with those that were killed */
    unsigned looping;                            /* crashed so often that somebody should look */
};

void fleet_step_begin(struct fleet_step *step, const struct fleet_rules *rules);

/* SLOT is the caller's own: this process was a member once. It is not used for another, and counts
 * for nothing. */
void fleet_step_reserve(struct fleet_step *step, unsigned slot);

/* So many are wanted from now on; clipped to the most there may be. */
void fleet_step_want(struct fleet_step *step, unsigned wanted);

/* What has happened to the one in SLOT. What does not fit its state (a late word of a process that
 * was replaced) changes nothing. */
void fleet_step_ready(struct fleet_step *step, unsigned slot, uint64_t now_ns);
void fleet_step_ended(struct fleet_step *step, unsigned slot, enum fleet_end end, uint64_t now_ns);
/* It could do without: if one is to go soon, it should be this one. */
void fleet_step_leave(struct fleet_step *step, unsigned slot, uint64_t now_ns);

/* A process that somebody else has started, in SLOT if none of ours runs there. Returns its slot,
 * or -1: there is no place at all. */
int fleet_step_adopt(struct fleet_step *step, unsigned slot, uint64_t now_ns);
/* It is not there after all. */
void fleet_step_disown(struct fleet_step *step, unsigned slot, uint64_t now_ns);

/* What is to be done now, at most one thing for each slot; ACTIONS has room for FLEET_SLOTS. The
 * caller does all of it, and tells of a start that failed by fleet_step_ended. Returns how many. */
unsigned fleet_step_turn(struct fleet_step *step, uint64_t now_ns, struct fleet_action *actions);

/* When the next turn is needed even if nothing happens; UINT64_MAX: never. */
uint64_t fleet_step_due(const struct fleet_step *step);

struct fleet_sizes fleet_step_sizes(const struct fleet_step *step);

/* "absent", "starting", "ready", "draining", "killed", "crashed". */
const char *fleet_state_name(enum fleet_state state);

#endif
