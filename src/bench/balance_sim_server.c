#include "bench/balance_sim_server.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

bool sim_server_init(struct sim_server *server, enum sim_discipline discipline, unsigned workers,
                     double speed)
{
    *server = (struct sim_server){
        .discipline = discipline,
        .workers = workers,
        .speed = speed,
        .running = calloc(SIM_JOBS_MAX, sizeof *server->running),
        .waiting = calloc(SIM_JOBS_MAX, sizeof *server->waiting),
    };
    return server->running && server->waiting;
}

void sim_server_close(struct sim_server *server)
{
    free(server->running);
    free(server->waiting);
}

/* Of each one that is worked on. */
static double rate(const struct sim_server *server)
{
    if (server->running_count <= server->workers)
        return server->speed;
    return server->speed * server->workers / server->running_count;
}

void sim_server_pass(struct sim_server *server, uint64_t now_ns)
{
    double passed = (double)(now_ns - server->now_ns), each = passed * rate(server);
    CHECK(now_ns >= server->now_ns);
    for (unsigned i = 0; i < server->running_count; i++) {
        struct sim_job *job = &server->running[i];
        double done = each < job->left_ns ? each : job->left_ns;
        job->left_ns -= done;
        server->left_ns -= done;
        server->done_ns += done;
    }
    server->capacity_ns += passed * server->speed * server->workers;
    server->now_ns = now_ns;
}

static unsigned running_max(const struct sim_server *server)
{
    return server->discipline == SIM_QUEUE ? server->workers : SIM_JOBS_MAX;
}

void sim_server_add(struct sim_server *server, uint32_t request, double work_ns, uint64_t now_ns)
{
    struct sim_job job = {request, work_ns};
    sim_server_pass(server, now_ns);
    CHECK(sim_server_count(server) < SIM_JOBS_MAX);
    if (server->running_count < running_max(server))
        server->running[server->running_count++] = job;
    else
        server->waiting[(server->waiting_first + server->waiting_count++) % SIM_JOBS_MAX] = job;
    server->left_ns += work_ns;
}

void sim_server_set_speed(struct sim_server *server, double speed, uint64_t now_ns)
{
    sim_server_pass(server, now_ns);
    server->speed = speed;
}

static unsigned first_done(const struct sim_server *server)
{
    unsigned first = 0;
    for (unsigned i = 1; i < server->running_count; i++)
        if (server->running[i].left_ns < server->running[first].left_ns)
            first = i;
    return first;
}

uint64_t sim_server_next(const struct sim_server *server)
{
    if (server->running_count == 0 || server->speed <= 0)
        return UINT64_MAX;
    double left = server->running[first_done(server)].left_ns;
    return server->now_ns + (uint64_t)ceil(left / rate(server));
}

uint32_t sim_server_finish(struct sim_server *server, uint64_t now_ns)
{
    CHECK(server->running_count);
    sim_server_pass(server, now_ns);
    unsigned at = first_done(server);
    uint32_t request = server->running[at].request;
    server->left_ns -= server->running[at].left_ns; /* what rounding has left of it */
    server->running[at] = server->running[--server->running_count];
    if (server->waiting_count) {
        server->running[server->running_count++] = server->waiting[server->waiting_first];
        server->waiting_first = (server->waiting_first + 1) % SIM_JOBS_MAX;
        server->waiting_count--;
    }
    if (sim_server_count(server) == 0)
        server->left_ns = 0;
    return request;
}

bool sim_server_drop(struct sim_server *server, uint32_t *request)
{
    server->left_ns = 0;
    if (server->running_count) {
        *request = server->running[--server->running_count].request;
        return true;
    }
    if (server->waiting_count == 0)
        return false;
    *request = server->waiting[server->waiting_first].request;
    server->waiting_first = (server->waiting_first + 1) % SIM_JOBS_MAX;
    server->waiting_count--;
    return true;
}
