#include "replica/keeper.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/membership.h"
#include "replica/raft_change.h"
#include "replica/raft_links.h"
#include "replica/raft_ready.h"
#include "replica/raft_witness.h"

#include <stdlib.h>

enum { HEARD_MS = 1500, REPLACE_MS = 60000 };

struct keeper {
    struct failback_memory memory; /* longer than of one term */
    struct membership seen;
    raft_term term; /* in which it was seen */
    struct raft_barrier barrier;
    bool barring;           /* the barrier is on its way */
    raft_term barrier_term; /* its own */
    raft_term settled_term; /* of the last one that was committed */
};

int keeper_new(struct keeper **keeper)
{
    *keeper = calloc(1, sizeof **keeper);
    return *keeper == NULL ? ERR_NOMEM : 0;
}

void keeper_free(struct keeper *keeper)
{
    free(keeper);
}

/* ---- The barrier ---- */

/* Also when leadership is lost, and at close. */
static void barred(struct raft_barrier *barrier, int status)
{
    struct keeper *keeper = CONTAINER_OF(barrier, struct keeper, barrier);
    keeper->barring = false;
    if (status == 0)
        keeper->settled_term = keeper->barrier_term;
}

bool keeper_settled(struct replica *replica)
{
    struct keeper *keeper = replica->links->keeper;
    raft_term term = raft_current_term(&replica->raft);
    if (raft_state(&replica->raft) != RAFT_LEADER || witness_here(replica))
        return false;
    if (keeper->settled_term == term)
        return true;
    /* One that was begun in a former term ends by itself. RAFT_NOSPACE and the like: next time. */
    if (!keeper->barring) {
        keeper->barrier_term = term;
        keeper->barring = raft_barrier(&replica->raft, &keeper->barrier, barred) == 0;
    }
    return false;
}

/* ---- What is seen ---- */

static enum member_role role_of(const struct raft_server *server)
{
    return server->role == RAFT_VOTER     ? MEMBER_VOTER
           : server->role == RAFT_STANDBY ? MEMBER_STANDBY
                                          : MEMBER_SPARE;
}

static uint64_t behind(uint64_t least, uint64_t most)
{
    return most > least ? most - least : 0;
}

/* What its log or its copy lacks, whichever is more. A witness has no copy, and a warm server's is
 * old as the operator wants it. */
static uint64_t lag_of(struct replica *replica, uint64_t id, bool witness, const struct news *news)
{
    raft_index match = 0;
    if (raft_match_index(&replica->raft, id, &match) != 0)
        match = 0;
    uint64_t log = behind(match, raft_last_index(&replica->raft));
    uint64_t copy = behind(news->applied_index, raft_commit_index(&replica->raft));
    bool by_log = witness || ready_kind_of(replica, id) == READINESS_WARM;
    return by_log || log > copy ? log : copy;
}

static struct member_view view_of(struct replica *replica, const struct raft_server *server,
                                  uint64_t now_ns)
{
    struct member_view member = {
        .id = server->id, .role = role_of(server), .witness = witness_is(server)};
    uint64_t heard_ns = 0;
    if (server->id == replica->config.id) {
        member.up = member.able = true;
        return member;
    }
    const struct news *news = links_news_of(replica, server->id, &heard_ns);
    if (news == NULL)
        return member;
    member.up = peers_link(replica->peers, server->id) != 0 &&
                peers_hears(replica->peers, server->id) && now_ns - heard_ns < HEARD_MS * MS_NS;
    member.able = news->ready && !news->leaving;
    member.lag = lag_of(replica, server->id, member.witness, news);
    return member;
}

static void look_around(struct replica *replica, uint64_t now_ns, struct membership_view *view)
{
    struct links *links = replica->links;
    const struct raft_configuration *members = &replica->raft.configuration;
    const struct replica_cluster *config = &links->config;
    *view = (struct membership_view){
        .now_ms = now_ns / MS_NS,
        .primary = replica->config.id,
        .voters_max = config->voters_max,
        .replace_ms = config->replace_ms > 0 ? config->replace_ms : REPLACE_MS,
        .steady_ms = config->steady_ms > 0 ? config->steady_ms : MEMBERSHIP_STEADY_MS};
    pthread_mutex_lock(&links->mutex);
    struct readiness_table readiness = links->view.readiness;
    view->preferred = links->view.preferred;
    pthread_mutex_unlock(&links->mutex);
    view->failback = readiness.failback;
    view->quiet_ms = failback_quiet_ms(&links->keeper->memory, view->now_ms);
    for (unsigned i = 0; i < members->n && view->count < MEMBERS_MAX; i++) {
        struct member_view *member = &view->members[view->count++];
        *member = view_of(replica, &members->servers[i], now_ns);
        if (!member->witness)
            member->ready = readiness_of(&readiness, member->id).kind;
        member->wait_ms =
            failback_wait_ms(&links->keeper->memory, member->id, view->steady_ms, view->now_ms);
    }
}

/* ---- What is done ---- */

static struct change_wish wish_for(const struct membership_change *change)
{
    static const int roles[] = {
        [MEMBER_SPARE] = RAFT_SPARE, [MEMBER_STANDBY] = RAFT_STANDBY, [MEMBER_VOTER] = RAFT_VOTER};
    bool handover = change->action == MEMBERSHIP_HANDOVER;
    return (struct change_wish){.kind = handover ? CHANGE_HANDOVER : CHANGE_ROLE,
                                .id = change->id,
                                .role = roles[change->role]};
}

void keeper_look(struct replica *replica, uint64_t now_ns, bool free)
{
    struct keeper *keeper = replica->links->keeper;
    struct membership_view view;
    struct membership_change change;
    failback_note(&keeper->memory, witness_no_primary(&replica->raft),
                  raft_last_index(&replica->raft), now_ns / MS_NS);
    if (raft_state(&replica->raft) != RAFT_LEADER)
        return;
    if (keeper->term != raft_current_term(&replica->raft)) {
        keeper->term = raft_current_term(&replica->raft);
        keeper->seen = (struct membership){0};
    }
    look_around(replica, now_ns, &view);
    if (!free || !keeper_settled(replica)) {
        membership_observe(&keeper->seen, &view);
        return;
    }
    membership_decide(&keeper->seen, &view, &change);
    if (change.action == MEMBERSHIP_NOTHING)
        return;
    log_line(replica->config.log, LOG_INFO, "replica", "%s", change.why);
    struct change_wish wish = wish_for(&change);
    CHECK(change_begin(replica, &wish)); /* as FREE said */
}
