/* Succession: what makes a change of primary quick, and commits known at once. Raft's safety does
 * not depend on any of it.
 *
 * A primary whose process has died resets its connections, and its port refuses: its followers
 * know it within a millisecond or two (peers.h, gone). They need not wait for the election
 * timeout: each tells the others at once how far its log reaches; who has the longest stands,
 * by a TimeoutNow as the primary itself would have sent at a handover; the k-th in that order waits
 * k times SUCCEED_STEP_MS, for the case that those before it cannot.
 *
 * Followers hear of a commit with the next AppendEntries. When nothing more is to be sent, a
 * heartbeat goes out a little earlier, so that copies are fresh after a round trip.
 */
#include "base/clock.h"
#include "replica/guard.h"
#include "replica/raft_links.h"
#include "replica/raft_ready.h"
#include "replica/raft_witness.h"

enum {
    SUCCEED_LISTEN_MS = 10,    /* for what the others have to say; that they said so long before */
    SUCCEED_STEP_MS = 40,      /* to hear that another stands */
    SUCCEED_ELECTION_MS = 150, /* which takes a few writes to the disk, on each side */
    SUCCEED_MS = 1000,         /* then the election timeout has long done it */
    SOON_MS = 2,
    BACK_MS = 60000, /* who was heard within that may come back, and then lacks this much */
    FRESH_MS = 1000, /* who was heard within that is alive */
};

/* ---- A dead primary ---- */

static uint64_t leader_of(const struct replica *replica)
{
    raft_id leader = 0;
    const char *address;
    raft_leader((struct raft *)&replica->raft, &leader, &address);
    return leader;
}

static int role_of(const struct replica *replica, uint64_t server)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == server)
            return members->servers[i].role;
    return -1;
}

static void look_again(uv_timer_t *timer)
{
    (void)timer; /* a turn comes, that is all */
}

void links_gone(struct replica *replica, uint64_t server)
{
    struct succession *succession = &replica->links->succession;
    log_line(replica->config.log, LOG_WARN, "replica", "the process of server %llu is gone",
             (unsigned long long)server);
    if (raft_state(&replica->raft) != RAFT_FOLLOWER || leader_of(replica) != server ||
        role_of(replica, replica->config.id) != RAFT_VOTER)
        return;
    *succession = (struct succession){.gone = server, .since_ns = clock_mono_ns()};
    links_tell_news(replica, false);
    uv_timer_start(&replica->links->soon, look_again, SOON_MS, SOON_MS);
}

/* Whether the log of A's news reaches further than B's (Raft §5.4.1). */
static int compare(const struct news *a, const struct news *b)
{
    if (a->last_term != b->last_term)
        return a->last_term > b->last_term ? 1 : -1;
    if (a->last_index != b->last_index)
        return a->last_index > b->last_index ? 1 : -1;
    return 0;
}

/* What the living voters, as far as we know the members, say of an election. */
struct outlook {
    unsigned before; /* of them come before us */
    bool known;      /* all of them have spoken since */
    bool standing;   /* one of them stands */
    bool majority;   /* they and we are one */
};

static struct outlook outlook_of(const struct replica *replica, uint64_t now_ns)
{
    const struct succession *succession = &replica->links->succession;
    const struct raft_configuration *members = &replica->raft.configuration;
    uint64_t own = replica->config.id, last = raft_last_index((struct raft *)&replica->raft);
    struct news ours = {.last_index = last, .last_term = guard_term_of(&replica->raft, last)};
    struct outlook outlook = {.known = true};
    unsigned voters = 0, alive = 1; /* this one */
    for (unsigned i = 0; i < members->n; i++) {
        uint64_t id = members->servers[i].id, heard_ns;
        voters += members->servers[i].role == RAFT_VOTER;
        if (id == own || id == succession->gone || members->servers[i].role != RAFT_VOTER)
            continue;
        const struct news *theirs = links_news_of(replica, id, &heard_ns);
        if (theirs == NULL || now_ns - heard_ns > FRESH_MS * MS_NS ||
            !peers_hears(replica->peers, id))
            continue; /* down too */
        alive++;
        outlook.known &= heard_ns + SUCCEED_LISTEN_MS * MS_NS >= succession->since_ns;
        outlook.standing |= theirs->standing;
        int order = compare(theirs, &ours);
        outlook.before += order > 0 || (order == 0 && ready_is_earlier(replica, id, own));
    }
    outlook.majority = 2 * alive > voters;
    return outlook;
}

/* The others are told first: to stand, libraft waits for the disk. */
static void announce(struct replica *replica)
{
    log_line(replica->config.log, LOG_INFO, "replica", "stands for primary");
    replica->links->succession.stood = true;
    links_tell_news(replica, false);
    peers_flush(replica->peers);
}

static void stand(struct replica *replica)
{
    if (!replica->links->succession.stood)
        announce(replica);
    uint64_t last = raft_last_index(&replica->raft);
    struct raft_message message = {
        .type = RAFT_TIMEOUT_NOW,
        .server_id = replica->links->succession.gone,
        .server_address = "-",
        .timeout_now = {.term = raft_current_term(&replica->raft),
                        .last_log_index = last,
                        .last_log_term = guard_term_of(&replica->raft, last)}};
    io_receive(&replica->io, &message); /* of no effect while entries are being written */
}

void links_succeed(struct replica *replica, uint64_t now_ns)
{
    struct succession *succession = &replica->links->succession;
    if (succession->gone == 0)
        return;
    uint64_t waited = now_ns - succession->since_ns;
    if (raft_state(&replica->raft) != RAFT_FOLLOWER || leader_of(replica) != succession->gone ||
        waited > SUCCEED_MS * MS_NS) {
        succession->gone = 0;
        uv_timer_stop(&replica->links->soon);
        return;
    }
    struct outlook outlook = outlook_of(replica, now_ns);
    if (!outlook.known && waited < SUCCEED_LISTEN_MS * MS_NS)
        return;
    /* It cannot win, but would count up terms, in which it refuses its vote to whoever can: one
     * that has been made a voter by an entry which has not reached us. */
    if (!outlook.majority)
        return;
    /* A witness stands when all others have less than it; else it is not needed. */
    if (witness_here(replica) && (outlook.before > 0 || !witness_may_stand(replica)))
        return;
    raft_id voted = raft_voted_for(&replica->raft);
    bool standing = outlook.standing ||
                    (voted != 0 && voted != succession->gone && voted != replica->config.id);
    uint64_t patience = outlook.before * SUCCEED_STEP_MS + (standing ? SUCCEED_ELECTION_MS : 0);
    if (waited >= patience * MS_NS)
        stand(replica);
}

/* ---- Commits ---- */

uint64_t links_lacked(const struct replica *replica)
{
    const struct raft *raft = &replica->raft;
    uint64_t most = 0, now = clock_mono_ns();
    for (unsigned i = 0; raft->state == RAFT_LEADER && i < raft->configuration.n; i++) {
        uint64_t id = raft->configuration.servers[i].id, heard_ns;
        raft_index has = 0;
        const struct news *news = links_news_of(replica, id, &heard_ns);
        if (news == NULL || now - heard_ns > BACK_MS * MS_NS ||
            raft_match_index(raft, id, &has) != 0)
            continue;
        has = news->last_index > has ? news->last_index : has;
        bool kept = has >= raft->commit_index || guard_term_of(raft, has + 1) != 0;
        if (kept && raft->commit_index > has && raft->commit_index - has > most)
            most = raft->commit_index - has;
    }
    return most;
}

static unsigned told_place(struct links *links, uint64_t server)
{
    unsigned place = 0;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (links->told[i].server == server)
            return i;
        if (links->told[i].server == 0 || role_of(links->replica, links->told[i].server) < 0)
            place = i;
    }
    links->told[place].server = server;
    links->told[place].commit = 0;
    links->told[place].term = 0;
    return place;
}

void links_told(struct replica *replica, const struct raft_message *message)
{
    const struct raft_append_entries *append = &message->append_entries;
    if (message->type != RAFT_APPEND_ENTRIES)
        return;
    struct links *links = replica->links;
    unsigned at = told_place(links, message->server_id);
    uint64_t reaches = append->prev_log_index + append->n_entries;
    uint64_t commit = append->leader_commit < reaches ? append->leader_commit : reaches;
    if (links->told[at].term != append->term || links->told[at].commit < commit)
        links->told[at].commit = commit;
    links->told[at].term = append->term;
}

void links_tell_commits(struct replica *replica)
{
    struct raft *raft = &replica->raft;
    struct links *links = replica->links;
    if (raft_state(raft) != RAFT_LEADER)
        return;
    raft_term term = raft_current_term(raft);
    uint64_t commit = raft_commit_index(raft);
    if (guard_term_of(raft, commit) != term)
        return; /* of an earlier term: what a follower has there is not certain */
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        uint64_t id = raft->configuration.servers[i].id;
        raft_index match = 0;
        if (id == replica->config.id || peers_link(replica->peers, id) == 0 ||
            raft_match_index(raft, id, &match) != 0 || match < commit)
            continue;
        unsigned at = told_place(links, id);
        if (links->told[at].term == term && links->told[at].commit >= commit)
            continue;
        struct raft_message message = {.type = RAFT_APPEND_ENTRIES,
                                       .server_id = id,
                                       .server_address = "-",
                                       .append_entries = {.term = term,
                                                          .prev_log_index = commit,
                                                          .prev_log_term = term,
                                                          .leader_commit = commit}};
        links_send(replica, &message);
    }
}
