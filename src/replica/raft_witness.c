#include "replica/raft_witness.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/guard.h"
#include "replica/raft_change.h"
#include "replica/raft_links.h"
#include "replica/retain.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PATIENCE = 3, /* election timeouts of silence, before it stands without being asked */
    TIRED = 10,   /* as many as a carrier without success */
    LOG_MAX = 256 << 20,
    LOG_CUT = 1 << 20,
    FRESH_MS = 1000, /* who was heard within that is alive */
    LEARN_MS = 50,
    KEPT_LEAST = 8, /* entries below a snapshot */
};

struct witness {
    struct retain retain;
    uint64_t silent_ns;   /* since when no primary is heard; 0: one is */
    uint64_t asked_ns;    /* by one that it can give what it lacks; 0: never */
    uint64_t carrying_ns; /* since when it leads; 0: it does not */
    uint64_t learnt_ns;
    uint64_t keep_after; /* as decided last */
};

/* ---- Who is one ---- */

bool witness_here(const struct replica *replica)
{
    return replica->config.witness;
}

bool witness_is(const struct raft_server *member)
{
    return member->address != NULL && member->address[0] == 'w';
}

bool witness_has_id(const struct raft_configuration *members, uint64_t id)
{
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == id)
            return witness_is(&members->servers[i]);
    return false;
}

void witness_label(uint64_t id, bool witness, char *out, size_t size)
{
    snprintf(out, size, "%s%llu", witness ? "w" : "", (unsigned long long)id);
}

uint64_t witness_no_primary(const struct raft *raft)
{
    raft_id leader = 0;
    const char *address = NULL;
    raft_leader((struct raft *)raft, &leader, &address);
    return leader != 0 && witness_has_id(&raft->configuration, leader) ? 0 : leader;
}

/* ---- The machine that it has not ---- */

static uint64_t nothing_applied(void *context)
{
    (void)context;
    return 0;
}

static int64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static int begin_nothing(void *context, struct failure *failure)
{
    (void)context;
    return fail(failure, ERR_INTERNAL, "a witness applies nothing");
}

static int apply_nothing(void *context, uint64_t index, int64_t time_ms, struct str command,
                         struct buf *result, struct failure *failure)
{
    (void)index, (void)time_ms, (void)command, (void)result;
    return begin_nothing(context, failure);
}

static int commit_nothing(void *context, uint64_t index, int64_t time_ms, struct failure *failure)
{
    (void)index, (void)time_ms;
    return begin_nothing(context, failure);
}

static int keep_nothing(void *context, uint64_t *index, struct failure *failure)
{
    (void)index;
    return begin_nothing(context, failure);
}

const struct machine witness_machine = {
    .applied = nothing_applied,
    .applied_time = no_time,
    .begin = begin_nothing,
    .apply = apply_nothing,
    .commit = commit_nothing,
    .make_durable = keep_nothing,
};

/* So much is cut off at once, at the least. */
static uint64_t least_cut(const struct replica *replica)
{
    return replica->config.log_cut > 0 ? replica->config.log_cut : LOG_CUT;
}

int witness_new(struct replica *replica)
{
    if (!witness_here(replica))
        return 0;
    replica->witness = calloc(1, sizeof *replica->witness);
    if (replica->witness == NULL)
        return ERR_NOMEM;
    uint64_t most = replica->config.log_max;
    replica->witness->retain.bytes_max = most > 0 ? most : LOG_MAX;
    replica->witness->retain.fine = least_cut(replica) / 4;
    return 0;
}

void witness_free(struct replica *replica)
{
    free(replica->witness);
    replica->witness = NULL;
}

/* ---- What it can give ---- */

static const struct raft_server *member(const struct raft *raft, uint64_t id)
{
    for (unsigned i = 0; i < raft->configuration.n; i++)
        if (raft->configuration.servers[i].id == id)
            return &raft->configuration.servers[i];
    return NULL;
}

static bool is_whole_voter(const struct raft_server *server)
{
    return server != NULL && server->role == RAFT_VOTER && !witness_is(server);
}

/* Whether what comes after entry INDEX is all in the log. */
static bool goes_on_from(const struct raft *raft, uint64_t index)
{
    return index == 0 ? raft->trail.offset == 0 : guard_term_of(raft, index) != 0;
}

/* Whether SERVER, whose log ends with entry LAST of TERM, can get from here all that it lacks: its
 * log is the begin of ours; or, where it goes other ways, what it has for certain is. */
static bool can_feed(const struct replica *replica, uint64_t server, uint64_t last, raft_term term)
{
    const struct raft *raft = &replica->raft;
    if (goes_on_from(raft, last) && (last == 0 || guard_term_of(raft, last) == term))
        return true;
    uint64_t certain = retain_certain_of(&replica->witness->retain, server);
    return raft->trail.offset == 0 || (certain > 0 && goes_on_from(raft, certain));
}

static const struct news *fresh_news_of(const struct replica *replica, uint64_t server,
                                        uint64_t now_ns)
{
    uint64_t heard_ns = 0;
    const struct news *news = links_news_of(replica, server, &heard_ns);
    bool fresh = news != NULL && now_ns - heard_ns < FRESH_MS * MS_NS &&
                 peers_link(replica->peers, server) != 0 && peers_hears(replica->peers, server);
    return fresh ? news : NULL;
}

bool witness_may_stand(struct replica *replica)
{
    const struct raft *raft = &replica->raft;
    uint64_t now = clock_mono_ns();
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        const struct news *news = is_whole_voter(server) && replica->links != NULL
                                      ? fresh_news_of(replica, server->id, now)
                                      : NULL;
        if (news != NULL && can_feed(replica, server->id, news->last_index, news->last_term))
            return true;
    }
    return false;
}

uint64_t witness_gives_from(const struct replica *replica)
{
    const struct raft_trail *trail = &replica->raft.trail;
    if (trail->offset == 0)
        return 0;
    return guard_term_of(&replica->raft, trail->offset + 1) != 0 ? trail->offset + 1
                                                                 : trail->snapshot.index;
}

/* ---- When it stands ---- */

static bool is_silent(const struct raft *raft)
{
    return raft->state == RAFT_FOLLOWER &&
           raft->io->time(raft->io) - raft->election_timer_start >= raft->election_timeout;
}

bool witness_waits(struct replica *replica)
{
    struct witness *witness = replica->witness;
    if (witness == NULL)
        return false;
    uint64_t now = clock_mono_ns(), timeout = replica->config.election_ms * MS_NS;
    if (witness->silent_ns == 0)
        witness->silent_ns = now;
    bool asked = witness->asked_ns != 0 && now - witness->asked_ns < 2 * timeout;
    bool over = now - witness->silent_ns >= PATIENCE * timeout;
    return !(asked || over) || !witness_may_stand(replica);
}

/* It may vote at once when a silent primary's time is over; else whoever asks first is refused, and
 * waits for another election timeout. */
void witness_before_message(struct replica *replica, const struct raft_message *message)
{
    struct raft *raft = &replica->raft;
    if (witness_here(replica) && message->type == RAFT_REQUEST_VOTE && is_silent(raft))
        raft->follower_state.current_leader.id = 0;
}

/* Whoever asks with a shorter log will not be elected without this one, nor with it. */
void witness_after_request(struct replica *replica, uint64_t from,
                           const struct raft_request_vote *request)
{
    struct raft *raft = &replica->raft;
    uint64_t last = raft_last_index(raft);
    raft_term term = guard_term_of(raft, last);
    bool shorter = request->last_log_term != term ? request->last_log_term < term
                                                  : request->last_log_index < last;
    if (!witness_here(replica) || !shorter || raft->state != RAFT_FOLLOWER ||
        raft->follower_state.current_leader.id != 0 || !is_whole_voter(member(raft, from)) ||
        !can_feed(replica, from, request->last_log_index, request->last_log_term))
        return;
    replica->witness->asked_ns = clock_mono_ns();
    raft->election_timer_start = raft->io->time(raft->io) - 2 * raft->election_timeout;
}

/* ---- As a carrier ---- */

bool witness_is_tired(const struct replica *replica)
{
    const struct witness *witness = replica->witness;
    return witness != NULL && witness->carrying_ns != 0 &&
           clock_mono_ns() - witness->carrying_ns >
               TIRED * replica->config.election_ms * (uint64_t)MS_NS;
}

static void carry(struct replica *replica, uint64_t now_ns)
{
    struct witness *witness = replica->witness;
    bool leads = raft_state(&replica->raft) == RAFT_LEADER;
    if (leads && witness->carrying_ns == 0)
        log_line(replica->config.log, LOG_INFO, "replica",
                 "this witness leads in term %llu, until a server has all that it has",
                 (unsigned long long)raft_current_term(&replica->raft));
    witness->carrying_ns = !leads ? 0 : witness->carrying_ns != 0 ? witness->carrying_ns : now_ns;
    if (leads && change_successor(replica) != 0)
        change_begin(replica, &(struct change_wish){.kind = CHANGE_HANDOVER});
}

/* ---- What the others have ---- */

static void learn_voters(struct replica *replica)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    uint64_t servers[CLUSTER_SERVERS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < members->n && count < CLUSTER_SERVERS_MAX; i++)
        if (is_whole_voter(&members->servers[i]))
            servers[count++] = members->servers[i].id;
    retain_voters(&replica->witness->retain, servers, count);
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The primary of our term says how far each log agrees with its own; itself it has all that is
 * committed. */
static void learn_from_primary(struct replica *replica, uint64_t primary, const struct news *news)
{
    struct retain *retain = &replica->witness->retain;
    uint64_t commit = raft_commit_index(&replica->raft);
    if (news->leader != primary || news->term != raft_current_term(&replica->raft))
        return;
    retain_certain(retain, primary, at_most(news->last_index, commit));
    for (unsigned i = 0; i < news->match_count; i++)
        retain_certain(retain, news->matches[i].server, at_most(news->matches[i].index, commit));
}

/* A log that has our entry at its end has all before it, too. */
static void learn_from(struct replica *replica, uint64_t server, const struct news *news)
{
    const struct raft *raft = &replica->raft;
    if (news->last_index != 0 && guard_term_of(raft, news->last_index) == news->last_term)
        retain_certain(&replica->witness->retain, server,
                       at_most(news->last_index, raft_commit_index((struct raft *)raft)));
    if (retain_certain_of(&replica->witness->retain, server) >= replica->witness->keep_after &&
        can_feed(replica, server, news->last_index, news->last_term))
        retain_take_up(&replica->witness->retain, server);
}

static void learn(struct replica *replica, uint64_t now_ns)
{
    struct witness *witness = replica->witness;
    raft_id primary = 0;
    const char *address;
    if (now_ns - witness->learnt_ns < LEARN_MS * MS_NS)
        return;
    witness->learnt_ns = now_ns;
    raft_leader(&replica->raft, &primary, &address);
    learn_voters(replica);
    for (unsigned i = 0; i < witness->retain.count; i++) {
        uint64_t server = witness->retain.servers[i].server;
        const struct news *news = fresh_news_of(replica, server, now_ns);
        if (news == NULL)
            continue;
        if (server == primary)
            learn_from_primary(replica, primary, news);
        learn_from(replica, server, news);
    }
}

void witness_turn(struct replica *replica, uint64_t now_ns)
{
    struct witness *witness = replica->witness;
    if (witness == NULL || replica->links == NULL)
        return;
    raft_id leader = 0;
    const char *address;
    raft_leader(&replica->raft, &leader, &address);
    if (leader != 0)
        witness->silent_ns = witness->asked_ns = 0;
    retain_weigh(&witness->retain, raft_last_index(&replica->raft), replica->io.bytes_ever);
    learn(replica, now_ns);
    carry(replica, now_ns);
}

/* ---- What it keeps ---- */

static void say_given_up(const struct replica *replica, const uint64_t *servers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        log_line(replica->config.log, LOG_WARN, "replica",
                 "the log that server %llu lacks is longer than %llu MiB (--log-max): this witness "
                 "drops its begin. If the other servers are lost before server %llu has come back, "
                 "it cannot go on without them",
                 (unsigned long long)servers[i],
                 (unsigned long long)(replica->witness->retain.bytes_max >> 20),
                 (unsigned long long)servers[i]);
}

bool witness_cut_due(struct replica *replica)
{
    struct witness *witness = replica->witness;
    uint64_t given_up[CLUSTER_SERVERS_MAX], before = replica->raft.trail.offset;
    unsigned count = 0;
    witness->keep_after =
        retain_cut(&witness->retain, before + 1, raft_commit_index(&replica->raft),
                   raft_last_index(&replica->raft), given_up, &count);
    say_given_up(replica, given_up, count);
    return retain_bytes(&witness->retain, before, witness->keep_after) > least_cut(replica);
}

/* Its entry KEEP_AFTER is kept, too: what comes after it is sent with its term. */
uint64_t witness_trailing(struct replica *replica)
{
    uint64_t commit = raft_commit_index(&replica->raft), after = replica->witness->keep_after;
    uint64_t kept = commit > after ? commit - after + 1 : 1;
    return kept < KEPT_LEAST ? KEPT_LEAST : kept;
}

bool witness_keeps_much(const struct replica *replica, uint64_t server)
{
    const struct witness *witness = replica->witness;
    if (witness == NULL || !is_whole_voter(member(&replica->raft, server)))
        return false;
    uint64_t certain = retain_certain_of(&witness->retain, server);
    uint64_t last = raft_last_index((struct raft *)&replica->raft);
    return certain != 0 &&
           retain_bytes(&witness->retain, certain, last) > witness->retain.bytes_max / 2;
}
