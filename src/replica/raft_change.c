/* Changes of the cluster, on the Raft thread: servers added, removed, given another role, and
 * handover. One at a time, as Raft wants it.
 *
 *   IDLE ──(a request of another thread, or of ours)──▶ CHANGING ──(committed, or failed)──▶ IDLE
 *    │                                                      raft_add, raft_assign, raft_remove
 *    └──(handover)──▶ HOLDING ──(the target has all)──▶ TRANSFERRING ──(it is primary, or not)──▶
 *         commands wait in forward        raft_transfer                                    IDLE
 */
#include "replica/raft_change.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "replica/keeper.h"
#include "replica/membership.h"
#include "replica/raft_links.h"
#include "replica/raft_ready.h"
#include "replica/raft_witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 10000, LEAVE_MS = 700, HOLD_MS = 500, LOOK_MS = 1000, MEMBER_ADDRESS = 24 };

enum phase { IDLE, CHANGING, HOLDING, TRANSFERRING };

/* Of a thread that waits; on its stack, looked at under the mutex only. */
struct request {
    struct request *next;
    struct change_wish wish;
    struct server_place place; /* CHANGE_ADD */
    bool done;
    struct failure failure;
};

struct change {
    struct replica *replica;
    enum phase phase;
    struct change_wish wish;   /* when not IDLE */
    struct server_place place; /* CHANGE_ADD: where it is; id 0: the book has it already */
    uint64_t begun_ns;
    struct raft_change request;
    struct raft_transfer transfer;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t finished;
    struct request *first, **last;
    struct request *current; /* who waits for what is done now; NULL: nobody */
    bool closed;
};

/* ---- Who asks ---- */

int links_change_begin(struct replica *replica)
{
    struct change *change = calloc(1, sizeof *change);
    if (change == NULL || keeper_new(&replica->links->keeper) != 0) {
        free(change);
        return ERR_NOMEM;
    }
    change->replica = replica;
    change->last = &change->first;
    pthread_mutex_init(&change->mutex, NULL);
    cond_init(&change->finished);
    replica->links->change = change;
    return 0;
}

void links_change_free(struct replica *replica)
{
    struct change *change = replica->links->change;
    keeper_free(replica->links->keeper);
    replica->links->keeper = NULL;
    if (change == NULL)
        return;
    pthread_cond_destroy(&change->finished);
    pthread_mutex_destroy(&change->mutex);
    free(change);
    replica->links->change = NULL;
}

/* Takes back what is not begun yet; what is goes on without us. The lock is held. */
static void withdraw(struct change *change, struct request *request)
{
    for (struct request **at = &change->first; *at != NULL; at = &(*at)->next) {
        if (*at != request)
            continue;
        *at = request->next;
        if (change->last == &request->next)
            change->last = at;
        break;
    }
    if (change->current == request)
        change->current = NULL;
}

static int ask(struct replica *replica, struct request *request, unsigned patience_ms,
               struct failure *failure)
{
    if (replica->links == NULL)
        return fail(failure, ERR_STATE, "this server is alone: it belongs to no cluster");
    struct change *change = replica->links->change;
    uint64_t until_ns = clock_mono_ns() + patience_ms * MS_NS;
    pthread_mutex_lock(&change->mutex);
    if (change->closed) {
        pthread_mutex_unlock(&change->mutex);
        return fail(failure, ERR_CLOSED, "this server is stopping");
    }
    *change->last = request;
    change->last = &request->next;
    raft_thread_wake(replica);
    while (!request->done && cond_wait_until(&change->finished, &change->mutex, until_ns))
        continue;
    if (!request->done) {
        withdraw(change, request);
        fail(&request->failure, ERR_TIMEOUT,
             "it was not done within %u ms, and may still happen; look at the cluster's status",
             patience_ms);
    }
    pthread_mutex_unlock(&change->mutex);
    if (failure != NULL && request->failure.err != 0)
        *failure = request->failure;
    return request->failure.err;
}

static int add(struct replica *replica, const struct server_place *server, bool witness,
               struct failure *failure)
{
    struct request request = {
        .wish = {.kind = CHANGE_ADD, .id = server->id, .witness = witness},
        .place = *server,
    };
    if (server->id == 0 || server->address[0] == 0)
        return fail(failure, ERR_INVALID, "a server needs an id and an address");
    return ask(replica, &request, ASK_MS, failure);
}

int replica_add(struct replica *replica, const struct server_place *server, struct failure *failure)
{
    return add(replica, server, false, failure);
}

int replica_add_witness(struct replica *replica, const struct server_place *server,
                        struct failure *failure)
{
    return add(replica, server, true, failure);
}

int replica_remove(struct replica *replica, uint64_t id, struct failure *failure)
{
    struct request request = {.wish = {.kind = CHANGE_REMOVE, .id = id}};
    return ask(replica, &request, ASK_MS, failure);
}

int replica_handover(struct replica *replica, uint64_t to, struct failure *failure)
{
    struct request request = {.wish = {.kind = CHANGE_HANDOVER, .id = to}};
    return ask(replica, &request, ASK_MS, failure);
}

void links_leave_primary(struct replica *replica)
{
    struct request request = {.wish = {.kind = CHANGE_HANDOVER}};
    ask(replica, &request, LEAVE_MS, NULL);
}

void replica_prefer(struct replica *replica, uint64_t id)
{
    if (replica->links == NULL)
        return;
    pthread_mutex_lock(&replica->links->mutex);
    replica->links->view.preferred = id;
    pthread_mutex_unlock(&replica->links->mutex);
}

/* ---- The end of one ---- */

/* The lock is held. */
static void tell(struct change *change, struct request *request, const struct failure *failure)
{
    request->failure = *failure;
    request->done = true;
    pthread_cond_broadcast(&change->finished);
}

static void finish(struct change *change, const struct failure *failure)
{
    struct replica *replica = change->replica;
    change->phase = IDLE;
    replica->proposer.held = witness_here(replica);
    if (!replica->closing)      /* else libraft has let go of what there is to be told */
        links_publish(replica); /* whoever asked may look at once */
    pthread_mutex_lock(&change->mutex);
    bool asked = change->current != NULL;
    if (asked)
        tell(change, change->current, failure);
    change->current = NULL;
    pthread_mutex_unlock(&change->mutex);
    /* A witness that carries tries again at once, many times in a handover. */
    if (failure->err != 0 && !asked && !witness_here(replica))
        log_line(replica->config.log, LOG_INFO, "replica", "%s", failure->text);
}

static void succeed(struct change *change)
{
    finish(change, &(struct failure){0});
}

static void give_up(struct change *change, int err, const char *why)
{
    static const char *const doing[] = {"cannot be added", "cannot be removed",
                                        "cannot be given another role", "did not take over"};
    struct failure failure = {0};
    fail(&failure, err, "server %llu %s: %s", (unsigned long long)change->wish.id,
         doing[change->wish.kind], why);
    finish(change, &failure);
}

/* Also one that was a member for so short a time that watch_configuration has not seen it. */
static void forget(struct replica *replica, uint64_t id)
{
    if (id != replica->config.id && book_remove(&replica->links->book, id))
        links_arrange(replica);
}

static void changed(struct raft_change *request, int status)
{
    struct change *change = CONTAINER_OF(request, struct change, request);
    if (status == 0 && change->wish.kind == CHANGE_REMOVE)
        forget(change->replica, change->wish.id);
    if (status == 0)
        succeed(change);
    else if (status == RAFT_LEADERSHIPLOST)
        give_up(change, ERR_UNKNOWN_FATE, "this server is no longer primary");
    else if (status == RAFT_NOCONNECTION)
        give_up(change, ERR_TIMEOUT, "it does not catch up with the log");
    else
        give_up(change, ERR_STATE, raft_strerror(status));
}

static void transferred(struct raft_transfer *transfer)
{
    struct change *change = CONTAINER_OF(transfer, struct change, transfer);
    struct replica *replica = change->replica;
    raft_id leader = 0;
    const char *address;
    raft_leader(&replica->raft, &leader, &address);
    if (leader == change->wish.id)
        succeed(change);
    else if (leader == replica->config.id)
        give_up(change, ERR_TIMEOUT, "it was too slow; this server remains primary");
    else
        give_up(change, ERR_STATE, "another server did");
}

/* ---- The begin of one ---- */

static const struct raft_server *member(const struct replica *replica, uint64_t id)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == id)
            return &members->servers[i];
    return NULL;
}

static bool reaches(const struct replica *replica, uint64_t id)
{
    return peers_link(replica->peers, id) != 0 && peers_hears(replica->peers, id);
}

/* Whether server A, which has the log up to HAS_A, should take over rather than B: a hot one, if it
 * soon has all; else who has most. */
static bool is_better(const struct replica *replica, uint64_t a, raft_index has_a, uint64_t b,
                      raft_index has_b)
{
    bool hot_a = ready_kind_of(replica, a) == READINESS_HOT;
    bool hot_b = ready_kind_of(replica, b) == READINESS_HOT;
    raft_index lack = has_a > has_b ? has_a - has_b : has_b - has_a;
    return hot_a != hot_b && lack <= MEMBERSHIP_LAG ? hot_a : has_a > has_b;
}

uint64_t change_successor(struct replica *replica)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    uint64_t best = 0;
    raft_index most = 0;
    for (unsigned i = 0; i < members->n; i++) {
        uint64_t id = members->servers[i].id;
        raft_index match = 0;
        if (id == replica->config.id || members->servers[i].role != RAFT_VOTER ||
            witness_is(&members->servers[i]) || !reaches(replica, id) ||
            raft_match_index(&replica->raft, id, &match) != 0)
            continue;
        if (best == 0 || is_better(replica, id, match, best, most)) {
            best = id;
            most = match;
        }
    }
    return best;
}

static void begin_handover(struct change *change)
{
    struct replica *replica = change->replica;
    if (change->wish.id == replica->config.id) {
        succeed(change);
        return;
    }
    if (change->wish.id == 0)
        change->wish.id = change_successor(replica);
    if (change->wish.id == 0) {
        finish(change,
               &(struct failure){.err = ERR_STATE,
                                 .text = "no other server with a vote is up that could take over "
                                         "from this one; start one and try again"});
        return;
    }
    const struct raft_server *target = member(replica, change->wish.id);
    if (target == NULL || target->role != RAFT_VOTER)
        give_up(change, ERR_STATE, "it has no vote");
    else if (witness_is(target))
        give_up(change, ERR_STATE, "it is a witness, which has no shop to sell from");
    else if (!reaches(replica, target->id))
        give_up(change, ERR_STATE, "it is not reachable");
    else {
        change->phase = HOLDING;
        replica->proposer.held = true;
    }
}

/* Whether those who have a vote without SERVER can go on: most of them are up. */
static bool can_be_spared(const struct replica *replica, const struct raft_server *server)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    unsigned voters = 0, up = 0;
    for (unsigned i = 0; i < members->n; i++) {
        uint64_t id = members->servers[i].id;
        if (members->servers[i].role != RAFT_VOTER || id == server->id)
            continue;
        voters++;
        up += id == replica->config.id || reaches(replica, id);
    }
    return server->role != RAFT_VOTER || up * 2 > voters;
}

static void note_place(struct change *change)
{
    if (change->place.id != 0 && book_note(&change->replica->links->book, &change->place))
        links_arrange(change->replica);
}

/* A primary never proposes members among which it has no vote itself. When it dies before the
 * others have that entry, it is bound by it after its restart: libraft 0.22.1 then lets it neither
 * stand nor vote (Ongaro's thesis, 2014, section 4.2.2, has it do both), and its log is longer than
 * those of the others, who need it for a majority. Nobody would ever be primary again. */
static bool would_unseat_itself(const struct replica *replica, const struct change_wish *wish)
{
    return wish->id == replica->config.id &&
           (wish->kind == CHANGE_REMOVE || (wish->kind == CHANGE_ROLE && wish->role != RAFT_VOTER));
}

/* Only one that will be a member, as far as can be told now, gets into the book. */
static int begin_add(struct change *change)
{
    struct replica *replica = change->replica;
    char address[MEMBER_ADDRESS]; /* must differ from the others'; the book has the real one */
    witness_label(change->wish.id, change->wish.witness, address, sizeof address);
    int status = raft_add(&replica->raft, &change->request, change->wish.id, address, changed);
    if (status == 0)
        note_place(change);
    return status;
}

static void begin(struct change *change, const struct change_wish *wish)
{
    struct replica *replica = change->replica;
    struct raft *raft = &replica->raft;
    const struct raft_server *server = member(replica, wish->id);
    int status = 0;
    change->wish = *wish;
    change->begun_ns = clock_mono_ns();
    change->phase = CHANGING;
    if (raft_state(raft) != RAFT_LEADER) {
        give_up(change, ERR_STATE, "this server is not primary");
        return;
    }
    if (would_unseat_itself(replica, wish)) {
        give_up(change, ERR_STATE,
                "it is the primary; let another take over (stoa handover), and do it there");
        return;
    }
    switch (wish->kind) {
    case CHANGE_HANDOVER:
        begin_handover(change);
        return;
    case CHANGE_ADD:
        if (server != NULL) {
            note_place(change);
            break;
        }
        if (raft->configuration.n >= MEMBERS_MAX) {
            give_up(change, ERR_FULL,
                    "the cluster has 16 servers, and more it cannot have; take one out first (stoa "
                    "remove)");
            return;
        }
        status = begin_add(change);
        goto begun;
    case CHANGE_REMOVE:
        if (server == NULL)
            break;
        if (!can_be_spared(replica, server)) {
            give_up(change, ERR_STATE,
                    "too few of the others that have a vote are up; start them, or wait until one "
                    "more has it");
            return;
        }
        status = raft_remove(raft, &change->request, wish->id, changed);
        goto begun;
    case CHANGE_ROLE:
        if (server == NULL || server->role == wish->role)
            break;
        status = raft_assign(raft, &change->request, wish->id, wish->role, changed);
        goto begun;
    }
    succeed(change); /* it is so already */
    return;
begun:
    if (status != 0)
        give_up(change, status == RAFT_CANTCHANGE ? ERR_BUSY : ERR_STATE, raft_strerror(status));
}

bool change_begin(struct replica *replica, const struct change_wish *wish)
{
    struct change *change = replica->links->change;
    if (change->phase != IDLE)
        return false;
    change->place.id = 0;
    begin(change, wish);
    return true;
}

static void take_request(struct change *change)
{
    pthread_mutex_lock(&change->mutex);
    struct request *request = change->first;
    struct change_wish wish;
    if (request != NULL) {
        change->first = request->next;
        if (change->first == NULL)
            change->last = &change->first;
        change->current = request;
        wish = request->wish; /* the request itself may go when its thread's patience ends */
        change->place = request->place;
    }
    pthread_mutex_unlock(&change->mutex);
    if (request != NULL)
        begin(change, &wish);
}

/* A handover waits until its target has the whole log. */
static void go_on_handover(struct change *change, uint64_t now_ns)
{
    struct replica *replica = change->replica;
    raft_index match = 0;
    if (raft_match_index(&replica->raft, change->wish.id, &match) != 0) {
        give_up(change, ERR_STATE, "this server is no longer primary");
        return;
    }
    if (match == raft_last_index(&replica->raft) && replica->proposer.in_flight == 0) {
        change->phase = TRANSFERRING;
        int status = raft_transfer(&replica->raft, &change->transfer, change->wish.id, transferred);
        if (status != 0)
            give_up(change, ERR_STATE, raft_strerror(status));
    } else if (now_ns - change->begun_ns > HOLD_MS * MS_NS) {
        give_up(change, ERR_TIMEOUT, "it does not catch up with the log");
    }
}

/* ---- What happens by itself ---- */

/* Who is no longer in the committed configuration was removed. */
static void watch_configuration(struct replica *replica)
{
    struct links *links = replica->links;
    const struct raft *raft = &replica->raft;
    const struct raft_configuration *members = &raft->configuration_committed;
    if (raft->configuration_committed_index == links->configuration_seen || members->n == 0)
        return;
    links->configuration_seen = raft->configuration_committed_index;
    bool arrange = false;
    for (unsigned i = 0; i < links->member_count; i++) {
        bool still = false;
        for (unsigned j = 0; j < members->n; j++)
            still |= members->servers[j].id == links->members[i];
        if (still)
            continue;
        log_line(replica->config.log, LOG_INFO, "replica", "server %llu was removed",
                 (unsigned long long)links->members[i]);
        if (links->members[i] == atomic_load(&replica->order.primary_id))
            links_gone(replica, links->members[i]);
        if (links->members[i] != replica->config.id)
            arrange |= book_remove(&links->book, links->members[i]);
    }
    links->member_count = 0;
    for (unsigned i = 0; i < members->n && i < BOOK_PLACES; i++)
        links->members[links->member_count++] = members->servers[i].id;
    if (arrange)
        links_arrange(replica);
}

bool change_was_alone(const struct raft_configuration *members)
{
    for (unsigned i = 0; i < members->n; i++)
        if (strcmp(members->servers[i].address, MEMBER_ALONE) == 0)
            return true;
    return false;
}

/* A shop that was alone and has become a cluster: its log knows of one server only. In the log of
 * any other all founders are members from its first entry on; one that is not was removed, whether
 * or not the book (which is written a little later) knows it. */
static void take_in_founders(struct replica *replica)
{
    const struct links *links = replica->links;
    if (!change_was_alone(&replica->raft.configuration))
        return;
    for (unsigned i = 0; i < links->config.founder_count; i++) {
        uint64_t id = links->config.founders[i].id;
        if (member(replica, id) == NULL && !book_removed(&replica->links->book, id) &&
            reaches(replica, id) &&
            change_begin(replica, &(struct change_wish){.kind = CHANGE_ADD, .id = id}))
            return;
    }
}

void links_turn_change(struct replica *replica, uint64_t now_ns)
{
    struct change *change = replica->links->change;
    if (change->phase == HOLDING)
        go_on_handover(change, now_ns);
    /* Elsewhere than on the primary it is refused, which needs no barrier. */
    bool settled = raft_state(&replica->raft) != RAFT_LEADER || keeper_settled(replica);
    if (change->phase == IDLE && settled)
        take_request(change);
}

void links_pulse_change(struct replica *replica, uint64_t now_ns)
{
    struct links *links = replica->links;
    watch_configuration(replica);
    if (now_ns - links->second_ns < LOOK_MS * MS_NS)
        return;
    links->second_ns = now_ns;
    if (witness_here(replica))
        return; /* it changes nothing of the cluster */
    if (links->change->phase == IDLE && keeper_settled(replica))
        take_in_founders(replica);
    keeper_look(replica, now_ns, links->change->phase == IDLE);
}

void links_change_close(struct replica *replica)
{
    struct change *change = replica->links->change;
    struct failure failure = {0};
    fail(&failure, ERR_CLOSED, "this server is stopping");
    pthread_mutex_lock(&change->mutex);
    change->closed = true;
    if (change->current != NULL)
        tell(change, change->current, &failure);
    change->current = NULL;
    for (struct request *request = change->first; request != NULL; request = request->next)
        tell(change, request, &failure);
    change->first = NULL;
    change->last = &change->first;
    pthread_mutex_unlock(&change->mutex);
}
