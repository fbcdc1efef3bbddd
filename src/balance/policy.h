/* Policy: which server gets the next request. The seam, and the list of policies.
 *
 * A policy is a pure function with a memory of its own: it sees the servers as plain structs,
 * a key, the time and a random state, and names one of them. The same code runs in the load
 * manager (one memory per loop, so that loops share nothing), in the simulator
 * (bench/balance_sim.h) and in the unit tests.
 *
 *   the servers changed ──▶ prepare
 *   a request           ──▶ pick ──▶ (sent to the one picked: in_flight counts it)
 *   its answer          ──▶ done
 *   a server's report   ──▶ probed        (those of the checks are enough)
 *
 * done is told of every answer, also of those to requests that went where they went without the
 * policy (home, sent again): it learns from them, and the default does from nothing else.
 *
 * Each policy is a file named for itself, and its header comment names the paper or the practice
 * that it follows. Thread: one at a time for each memory.
 */
#ifndef STOA_BALANCE_POLICY_H
#define STOA_BALANCE_POLICY_H

#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POLICY_SERVERS_MAX = 64, POLICY_WEIGHT = 100 /* of a usual server */ };

/* A server as a policy sees it. */
struct policy_server {
    uint64_t id;     /* stays the same for as long as the server exists; hashed */
    uint32_t weight; /* POLICY_WEIGHT: usual; twice as much for one twice as fast; 0: nothing new */
    uint32_t share;  /* of its weight that it gets now, in thousandths: below 1000 while it
                        warms up (slow start) */
    uint32_t in_flight; /* requests that it has from here, unanswered */
    bool usable;        /* takes new requests */
    uint32_t homes;     /* shoppers who were given it as home from here lately */
};

/* All of them. Their order is the operator's, and the same everywhere; a place (0 … count - 1)
 * means the same server until version changes. */
struct policy_view {
    const struct policy_server *servers;
    unsigned count;
    uint64_t version; /* changes when servers come or go, or a weight or `usable` changes */
    bool settling; /* who is placed stays for a whole visit: who comes in a quiet moment clicks in
                      a busy one, so that those who live there count, not only what is in flight */
};

struct policy {
    const char *name;  /* as people write it: "least-connections" */
    const char *about; /* one line for the help */
    size_t memory;     /* bytes of its memory, begun zeroed; at most 1 MiB; may be 0 */

    /* May be NULL. Before the first pick, and whenever view->version is another. */
    void (*prepare)(void *memory, const struct policy_view *view, uint64_t now_ns);

    /* The place of a usable server, or -1 when there is none. TRIED: a bit for each place that
     * this request has already been at; a policy passes over these while others are left. With
     * one in it this is a second choice (sent again, or a shopper's away server, where perhaps
     * nothing ever goes): it is nobody's turn and counts for nothing later. KEY is what belongs
     * together (a shopper, a cart, an address), hashed. */
    int (*pick)(void *memory, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random);

    /* May be NULL. The server at AT has answered after TOOK_NS, or (FAILED) has not. */
    void (*done)(void *memory, unsigned at, uint64_t took_ns, bool failed, uint64_t now_ns);

    /* May be NULL. The server at AT says that it has IN_FLIGHT requests from all sides, and that
     * such a one takes LATENCY_NS lately. Each report is told once. */
    void (*probed)(void *memory, const struct policy_view *view, unsigned at, uint32_t in_flight,
                   uint64_t latency_ns, uint64_t now_ns);
};

extern const struct policy policy_round_robin, policy_least_connections, policy_response_time,
    policy_ip_hash, policy_bounded_load, policy_two_choices, policy_prequal, policy_failover;

/* All of them, ended by NULL; the first is the default. */
extern const struct policy *const policies[];
/* NULL: no such policy. */
const struct policy *policy_find(const char *name);

#endif
