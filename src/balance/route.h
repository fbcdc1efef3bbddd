/* Route: to which servers a request may go, in which order. Pure.
 *
 *   home cookie, signed and known ──────────▶ home, away, away … (those that can be used first)
 *   no cookie, but a cart, a checkout, an
 *     order or an operator's token ─────────▶ by its hash (Maglev), then the next ones
 *   neither, and it opens a page ──────────▶ by the policy: home, then away; the cookie says so
 *   neither: a picture, a catalogue's page
 *     for programs, a health check ────────▶ one server, by the policy
 *
 * A shopper moves within the set when home is suspect, out, draining or overloaded, and in
 * part, by chance, while it warms up or is slow; when it is well again the shopper goes home
 * again. When none of the set can be used, the policy makes a new
 * set. Servers that have left the cluster are dropped from it, and others take their places. The
 * token in Stoa-Session is no key: it changes with every answer (web/token.h). With fixed upstreams
 * that are not a shop of ours there are no homes: the policy alone.
 *
 * What the hash chooses is a place for one request, the same at each load manager, and nobody's
 * home: no server is told of it. A browser that has a cart but no cookie may have had a home, which
 * the cart's row knows: the server is asked (home.h), and the browser's next request goes there, or
 * stays with the hash's choice when there is no such row.
 */
#ifndef STOA_BALANCE_ROUTE_H
#define STOA_BALANCE_ROUTE_H

#include "balance/home.h"
#include "balance/policy.h"
#include "http/exchange.h"

enum { ROUTE_PLACES_MAX = HOME_SERVERS_MAX };

enum route_reason { ROUTE_HOME, ROUTE_AWAY, ROUTE_HASH, ROUTE_POLICY };

struct route_plan {
    enum route_reason reason;
    uint64_t key;                 /* for the policy, when it has to find further ones; never 0:
                                     route_key, or else the client's address */
    unsigned count;               /* 0: nobody can be used. ROUTE_POLICY without a home: 1, and
                                     further ones are the policy's to name when they are needed */
    int places[ROUTE_PLACES_MAX]; /* in struct policy_view, best first */
    struct home home;             /* the set as it is now; count 0: none */
    bool set_cookie;              /* the answer takes `home` along, if it may */
    bool ask;                     /* it is the server's answer that says which home */
};

/* What the policies of a loop remember, and what they are. */
struct router {
    const struct policy *policy, *hash; /* for first contacts; for clients without cookies */
    void *policy_memory, *hash_memory;
    struct home_signer *signer; /* NULL: no homes */
    unsigned aways; /* how many away servers a shopper gets; 1 … HOME_SERVERS_MAX - 1 */
    struct random random;
};

/* Where X goes. OVERLOADED: by place, who has as much as it may have. Both policies' memories
 * have been prepared for VIEW. */
void route_choose(struct router *router, const struct exchange *x, const struct policy_view *view,
                  uint64_t overloaded, uint64_t now_ns, int64_t wall_ms, struct route_plan *plan);

/* Whether X, an unsafe request with a stamp, may be sent again when it is not known whether it was
 * done. What the shop's log does is done once (web/once.h); an import and a change of the cluster
 * are not in it. */
bool route_repeats(const struct exchange *x);

/* What belongs together, hashed: a cart's, checkout's or order's id in the path, the cart in the
 * cookie, or the operator's token; 0: nothing of the kind. */
uint64_t route_key(const struct exchange *x);

#endif
