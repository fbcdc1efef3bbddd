/* Crowd: shoppers who click at moments of their own while servers are killed, hang, become slow or
 * are restarted, and who notice everything: a request that fails, a cart that is not as promised,
 * a wait.
 *
 * An open loop: clicks come at random moments at a total rate (Poisson), whatever the servers do;
 * each is timed from when it was due. A shopper whose click is not answered yet does the next one
 * after it, timed from when that was due. Each has a connection of its own and does what
 * crowd_shopper.h says. At the end everybody's cart is read from each server itself.
 *
 *   arrivals ─▶ a shopper's queue ─▶ crowd_shopper: request ─▶ peer.h ─▶ front ─▶ servers
 *                                    crowd_shopper: judgement ◀── answer            ▲
 *   crowd_director.h, on a thread of its own: kills, stops, slows, restarts ────────┘
 *
 * Blocks. Thread: the caller's, and one for the faults, and the echo's (echo.h).
 */
#ifndef STOA_BENCH_CROWD_H
#define STOA_BENCH_CROWD_H

#include "bench/crowd_faults.h"
#include "bench/crowd_shopper.h"
#include "bench/echo.h"
#include "bench/histogram.h"

enum { CROWD_FRONTS = 4, CROWD_REQUESTS_MAX = 16 << 20 };

struct crowd_config {
    const char *fronts[CROWD_FRONTS]; /* URLs where shoppers go, each to one of them */
    unsigned front_count;
    const struct crowd_cluster *cluster; /* what stands behind */
    unsigned shoppers;
    double rate; /* clicks a second, of all */
    double warm_up_seconds;
    double seconds; /* without faults: for how long */
    struct crowd_plan plan;
    uint64_t seed;
};

/* One request that was answered well. */
struct crowd_record {
    uint64_t due_ns;
    uint32_t took_us;
    uint8_t server; /* by Stoa-Server; 0: not said */
    uint8_t act;
};

struct crowd_report {
    uint64_t clicks, requests, failed;
    uint64_t reopened; /* sent once more: the connection had been closed while it was idle */
    uint64_t findings[CROWD_WENT_BACK + 1];
    uint64_t begin_ns, end_ns;         /* what was measured: after the warm-up, to the last click */
    uint64_t late_p99_ns;              /* how late clicks were sent for want of the generator */
    struct echo echo;                  /* what the machine itself made wait meanwhile */
    struct histogram latency;          /* of all requests that were due in that time */
    uint64_t by_server[CROWD_SERVERS]; /* requests, of that time */
    uint64_t processor_ns[HEALTHY_SERVERS];
    struct crowd_record *records; /* of all, also of the warm-up */
    uint64_t record_count;
    struct crowd_faults faults;
    /* The reading at the end, of each cart from each server. */
    uint64_t read, unread, wrong;
    struct buf notes; /* a line for each of the first things that went wrong */
};

/* *REPORT is closed by crowd_report_close, also when it has failed. */
int crowd_run(const struct crowd_config *config, struct crowd_report *report,
              struct failure *failure);

#endif
