/* Lane: one loop's part of the load manager.
 *
 * Each engine loop has a lane: its own view of the servers, its own connections to them, its own
 * policy memory, budgets and queue. Lanes share the backends (backend.h) with each other, and
 * nothing else, so that no request waits for another loop's.
 *
 *   balance.c     the app: what the engine calls, mapped to a lane
 *   lane.c        the view of the servers, kept up to date; the tick
 *   forward.c     one request: plan ─▶ attempt ─▶ answer, again elsewhere if that must be
 *   pool.c        a server's connections     upstream.c  one of them
 *
 * Thread: its loop's, but for the figures, which any may read.
 */
#ifndef STOA_BALANCE_LANE_H
#define STOA_BALANCE_LANE_H

#include "balance/admission.h"
#include "balance/balance.h"
#include "balance/budget.h"
#include "balance/hedge.h"
#include "balance/members.h"
#include "balance/pool.h"
#include "balance/route.h"
#include "balance/stamp.h"
#include "balance/window.h"
#include "net/network.h"

#include <stdatomic.h>

/* Time between two looks at what is under way. */
#define LANE_TICK_NS (25 * MS_NS)

/* One writer: its loop. */
struct lane_figures {
    _Atomic uint64_t requests, answers, failed;
    _Atomic uint64_t retries, retries_denied, hedges, hedge_wins, hedges_denied;
    _Atomic uint64_t queued, shed, away, moved, placed;
    _Atomic uint64_t tunnels;
    _Atomic uint32_t in_flight, queue, idle, tunnels_open;
    _Atomic uint64_t queued_since_ns; /* the longest wait's begin; 0: nobody waits */
    struct latency_counts latency;    /* from a request's head to its answer's */
};

struct lane {
    const struct balance_config *config;
    const struct network *trusted;
    unsigned trusted_count;
    struct members *members;
    struct events *events;
    struct loop *loop;
    struct timer tick;
    uint64_t tick_due_ns;
    unsigned late_ticks; /* in a row */
    struct member_news news;

    struct backend_set *set;          /* held */
    struct pool *pools[BACKENDS_MAX]; /* by place, as the next two */
    struct policy_server servers[BACKENDS_MAX];
    struct policy_view view;
    uint64_t prepared; /* the view's version that the policies know */
    struct admission_look look;
    uint64_t looked_turn;
    bool changed; /* what `look` was made from is another now */
    struct router router;
    struct list retired; /* pools of servers that have left */

    struct list forwards; /* under way, oldest first */
    struct stamp stamp;
    struct budget retries;
    struct hedges hedges;
    struct admission admission;
    struct admission_place places[BACKENDS_MAX]; /* as servers */
    struct soon room;                            /* requests have ended: others may begin */
    atomic_uint *lanes;                          /* how many there are; NULL: this is none yet */
    uint64_t reported_ns[BACKENDS_MAX]; /* as servers: the last report that the policy knows */
    int64_t wall_ms;
    uint64_t wall_turn;  /* in which wall_ms was read */
    char *input, *plain; /* WINDOW_BYTES that are read into; UPSTREAM_RECORD: for all of them */
    struct windows windows;
    bool bulk; /* much has just come that a client waits for */
    struct lane_figures figures;
};

/* What all lanes of a load manager have in common; lent. */
struct lane_plan {
    const struct balance_config *config;
    const struct network *trusted; /* whose X-Forwarded-For and its kin are believed */
    unsigned trusted_count;
    struct members *members;
    struct events *events;
    atomic_uint *lanes; /* how many there are; counted by lane_new */
};

/* NULL without memory. */
struct lane *lane_new(const struct lane_plan *plan, struct loop *loop);
/* What is still under way is given up. NULL is fine. */
void lane_free(struct lane *lane);

/* Brings the view up to date for a request that is to be placed, and says who has no room. The same
 * until a request goes to a server, or ends (`changed`), or the loop's next turn. */
struct admission_look lane_look(struct lane *lane);
/* Whether PEER, an address as text, is believed what it says of others. */
static inline bool lane_trusts(const struct lane *lane, struct str peer)
{
    return lane->trusted_count > 0 && network_has_text(lane->trusted, lane->trusted_count, peer);
}
/* A shopper has got a home at server ID. */
void lane_note_home(struct lane *lane, uint64_t id);
/* A request has ended: those who wait will be looked at soon. */
void lane_room(struct lane *lane);

/* Milliseconds since 1970, read once per turn. */
int64_t lane_wall_ms(struct lane *lane);

static inline uint64_t lane_now(const struct lane *lane)
{
    return loop_now(lane->loop);
}

/* For figures: one writer, so that no locked instruction is needed. */
static inline void lane_count(_Atomic uint64_t *figure, uint64_t add)
{
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + add,
                          memory_order_relaxed);
}

#endif
