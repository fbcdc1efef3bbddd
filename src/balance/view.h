/* View: the whole load manager at one moment, as plain data, and how it is written.
 *
 * balance_look gathers it; everything else here is pure. Rates, quantiles and the spread of load
 * need two looks: view_roll makes them from the one before. The status door (status_app.h) looks
 * each second; `stoa top` and the tests read what it writes as JSON.
 */
#ifndef STOA_BALANCE_VIEW_H
#define STOA_BALANCE_VIEW_H

#include "balance/backend.h"
#include "balance/balance.h"
#include "balance/events.h"
#include "balance/figures.h"
#include "base/buf.h"
#include "base/process.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    VIEW_LOOPS_MAX = 64,
    VIEW_TEXT_MAX = 2 << 20 /* bytes that suffice for either text of the most servers */
};

/* A server. */
struct view_backend {
    uint64_t id;
    char name[BACKEND_NAME], url[BACKEND_URL];
    enum health_state state;
    bool primary, shop;
    bool aside;            /* a backup, for when no other takes requests */
    uint64_t out_until_ns; /* monotonic; 0: it is not out */
    uint32_t weight, share, limit, in_flight, homes, ejections;
    uint32_t idle, backup; /* connections: kept for use; of these, the ones always kept */
    uint32_t reported_in_flight;
    uint64_t reported_latency_ns, round_trip_ns;

    /* Since the start. */
    uint64_t requests, answers, failures, refused, resets, timeouts, answered_5xx;
    uint64_t retries, hedges, hedge_wins, bytes_in, bytes_out, connects, ejections_total;
    struct latency_look latency;

    /* By view_roll. */
    double requests_per_s, failures_per_s, bytes_per_s;
    uint64_t p50_ns, p95_ns, p99_ns; /* of about the last 10 s */
};

struct view_loop {
    uint64_t requests;
    uint32_t in_flight, queued, idle, tunnels;
    double requests_per_s; /* by view_roll */
};

/* Of all together, since the start but for what is said to be now. */
struct view_totals {
    uint64_t requests, answers, failed; /* failed: 502, 503, 504 of our own, cuts */
    uint64_t retries, retries_denied, hedges, hedge_wins, hedges_denied;
    uint64_t queued, shed, away, moved; /* queued: had to wait; away: not answered by home */
    uint64_t placed;                    /* shoppers given a home */
    uint64_t tunnels;
    uint32_t in_flight, queue, tunnels_open; /* now */
    uint64_t queue_oldest_ns;                /* how long the first one waits, now */
    struct latency_look latency; /* from the request's head to its answer's, waits, retries and
                                    all */

    /* Of the clients' connections, which the engine has: filled in by whoever looks. */
    uint64_t bytes_in, bytes_out, accepted;
    uint32_t clients; /* now */

    /* By view_roll. */
    double requests_per_s, bytes_per_s, shed_per_s, retries_per_s, hedges_per_s;
    uint64_t p50_ns, p95_ns, p99_ns, p999_ns;
};

struct balance_view {
    uint64_t now_ns, started_ns; /* monotonic */
    int64_t wall_ms;
    const char *policy;
    enum balance_mode mode;
    char url[BACKEND_URL];
    bool cluster, panic;
    uint64_t version;               /* of the set of servers */
    uint64_t primary;               /* 0: not known */
    struct process_figures process; /* filled in by whoever looks */
    struct view_totals totals;
    unsigned loop_count, count, usable;
    struct view_loop loops[VIEW_LOOPS_MAX];
    struct view_backend at[BACKENDS_MAX];

    /* By view_roll. */
    double spread;    /* coefficient of variation of requests/s by weight, of usable servers */
    double processor; /* share of one processor that this process uses */
};

/* What view_roll remembers between two looks; begun zeroed. */
struct view_memory {
    struct balance_view before;
    struct latency_decay all, at[BACKENDS_MAX]; /* as in before.at */
};

/* Any thread; VIEW is filled, but for what says that whoever looks does it. (look.c) */
void balance_look(struct balance *balance, struct balance_view *view);
/* What happened; lives as long as BALANCE. (balance.c) */
struct events *balance_events(struct balance *balance);

/* Fills in what comes from two looks, and remembers this one. A VIEW of less than 100 ms after
 * the one before gets that one's figures and is not remembered. */
void view_roll(struct view_memory *memory, struct balance_view *view);
/* Fills in the figures of the last view_roll. */
void view_borrow(const struct view_memory *memory, struct balance_view *view);

/* "primary", "secondary", "backup" for one that is aside, "upstream" for one of no cluster. */
const char *view_role(const struct view_backend *server);

/* GET /balance.json. */
void view_write_json(struct buf *out, const struct balance_view *view);
/* GET /metrics: Prometheus' text format 0.0.4. */
void view_write_metrics(struct buf *out, const struct balance_view *view);

#endif
