#include "scale/fleet_step.h"

#include "base/check.h"
#include "base/clock.h"

#include <string.h>

struct fleet_rules fleet_rules_usual(unsigned most)
{
    return (struct fleet_rules){
        .most = most < FLEET_SLOTS ? most : FLEET_SLOTS,
        .ready_ns = 10 * SEC_NS,
        .grace_ns = 30 * SEC_NS,
        .pause_ns = 200 * MS_NS,
        .pause_max_ns = 10 * SEC_NS,
        .long_life_ns = 10 * SEC_NS,
        .leave_ns = 5 * SEC_NS,
    };
}

void fleet_step_begin(struct fleet_step *step, const struct fleet_rules *rules)
{
    CHECK(rules->most <= FLEET_SLOTS);
    memset(step, 0, sizeof *step);
    step->rules = *rules;
    step->own = -1;
}

void fleet_step_reserve(struct fleet_step *step, unsigned slot)
{
    step->own = (int)slot;
}

void fleet_step_want(struct fleet_step *step, unsigned wanted)
{
    step->wanted = wanted < step->rules.most ? wanted : step->rules.most;
}

static void enter(struct fleet_member *member, enum fleet_state state, uint64_t now_ns,
                  uint64_t due_ns)
{
    member->state = state;
    member->since_ns = now_ns;
    member->due_ns = due_ns;
    member->too_slow = false;
    member->leave_until_ns = 0;
}

/* ---- What has happened ---- */

void fleet_step_ready(struct fleet_step *step, unsigned slot, uint64_t now_ns)
{
    struct fleet_member *member = &step->members[slot];
    if (member->state == FLEET_STARTING)
        enter(member, FLEET_READY, now_ns, UINT64_MAX);
}

static uint64_t pause_after(const struct fleet_rules *rules, unsigned failures)
{
    uint64_t pause = rules->pause_ns;
    for (unsigned i = 0; i < failures && pause < rules->pause_max_ns; i++)
        pause *= 2;
    return pause < rules->pause_max_ns ? pause : rules->pause_max_ns;
}

static void crash(struct fleet_step *step, struct fleet_member *member, enum fleet_end end,
                  uint64_t now_ns)
{
    if (member->state == FLEET_READY && now_ns - member->since_ns >= step->rules.long_life_ns)
        member->failures = 0;
    uint64_t pause = end == FLEET_ENDED_HOPELESS ? step->rules.pause_max_ns
                                                 : pause_after(&step->rules, member->failures);
    member->failures++;
    step->crashes++;
    enter(member, FLEET_CRASHED, now_ns, now_ns + pause);
}

void fleet_step_ended(struct fleet_step *step, unsigned slot, enum fleet_end end, uint64_t now_ns)
{
    struct fleet_member *member = &step->members[slot];
    bool has_left = end == FLEET_ENDED_WELL && now_ns < member->leave_until_ns;
    switch (member->state) {
    case FLEET_ABSENT:
    case FLEET_CRASHED:
        break;
    case FLEET_READY:
        if (has_left)
            enter(member, FLEET_ABSENT, now_ns, 0);
        else
            crash(step, member, end, now_ns);
        break;
    case FLEET_STARTING:
        crash(step, member, end, now_ns);
        break;
    case FLEET_DRAINING:
    case FLEET_KILLED:
        if (member->too_slow)
            crash(step, member, FLEET_ENDED_BADLY, now_ns);
        else
            enter(member, FLEET_ABSENT, now_ns, 0);
        break;
    }
}

void fleet_step_leave(struct fleet_step *step, unsigned slot, uint64_t now_ns)
{
    struct fleet_member *member = &step->members[slot];
    if (member->state == FLEET_READY)
        member->leave_until_ns = now_ns + step->rules.leave_ns;
}

static bool is_free(const struct fleet_step *step, unsigned slot)
{
    return step->members[slot].state == FLEET_ABSENT && (int)slot != step->own;
}

int fleet_step_adopt(struct fleet_step *step, unsigned slot, uint64_t now_ns)
{
    bool rests = slot < FLEET_SLOTS && step->members[slot].state == FLEET_CRASHED;
    if (slot >= FLEET_SLOTS || !(rests || is_free(step, slot)))
        for (slot = 0; slot < FLEET_SLOTS && !is_free(step, slot);)
            slot++;
    if (slot == FLEET_SLOTS)
        return -1;
    struct fleet_member *member = &step->members[slot];
    enter(member, FLEET_READY, now_ns, UINT64_MAX);
    member->birth = ++step->births;
    return (int)slot;
}

void fleet_step_disown(struct fleet_step *step, unsigned slot, uint64_t now_ns)
{
    enter(&step->members[slot], FLEET_ABSENT, now_ns, 0);
}

/* ---- What is to be done ---- */

struct turn {
    struct fleet_step *step;
    uint64_t now_ns;
    struct fleet_action *actions;
    unsigned count;
};

static void act(struct turn *turn, enum fleet_deed deed, unsigned slot)
{
    CHECK(turn->count < FLEET_SLOTS);
    turn->actions[turn->count++] = (struct fleet_action){deed, slot};
}

static void start(struct turn *turn, unsigned slot)
{
    struct fleet_step *step = turn->step;
    struct fleet_member *member = &step->members[slot];
    enter(member, FLEET_STARTING, turn->now_ns, turn->now_ns + step->rules.ready_ns);
    member->birth = ++step->births;
    step->starts++;
    act(turn, FLEET_START, slot);
}

static void kill(struct turn *turn, unsigned slot, bool too_slow)
{
    struct fleet_step *step = turn->step;
    struct fleet_member *member = &step->members[slot];
    enter(member, FLEET_KILLED, turn->now_ns, turn->now_ns + step->rules.grace_ns);
    member->too_slow = too_slow;
    act(turn, FLEET_KILL, slot);
}

static void kill_the_overdue(struct turn *turn)
{
    struct fleet_step *step = turn->step;
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        struct fleet_member *member = &step->members[i];
        if (turn->now_ns < member->due_ns)
            continue;
        if (member->state == FLEET_STARTING) {
            step->slow_starts++;
            kill(turn, i, true);
        } else if (member->state == FLEET_DRAINING) {
            step->kills++;
            kill(turn, i, false);
        } else if (member->state == FLEET_KILLED) {
            kill(turn, i, member->too_slow);
        }
    }
}

/* Whether it counts as one of those that are wanted. */
static bool is_kept(const struct fleet_member *member)
{
    return member->state == FLEET_STARTING || member->state == FLEET_READY ||
           member->state == FLEET_CRASHED || (member->state == FLEET_KILLED && member->too_slow);
}

static unsigned count_kept(const struct fleet_step *step)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        count += is_kept(&step->members[i]);
    return count;
}

static unsigned count_in(const struct fleet_step *step, enum fleet_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        count += step->members[i].state == state;
    return count;
}

static unsigned count_taken(const struct fleet_step *step)
{
    return FLEET_SLOTS - count_in(step, FLEET_ABSENT);
}

/* How soon it goes when there are too many; those that are the same by birth. */
static unsigned urgency(const struct fleet_member *member, uint64_t now_ns)
{
    switch (member->state) {
    case FLEET_KILLED:
    case FLEET_CRASHED:
        return 3;
    case FLEET_STARTING:
        return 1;
    default:
        return now_ns < member->leave_until_ns ? 2 : 0;
    }
}

static unsigned choose_leaver(const struct fleet_step *step, uint64_t now_ns)
{
    unsigned chosen = FLEET_SLOTS;
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        const struct fleet_member *member = &step->members[i];
        if (!is_kept(member))
            continue;
        const struct fleet_member *best = chosen < FLEET_SLOTS ? &step->members[chosen] : NULL;
        unsigned mine = urgency(member, now_ns), theirs = best ? urgency(best, now_ns) : 0;
        if (!best || mine > theirs || (mine == theirs && member->birth > best->birth))
            chosen = i;
    }
    return chosen;
}

static void let_go(struct turn *turn, unsigned slot)
{
    struct fleet_member *member = &turn->step->members[slot];
    if (member->state == FLEET_KILLED) {
        member->too_slow = false;
    } else if (member->state == FLEET_CRASHED) {
        enter(member, FLEET_ABSENT, turn->now_ns, member->due_ns);
    } else {
        enter(member, FLEET_DRAINING, turn->now_ns, turn->now_ns + turn->step->rules.grace_ns);
        act(turn, FLEET_DRAIN, slot);
    }
}

/* The first place that is free; one whose pause is over, if there is such a one. FLEET_SLOTS: there
 * is none, as the last one is our own. */
static unsigned choose_place(const struct fleet_step *step, uint64_t now_ns)
{
    unsigned resting = FLEET_SLOTS, end = step->rules.most + (step->own >= 0);
    for (unsigned i = 0; i < end && i < FLEET_SLOTS; i++) {
        if (!is_free(step, i))
            continue;
        if (step->members[i].due_ns <= now_ns)
            return i;
        if (resting == FLEET_SLOTS)
            resting = i;
    }
    return resting;
}

static void grow(struct turn *turn)
{
    struct fleet_step *step = turn->step;
    unsigned kept = count_kept(step), taken = count_taken(step);
    while (kept < step->wanted && taken < step->rules.most) {
        unsigned slot = choose_place(step, turn->now_ns);
        if (slot == FLEET_SLOTS)
            break;
        struct fleet_member *member = &step->members[slot];
        if (member->due_ns > turn->now_ns)
            enter(member, FLEET_CRASHED, turn->now_ns, member->due_ns);
        else
            start(turn, slot);
        kept++;
        taken++;
    }
}

static void start_again(struct turn *turn)
{
    struct fleet_step *step = turn->step;
    /* More than there may be have places when some were adopted. */
    unsigned running = count_taken(step) - count_in(step, FLEET_CRASHED);
    for (unsigned i = 0; i < FLEET_SLOTS && running < step->rules.most; i++) {
        const struct fleet_member *member = &step->members[i];
        if (member->state == FLEET_CRASHED && turn->now_ns >= member->due_ns) {
            start(turn, i);
            running++;
        }
    }
}

unsigned fleet_step_turn(struct fleet_step *step, uint64_t now_ns, struct fleet_action *actions)
{
    struct turn turn = {step, now_ns, actions, 0};
    kill_the_overdue(&turn);
    for (unsigned kept = count_kept(step); kept > step->wanted; kept--)
        let_go(&turn, choose_leaver(step, now_ns));
    start_again(&turn);
    grow(&turn);
    return turn.count;
}

/* ---- What others see ---- */

uint64_t fleet_step_due(const struct fleet_step *step)
{
    uint64_t due_ns = UINT64_MAX;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        if (step->members[i].state != FLEET_ABSENT && step->members[i].due_ns < due_ns)
            due_ns = step->members[i].due_ns;
    return due_ns;
}

struct fleet_sizes fleet_step_sizes(const struct fleet_step *step)
{
    struct fleet_sizes sizes = {0};
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        const struct fleet_member *member = &step->members[i];
        sizes.starting += member->state == FLEET_STARTING;
        sizes.ready += member->state == FLEET_READY;
        sizes.draining += member->state == FLEET_DRAINING || member->state == FLEET_KILLED;
        sizes.crashed += member->state == FLEET_CRASHED;
        sizes.looping += (member->state == FLEET_CRASHED || member->state == FLEET_STARTING) &&
                         member->failures >= FLEET_LOOPING;
    }
    return sizes;
}

const char *fleet_state_name(enum fleet_state state)
{
    static const char *const names[] = {"absent",   "starting", "ready",
                                        "draining", "killed",   "crashed"};
    return names[state];
}
