#include "replica/membership.h"

#include "base/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* What a rule looks at: each member with its history beside it. */
struct council {
    const struct membership_view *view;
    struct member_history *seen[MEMBERS_MAX];
    unsigned voters, voters_up;
    struct membership_wanted wanted, have; /* have: those that vote now */
};

struct membership_wanted membership_wanted(unsigned whole, unsigned witnesses, unsigned voters_max)
{
    unsigned most = voters_max > 0 && voters_max < 5 ? voters_max : 5;
    unsigned voting = whole < most ? whole : most;
    if (voting > 0 && voting % 2 == 0 && voting < most && witnesses > 0)
        return (struct membership_wanted){.whole = voting, .witnesses = 1};
    return (struct membership_wanted){.whole = voting == 4 ? 3 : voting};
}

unsigned membership_target(unsigned count, unsigned voters_max)
{
    return membership_wanted(count, 0, voters_max).whole;
}

/* ---- What is seen ---- */

static struct member_history *find(struct membership *membership, uint64_t id)
{
    for (unsigned i = 0; i < membership->count; i++)
        if (membership->members[i].id == id)
            return &membership->members[i];
    return NULL;
}

static void forget_former(struct membership *membership, const struct membership_view *view)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < membership->count; i++) {
        bool is_member = false;
        for (unsigned k = 0; k < view->count; k++)
            is_member |= view->members[k].id == membership->members[i].id;
        if (is_member)
            membership->members[kept++] = membership->members[i];
    }
    membership->count = kept;
}

static void note(struct member_history *seen, const struct member_view *member,
                 const struct membership_view *view)
{
    uint64_t now_ms = view->now_ms;
    if (member->up && !seen->up)
        seen->up_ms = now_ms;
    seen->up = member->up;
    /* Down begins at once, and ends only when it has been up for a while. */
    if (!member->up && !seen->down) {
        seen->down = true;
        seen->down_ms = now_ms;
    } else if (member->up && now_ms - seen->up_ms >= view->steady_ms) {
        seen->down = false;
    }
    bool caught_up = member->up && member->able && member->lag <= MEMBERSHIP_LAG;
    if (caught_up && !seen->caught_up)
        seen->caught_up_ms = now_ms;
    seen->caught_up = caught_up;
    if (member->role != seen->role || now_ms - seen->tried_ms >= MEMBERSHIP_RETRY_MS)
        seen->tried = false;
    seen->role = member->role;
}

static void convene(struct membership *membership, const struct membership_view *view,
                    struct council *council)
{
    unsigned witnesses = 0;
    CHECK(view->count <= MEMBERS_MAX);
    for (unsigned i = 0; i < view->count; i++)
        witnesses += view->members[i].witness;
    *council = (struct council){
        .view = view,
        .wanted = membership_wanted(view->count - witnesses, witnesses, view->voters_max)};
    forget_former(membership, view);
    for (unsigned i = 0; i < view->count; i++) {
        const struct member_view *member = &view->members[i];
        struct member_history *seen = find(membership, member->id);
        if (!seen) {
            seen = &membership->members[membership->count++];
            *seen = (struct member_history){.id = member->id};
        }
        note(seen, member, view);
        council->seen[i] = seen;
        council->voters += member->role == MEMBER_VOTER;
        council->voters_up += member->role == MEMBER_VOTER && member->up;
        council->have.witnesses += member->role == MEMBER_VOTER && member->witness;
        council->have.whole += member->role == MEMBER_VOTER && !member->witness;
    }
}

/* ---- What a rule asks ---- */

static struct member_history *history(const struct council *council, unsigned i)
{
    CHECK(i < council->view->count && council->seen[i]);
    return council->seen[i];
}

/* Healthy for so long that it may be relied on. */
static bool is_steady(const struct council *council, unsigned i)
{
    const struct member_history *seen = history(council, i);
    return seen->caught_up &&
           council->view->now_ms - seen->caught_up_ms >= council->view->steady_ms;
}

static bool is_lost(const struct council *council, unsigned i)
{
    const struct member_history *seen = history(council, i);
    return seen->down && council->view->now_ms - seen->down_ms >= council->view->replace_ms;
}

static bool is_preferred(const struct council *council, unsigned i)
{
    return council->view->members[i].id == council->view->preferred;
}

static bool is_majority(unsigned up, unsigned voters)
{
    return up > voters / 2;
}

static unsigned long long seconds_down(const struct council *council, unsigned i)
{
    return (council->view->now_ms - history(council, i)->down_ms) / 1000;
}

static unsigned wanted(const struct council *council)
{
    return council->wanted.whole + council->wanted.witnesses;
}

static unsigned missing(const struct council *council, bool witness)
{
    unsigned want = witness ? council->wanted.witnesses : council->wanted.whole;
    unsigned have = witness ? council->have.witnesses : council->have.whole;
    return want > have ? want - have : 0;
}

static bool surplus(const struct council *council, bool witness)
{
    return witness ? council->have.witnesses > council->wanted.witnesses
                   : council->have.whole > council->wanted.whole;
}

/* The standby of its kind that should be given a vote next; COUNT for none. *CANDIDATES: how many
 * could. */
static unsigned best_candidate(const struct council *council, bool witness, unsigned *candidates)
{
    const struct membership_view *view = council->view;
    unsigned best = view->count;
    *candidates = 0;
    for (unsigned i = 0; i < view->count; i++) {
        if (view->members[i].role != MEMBER_STANDBY || view->members[i].witness != witness ||
            !is_steady(council, i) || history(council, i)->tried)
            continue;
        ++*candidates;
        bool better = best == view->count || is_preferred(council, i) ||
                      (!is_preferred(council, best) &&
                       history(council, i)->caught_up_ms < history(council, best)->caught_up_ms);
        if (better)
            best = i;
    }
    return best;
}

/* The voter of its kind that is lost for longest; COUNT for none. */
static unsigned most_lost(const struct council *council, bool witness)
{
    const struct membership_view *view = council->view;
    unsigned worst = view->count;
    for (unsigned i = 0; i < view->count; i++)
        if (view->members[i].role == MEMBER_VOTER && view->members[i].witness == witness &&
            is_lost(council, i) &&
            (worst == view->count ||
             history(council, i)->down_ms < history(council, worst)->down_ms))
            worst = i;
    return worst;
}

/* Whether voter A should lose its vote rather than voter B. */
static bool is_worse(const struct council *council, unsigned a, unsigned b)
{
    const struct member_view *members = council->view->members;
    const struct member_history *one = history(council, a), *other = history(council, b);
    if (one->down != other->down)
        return one->down;
    if (one->down)
        return one->down_ms < other->down_ms;
    if (one->caught_up != other->caught_up)
        return !one->caught_up;
    return members[a].id > members[b].id;
}

static unsigned least_needed(const struct council *council)
{
    const struct membership_view *view = council->view;
    unsigned worst = view->count;
    for (unsigned i = 0; i < view->count; i++) {
        const struct member_view *member = &view->members[i];
        if (member->role != MEMBER_VOTER || member->id == view->primary)
            continue;
        /* The preferred one only when it is down. */
        if (is_preferred(council, i) && !history(council, i)->down)
            continue;
        /* Of those there are too many of; else it is one that is in the way. */
        if (surplus(council, !member->witness) && !surplus(council, member->witness))
            continue;
        if (worst == view->count || is_worse(council, i, worst))
            worst = i;
    }
    return worst;
}

static void decide(const struct council *council, struct membership_change *change,
                   enum membership_action action, unsigned i, enum member_role role,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

static void decide(const struct council *council, struct membership_change *change,
                   enum membership_action action, unsigned i, enum member_role role,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(change->why, sizeof change->why, format, args);
    va_end(args);
    change->action = action;
    change->id = council->view->members[i].id;
    change->role = role;
    history(council, i)->tried = true;
    history(council, i)->tried_ms = council->view->now_ms;
}

/* ---- The rules: each decides, or leaves it to the next ---- */

static void send_log_to_spares(const struct council *council, struct membership_change *change)
{
    for (unsigned i = 0; i < council->view->count; i++) {
        const struct member_view *member = &council->view->members[i];
        if (member->role == MEMBER_SPARE && member->up && !history(council, i)->tried) {
            decide(council, change, MEMBERSHIP_ASSIGN, i, MEMBER_STANDBY,
                   "server %llu is there and gets the log from now on",
                   (unsigned long long)member->id);
            return;
        }
    }
}

/* Whether one more voter would leave a majority that is up. */
static bool may_grow(const struct council *council)
{
    return is_majority(council->voters_up + 1, council->voters + 1);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Whole servers first: a witness is of use beside them only. */
static void give_vote(const struct council *council, struct membership_change *change)
{
    const struct membership_view *view = council->view;
    unsigned whole_missing = missing(council, false), witness_missing = missing(council, true);
    unsigned wholes, witnesses;
    unsigned whole = best_candidate(council, false, &wholes);
    unsigned witness = best_candidate(council, true, &witnesses);
    unsigned best = whole_missing > 0 ? whole : witness;
    if (whole_missing + witness_missing == 0 || best == view->count || !may_grow(council))
        return;
    /* From three to five only when there is somebody for both: four are no better than three. */
    if (council->voters >= 3 && least(wholes, whole_missing) + least(witnesses, witness_missing) <
                                    whole_missing + witness_missing)
        return;
    decide(council, change, MEMBERSHIP_ASSIGN, best, MEMBER_VOTER,
           "%s %llu has caught up and gets a vote: one of %u",
           view->members[best].witness ? "witness" : "server",
           (unsigned long long)view->members[best].id, wanted(council));
}

/* Each by one of its own kind. */
static void replace_lost(const struct council *council, struct membership_change *change)
{
    for (int witness = 0; witness < 2; witness++) {
        unsigned candidates, best = best_candidate(council, witness, &candidates);
        unsigned lost = most_lost(council, witness);
        if (best == council->view->count || lost == council->view->count || !may_grow(council) ||
            council->voters > wanted(council))
            continue;
        decide(council, change, MEMBERSHIP_ASSIGN, best, MEMBER_VOTER,
               "server %llu gets a vote in place of server %llu, which has been down for %llu s",
               (unsigned long long)council->view->members[best].id,
               (unsigned long long)council->view->members[lost].id, seconds_down(council, lost));
        return;
    }
}

static void give_preferred(const struct council *council, struct membership_change *change)
{
    unsigned candidates, best = best_candidate(council, false, &candidates);
    if (best < council->view->count && is_preferred(council, best) && may_grow(council) &&
        council->voters == wanted(council))
        decide(council, change, MEMBERSHIP_ASSIGN, best, MEMBER_VOTER,
               "server %llu, which shall be primary, gets a vote",
               (unsigned long long)council->view->members[best].id);
}

static void take_vote(const struct council *council, struct membership_change *change)
{
    const struct membership_view *view = council->view;
    unsigned worst = least_needed(council);
    if (worst == view->count || history(council, worst)->tried)
        return;
    /* One of four that is lost makes a majority harder to reach, not easier. */
    bool burden = council->voters > 2 && council->voters % 2 == 0 && is_lost(council, worst);
    if (council->voters <= wanted(council) && !burden)
        return;
    unsigned up = council->voters_up - view->members[worst].up;
    if (!is_majority(up, council->voters - 1))
        return;
    unsigned long long id = view->members[worst].id;
    if (history(council, worst)->down)
        decide(council, change, MEMBERSHIP_ASSIGN, worst, MEMBER_STANDBY,
               "server %llu has been down for %llu s and loses its vote", id,
               seconds_down(council, worst));
    else
        decide(council, change, MEMBERSHIP_ASSIGN, worst, MEMBER_STANDBY,
               "%s %llu gives up its vote: %u of %u servers vote",
               view->members[worst].witness ? "witness" : "server", id, wanted(council),
               view->count);
}

static void return_to_preferred(const struct council *council, struct membership_change *change)
{
    const struct membership_view *view = council->view;
    if (view->preferred == 0 || view->preferred == view->primary)
        return;
    for (unsigned i = 0; i < view->count; i++)
        if (is_preferred(council, i) && view->members[i].role == MEMBER_VOTER &&
            !view->members[i].witness && is_steady(council, i) && !history(council, i)->tried)
            decide(council, change, MEMBERSHIP_HANDOVER, i, MEMBER_VOTER,
                   "server %llu shall be primary, and has been healthy for %u s",
                   (unsigned long long)view->preferred, view->steady_ms / 1000);
}

void membership_observe(struct membership *membership, const struct membership_view *view)
{
    struct council council;
    convene(membership, view, &council);
}

void membership_decide(struct membership *membership, const struct membership_view *view,
                       struct membership_change *change)
{
    static void (*const rules[])(const struct council *, struct membership_change *) = {
        send_log_to_spares, give_vote, replace_lost,
        give_preferred,     take_vote, return_to_preferred};
    struct council council;
    *change = (struct membership_change){.action = MEMBERSHIP_NOTHING};
    convene(membership, view, &council);
    for (unsigned i = 0; i < COUNT_OF(rules) && change->action == MEMBERSHIP_NOTHING; i++)
        rules[i](&council, change);
}

bool membership_believes_removal(unsigned said, unsigned members, unsigned known)
{
    unsigned all = members > 0 ? members : known;
    unsigned others = all > 1 ? all - 1 : 1;
    return said * 2 > others;
}
