/* A server of the simulation (balance_sim.h): work comes in, and is done as time passes.
 *
 *   SIM_QUEUE    `workers` requests are worked on, each at `speed`; the others wait in the order
 *                in which they came
 *   SIM_SHARING  all are worked on at once; with more than `workers` of them each gets its part
 *
 * Work is in nanoseconds of a usual server's worker. Pure but for its memory.
 */
#ifndef STOA_BENCH_BALANCE_SIM_SERVER_H
#define STOA_BENCH_BALANCE_SIM_SERVER_H

#include <stdbool.h>
#include <stdint.h>

enum sim_discipline { SIM_QUEUE, SIM_SHARING };

enum { SIM_JOBS_MAX = 1 << 14 };

struct sim_job {
    uint32_t request;
    double left_ns;
};

struct sim_server {
    enum sim_discipline discipline;
    unsigned workers;
    double speed; /* 0: dead */
    uint64_t now_ns;
    struct sim_job *running, *waiting; /* SIM_JOBS_MAX of each; waiting is a ring */
    unsigned running_count, waiting_first, waiting_count;
    double left_ns;              /* work of all of them */
    double done_ns, capacity_ns; /* work done, and what could have been, since it began */
};

/* False: no memory. */
bool sim_server_init(struct sim_server *server, enum sim_discipline discipline, unsigned workers,
                     double speed);
void sim_server_close(struct sim_server *server);

/* Each of these first lets the time pass until NOW_NS. */
void sim_server_pass(struct sim_server *server, uint64_t now_ns);
void sim_server_add(struct sim_server *server, uint32_t request, double work_ns, uint64_t now_ns);
void sim_server_set_speed(struct sim_server *server, double speed, uint64_t now_ns);

/* When the next one is done; UINT64_MAX: nothing to do. */
uint64_t sim_server_next(const struct sim_server *server);
/* At that moment: which it was. */
uint32_t sim_server_finish(struct sim_server *server, uint64_t now_ns);
/* Takes any request out (the server dies); false: it has none. */
bool sim_server_drop(struct sim_server *server, uint32_t *request);

static inline unsigned sim_server_count(const struct sim_server *server)
{
    return server->running_count + server->waiting_count;
}

#endif
