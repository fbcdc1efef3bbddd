#include "bench/balance_sim_inner.h"

#include <stdlib.h>

static bool has_bit(uint64_t bits, unsigned at)
{
    return bits >> at & 1;
}

/* ---- Who is well ---- */

/* What the rules of health say now reaches the policy. */
static void look_around(struct sim *sim, struct sim_manager *manager)
{
    struct health_member members[SIM_SERVERS_MAX] = {{0}};
    unsigned count = manager->view.count;
    bool panic, changed = manager->view.version == 0;
    for (unsigned i = 0; i < count; i++)
        members[i] = (struct health_member){manager->health[i].state, manager->health[i].by_checks,
                                            manager->health[i].changed_ns};
    uint64_t usable = health_all(members, count, 500, 300, &panic);
    for (unsigned i = 0; i < count; i++) {
        struct policy_server *server = &manager->servers[i];
        server->share = health_share(&manager->health[i], sim->now_ns);
        changed = changed || server->usable != has_bit(usable, i);
        server->usable = has_bit(usable, i);
    }
    if (!changed)
        return;
    manager->view.version++;
    if (sim->policy && sim->policy->prepare)
        sim->policy->prepare(manager->memory, &manager->view, sim->now_ns);
}

void sim_check(struct sim *sim, uint32_t who)
{
    struct sim_manager *manager = &sim->managers[who / SIM_SERVERS_MAX];
    unsigned at = who % SIM_SERVERS_MAX;
    bool lives = sim->servers[at].speed > 0;
    health_see(&manager->health[at], lives ? SIGN_CHECK_FINE : SIGN_REFUSED, sim->now_ns);
    health_see(&manager->health[at], SIGN_TICK, sim->now_ns);
    manager->homes[at] *= 1 - (double)SIM_CHECK_NS / (SIM_HOMES_S * 1e9);
    look_around(sim, manager);
    if (lives && sim->policy && sim->policy->probed)
        sim->policy->probed(manager->memory, &manager->view, at,
                            sim_server_count(&sim->servers[at]), (uint64_t)sim->latency_ns[at],
                            sim->now_ns);
    if (sim->now_ns < sim->end_ns)
        sim_at(sim, sim->now_ns + SIM_CHECK_NS, SIM_CHECK, who);
}

bool sim_managers_begin(struct sim *sim, uint64_t seed)
{
    static const struct health_rules usual;
    for (unsigned m = 0; m < sim->scenario->managers; m++) {
        struct sim_manager *manager = &sim->managers[m];
        manager->memory = calloc(1, sim->policy ? sim->policy->memory + 1 : 1);
        if (!manager->memory)
            return false;
        random_seed(&manager->random, seed + 1 + m);
        manager->view =
            (struct policy_view){.servers = manager->servers, .count = sim->scenario->servers};
        for (unsigned i = 0; i < sim->scenario->servers; i++) {
            manager->servers[i] = (struct policy_server){.id = i + 1, .weight = POLICY_WEIGHT};
            health_begin(&manager->health[i], &usual, false, 0);
            sim_at(sim, random_below(&manager->random, SIM_CHECK_NS), SIM_CHECK,
                   m * SIM_SERVERS_MAX + i);
        }
        look_around(sim, manager);
    }
    return true;
}

void sim_managers_end(struct sim *sim)
{
    for (unsigned m = 0; m < sim->scenario->managers; m++)
        free(sim->managers[m].memory);
}

/* ---- Where to ---- */

/* Who has as many of this manager's requests as he may have. */
static uint64_t full_ones(const struct sim *sim, const struct sim_manager *manager)
{
    uint64_t full = 0;
    for (unsigned i = 0; i < SIM_SERVERS_MAX && i < manager->view.count; i++)
        full |= (uint64_t)(manager->servers[i].in_flight >= sim->scenario->limit) << i;
    return full;
}

static int ask_policy(struct sim *sim, struct sim_manager *manager, uint64_t key, uint64_t tried)
{
    return sim->policy->pick(manager->memory, &manager->view, key, tried, sim->now_ns,
                             &manager->random);
}

/* Home and away servers by the policy, in order. */
static void settle(struct sim *sim, struct sim_manager *manager, struct sim_shopper *shopper,
                   uint64_t full)
{
    uint64_t taken = full;
    shopper->home_count = 0;
    shopper->is_new = true;
    manager->view.settling = true;
    while (shopper->home_count < SIM_HOMES && shopper->home_count < manager->view.count) {
        int at = ask_policy(sim, manager, shopper->key, taken);
        if (at < 0 || has_bit(taken, (unsigned)at))
            break;
        taken |= 1ull << at;
        shopper->homes[shopper->home_count++] = (unsigned)at;
    }
    manager->view.settling = false;
}

/* The first of its set that can be used. */
static int at_home_or_away(const struct sim_manager *manager, const struct sim_shopper *shopper,
                           uint64_t not_these)
{
    for (unsigned i = 0; i < shopper->home_count; i++)
        if (manager->servers[shopper->homes[i]].usable && !has_bit(not_these, shopper->homes[i]))
            return (int)shopper->homes[i];
    return -1;
}

static int place_shopper(struct sim *sim, struct sim_manager *manager,
                         const struct sim_request *request, uint64_t full)
{
    struct sim_shopper *shopper = &sim->shoppers[request->shopper];
    int at = at_home_or_away(manager, shopper, request->tried | full);
    if (at < 0) {
        settle(sim, manager, shopper, request->tried | full);
        at = at_home_or_away(manager, shopper, request->tried | full);
    }
    return at >= 0 ? at : at_home_or_away(manager, shopper, full);
}

static int place_ideally(struct sim *sim, const struct sim_request *request)
{
    if (request->shopper == SIM_NOBODY || !sim->ideal_homes)
        return sim_ideal_place(sim, request->work_ns);
    struct sim_shopper *shopper = &sim->shoppers[request->shopper];
    if (shopper->home_count && sim->servers[shopper->homes[0]].speed > 0)
        return (int)shopper->homes[0];
    int home = sim_ideal_home(sim);
    if (home < 0)
        return home;
    if (shopper->home_count)
        sim->clicks_to_come[shopper->homes[0]] -= shopper->clicks_left;
    sim->clicks_to_come[home] += shopper->clicks_left;
    shopper->homes[0] = (unsigned)home;
    shopper->home_count = 1;
    return home;
}

/* -1: nobody has room. */
static int place(struct sim *sim, struct sim_manager *manager, const struct sim_request *request)
{
    uint64_t full = full_ones(sim, manager);
    int at;
    if (!sim->policy)
        at = place_ideally(sim, request);
    else if (request->shopper != SIM_NOBODY)
        at = place_shopper(sim, manager, request, full);
    else
        at = ask_policy(sim, manager, request->key, request->tried);
    if (sim->policy && at >= 0 && has_bit(full, (unsigned)at) && request->shopper == SIM_NOBODY)
        at = ask_policy(sim, manager, request->key, request->tried | full);
    return at >= 0 && has_bit(full, (unsigned)at) ? -1 : at;
}

/* False: nobody has room. */
static bool try_to_send(struct sim *sim, uint32_t who)
{
    struct sim_request *request = &sim->requests[who];
    struct sim_manager *manager = &sim->managers[request->manager];
    for (unsigned i = 0; i < manager->view.count; i++) {
        manager->servers[i].share = health_share(&manager->health[i], sim->now_ns);
        manager->servers[i].homes = (uint32_t)(manager->homes[i] + 0.5);
    }
    int at = place(sim, manager, request);
    if (at < 0)
        return false;
    request->server = (uint32_t)at;
    request->sent_ns = sim->now_ns;
    request->tried |= 1ull << at;
    manager->servers[at].in_flight++;
    sim->coming_ns[at] += request->work_ns;
    sim->coming_count[at]++;
    sim_at(sim, sim->now_ns + sim->wire_ns, SIM_REACH, who);
    return true;
}

void sim_send(struct sim *sim, uint32_t who)
{
    struct sim_manager *manager = &sim->managers[sim->requests[who].manager];
    /* Nobody overtakes those that wait. */
    if (manager->waiting_count == 0 && try_to_send(sim, who))
        return;
    if (manager->waiting_count == SIM_WAITING_MAX) {
        sim_over(sim, who, false);
        return;
    }
    unsigned last = (manager->waiting_first + manager->waiting_count++) % SIM_WAITING_MAX;
    manager->waiting[last] = who;
}

static void serve_waiting(struct sim *sim, struct sim_manager *manager)
{
    while (manager->waiting_count) {
        uint32_t who = manager->waiting[manager->waiting_first];
        bool late = sim->now_ns - sim->requests[who].due_ns > SIM_WAIT_NS;
        if (!late && !try_to_send(sim, who))
            return;
        manager->waiting_first = (manager->waiting_first + 1) % SIM_WAITING_MAX;
        manager->waiting_count--;
        if (late)
            sim_over(sim, who, false);
    }
}

/* ---- What comes back ---- */

static void came_back(struct sim *sim, struct sim_manager *manager,
                      const struct sim_request *request, bool failed)
{
    manager->servers[request->server].in_flight--;
    if (sim->policy && sim->policy->done)
        sim->policy->done(manager->memory, request->server, sim->now_ns - request->sent_ns, failed,
                          sim->now_ns);
}

/* As the load manager does, with the answer that takes the cookie along. */
static void note_home(struct sim *sim, struct sim_manager *manager,
                      const struct sim_request *request)
{
    if (request->shopper == SIM_NOBODY || !sim->policy)
        return;
    struct sim_shopper *shopper = &sim->shoppers[request->shopper];
    if (shopper->is_new && shopper->home_count)
        manager->homes[shopper->homes[0]]++;
    shopper->is_new = false;
}

void sim_answered(struct sim *sim, uint32_t who)
{
    struct sim_request *request = &sim->requests[who];
    struct sim_manager *manager = &sim->managers[request->manager];
    came_back(sim, manager, request, false);
    note_home(sim, manager, request);
    if (health_see(&manager->health[request->server], SIGN_FINE, sim->now_ns))
        look_around(sim, manager);
    sim_over(sim, who, true);
    serve_waiting(sim, manager);
}

void sim_lost(struct sim *sim, uint32_t who, enum health_sign sign)
{
    struct sim_request *request = &sim->requests[who];
    struct sim_manager *manager = &sim->managers[request->manager];
    came_back(sim, manager, request, true);
    if (health_see(&manager->health[request->server], sign, sim->now_ns))
        look_around(sim, manager);
    if (++request->attempts == SIM_ATTEMPTS_MAX) {
        sim_over(sim, who, false);
    } else {
        sim->result->retried += request->due_ns >= sim->warm_up_ns;
        sim_send(sim, who);
    }
    serve_waiting(sim, manager);
}

/* ---- The ideal split ---- */

const struct policy balance_ideal_split = {.name = "ideal split",
                                           .about = "each request where it ends first"};
const struct policy balance_ideal_homes = {.name = "ideal homes",
                                           .about = "shoppers by the servers' true speed"};

int sim_ideal_place(const struct sim *sim, double work_ns)
{
    double least = 0;
    int best = -1;
    for (unsigned i = 0; i < sim->scenario->servers; i++) {
        const struct sim_server *server = &sim->servers[i];
        unsigned others = sim_server_count(server) + sim->coming_count[i];
        double takes = work_ns, waits = 0;
        if (server->speed <= 0)
            continue;
        if (others >= server->workers && server->discipline == SIM_QUEUE)
            waits = (server->left_ns + sim->coming_ns[i]) / server->workers;
        if (others >= server->workers && server->discipline == SIM_SHARING)
            takes = work_ns * (others + 1) / server->workers;
        /* Of those where it ends at the same moment, the one that has less to do. */
        double end = (waits + takes + others * 1e-3) / server->speed;
        if (best < 0 || end < least) {
            best = (int)i;
            least = end;
        }
    }
    return best;
}

int sim_ideal_home(const struct sim *sim)
{
    double least = 0;
    int best = -1;
    for (unsigned i = 0; i < sim->scenario->servers; i++) {
        if (sim->servers[i].speed <= 0)
            continue;
        double clicks = (double)sim->clicks_to_come[i] / sim->servers[i].speed;
        if (best < 0 || clicks < least) {
            best = (int)i;
            least = clicks;
        }
    }
    return best;
}
