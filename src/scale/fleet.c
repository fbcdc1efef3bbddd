#include "scale/fleet.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WAIT_MS = 250, LEAST_MS = 5 };

struct tier {
    enum fleet_tier which;
    const struct launcher *launcher;
    void *context;
    struct fleet_step step;
    unsigned told; /* the number that resize was told last */
};

struct fleet {
    struct tier tiers[FLEET_TIERS];
    const struct log *log;
    int epoll; /* of the launchers' descriptors */
};

const char *fleet_tier_name(enum fleet_tier tier)
{
    return tier == FLEET_WORKER ? "worker" : "front";
}

static int watch_launcher(const struct fleet *fleet, const struct tier *tier,
                          struct failure *failure)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = tier->launcher ? tier->launcher->fd(tier->context) : -1;
    if (fd >= 0 && epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, fd, &event))
        return fail_errno(failure, ERR_FULL, "cannot watch the processes of the tiers");
    return 0;
}

int fleet_new(const struct fleet_config *config, struct fleet **out, struct failure *failure)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    int err = 0;
    *out = NULL;
    if (!fleet)
        return fail(failure, ERR_NOMEM, "out of memory");
    fleet->log = config->log;
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (fleet->epoll < 0)
        err = fail_errno(failure, ERR_FULL, "no descriptor to watch processes with");
    for (unsigned i = 0; i < FLEET_TIERS && !err; i++) {
        struct tier *tier = &fleet->tiers[i];
        tier->which = (enum fleet_tier)i;
        tier->launcher = config->tiers[i].launcher;
        tier->context = config->tiers[i].context;
        tier->told = UINT32_MAX;
        fleet_step_begin(&tier->step, &config->tiers[i].rules);
        err = watch_launcher(fleet, tier, failure);
    }
    if (err)
        fleet_free(fleet);
    else
        *out = fleet;
    return err;
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    if (fleet->epoll >= 0)
        close(fleet->epoll);
    free(fleet);
}

static bool is_counted(const struct tier *tier)
{
    return tier->launcher && tier->launcher->resize;
}

static void want(struct tier *tier, unsigned count)
{
    if (!tier->launcher)
        return;
    fleet_step_want(&tier->step, count);
    if (!is_counted(tier) || tier->told == tier->step.wanted)
        return;
    tier->told = tier->step.wanted;
    tier->launcher->resize(tier->context, tier->told);
}

void fleet_want(struct fleet *fleet, unsigned workers, unsigned fronts)
{
    want(&fleet->tiers[FLEET_WORKER], workers);
    want(&fleet->tiers[FLEET_FRONT], fronts);
}

/* ---- What has happened ---- */

static void say_ready(const struct fleet *fleet, const struct tier *tier, unsigned slot,
                      uint64_t now_ns)
{
    uint64_t took_ns = now_ns - tier->step.members[slot].since_ns;
    log_line(fleet->log, LOG_INFO, "fleet", "%s %u is ready after %llu ms",
             fleet_tier_name(tier->which), slot + 1, (unsigned long long)(took_ns / MS_NS));
}

static void take_ready(const struct fleet *fleet, struct tier *tier, unsigned slot, uint64_t now_ns)
{
    if (tier->step.members[slot].state != FLEET_STARTING)
        return;
    say_ready(fleet, tier, slot, now_ns);
    fleet_step_ready(&tier->step, slot, now_ns);
}

static void say_crash(const struct fleet *fleet, const struct tier *tier, unsigned slot,
                      const char *how)
{
    const struct fleet_member *member = &tier->step.members[slot];
    const char *name = fleet_tier_name(tier->which);
    uint64_t pause_ms = (member->due_ns - member->since_ns) / MS_NS;
    log_line(fleet->log, LOG_WARN, "fleet", "%s %u %s; it starts again in %llu.%llu s", name,
             slot + 1, how, (unsigned long long)(pause_ms / 1000),
             (unsigned long long)(pause_ms % 1000 / 100));
    if (member->failures == FLEET_LOOPING)
        log_line(
            fleet->log, LOG_ERROR, "fleet",
            "%s %u has ended %d times in a row and will be tried every %llu s at most; what it "
            "said before is above, under \"%s %u\"",
            name, slot + 1, FLEET_LOOPING,
            (unsigned long long)(tier->step.rules.pause_max_ns / SEC_NS), name, slot + 1);
}

static void take_end(const struct fleet *fleet, struct tier *tier, unsigned slot,
                     enum fleet_end end, const char *how, uint64_t now_ns)
{
    enum fleet_state before = tier->step.members[slot].state;
    fleet_step_ended(&tier->step, slot, end, now_ns);
    enum fleet_state after = tier->step.members[slot].state;
    if (after == before)
        return;
    if (after == FLEET_CRASHED)
        say_crash(fleet, tier, slot, how);
    else
        log_line(fleet->log, LOG_INFO, "fleet", "%s %u %s, as it was to",
                 fleet_tier_name(tier->which), slot + 1, how);
}

static void take_news(const struct fleet *fleet, struct tier *tier, uint64_t now_ns)
{
    struct launcher_news news;
    while (tier->launcher->next(tier->context, &news)) {
        if (news.event == LAUNCHER_READY)
            take_ready(fleet, tier, news.slot, now_ns);
        else
            take_end(fleet, tier, news.slot, news.end, news.text, now_ns);
    }
}

/* ---- What others know ---- */

/* NULL: nobody has that number here. */
static struct tier *find(struct fleet *fleet, enum fleet_tier which, unsigned number)
{
    struct tier *tier = &fleet->tiers[which];
    bool is_one = tier->launcher && !is_counted(tier) && number >= 1 && number <= FLEET_SLOTS;
    return is_one ? tier : NULL;
}

void fleet_reserve(struct fleet *fleet, enum fleet_tier which, unsigned number)
{
    if (number >= 1 && number <= FLEET_SLOTS)
        fleet_step_reserve(&fleet->tiers[which].step, number - 1);
}

/* Whether a member that has just been heard of runs without our doing: another master has started
 * it, or what supervises it has started it again. */
static bool is_unknown(const struct tier *tier, unsigned slot)
{
    enum fleet_state state = tier->step.members[slot].state;
    return !tier->launcher->adopt && (int)slot != tier->step.own &&
           (state == FLEET_ABSENT || state == FLEET_CRASHED);
}

void fleet_ready(struct fleet *fleet, enum fleet_tier which, unsigned number, uint64_t now_ns)
{
    struct tier *tier = find(fleet, which, number);
    if (tier && is_unknown(tier, number - 1))
        (void)fleet_adopt(fleet, which, number, 0, now_ns, NULL);
    else if (tier)
        take_ready(fleet, tier, number - 1, now_ns);
}

void fleet_leave(struct fleet *fleet, enum fleet_tier which, unsigned number, uint64_t now_ns)
{
    struct tier *tier = find(fleet, which, number);
    if (tier)
        fleet_step_leave(&tier->step, number - 1, now_ns);
}

void fleet_gone(struct fleet *fleet, enum fleet_tier which, unsigned number, uint64_t now_ns)
{
    struct tier *tier = find(fleet, which, number);
    if (tier && tier->launcher->pid(tier->context, number - 1) == 0)
        take_end(fleet, tier, number - 1, FLEET_ENDED_BADLY, "is gone", now_ns);
}

int fleet_adopt(struct fleet *fleet, enum fleet_tier which, unsigned number, pid_t pid,
                uint64_t now_ns, struct failure *failure)
{
    struct tier *tier = find(fleet, which, number);
    const char *name = fleet_tier_name(which);
    if (!tier)
        return fail(failure, ERR_INVALID, "%s %u cannot be taken over here", name, number);
    int slot = fleet_step_adopt(&tier->step, number - 1, now_ns);
    if (slot < 0)
        return fail(failure, ERR_FULL, "%s %u cannot be taken over: there are %d already", name,
                    number, FLEET_SLOTS);
    int err = pid && tier->launcher->adopt
                  ? tier->launcher->adopt(tier->context, (unsigned)slot, pid, failure)
                  : 0;
    if (err) {
        fleet_step_disown(&tier->step, (unsigned)slot, now_ns);
        return err;
    }
    log_line(fleet->log, LOG_INFO, "fleet", "%s %d is taken over (pid %d)", name, slot + 1,
             (int)pid);
    return 0;
}

/* ---- What is done ---- */

static void start(const struct fleet *fleet, struct tier *tier, unsigned slot, uint64_t now_ns)
{
    struct failure failure = {0};
    const char *name = fleet_tier_name(tier->which);
    if (tier->launcher->start(tier->context, slot, &failure)) {
        take_end(fleet, tier, slot, FLEET_ENDED_BADLY, "could not be started", now_ns);
        log_line(fleet->log, LOG_ERROR, "fleet", "%s %u: %s", name, slot + 1, failure.text);
        return;
    }
    log_line(fleet->log, LOG_INFO, "fleet", "%s %u is started (%u wanted)", name, slot + 1,
             tier->step.wanted);
}

static void do_action(const struct fleet *fleet, struct tier *tier,
                      const struct fleet_action *action, uint64_t now_ns)
{
    const char *name = fleet_tier_name(tier->which);
    unsigned number = action->slot + 1;
    switch (action->deed) {
    case FLEET_START:
        start(fleet, tier, action->slot, now_ns);
        break;
    case FLEET_DRAIN:
        log_line(fleet->log, LOG_INFO, "fleet", "%s %u is drained (%u wanted)", name, number,
                 tier->step.wanted);
        tier->launcher->drain(tier->context, action->slot);
        break;
    case FLEET_KILL:
        log_line(fleet->log, LOG_WARN, "fleet", "%s %u is killed: it %s", name, number,
                 tier->step.members[action->slot].too_slow ? "did not get ready in time"
                                                           : "did not end in time");
        tier->launcher->kill(tier->context, action->slot);
        break;
    }
}

static void turn_tier(const struct fleet *fleet, struct tier *tier, uint64_t now_ns)
{
    struct fleet_action actions[FLEET_SLOTS];
    tier->launcher->look(tier->context, now_ns);
    if (is_counted(tier))
        return;
    take_news(fleet, tier, now_ns);
    unsigned count = fleet_step_turn(&tier->step, now_ns, actions);
    for (unsigned i = 0; i < count; i++)
        do_action(fleet, tier, &actions[i], now_ns);
}

void fleet_turn(struct fleet *fleet, uint64_t now_ns)
{
    for (unsigned i = 0; i < FLEET_TIERS; i++)
        if (fleet->tiers[i].launcher)
            turn_tier(fleet, &fleet->tiers[i], now_ns);
}

int fleet_fd(const struct fleet *fleet)
{
    return fleet->epoll;
}

int fleet_wait_ms(const struct fleet *fleet, uint64_t now_ns)
{
    uint64_t due_ns = now_ns + WAIT_MS * MS_NS;
    for (unsigned i = 0; i < FLEET_TIERS; i++) {
        const struct tier *tier = &fleet->tiers[i];
        if (!tier->launcher)
            continue;
        uint64_t theirs = tier->launcher->due(tier->context), step = fleet_step_due(&tier->step);
        uint64_t first = theirs < step ? theirs : step;
        due_ns = first < due_ns ? first : due_ns;
    }
    uint64_t ms = due_ns > now_ns ? (due_ns - now_ns + MS_NS - 1) / MS_NS : 0;
    return ms > LEAST_MS ? (int)ms : LEAST_MS;
}

/* ---- What others see ---- */

bool fleet_is_empty(const struct fleet *fleet)
{
    for (unsigned i = 0; i < FLEET_TIERS; i++)
        for (unsigned slot = 0; slot < FLEET_SLOTS; slot++)
            if (fleet->tiers[i].step.members[slot].state != FLEET_ABSENT)
                return false;
    return true;
}

void fleet_view(const struct fleet *fleet, enum fleet_tier which, struct fleet_tier_view *view)
{
    const struct tier *tier = &fleet->tiers[which];
    const struct fleet_step *step = &tier->step;
    memset(view, 0, sizeof *view);
    if (!tier->launcher)
        return;
    view->wanted = step->wanted;
    view->most = step->rules.most;
    view->counted = is_counted(tier);
    view->sizes = fleet_step_sizes(step);
    view->starts = step->starts;
    view->crashes = step->crashes;
    view->slow_starts = step->slow_starts;
    view->kills = step->kills;
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        const struct fleet_member *member = &step->members[i];
        if (member->state == FLEET_ABSENT)
            continue;
        view->members[view->count++] = (struct fleet_member_view){
            i + 1, member->state, tier->launcher->pid ? tier->launcher->pid(tier->context, i) : 0,
            member->failures, member->since_ns};
    }
}
