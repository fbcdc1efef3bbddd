/* What the files of the simulation (balance_sim.h) share.
 *
 *   balance_sim.c          the clock, the servers, what is measured
 *   balance_sim_traffic.c  who comes when, with how much work
 *   balance_sim_spread.c   a load manager: where to, whether again, who is well
 */
#ifndef STOA_BENCH_BALANCE_SIM_INNER_H
#define STOA_BENCH_BALANCE_SIM_INNER_H

#include "balance/health.h"
#include "bench/balance_sim.h"
#include "bench/balance_sim_events.h"

enum {
    SIM_REQUESTS_MAX = 1 << 16, /* at one moment */
    SIM_SHOPPERS_MAX = 1 << 16,
    SIM_HOMES = 3, /* home, and two away */
    SIM_ATTEMPTS_MAX = 6,
    SIM_WAITING_MAX = 1024, /* in a load manager's queue */
    SIM_NOBODY = UINT32_MAX
};

static const uint64_t SIM_CHECK_NS = 100000000, SIM_SAMPLE_NS = 20000000, SIM_WAIT_NS = 2000000000;
static const double SIM_HOMES_S = 64; /* as forget_homes (balance/check.c) has it */

struct sim_request {
    uint64_t due_ns, sent_ns, reached_ns, key;
    uint64_t tried; /* bits by server */
    double work_ns;
    uint32_t shopper, server, manager, attempts;
    uint32_t next_free;
};

struct sim_shopper {
    struct random random; /* what it does is the same under every policy */
    uint64_t key;
    unsigned clicks_left, home_count, homes[SIM_HOMES];
    bool is_new; /* its home is not yet counted */
    uint32_t next_free;
};

struct sim_manager {
    void *memory;
    struct policy_server servers[SIM_SERVERS_MAX];
    struct policy_view view;
    struct health health[SIM_SERVERS_MAX];
    double homes[SIM_SERVERS_MAX]; /* shoppers placed there lately */
    struct random random;
    uint32_t waiting[SIM_WAITING_MAX]; /* a ring */
    unsigned waiting_first, waiting_count;
};

struct sim {
    const struct sim_scenario *scenario;
    const struct policy *policy; /* NULL: an ideal one */
    bool ideal_homes;
    struct sim_result *result;
    uint64_t now_ns, wire_ns, warm_up_ns, end_ns;
    bool failed; /* no memory, or more at once than there is room for */
    struct sim_events events;

    struct random traffic;
    double rate_per_ns; /* of requests or shoppers, the highest */
    double key_sums[SIM_KEYS_MAX];
    uint64_t shoppers_come;

    struct sim_request *requests;
    struct sim_shopper *shoppers;
    uint32_t request_free, shopper_free; /* lists */

    struct sim_manager managers[SIM_MANAGERS_MAX];
    struct sim_server servers[SIM_SERVERS_MAX];
    unsigned served[SIM_SERVERS_MAX];         /* requests */
    struct random chances[SIM_SERVERS_MAX];   /* how cold it is */
    uint64_t generations[SIM_SERVERS_MAX];    /* of the server's SIM_FINISH */
    double latency_ns[SIM_SERVERS_MAX];       /* as it reports it: of its last answers */
    double coming_ns[SIM_SERVERS_MAX];        /* work on the wire to it */
    unsigned coming_count[SIM_SERVERS_MAX];   /* and requests */
    uint64_t clicks_to_come[SIM_SERVERS_MAX]; /* of the shoppers who live there */

    double spread_sum;
    unsigned samples;
    double done_before_ns[SIM_SERVERS_MAX], capacity_before_ns[SIM_SERVERS_MAX];
};

void sim_at(struct sim *sim, uint64_t at_ns, enum sim_event_kind kind, uint32_t who);

/* ---- Traffic ---- */

void sim_traffic_begin(struct sim *sim, uint64_t seed);
void sim_arrive(struct sim *sim);
void sim_click(struct sim *sim, uint32_t who);
/* The request is over, answered or not; its shopper goes on. */
void sim_over(struct sim *sim, uint32_t who, bool answered);

/* ---- Managers ---- */

/* False: no memory. */
bool sim_managers_begin(struct sim *sim, uint64_t seed);
void sim_managers_end(struct sim *sim);
void sim_send(struct sim *sim, uint32_t who);
void sim_answered(struct sim *sim, uint32_t who);
void sim_lost(struct sim *sim, uint32_t who, enum health_sign sign);
void sim_check(struct sim *sim, uint32_t who);

/* ---- The ideal split ---- */

/* -1: all are dead. */
int sim_ideal_place(const struct sim *sim, double work_ns);
int sim_ideal_home(const struct sim *sim);

#endif
