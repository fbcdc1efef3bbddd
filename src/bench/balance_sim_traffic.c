#include "bench/balance_sim_inner.h"

#include <math.h>

static const double NS = 1e9;

static uint32_t take_request(struct sim *sim)
{
    uint32_t who = sim->request_free;
    if (who == SIM_NOBODY) {
        sim->failed = true;
        return who;
    }
    sim->request_free = sim->requests[who].next_free;
    sim->requests[who] = (struct sim_request){.due_ns = sim->now_ns, .shopper = SIM_NOBODY};
    return who;
}

static double draw_exponential(struct random *random, double mean)
{
    return -log(1 - random_unit(random)) * mean;
}

static double draw_normal(struct random *random)
{
    double radius = sqrt(-2 * log(1 - random_unit(random)));
    return radius * cos(2 * M_PI * random_unit(random));
}

static double draw_work(const struct sim_scenario *scenario, struct random *random)
{
    double mean = scenario->work_ms * 1e6, quick = mean / 1.95;
    switch (scenario->work) {
    case SIM_EXPONENTIAL:
        return draw_exponential(random, mean);
    case SIM_LOG_NORMAL:
        return mean * exp(draw_normal(random) - 0.5);
    case SIM_BANK:
        return (random_unit(random) < 0.9998 ? 1 : 500) * draw_exponential(random, mean / 1.1);
    default:
        return random_unit(random) < 0.95 ? quick : 20 * quick;
    }
}

static void sum_up_keys(struct sim *sim)
{
    double sum = 0;
    for (unsigned i = 0; i < sim->scenario->keys; i++)
        sim->key_sums[i] = sum += pow(i + 1, -sim->scenario->skew);
}

static uint64_t draw_key(struct sim *sim)
{
    unsigned low = 0, high = sim->scenario->keys;
    if (!high)
        return random_u64(&sim->traffic);
    double lot = random_unit(&sim->traffic) * sim->key_sums[high - 1];
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (sim->key_sums[middle] <= lot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- Who comes when ---- */

static bool in_burst(const struct sim_scenario *scenario, double at_s)
{
    return scenario->burst_every_s > 0 && fmod(at_s, scenario->burst_every_s) < scenario->burst_s;
}

/* The next moment of a Poisson process whose rate changes: those of the highest rate, of which
 * some do not count. */
static void come_again(struct sim *sim)
{
    const struct sim_scenario *scenario = sim->scenario;
    double at_ns = (double)sim->now_ns, keep = 1;
    do {
        at_ns += draw_exponential(&sim->traffic, 1 / sim->rate_per_ns);
        if (scenario->burst_every_s > 0)
            keep = in_burst(scenario, at_ns / NS) ? 1 : 1 / scenario->burst_factor;
    } while (keep < 1 && random_unit(&sim->traffic) >= keep);
    if (at_ns < (scenario->come_s > 0 ? scenario->come_s * NS : (double)sim->end_ns))
        sim_at(sim, (uint64_t)at_ns, SIM_ARRIVE, 0);
}

void sim_traffic_begin(struct sim *sim, uint64_t seed)
{
    const struct sim_scenario *scenario = sim->scenario;
    double workers = 0;
    for (unsigned i = 0; i < scenario->servers; i++)
        workers += sim->servers[i].speed * scenario->workers;
    sim->rate_per_ns = scenario->load * workers / (scenario->work_ms * 1e6);
    if (scenario->come_s > 0)
        sim->rate_per_ns *= scenario->rush_think_s / scenario->come_s;
    else if (scenario->clicks > 0)
        sim->rate_per_ns /= scenario->clicks;
    if (scenario->burst_every_s > 0)
        sim->rate_per_ns *= scenario->burst_factor;
    random_seed(&sim->traffic, seed);
    sum_up_keys(sim);
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++)
        sim->requests[i].next_free = i + 1 < SIM_REQUESTS_MAX ? i + 1 : SIM_NOBODY;
    for (uint32_t i = 0; i < SIM_SHOPPERS_MAX; i++)
        sim->shoppers[i].next_free = i + 1 < SIM_SHOPPERS_MAX ? i + 1 : SIM_NOBODY;
    come_again(sim);
}

static void submit(struct sim *sim, uint32_t who)
{
    sim->result->all_requests++;
    sim->result->requests += sim->now_ns >= sim->warm_up_ns;
    sim_send(sim, who);
}

static void arrive_shopper(struct sim *sim)
{
    uint32_t who = sim->shopper_free;
    uint64_t key = random_u64(&sim->traffic);
    if (who == SIM_NOBODY) {
        sim->failed = true;
        return;
    }
    struct sim_shopper *shopper = &sim->shoppers[who];
    sim->shopper_free = shopper->next_free;
    *shopper = (struct sim_shopper){.key = key, .clicks_left = 1};
    if (sim->scenario->come_s > 0)
        shopper->clicks_left = UINT16_MAX; /* more than there is time for */
    random_seed(&shopper->random, key);
    /* Geometric, of the wanted mean. */
    while (sim->scenario->come_s <= 0 && random_unit(&shopper->random) >= 1 / sim->scenario->clicks)
        shopper->clicks_left++;
    sim_click(sim, who);
}

void sim_arrive(struct sim *sim)
{
    const struct sim_scenario *scenario = sim->scenario;
    if (scenario->clicks > 0) {
        arrive_shopper(sim);
    } else {
        uint32_t who = take_request(sim);
        if (who == SIM_NOBODY)
            return;
        struct sim_request *request = &sim->requests[who];
        request->key = draw_key(sim);
        request->work_ns = draw_work(scenario, &sim->traffic);
        request->manager = (uint32_t)random_below(&sim->traffic, scenario->managers);
        submit(sim, who);
    }
    come_again(sim);
}

/* ---- Shoppers with homes ---- */

static void leave(struct sim *sim, uint32_t who)
{
    struct sim_shopper *shopper = &sim->shoppers[who];
    if (!sim->policy && shopper->home_count)
        sim->clicks_to_come[shopper->homes[0]] -= shopper->clicks_left;
    shopper->next_free = sim->shopper_free;
    sim->shopper_free = who;
}

void sim_click(struct sim *sim, uint32_t who)
{
    struct sim_shopper *shopper = &sim->shoppers[who];
    if (sim->now_ns >= sim->end_ns) {
        leave(sim, who);
        return;
    }
    uint32_t at = take_request(sim);
    if (at == SIM_NOBODY)
        return;
    struct sim_request *request = &sim->requests[at];
    request->shopper = who;
    request->key = shopper->key;
    request->work_ns = draw_work(sim->scenario, &shopper->random);
    request->manager = (uint32_t)random_below(&shopper->random, sim->scenario->managers);
    submit(sim, at);
}

/* When SHOPPER clicks next. A rush that begins meanwhile makes the rest of its thinking faster. */
static uint64_t click_again(const struct sim *sim, struct sim_shopper *shopper)
{
    const struct sim_scenario *scenario = sim->scenario;
    double thinks = draw_exponential(&shopper->random, 1), now_s = (double)sim->now_ns / NS;
    double at_s = now_s + thinks * scenario->think_s, rush_s = fmax(scenario->rush_s, now_s);
    if (scenario->rush_think_s > 0 && at_s > rush_s)
        at_s = rush_s + (at_s - rush_s) / scenario->think_s * scenario->rush_think_s;
    return (uint64_t)(at_s * NS);
}

static void go_on(struct sim *sim, uint32_t who)
{
    struct sim_shopper *shopper = &sim->shoppers[who];
    if (!sim->policy && shopper->home_count)
        sim->clicks_to_come[shopper->homes[0]]--;
    if (--shopper->clicks_left == 0) {
        leave(sim, who);
        return;
    }
    sim_at(sim, click_again(sim, shopper), SIM_CLICK, who);
}

void sim_over(struct sim *sim, uint32_t who, bool answered)
{
    struct sim_request *request = &sim->requests[who];
    struct sim_result *result = sim->result;
    uint32_t shopper = request->shopper;
    bool measured = request->due_ns >= sim->warm_up_ns;
    result->all_answered += answered;
    result->all_shed += !answered;
    result->answered += measured && answered;
    result->shed += measured && !answered;
    if (measured && answered) {
        histogram_add(&result->latency, sim->now_ns - request->due_ns);
        result->away += shopper != SIM_NOBODY && sim->shoppers[shopper].home_count &&
                        sim->shoppers[shopper].homes[0] != request->server;
    }
    request->next_free = sim->request_free;
    sim->request_free = who;
    if (shopper != SIM_NOBODY)
        go_on(sim, shopper);
}
