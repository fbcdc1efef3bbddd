#include "bench/balance_sim.h"

#include "bench/balance_sim_inner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sim_at(struct sim *sim, uint64_t at_ns, enum sim_event_kind kind, uint32_t who)
{
    struct sim_event event = {.at_ns = at_ns, .kind = kind, .who = who};
    if (kind == SIM_FINISH)
        event.generation = sim->generations[who];
    if (!sim_events_add(&sim->events, event))
        sim->failed = true;
}

/* ---- Servers ---- */

/* Something is other than it was at server AT: what was said of its next moment is void. */
static void plan_finish(struct sim *sim, unsigned at)
{
    uint64_t next = sim_server_next(&sim->servers[at]);
    sim->generations[at]++;
    if (next != UINT64_MAX)
        sim_at(sim, next, SIM_FINISH, at);
}

static void reach(struct sim *sim, uint32_t who)
{
    struct sim_request *request = &sim->requests[who];
    unsigned at = request->server;
    sim->coming_count[at]--;
    sim->coming_ns[at] = sim->coming_count[at] ? sim->coming_ns[at] - request->work_ns : 0;
    if (sim->servers[at].speed <= 0) {
        sim_at(sim, sim->now_ns + sim->wire_ns, SIM_REFUSED, who);
        return;
    }
    request->reached_ns = sim->now_ns;
    if (sim->served[at]++ < sim->scenario->cold)
        request->work_ns += random_unit(&sim->chances[at]) * sim->scenario->cold_ms * 1e6;
    sim_server_add(&sim->servers[at], who, request->work_ns, sim->now_ns);
    plan_finish(sim, at);
}

static void finish(struct sim *sim, const struct sim_event *event)
{
    unsigned at = event->who;
    if (event->generation != sim->generations[at])
        return;
    uint32_t who = sim_server_finish(&sim->servers[at], sim->now_ns);
    struct sim_request *request = &sim->requests[who];
    double took = (double)(sim->now_ns - request->reached_ns);
    sim->latency_ns[at] += (took - sim->latency_ns[at]) / 32; /* as web/traffic.c does */
    sim_at(sim, sim->now_ns + sim->wire_ns, SIM_ANSWER, who);
    plan_finish(sim, at);
}

static void change(struct sim *sim, const struct sim_change *change)
{
    struct sim_server *server = &sim->servers[change->server];
    uint32_t who;
    sim_server_set_speed(server, change->speed, sim->now_ns);
    while (change->speed <= 0 && sim_server_drop(server, &who))
        sim_at(sim, sim->now_ns + sim->wire_ns, SIM_RESET, who);
    plan_finish(sim, change->server);
}

/* ---- What is measured ---- */

static double variation(const double *values, unsigned count)
{
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < count; i++)
        sum += values[i];
    if (count == 0 || sum <= 0)
        return 0;
    double mean = sum / count;
    for (unsigned i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return sqrt(squares / count) / mean;
}

static void sample(struct sim *sim)
{
    double loads[SIM_SERVERS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < sim->scenario->servers; i++) {
        struct sim_server *server = &sim->servers[i];
        sim_server_pass(server, sim->now_ns);
        if (sim->samples == 0) {
            sim->done_before_ns[i] = server->done_ns;
            sim->capacity_before_ns[i] = server->capacity_ns;
        }
        if (server->speed > 0)
            loads[count++] = sim_server_count(server) / (server->workers * server->speed);
    }
    sim->spread_sum += variation(loads, count);
    sim->samples++;
    if (sim->now_ns + SIM_SAMPLE_NS <= sim->end_ns) {
        sim_at(sim, sim->now_ns + SIM_SAMPLE_NS, SIM_SAMPLE, 0);
        return;
    }
    for (unsigned i = 0; i < sim->scenario->servers; i++) {
        const struct sim_server *server = &sim->servers[i];
        double capacity = server->capacity_ns - sim->capacity_before_ns[i];
        if (capacity > 0)
            sim->result->utilisation[i] = (server->done_ns - sim->done_before_ns[i]) / capacity;
    }
    sim->result->load_spread = sim->spread_sum / sim->samples;
    sim->result->utilisation_spread = variation(sim->result->utilisation, sim->scenario->servers);
}

/* ---- The run ---- */

static void happen(struct sim *sim, const struct sim_event *event)
{
    switch (event->kind) {
    case SIM_ARRIVE:
        sim_arrive(sim);
        break;
    case SIM_CLICK:
        sim_click(sim, event->who);
        break;
    case SIM_REACH:
        reach(sim, event->who);
        break;
    case SIM_FINISH:
        finish(sim, event);
        break;
    case SIM_ANSWER:
        sim_answered(sim, event->who);
        break;
    case SIM_RESET:
        sim_lost(sim, event->who, SIGN_RESET);
        break;
    case SIM_REFUSED:
        sim_lost(sim, event->who, SIGN_REFUSED);
        break;
    case SIM_CHECK:
        sim_check(sim, event->who);
        break;
    case SIM_CHANGE:
        change(sim, &sim->scenario->changes[event->who]);
        break;
    case SIM_SAMPLE:
        sample(sim);
        break;
    }
}

/* Those that still wait for room when all is over: with no answer to come, none ever will. */
static void send_home_who_waits(struct sim *sim)
{
    for (unsigned m = 0; m < sim->scenario->managers; m++) {
        struct sim_manager *manager = &sim->managers[m];
        for (; manager->waiting_count; manager->waiting_count--) {
            sim_over(sim, manager->waiting[manager->waiting_first], false);
            manager->waiting_first = (manager->waiting_first + 1) % SIM_WAITING_MAX;
        }
    }
}

static bool begin(struct sim *sim, uint64_t seed)
{
    const struct sim_scenario *scenario = sim->scenario;
    sim->requests = calloc(SIM_REQUESTS_MAX, sizeof *sim->requests);
    sim->shoppers = calloc(SIM_SHOPPERS_MAX, sizeof *sim->shoppers);
    bool fine = sim->requests && sim->shoppers;
    for (unsigned i = 0; i < scenario->servers; i++) {
        random_seed(&sim->chances[i], seed + i);
        double speed = scenario->speeds[i] > 0 ? scenario->speeds[i] : 1;
        fine &= sim_server_init(&sim->servers[i], scenario->discipline, scenario->workers, speed);
    }
    if (!fine || !sim_managers_begin(sim, seed))
        return false;
    sim_traffic_begin(sim, seed);
    for (unsigned i = 0; i < scenario->change_count; i++)
        sim_at(sim, (uint64_t)(scenario->changes[i].at_s * 1e9), SIM_CHANGE, i);
    sim_at(sim, sim->warm_up_ns, SIM_SAMPLE, 0);
    return true;
}

static void end(struct sim *sim)
{
    for (unsigned i = 0; i < sim->scenario->servers; i++)
        sim_server_close(&sim->servers[i]);
    sim_managers_end(sim);
    free(sim->events.heap);
    free(sim->requests);
    free(sim->shoppers);
}

int balance_sim_run(const struct sim_scenario *scenario, const struct policy *policy, uint64_t seed,
                    struct sim_result *result, struct failure *failure)
{
    struct sim *sim = calloc(1, sizeof *sim);
    struct sim_event event;
    if (!sim)
        return fail(failure, ERR_NOMEM, "out of memory");
    memset(result, 0, sizeof *result);
    histogram_clear(&result->latency);
    sim->scenario = scenario;
    sim->policy = policy->pick ? policy : NULL;
    sim->ideal_homes = policy == &balance_ideal_homes;
    sim->result = result;
    sim->wire_ns = (uint64_t)(scenario->wire_us * 1000);
    sim->warm_up_ns = (uint64_t)(scenario->warm_up_s * 1e9);
    sim->end_ns = (uint64_t)(scenario->seconds * 1e9);
    sim->failed = !begin(sim, seed);
    while (!sim->failed && sim_events_next(&sim->events, &event)) {
        sim->now_ns = event.at_ns;
        happen(sim, &event);
    }
    if (!sim->failed)
        send_home_who_waits(sim);
    int err = sim->failed
                  ? fail(failure, ERR_FULL,
                         "the scenario \"%s\" has more at one moment than there is room for",
                         scenario->name)
                  : 0;
    end(sim);
    free(sim);
    return err;
}
