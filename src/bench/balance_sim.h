/* Balance sim: load managers, servers and shoppers on simulated time, to compare policies.
 *
 * The policies (balance/policy.h) and the rules of health (balance/health.h) are the load
 * manager's own, compiled in; simulated are the requests, the wire, the servers and the clock. All
 * is decided by the seed: two runs with one seed agree in everything, and each policy gets the
 * same requests at the same moments with the same work.
 *
 *   requests  come at random moments whatever the servers do (open loop, Poisson), and are timed
 *             from when they came
 *   managers  each with its own memory of the policy, own counts and own view of health; checks
 *             every 100 ms, spread. What fails is sent again elsewhere; who has his limit of
 *             requests is passed over, and when all have, requests wait in a bounded queue
 *   servers   either workers with one queue, or all requests sharing the workers
 *   shoppers  (scenarios of homes) come at random, are placed at the first click, and stay
 *
 * Beside the policies there are yardsticks that nobody can have. The ideal split knows all the work
 * that each server still has to do, how fast each is, how much work the new request is, and at
 * once who is dead, and sends each request where it ends first; it needs no homes. The ideal homes
 * know how fast each server is and how often each shopper will still click, and keep each server's
 * part of the clicks to come at its part of the speed.
 *
 * Thread: any; each run has its own memory.
 */
#ifndef STOA_BENCH_BALANCE_SIM_H
#define STOA_BENCH_BALANCE_SIM_H

#include "balance/policy.h"
#include "base/err.h"
#include "bench/balance_sim_server.h"
#include "bench/histogram.h"

enum { SIM_SERVERS_MAX = 16, SIM_MANAGERS_MAX = 4, SIM_CHANGES_MAX = 4, SIM_KEYS_MAX = 4096 };

/* How long a request takes on a usual server, alone; the mean is the scenario's. */
enum sim_work {
    SIM_EXPONENTIAL,
    SIM_LOG_NORMAL, /* sigma 1: one in a hundred takes 6 times the mean or more */
    SIM_TWO_KINDS,  /* 19 of 20 quick ones, and one that takes 20 times as long */
    SIM_BANK,       /* one in 5,000 takes 500 times as long */
};

struct sim_change {
    double at_s;
    unsigned server;
    double speed; /* 0: killed */
};

struct sim_scenario {
    const char *name, *title, *about;
    unsigned servers, workers;      /* workers of each */
    double speeds[SIM_SERVERS_MAX]; /* 0: usual, 1 */
    enum sim_discipline discipline;
    enum sim_work work;
    double work_ms;
    double load; /* the requests' part of what all servers together can do at the beginning */
    double burst_every_s, burst_s, burst_factor; /* 0: none */
    unsigned managers;
    unsigned keys; /* shoppers whose requests these are, at most SIM_KEYS_MAX; 0: each its own */
    double skew;   /* Zipf's exponent; 0: all alike */
    double clicks, think_s; /* of a shopper with a home, on the average; 0: no homes */
    /* All shoppers come in the first come_s seconds and stay; 0: they come and go. They think for
     * rush_think_s from rush_s on, and `load` is meant for that time. */
    double come_s, rush_s, rush_think_s;
    double cold_ms; /* at most, as chance will have it, for each of a server's first answers … */
    unsigned cold;  /* … of which these many are cold */
    double wire_us; /* one way */
    unsigned limit; /* requests in flight, for each manager and server; at most 4096 */
    double warm_up_s, seconds; /* measured is what comes between the two */
    struct sim_change changes[SIM_CHANGES_MAX];
    unsigned change_count;
};

struct sim_result {
    struct histogram latency;          /* of the answers to requests of the measured time */
    uint64_t requests, answered, shed; /* of it */
    uint64_t retried, away;            /* sent again; answered by another than home */
    uint64_t all_requests, all_answered, all_shed;
    double load_spread;        /* coefficient of variation of the load at a moment, on average */
    double utilisation_spread; /* coefficient of variation of the servers' utilisation */
    double utilisation[SIM_SERVERS_MAX];
};

/* They have a name and no functions; for balance_sim_run alone. */
extern const struct policy balance_ideal_split, balance_ideal_homes;

int balance_sim_run(const struct sim_scenario *scenario, const struct policy *policy, uint64_t seed,
                    struct sim_result *result, struct failure *failure);

/* Those that are compared; ended by one without a name. */
extern const struct sim_scenario balance_scenarios[];

#endif
