/* Admission: how much a lane gives to each server, and who waits meanwhile.
 *
 * A server has a limit on requests in flight (struct backend). Lanes share nothing, so each has
 * its part of it, at least 1; a server that warms up or is slow has a part of that, by its share.
 * A request waits only when no usable server has a place for it: a shopper whose home has none is
 * served away.
 *
 *   lane: admission_look(view) ──▶ full:  places that take no more requests now
 *                                  avoid: full ones, and others by their shares (for route.h)
 *   a request ──▶ admission_must_wait? ──yes──▶ admission_wait ──▶ who is to be answered 503
 *             └─no─▶ route_choose(… avoid …); the place that a policy names is looked up in full
 *   a request has ended, servers have changed ──▶ while (item = admission_next(…)) begin it
 *   now and then ──▶ while (item = admission_late(…)) answer 503
 *   nobody can take it, and it asks again after a pause ──▶ admission_pause … admission_resume
 *
 * Whoever comes while others wait waits behind them: fair.h decides whose turn it is. What cannot
 * be served in time is answered 503 with Retry-After: admission_retry_s.
 *
 * Pure, but for its memory. Thread: its lane's.
 */
#ifndef STOA_BALANCE_ADMISSION_H
#define STOA_BALANCE_ADMISSION_H

#include "balance/fair.h"
#include "balance/policy.h"
#include "base/random.h"

struct admission_limits {
    unsigned lane, lanes; /* which one of how many: 0 … lanes - 1 */
    struct fair_limits queue;
};

struct admission {
    unsigned lane, lanes;
    struct fair *queue;
    struct random random;
    uint64_t served_ns; /* since when `served` counts */
    uint32_t served;    /* of those that had waited */
    double per_second;  /* as measured; 0: not yet */
};

/* A server's, beside what the view says of it. */
struct admission_place {
    uint32_t in_flight; /* of this lane */
    uint32_t limit;     /* for all lanes together; 0: none */
};

/* As bits by place. */
struct admission_look {
    uint64_t full, avoid;
};

int admission_init(struct admission *admission, const struct admission_limits *limits,
                   uint64_t seed);
void admission_close(struct admission *admission);

/* Which servers have as much as they may have from this lane. PLACES as view->servers. For each
 * request anew: a server that warms up or is slow is avoided by chance, as often as its share says,
 * and never when no other one has a place: so shoppers who are at home there come back little by
 * little. */
struct admission_look admission_look(struct admission *admission, const struct policy_view *view,
                                     const struct admission_place *places);
/* Requests that a lane may have in flight at a server with LIMIT; UINT32_MAX: any. */
uint32_t admission_part(const struct admission *admission, uint32_t limit, uint32_t share);

/* Whether any usable server has a place. */
bool admission_has_room(const struct policy_view *view, uint64_t full);
/* Whether a request that has just come, or comes again, has to wait: no usable server has a place,
 * or others wait already. */
bool admission_must_wait(const struct admission *admission, const struct policy_view *view,
                         uint64_t full);
/* ITEM waits. KEY: its client (the address: an id that clients make up themselves is no client).
 * Returns who is shed for it, as fair_add. */
struct fair_item *admission_wait(struct admission *admission, struct fair_item *item, uint64_t key,
                                 uint64_t now_ns);
/* The next one, when there is a place; it does not wait any more. NULL: nobody, or no place. */
struct fair_item *admission_next(struct admission *admission, const struct policy_view *view,
                                 const struct admission_place *places, uint64_t now_ns);
/* One that has waited as long as anybody may. NULL: there is none. */
struct fair_item *admission_late(struct admission *admission, uint64_t now_ns);
/* Its client has gone. Harmless for one that does not wait. */
void admission_leave(struct admission *admission, struct fair_item *item);

/* A request that waits, but for a moment to pass and not for its turn: the bound of the queue holds
 * for both together. False: too many wait already. */
bool admission_pause(struct admission *admission);
void admission_resume(struct admission *admission);

/* What is waiting, and for Retry-After: in how many seconds that will have been served. */
unsigned admission_waiting(const struct admission *admission);
unsigned admission_retry_s(const struct admission *admission);

#endif
