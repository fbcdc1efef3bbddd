#include "scale/sim_queue.h"

#include "base/random.h"
#include "scale/sim_arrivals.h"
#include "tier/poll_rule.h"

#include <stdlib.h>
#include <string.h>

enum worker_state { ABSENT, STARTING, WAITING, WORKING };

/* Its time is over at `until_ns`: it is ready, its poll has lasted long enough, the request is
 * done. */
struct worker {
    enum worker_state state;
    uint64_t until_ns, since_ns; /* since: began to wait; or worked and not yet counted */
    uint64_t work_ns, number;    /* the later it was started, the higher */
    bool leaving, asked;         /* drains; asked to leave */
    struct poll_rule rule;
};

struct request {
    uint64_t arrived_ns, work_ns;
};

struct sim_queue {
    struct sim_queue_config config;
    struct sim_arriving arriving;
    struct random polls;
    uint64_t now_ns, began_ns; /* began: of this interval */
    bool comes;                /* whether there is a next request */
    uint64_t next_ns, next_work_ns;

    struct request *waiting; /* a ring */
    uint64_t first, count;

    struct worker workers[2 * SCALE_TIER_MAX]; /* those who drain beside those who are wanted */
    unsigned used;                             /* places that were ever taken */
    uint64_t started, actions;
    unsigned fronts;

    struct scale_sample sample;
    struct scale_waits waits;        /* of this interval */
    uint64_t busy_ns, done_ns, late; /* of this interval */
    struct sim_queue_totals totals;
};

/* ---- Workers ---- */

/* Work that has been done since it was last counted. */
static void count_work(struct sim_queue *sim, struct worker *worker)
{
    if (worker->state != WORKING)
        return;
    sim->busy_ns += sim->now_ns - worker->since_ns;
    worker->since_ns = sim->now_ns;
}

static void leave(struct worker *worker)
{
    *worker = (struct worker){.state = ABSENT};
}

static void step_rule(struct sim_queue *sim, struct worker *worker, uint64_t length, bool empty)
{
    poll_rule_heed(&worker->rule, sim->actions);
    switch (poll_rule_step(&worker->rule, length, sim->config.queue_long, empty)) {
    case POLL_WISH_MORE:
        sim->sample.more++;
        break;
    case POLL_WISH_FEWER:
        sim->sample.fewer++;
        worker->asked = true;
        break;
    case POLL_WISH_NONE:
        break;
    }
}

static void work(struct sim_queue *sim, struct worker *worker, const struct request *request)
{
    uint64_t waited_ns = sim->now_ns - request->arrived_ns;
    scale_waits_add(&sim->waits, waited_ns);
    scale_waits_add(&sim->totals.waits, waited_ns);
    sim->sample.taken++;
    sim->late += waited_ns > sim->config.limit_ns;
    worker->state = WORKING;
    worker->asked = false;
    worker->since_ns = sim->now_ns;
    worker->work_ns = request->work_ns;
    worker->until_ns = sim->now_ns + request->work_ns;
}

static struct request take_first(struct sim_queue *sim)
{
    struct request request = sim->waiting[sim->first];
    sim->first = (sim->first + 1) % sim->config.queue_max;
    sim->count--;
    return request;
}

/* Nobody waits for these any more. */
static void drop_late(struct sim_queue *sim)
{
    uint64_t deadline_ns = sim->config.deadline_ns;
    while (deadline_ns && sim->count &&
           sim->now_ns - sim->waiting[sim->first].arrived_ns > deadline_ns) {
        take_first(sim);
        sim->sample.dropped++;
        sim->totals.dropped++;
        sim->late++;
    }
}

static void poll_queue(struct sim_queue *sim, struct worker *worker)
{
    drop_late(sim);
    uint64_t length = sim->count;
    if (length > 0) {
        struct request request = take_first(sim);
        work(sim, worker, &request);
        step_rule(sim, worker, length, false);
        return;
    }
    double part = 0.75 + random_unit(&sim->polls) / 2;
    worker->state = WAITING;
    worker->since_ns = sim->now_ns;
    worker->until_ns = sim->now_ns + (uint64_t)((double)sim->config.poll_ns * part) + 1;
}

static void finish(struct sim_queue *sim, struct worker *worker)
{
    count_work(sim, worker);
    sim->sample.answered++;
    sim->totals.answered++;
    sim->done_ns += worker->work_ns;
}

/* WORKER's time is over. */
static void turn(struct sim_queue *sim, struct worker *worker)
{
    if (worker->state == WORKING)
        finish(sim, worker);
    else if (worker->state == WAITING)
        step_rule(sim, worker, 0, true);
    if (worker->leaving)
        leave(worker);
    else
        poll_queue(sim, worker);
}

static struct worker *longest_waiting(struct sim_queue *sim)
{
    struct worker *found = NULL;
    for (unsigned i = 0; i < sim->used; i++) {
        struct worker *worker = &sim->workers[i];
        if (worker->state == WAITING && (!found || worker->since_ns < found->since_ns))
            found = worker;
    }
    return found;
}

/* ---- Requests ---- */

static void fetch_next(struct sim_queue *sim)
{
    sim->comes = sim_arriving_next(&sim->arriving, &sim->next_ns, &sim->next_work_ns);
}

static void arrive(struct sim_queue *sim)
{
    struct request request = {sim->now_ns, sim->next_work_ns};
    struct worker *worker = longest_waiting(sim);
    fetch_next(sim);
    if (!worker && sim->count == sim->config.queue_max) {
        sim->sample.refused++;
        sim->totals.refused++;
        sim->late++;
        return;
    }
    sim->sample.arrived++;
    sim->totals.arrived++;
    if (!worker) {
        sim->waiting[(sim->first + sim->count++) % sim->config.queue_max] = request;
        return;
    }
    work(sim, worker, &request);
    step_rule(sim, worker, 1, false);
}

/* ---- Time ---- */

static struct worker *earliest(struct sim_queue *sim)
{
    struct worker *found = NULL;
    for (unsigned i = 0; i < sim->used; i++) {
        struct worker *worker = &sim->workers[i];
        if (worker->state != ABSENT && (!found || worker->until_ns < found->until_ns))
            found = worker;
    }
    return found;
}

static unsigned count_present(const struct sim_queue *sim)
{
    unsigned count = 0;
    for (unsigned i = 0; i < sim->used; i++)
        count += sim->workers[i].state != ABSENT;
    return count;
}

static void pass(struct sim_queue *sim, uint64_t to_ns)
{
    double passed_s = (double)(to_ns - sim->now_ns) / 1e9;
    sim->totals.worker_s += passed_s * count_present(sim);
    sim->now_ns = to_ns;
}

static void measure(struct sim_queue *sim)
{
    struct scale_sample *sample = &sim->sample;
    for (unsigned i = 0; i < sim->used; i++) {
        struct worker *worker = &sim->workers[i];
        count_work(sim, worker);
        sample->workers.draining += worker->state != ABSENT && worker->leaving;
        sample->workers.starting += worker->state == STARTING && !worker->leaving;
        sample->workers.ready += worker->state > STARTING && !worker->leaving;
    }
    sample->now_ns = sim->now_ns;
    sample->interval_ns = sim->now_ns - sim->began_ns;
    sample->queued = sim->count;
    sample->oldest_ns = sim->count ? sim->now_ns - sim->waiting[sim->first].arrived_ns : 0;
    sample->wait_p50_ns = scale_waits_quantile(&sim->waits, 0.5);
    sample->wait_p90_ns = scale_waits_quantile(&sim->waits, 0.9);
    sample->wait_p99_ns = scale_waits_quantile(&sim->waits, 0.99);
    sample->busy = sample->interval_ns ? sim->busy_ns * 1000 / sample->interval_ns : 0;
    sample->service_ns = sample->answered ? sim->done_ns / sample->answered : 0;
    sample->fronts.ready = sim->fronts;
}

void sim_queue_run(struct sim_queue *sim, uint64_t now_ns, struct scale_sample *sample,
                   uint64_t *late)
{
    for (;;) {
        struct worker *worker = earliest(sim);
        uint64_t worker_ns = worker ? worker->until_ns : UINT64_MAX;
        bool request_first = sim->comes && sim->next_ns <= worker_ns;
        uint64_t at_ns = request_first ? sim->next_ns : worker_ns;
        if (at_ns > now_ns || (!request_first && !worker))
            break;
        pass(sim, at_ns);
        if (request_first)
            arrive(sim);
        else
            turn(sim, worker);
    }
    pass(sim, now_ns);
    measure(sim);
    *sample = sim->sample;
    *late = sim->late;
    memset(&sim->sample, 0, sizeof sim->sample);
    memset(&sim->waits, 0, sizeof sim->waits);
    sim->busy_ns = sim->done_ns = sim->late = 0;
    sim->began_ns = now_ns;
}

/* ---- The fleet ---- */

static void start_one(struct sim_queue *sim, uint64_t start_up_ns)
{
    unsigned at = 0;
    while (at < sim->used && sim->workers[at].state != ABSENT)
        at++;
    if (at == 2 * SCALE_TIER_MAX)
        return; /* so many drain that there is no place: the next decision comes soon */
    if (at == sim->used)
        sim->used++;
    sim->workers[at] = (struct worker){.state = STARTING,
                                       .until_ns = sim->now_ns + start_up_ns,
                                       .number = ++sim->started,
                                       .rule = {.actions = sim->actions}};
}

/* How willingly one is let go. */
static unsigned rank_of(const struct worker *worker)
{
    if (worker->state == STARTING)
        return 4;
    if (worker->asked)
        return 3;
    return worker->state == WAITING ? 2 : 1;
}

static void drain_one(struct sim_queue *sim)
{
    struct worker *chosen = NULL;
    for (unsigned i = 0; i < sim->used; i++) {
        struct worker *worker = &sim->workers[i];
        if (worker->state == ABSENT || worker->leaving)
            continue;
        if (!chosen || rank_of(worker) > rank_of(chosen) ||
            (rank_of(worker) == rank_of(chosen) && worker->number > chosen->number))
            chosen = worker;
    }
    if (chosen && chosen->state == WORKING)
        chosen->leaving = true;
    else if (chosen)
        leave(chosen);
}

void sim_queue_resize(struct sim_queue *sim, unsigned workers, unsigned fronts)
{
    unsigned there = 0;
    sim->fronts = fronts;
    for (unsigned i = 0; i < sim->used; i++)
        there += sim->workers[i].state != ABSENT && !sim->workers[i].leaving;
    sim->actions += workers != there;
    for (; there < workers; there++)
        start_one(sim, sim->config.start_up_ns);
    for (; there > workers; there--)
        drain_one(sim);
}

/* ---- Begin and end ---- */

int sim_queue_new(const struct sim_queue_config *config, const struct scale_load *load,
                  unsigned workers, struct sim_queue **out, struct failure *failure)
{
    struct sim_queue *sim = calloc(1, sizeof *sim);
    if (sim)
        sim->waiting = calloc(config->queue_max, sizeof *sim->waiting);
    if (!sim || !sim->waiting) {
        free(sim);
        return fail(failure, ERR_NOMEM, "out of memory");
    }
    sim->config = *config;
    random_seed(&sim->polls, config->seed + 2);
    sim_arriving_init(&sim->arriving, config, load);
    fetch_next(sim);
    for (unsigned i = 0; i < workers && i < SCALE_TIER_MAX; i++)
        start_one(sim, 0);
    *out = sim;
    return 0;
}

void sim_queue_free(struct sim_queue *sim)
{
    if (!sim)
        return;
    free(sim->waiting);
    free(sim);
}

const struct sim_queue_totals *sim_queue_totals(const struct sim_queue *sim)
{
    return &sim->totals;
}
