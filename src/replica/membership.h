/* Membership: which of a cluster's servers vote, and which of them shall be primary. The rules.
 *
 *   SPARE ──(is up)──▶ STANDBY ──(a voter is missing, or down for long)──▶ VOTER
 *                         ▲                                                  │
 *                         └────────(replaced, or one too many)───────────────┘
 *
 * A spare is not sent the log, a standby is and has no vote (libraft's roles). Voters wanted: of 1
 * server 1, of 2 2, of 3 or 4 3, of 5 and more 5: an even number more tolerates no more failures.
 * A witness (raft_witness.h) makes an even number odd, and so 2 of 2 and it 3, 4 of 4 and it 5;
 * where that is not needed it has no vote, and it never takes that of a server with a database.
 *
 * A cold server (readiness.h) does not run and so has no vote, but where two others are the
 * majority beside it: two whole servers, or one and a witness. When one of those dies, it is woken,
 * and they go on. One that was woken counts as whole as long as a whole one is lost, and gives its
 * vote back when that one has come back.
 *
 * After a takeover leadership goes back (never, when the log is quiet, or at once, as the operator
 * wants it) to the preferred server, and else from one that is not hot to one that is; to a server
 * that is hot in either case.
 *
 * Each change leaves a majority that is up; whoever replaces a voter gets its vote before that one
 * loses it (Ongaro's thesis, 2014, section 4.2).
 *
 * Decided once a second on the primary (replica/keeper.h), one change at a time. Pure: what has
 * been seen so far is in struct membership, which begins anew with each primary.
 */
#ifndef STOA_REPLICA_MEMBERSHIP_H
#define STOA_REPLICA_MEMBERSHIP_H

#include "replica/failback.h"
#include "replica/readiness.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MEMBERS_MAX = CLUSTER_SERVERS_MAX,
    MEMBERSHIP_STEADY_MS = 5000, /* usual, for steady_ms */
    /* What was tried and did not come about is tried again after this. */
    MEMBERSHIP_RETRY_MS = 15000,
    /* So many entries behind counts as caught up: what is under way under load. */
    MEMBERSHIP_LAG = 1000,
};

enum member_role { MEMBER_SPARE, MEMBER_STANDBY, MEMBER_VOTER };

/* A server as the primary sees it now. */
struct member_view {
    uint64_t id;
    enum member_role role;
    bool up;              /* linked both ways and heard of lately; the primary itself: always */
    bool able;            /* its copy is whole: it is not fetching one, and it is not leaving */
    uint64_t lag;         /* entries that its log or its copy lacks */
    bool witness;         /* it has no database; else it is a whole server */
    enum readiness ready; /* as the operator wants it; a witness has none */
    uint64_t wait_ms;     /* healthy for so long it may be primary again: failback.h */
};

struct membership_view {
    uint64_t now_ms;    /* monotonic */
    uint64_t primary;   /* the one that decides */
    uint64_t preferred; /* who shall be primary; 0: whoever is */
    enum failback failback;
    uint64_t quiet_ms;   /* since when the log is quiet: failback.h */
    unsigned voters_max; /* 0: as above */
    uint32_t replace_ms; /* a voter down for so long is replaced */
    /* Up, or caught up, is who has been so for this long: whoever comes and goes is down. */
    uint32_t steady_ms;
    unsigned count;
    struct member_view members[MEMBERS_MAX];
};

/* What was seen of each so far. Zeroed at first. */
struct membership {
    unsigned count;
    struct member_history {
        uint64_t id;
        enum member_role role;
        bool up, down, caught_up, tried;
        uint64_t up_ms, down_ms, caught_up_ms, tried_ms; /* since when, while it is so */
    } members[MEMBERS_MAX];
};

enum membership_action { MEMBERSHIP_NOTHING, MEMBERSHIP_ASSIGN, MEMBERSHIP_HANDOVER };

struct membership_change {
    enum membership_action action;
    uint64_t id;
    enum member_role role; /* ASSIGN */
    char why[160];         /* a sentence for the log */
};

/* How many of COUNT whole servers shall vote, when there is no witness. */
unsigned membership_target(unsigned count, unsigned voters_max);
/* How many of each kind there are, or shall vote. */
enum member_kind { MEMBER_WHOLE, MEMBER_COLD, MEMBER_WITNESS };
enum { MEMBER_KINDS = 3 };
struct membership_count {
    unsigned of[MEMBER_KINDS];
};
enum member_kind membership_kind(bool witness, enum readiness ready);
/* How many of those that are THERE shall vote. */
struct membership_count membership_wanted(const struct membership_count *there,
                                          unsigned voters_max);

/* Takes notice of VIEW, while something else is under way. */
void membership_observe(struct membership *membership, const struct membership_view *view);
/* Takes notice of VIEW, and says what is to be done next. */
void membership_decide(struct membership *membership, const struct membership_view *view,
                       struct membership_change *change);

/* Whether a server is to believe that it was removed, when SAID others say so: more than half of
 * them must, for one alone may be wrong. MEMBERS: how many its log knows of, itself included; one
 * that has just joined has no log yet (0) and counts those that its book has, KNOWN, likewise. */
bool membership_believes_removal(unsigned said, unsigned members, unsigned known);

#endif
