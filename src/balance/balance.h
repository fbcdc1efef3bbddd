/* Balance: the layer-7 load manager as an app (engine/app.h) that forwards.
 *
 * An engine gives it requests on its loops; each loop has its own connections to the servers,
 * policy memory and queue (lane.h), and shares with the others only the backends (backend.h).
 * The watcher thread (members.h) finds the servers and checks them.
 *
 *   browser ──HTTP/1.1, HTTP/2, TLS──▶ engine ─▶ accept: route.h (home, policy), stamp.h
 *                                               admission.h (limit, fair queue, deadline)
 *                                               forward.h ─▶ upstream.h ──HTTP/1.1──▶ server
 *
 * Names of headers, hop-by-hop rules: hop.h. Seen from outside by view.h (metrics, status page).
 */
#ifndef STOA_BALANCE_BALANCE_H
#define STOA_BALANCE_BALANCE_H

#include "balance/backend.h"
#include "balance/home.h"
#include "balance/policy.h"
#include "base/log.h"
#include "engine/engine.h"

enum { BALANCE_SEEDS_MAX = 16, BALANCE_TRUSTED_MAX = 16 };

enum balance_mode { BALANCE_PROXY, BALANCE_DIRECT };

/* A listed upstream, or a shop server from which the members are learnt. */
struct balance_seed {
    char url[BACKEND_URL];
    uint32_t weight;
};

/* main/balance_settings.c has the usual values, and their limits. */
struct balance_config {
    const struct policy *policy;
    enum balance_mode mode;

    /* Exactly one of the two lists is not empty. */
    struct balance_seed servers[BALANCE_SEEDS_MAX]; /* of a cluster: members are read live */
    unsigned server_count;
    struct balance_seed upstreams[BACKENDS_MAX]; /* fixed: any HTTP servers */
    unsigned upstream_count;

    char token[128];                       /* operator's, for the cluster */
    char authority[TLS_PATH];              /* PEM: whose certificates are believed behind https
                                              URLs; empty: the system's authorities */
    bool insecure;                         /* behind https URLs anybody's certificate is */
    char url[BACKEND_URL];                 /* where shoppers reach this load manager */
    char status_url[BACKEND_URL];          /* its status door, told to the servers; empty: none */
    unsigned aways;                        /* servers of a shopper besides home */
    bool server_header;                    /* answers name the server in Stoa-Server */
    bool proxy_out;                        /* PROXY v2 to the servers */
    char trusted[BALANCE_TRUSTED_MAX][64]; /* networks whose X-Forwarded-* are believed */
    unsigned trusted_count;
    bool via; /* add a Via header */

    uint32_t limit;              /* in flight per server */
    uint32_t queue;              /* requests waiting, per loop */
    uint32_t queue_per_client;   /* in any case; more while as much is left free (fair.h) */
    uint64_t queue_ns;           /* longest wait there */
    uint64_t answer_ns;          /* until the answer's head; then 504 */
    uint64_t body_idle_ns;       /* between two pieces of an answer */
    uint64_t connect_ns;         /* longest that a connection may take */
    uint64_t check_ns;           /* between two active checks of a server */
    uint64_t silent_ns;          /* nothing heard, and waited for: suspect */
    char check_path[64];         /* of fixed upstreams; empty: a connection is enough */
    uint32_t retry_share;        /* retries, thousandths of requests (and 10 a second always) */
    uint32_t hedge_share;        /* hedges, the same; 0: none */
    uint32_t replay_bytes;       /* of a request's body kept for sending it again */
    uint32_t backup_connections; /* idle ones kept open to each server, per loop */
    uint32_t idle_connections;   /* most idle ones per server and loop */
    struct health_rules health;
    uint32_t max_out, panic; /* thousandths */
    const struct log *log;
};

struct balance;

/* Copies CONFIG. The watcher thread runs from here on; returns when the first set of servers is
 * known, or after 500 ms without (requests then wait in the queue for it). */
int balance_new(const struct balance_config *config, struct balance **balance,
                struct failure *failure);
struct app *balance_app(struct balance *balance);
/* Any thread, the operator's wish: server ID gets nothing new from now on; or does again.
 * ERR_NOTFOUND. */
int balance_drain(struct balance *balance, uint64_t id, bool drain);
/* The engine that runs the app has stopped. */
void balance_free(struct balance *balance);

#endif
