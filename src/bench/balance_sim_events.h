/* Events of the simulation (balance_sim.h): what happens when, the earliest first; of two at one
 * moment the one that was added first, so that a run depends on nothing but its seed. */
#ifndef STOA_BENCH_BALANCE_SIM_EVENTS_H
#define STOA_BENCH_BALANCE_SIM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum sim_event_kind {
    SIM_ARRIVE,  /* a request, or a new shopper, comes */
    SIM_CLICK,   /* WHO: a shopper */
    SIM_REACH,   /* WHO: a request is at its server */
    SIM_FINISH,  /* WHO: a server has done something, if its GENERATION is still this */
    SIM_ANSWER,  /* WHO: a request's answer is at the load manager */
    SIM_RESET,   /* WHO: the news that its server died under it is there */
    SIM_REFUSED, /* WHO: the same, that there was none */
    SIM_CHECK,   /* WHO: manager × SIM_SERVERS_MAX + server */
    SIM_CHANGE,  /* WHO: of the scenario's changes */
    SIM_SAMPLE   /* a look at how even the load is */
};

struct sim_event {
    uint64_t at_ns, order;
    enum sim_event_kind kind;
    uint32_t who;
    uint64_t generation;
};

/* A binary heap. */
struct sim_events {
    struct sim_event *heap;
    uint32_t count, room;
    uint64_t added;
};

/* False: no memory. */
bool sim_events_add(struct sim_events *events, struct sim_event event);
bool sim_events_next(struct sim_events *events, struct sim_event *event);

#endif
