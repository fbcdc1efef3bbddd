#include "replica/membership.h"

#include "base/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* What a rule looks at: each member with its history beside it. */
struct council {
    const struct membership_view *view;
    struct member_history *seen[MEMBERS_MAX];
    enum member_kind kinds[MEMBERS_MAX];
    unsigned voters, voters_up;
    struct membership_count wanted, have; /* have: those that vote now */
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

struct membership_count membership_wanted(const struct membership_count *there, unsigned voters_max)
{
    unsigned most = voters_max > 0 && voters_max < 5 ? voters_max : 5;
    unsigned voting = least(there->of[MEMBER_WHOLE], most);
    struct membership_count wanted = {{[MEMBER_WHOLE] = voting}};
    bool witness = there->of[MEMBER_WITNESS] > 0, cold = there->of[MEMBER_COLD] > 0;
    if (voting > 0 && voting % 2 == 0 && voting < most && witness)
        wanted.of[MEMBER_WITNESS] = 1;
    else if (voting == 4)
        wanted.of[MEMBER_WHOLE] = 3;
    else if (voting == 2 && cold)
        wanted.of[MEMBER_COLD] = 1;
    else if (voting == 1 && witness && cold)
        wanted.of[MEMBER_WITNESS] = wanted.of[MEMBER_COLD] = 1;
    return wanted;
}

unsigned membership_target(unsigned count, unsigned voters_max)
{
    struct membership_count there = {{[MEMBER_WHOLE] = count}};
    return membership_wanted(&there, voters_max).of[MEMBER_WHOLE];
}

enum member_kind membership_kind(bool witness, enum readiness ready)
{
    return witness ? MEMBER_WITNESS : ready == READINESS_COLD ? MEMBER_COLD : MEMBER_WHOLE;
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

/* ---- Who counts as what ---- */

/* So many whole servers cannot have a vote now, or (where nothing goes back by itself) have none.
 */
static unsigned shortage(const struct council *council, bool never)
{
    unsigned usable = 0;
    for (unsigned i = 0; i < council->view->count; i++) {
        bool is_voter = council->view->members[i].role == MEMBER_VOTER;
        usable += council->kinds[i] == MEMBER_WHOLE && (never ? is_voter : !is_lost(council, i));
    }
    unsigned want = council->wanted.of[MEMBER_WHOLE];
    return want > usable ? want - usable : 0;
}

/* Cold servers that have been woken count as whole, as long as they are needed: first those that
 * vote. The one whose vote is its own need not run for it. */
static void find_stand_ins(struct council *council)
{
    const struct membership_view *view = council->view;
    unsigned own = council->wanted.of[MEMBER_COLD], needed = shortage(council, false);
    unsigned kept = view->failback == FAILBACK_NEVER ? shortage(council, true) : 0;
    for (unsigned i = 0; i < view->count; i++) {
        if (council->kinds[i] != MEMBER_COLD || view->members[i].role != MEMBER_VOTER)
            continue;
        if (own > 0) {
            own--;
        } else if (!history(council, i)->down && (needed > 0 || kept > 0)) {
            council->kinds[i] = MEMBER_WHOLE;
            needed -= needed > 0;
            kept -= kept > 0;
        }
    }
    for (unsigned i = 0; i < view->count && needed > 0; i++)
        if (council->kinds[i] == MEMBER_COLD && view->members[i].role == MEMBER_STANDBY &&
            is_steady(council, i)) {
            council->kinds[i] = MEMBER_WHOLE;
            needed--;
        }
}

static void count_voters(struct council *council)
{
    for (unsigned i = 0; i < council->view->count; i++) {
        const struct member_view *member = &council->view->members[i];
        if (member->role != MEMBER_VOTER)
            continue;
        council->voters++;
        council->voters_up += member->up;
        council->have.of[council->kinds[i]]++;
    }
}

static void convene(struct membership *membership, const struct membership_view *view,
                    struct council *council)
{
    struct membership_count there = {0};
    CHECK(view->count <= MEMBERS_MAX);
    *council = (struct council){.view = view};
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
        council->kinds[i] = membership_kind(member->witness, member->ready);
        there.of[council->kinds[i]]++;
    }
    council->wanted = membership_wanted(&there, view->voters_max);
    find_stand_ins(council);
    count_voters(council);
}

/* ---- What a rule asks ---- */

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

static unsigned sum(const struct membership_count *count)
{
    return count->of[MEMBER_WHOLE] + count->of[MEMBER_COLD] + count->of[MEMBER_WITNESS];
}

static unsigned wanted(const struct council *council)
{
    return sum(&council->wanted);
}

static unsigned missing(const struct council *council, enum member_kind kind)
{
    unsigned want = council->wanted.of[kind], have = council->have.of[kind];
    return want > have ? want - have : 0;
}

static bool surplus(const struct council *council, enum member_kind kind)
{
    return council->have.of[kind] > council->wanted.of[kind];
}

static bool any_surplus(const struct council *council)
{
    return surplus(council, MEMBER_WHOLE) || surplus(council, MEMBER_COLD) ||
           surplus(council, MEMBER_WITNESS);
}

static bool is_hot(const struct council *council, unsigned i)
{
    return council->view->members[i].ready == READINESS_HOT;
}

/* It may be preferred and not hot: then it is not made primary. */
static bool is_wished(const struct council *council, unsigned i)
{
    return is_preferred(council, i) && is_hot(council, i);
}

/* Whether standby A should get a vote rather than B: the one that shall be primary, a hot one, then
 * who has been healthy for longest. */
static bool is_better(const struct council *council, unsigned a, unsigned b)
{
    if (is_wished(council, a) || is_wished(council, b))
        return is_wished(council, a);
    if (is_hot(council, a) != is_hot(council, b))
        return is_hot(council, a);
    return history(council, a)->caught_up_ms < history(council, b)->caught_up_ms;
}

/* The standby of KIND that should be given a vote next; COUNT for none. *CANDIDATES: how many
 * could. */
static unsigned best_candidate(const struct council *council, enum member_kind kind,
                               unsigned *candidates)
{
    const struct membership_view *view = council->view;
    unsigned best = view->count;
    *candidates = 0;
    for (unsigned i = 0; i < view->count; i++) {
        if (view->members[i].role != MEMBER_STANDBY || council->kinds[i] != kind ||
            !is_steady(council, i) || history(council, i)->tried)
            continue;
        ++*candidates;
        if (best == view->count || is_better(council, i, best))
            best = i;
    }
    return best;
}

/* The voter of KIND that is lost for longest; COUNT for none. */
static unsigned most_lost(const struct council *council, enum member_kind kind)
{
    const struct membership_view *view = council->view;
    unsigned worst = view->count;
    for (unsigned i = 0; i < view->count; i++)
        if (view->members[i].role == MEMBER_VOTER && council->kinds[i] == kind &&
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
    if (is_hot(council, a) != is_hot(council, b))
        return is_hot(council, b);
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
        if (any_surplus(council) && !surplus(council, council->kinds[i]))
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

/* Which kind lacks a vote most: whole servers first, the others are of use beside them only. A cold
 * one, which will not be up for long, gets its vote when there is a witness for the other. */
static enum member_kind neediest(const struct council *council, const unsigned *candidates)
{
    bool alone = missing(council, MEMBER_WITNESS) > candidates[MEMBER_WITNESS];
    if (missing(council, MEMBER_WHOLE) > 0)
        return MEMBER_WHOLE;
    return missing(council, MEMBER_COLD) > 0 && !alone ? MEMBER_COLD : MEMBER_WITNESS;
}

static void give_vote(const struct council *council, struct membership_change *change)
{
    static const char *const names[] = {"server", "cold server", "witness"};
    unsigned best[MEMBER_KINDS], candidates[MEMBER_KINDS], lacking = 0, filled = 0;
    for (unsigned kind = 0; kind < MEMBER_KINDS; kind++) {
        best[kind] = best_candidate(council, kind, &candidates[kind]);
        lacking += missing(council, kind);
        filled += least(candidates[kind], missing(council, kind));
    }
    enum member_kind kind = neediest(council, candidates);
    if (missing(council, kind) == 0 || best[kind] == council->view->count || !may_grow(council))
        return;
    /* From three to five only when there is somebody for both: four are no better than three. */
    if (council->voters >= 3 && filled < lacking)
        return;
    decide(council, change, MEMBERSHIP_ASSIGN, best[kind], MEMBER_VOTER,
           "%s %llu has caught up and gets a vote: one of %u", names[kind],
           (unsigned long long)council->view->members[best[kind]].id, wanted(council));
}

/* Each by one of its own kind. */
static void replace_lost(const struct council *council, struct membership_change *change)
{
    static const enum member_kind kinds[] = {MEMBER_WHOLE, MEMBER_WITNESS}; /* cold ones sleep */
    for (unsigned k = 0; k < COUNT_OF(kinds); k++) {
        unsigned candidates, best = best_candidate(council, kinds[k], &candidates);
        unsigned lost = most_lost(council, kinds[k]);
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

static bool any_hot_voter(const struct council *council)
{
    const struct membership_view *view = council->view;
    for (unsigned i = 0; i < view->count; i++)
        if (view->members[i].role == MEMBER_VOTER && !view->members[i].witness &&
            is_hot(council, i) && !is_lost(council, i))
            return true;
    return false;
}

/* To who shall be primary: the preferred one, or a hot one where none has a vote. */
static void give_wished(const struct council *council, struct membership_change *change)
{
    unsigned candidates, best = best_candidate(council, MEMBER_WHOLE, &candidates);
    bool wished = best < council->view->count &&
                  (is_wished(council, best) || (is_hot(council, best) && !any_hot_voter(council)));
    if (wished && may_grow(council) && council->voters == wanted(council))
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
    if (council->kinds[worst] == MEMBER_COLD)
        decide(council, change, MEMBERSHIP_ASSIGN, worst, MEMBER_STANDBY,
               "server %llu is cold and gives its vote back: %u of %u servers vote", id,
               wanted(council), view->count);
    else if (history(council, worst)->down)
        decide(council, change, MEMBERSHIP_ASSIGN, worst, MEMBER_STANDBY,
               "server %llu has been down for %llu s and loses its vote", id,
               seconds_down(council, worst));
    else
        decide(council, change, MEMBERSHIP_ASSIGN, worst, MEMBER_STANDBY,
               "%s %llu gives up its vote: %u of %u servers vote",
               view->members[worst].witness ? "witness" : "server", id, wanted(council),
               view->count);
}

/* ---- Who shall be primary ---- */

static const struct member_view *member_of(const struct council *council, uint64_t id)
{
    for (unsigned i = 0; i < council->view->count; i++)
        if (council->view->members[i].id == id)
            return &council->view->members[i];
    return NULL;
}

/* Leadership goes back to hot servers only, that have been healthy for as long as they must be. */
static bool may_get_back(const struct council *council, unsigned i)
{
    const struct membership_view *view = council->view;
    const struct member_view *member = &view->members[i];
    const struct member_history *seen = history(council, i);
    return member->role == MEMBER_VOTER && !member->witness && member->ready == READINESS_HOT &&
           is_steady(council, i) && view->now_ms - seen->caught_up_ms >= member->wait_ms &&
           !seen->tried;
}

/* COUNT: whoever is primary shall be. */
static unsigned wished_primary(const struct council *council)
{
    const struct membership_view *view = council->view;
    const struct member_view *primary = member_of(council, view->primary);
    unsigned best = view->count;
    bool hot = primary == NULL || primary->ready == READINESS_HOT;
    if (hot && view->preferred == view->primary)
        return best;
    for (unsigned i = 0; i < view->count; i++) {
        if (view->members[i].id == view->primary || !may_get_back(council, i))
            continue;
        if (is_preferred(council, i))
            return i;
        bool better = best == view->count ||
                      history(council, i)->caught_up_ms < history(council, best)->caught_up_ms;
        if (!hot && better)
            best = i;
    }
    return best;
}

static void hand_back(const struct council *council, struct membership_change *change)
{
    const struct membership_view *view = council->view;
    unsigned i = wished_primary(council);
    bool quiet = view->failback != FAILBACK_IDLE || view->quiet_ms >= FAILBACK_QUIET_MS;
    if (i == view->count || view->failback == FAILBACK_NEVER || !quiet)
        return;
    unsigned long long id = view->members[i].id;
    uint64_t healthy_ms = view->now_ms - history(council, i)->caught_up_ms;
    if (is_preferred(council, i))
        decide(council, change, MEMBERSHIP_HANDOVER, i, MEMBER_VOTER,
               "server %llu shall be primary, and has been healthy for %llu s", id,
               (unsigned long long)healthy_ms / 1000);
    else
        decide(council, change, MEMBERSHIP_HANDOVER, i, MEMBER_VOTER,
               "server %llu is hot and has been healthy for %llu s: it shall be primary rather "
               "than this one",
               id, (unsigned long long)healthy_ms / 1000);
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
        send_log_to_spares, give_vote, replace_lost, give_wished, take_vote, hand_back};
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
