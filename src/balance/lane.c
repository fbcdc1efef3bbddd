#include "balance/lane.h"

#include "balance/forward.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

/* Retries that are free, whatever their share comes to; and how many can be saved, so that all that
 * a server has under way can go to the others when it dies, and no more than that. */
enum { FREE_PER_SECOND = 10, SAVED_LEAST = 100, SAVED_MOST = 1000 };

/* ---- The view of the servers ---- */

static struct pool *pool_of(struct lane *lane, const struct backend_set *set,
                            const struct backend *backend)
{
    for (unsigned i = 0; set && i < set->count; i++)
        if (lane->pools[i] && lane->pools[i]->backend == backend)
            return lane->pools[i];
    return NULL;
}

static void use_key(struct lane *lane, const struct backend_set *set)
{
    if (!set->keyed ||
        (lane->set && lane->set->keyed && memcmp(lane->set->key, set->key, sizeof set->key) == 0))
        return;
    home_signer_free(lane->router.signer);
    lane->router.signer = home_signer_new(set->key);
}

/* Another set: the connections to those who stay are kept. */
static void take_set(struct lane *lane, struct backend_set *set)
{
    struct pool *before[BACKENDS_MAX];
    struct backend_set *old = lane->set;
    memcpy(before, lane->pools, sizeof before);
    use_key(lane, set);
    for (unsigned i = 0; i < set->count; i++) {
        struct pool *pool = pool_of(lane, old, set->at[i]);
        before[i] = pool ? pool : pool_new(lane, set->at[i]);
    }
    for (unsigned i = 0; old && i < old->count; i++) {
        bool stays = false;
        for (unsigned k = 0; k < set->count; k++)
            stays |= before[k] == lane->pools[i];
        if (!stays && lane->pools[i])
            pool_retire(lane->pools[i]);
    }
    lane->set = set;
    for (unsigned i = 0; i < BACKENDS_MAX; i++)
        lane->pools[i] = i < set->count ? before[i] : NULL;
    for (unsigned i = 0; i < set->count; i++) {
        lane->servers[i] = (struct policy_server){.id = set->at[i]->id};
        lane->reported_ns[i] = 0;
        if (lane->pools[i])
            lane->pools[i]->place = (int)i;
    }
    lane->view.count = set->count;
    lane->view.version++;
    backend_set_drop(old);
}

static void take_news(struct lane *lane)
{
    struct backend_set *set = members_set(lane->members);
    if (lane->set && lane->set->version == set->version) {
        backend_set_drop(set);
        return;
    }
    take_set(lane, set);
}

/* Weights and who may be used, which the policies prepare for. */
static void refresh(struct lane *lane)
{
    lane->changed = true;
    const struct balance_config *config = lane->config;
    bool panic;
    uint32_t shares[BACKENDS_MAX];
    uint64_t usable = backend_set_usable(lane->set, config->max_out, config->panic, &panic);
    backend_set_shares(lane->set, usable, shares);
    for (unsigned i = 0; i < lane->view.count; i++) {
        struct policy_server *server = &lane->servers[i];
        const struct backend *backend = lane->set->at[i];
        bool is_usable = lane->pools[i] && (usable >> i & 1);
        if (server->usable == is_usable && server->weight == backend->weight &&
            server->share == shares[i])
            continue;
        if (server->usable != is_usable || server->weight != backend->weight)
            lane->view.version++;
        server->usable = is_usable;
        server->weight = backend->weight;
        server->share = shares[i];
    }
}

static void prepare(struct lane *lane)
{
    struct router *router = &lane->router;
    uint64_t now_ns = lane_now(lane);
    if (lane->prepared == lane->view.version)
        return;
    lane->prepared = lane->view.version;
    if (router->policy->prepare)
        router->policy->prepare(router->policy_memory, &lane->view, now_ns);
    if (router->hash->prepare)
        router->hash->prepare(router->hash_memory, &lane->view, now_ns);
}

/* What servers have said of themselves to the watcher since, each report once: the policy itself
 * counts what comes and goes between two of them. */
static void probe(struct lane *lane)
{
    const struct policy *policy = lane->router.policy;
    if (!policy->probed)
        return;
    for (unsigned i = 0; i < lane->view.count; i++) {
        const struct backend *backend = lane->set->at[i];
        uint64_t at_ns = atomic_load_explicit(&backend->reported_ns, memory_order_acquire);
        if (at_ns == lane->reported_ns[i])
            continue;
        lane->reported_ns[i] = at_ns;
        policy->probed(lane->router.policy_memory, &lane->view, i,
                       atomic_load_explicit(&backend->reported_in_flight, memory_order_relaxed),
                       atomic_load_explicit(&backend->reported_latency_ns, memory_order_relaxed),
                       lane_now(lane));
    }
}

struct admission_look lane_look(struct lane *lane)
{
    if (!lane->changed && lane->looked_turn == loop_turns(lane->loop))
        return lane->look;
    lane->changed = false;
    lane->looked_turn = loop_turns(lane->loop);
    for (unsigned i = 0; i < lane->view.count; i++) {
        const struct backend *backend = lane->set->at[i];
        lane->servers[i].in_flight =
            atomic_load_explicit(&backend->in_flight, memory_order_relaxed);
        lane->servers[i].homes = atomic_load_explicit(&backend->homes, memory_order_relaxed);
        lane->places[i] = (struct admission_place){
            .in_flight = lane->pools[i] ? lane->pools[i]->users : 0,
            .limit = backend->limit,
        };
    }
    prepare(lane);
    probe(lane);
    lane->look = admission_look(&lane->admission, &lane->view, lane->places);
    return lane->look;
}

void lane_note_home(struct lane *lane, uint64_t id)
{
    struct backend *backend = backend_set_find(lane->set, id);
    lane_count(&lane->figures.placed, 1);
    if (backend)
        atomic_fetch_add_explicit(&backend->homes, 1, memory_order_relaxed);
}

static void on_room(struct soon *soon)
{
    forward_admit(CONTAINER_OF(soon, struct lane, room));
}

void lane_room(struct lane *lane)
{
    if (admission_waiting(&lane->admission) > 0)
        loop_soon(lane->loop, &lane->room);
}

static void on_news(struct member_news *news)
{
    struct lane *lane = CONTAINER_OF(news, struct lane, news);
    take_news(lane);
    refresh(lane);
    lane_room(lane);
}

/* ---- Ticks ---- */

/* What others may see of what is this loop's alone. */
static void show(struct lane *lane, unsigned idle)
{
    struct lane_figures *figures = &lane->figures;
    const struct fair *queue = lane->admission.queue;
    uint64_t due = fair_due(queue);
    uint64_t since = due == UINT64_MAX ? 0 : due - lane->config->queue_ns;
    atomic_store_explicit(&figures->idle, idle, memory_order_relaxed);
    atomic_store_explicit(&figures->queue, fair_count(queue), memory_order_relaxed);
    atomic_store_explicit(&figures->queued_since_ns, since, memory_order_relaxed);
}

static void on_tick(struct timer *timer, uint64_t now_ns)
{
    struct lane *lane = CONTAINER_OF(timer, struct lane, tick);
    uint64_t late_ns = now_ns > lane->tick_due_ns ? now_ns - lane->tick_due_ns : 0;
    unsigned idle = 0;
    refresh(lane);
    lane->admission.lanes = atomic_load_explicit(lane->lanes, memory_order_relaxed);
    hedges_tick(lane);
    forward_tick(lane, now_ns, late_ns);
    for (unsigned i = 0; i < lane->view.count; i++) {
        if (!lane->pools[i])
            continue;
        pool_tick(lane->pools[i], lane->config->backup_connections, lane->servers[i].usable,
                  now_ns);
        idle += lane->pools[i]->idle_count;
    }
    LIST_EACH(&lane->retired, node)
    {
        pool_tick_retired(CONTAINER_OF(node, struct pool, node), now_ns);
    }
    show(lane, idle);
    lane->tick_due_ns = now_ns + LANE_TICK_NS;
    CHECK(loop_timer_set(lane->loop, timer, lane->tick_due_ns) == 0); /* its slot was free */
}

int64_t lane_wall_ms(struct lane *lane)
{
    if (lane->wall_turn != loop_turns(lane->loop) || lane->wall_ms == 0) {
        lane->wall_turn = loop_turns(lane->loop);
        lane->wall_ms = clock_wall_ms();
    }
    return lane->wall_ms;
}

/* ---- Being made and freed ---- */

static bool make_router(struct lane *lane)
{
    struct router *router = &lane->router;
    uint64_t seed;
    random_secret(&seed, sizeof seed);
    random_seed(&router->random, seed);
    router->policy = lane->config->policy;
    router->hash = &policy_ip_hash;
    router->aways = lane->config->aways;
    router->policy_memory = calloc(1, router->policy->memory ? router->policy->memory : 1);
    router->hash_memory = calloc(1, router->hash->memory ? router->hash->memory : 1);
    return router->policy_memory && router->hash_memory;
}

static bool make_queue(struct lane *lane, atomic_uint *lanes)
{
    const struct balance_config *config = lane->config;
    unsigned index = atomic_fetch_add(lanes, 1);
    lane->lanes = lanes;
    struct admission_limits limits = {
        .lane = index,
        .lanes = index + 1, /* more may come: see on_tick */
        .queue = {config->queue, config->queue_per_client, config->queue_ns},
    };
    return admission_init(&lane->admission, &limits, random_u64(&lane->router.random)) == 0;
}

/* What needs nothing but memory. */
static struct lane *lane_alloc(const struct lane_plan *plan, struct loop *loop)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return NULL;
    lane->config = plan->config;
    lane->trusted = plan->trusted;
    lane->trusted_count = plan->trusted_count;
    lane->events = plan->events;
    lane->loop = loop;
    lane->view.servers = lane->servers;
    lane->news.changed = on_news;
    lane->tick.fire = on_tick;
    lane->room.run = on_room;
    list_init(&lane->room.node);
    list_init(&lane->forwards);
    list_init(&lane->retired);
    lane->input = malloc(WINDOW_BYTES);
    lane->plain = malloc(UPSTREAM_RECORD);
    return lane;
}

static uint32_t retries_saved(const struct lane *lane)
{
    uint32_t limit = lane->config->limit;
    return limit == 0 || limit > SAVED_MOST ? SAVED_MOST
           : limit < SAVED_LEAST            ? SAVED_LEAST
                                            : limit;
}

struct lane *lane_new(const struct lane_plan *plan, struct loop *loop)
{
    struct lane *lane = lane_alloc(plan, loop);
    uint64_t now_ns = loop_now_refresh(loop);
    if (!lane || !lane->input || !lane->plain || !make_router(lane) ||
        !make_queue(lane, plan->lanes) || members_listen(plan->members, loop, &lane->news)) {
        lane_free(lane);
        return NULL;
    }
    lane->members = plan->members;
    budget_init(&lane->retries, lane->config->retry_share, FREE_PER_SECOND, retries_saved(lane),
                now_ns);
    hedges_init(&lane->hedges, lane->config->hedge_share, now_ns);
    take_news(lane);
    refresh(lane);
    lane->tick_due_ns = now_ns + LANE_TICK_NS;
    if (loop_timer_set(loop, &lane->tick, lane->tick_due_ns)) {
        lane_free(lane);
        return NULL;
    }
    return lane;
}

void lane_free(struct lane *lane)
{
    if (!lane)
        return;
    forward_abandon(lane);
    hedges_stop(lane);
    loop_timer_stop(lane->loop, &lane->tick);
    loop_soon_cancel(&lane->room);
    admission_close(&lane->admission);
    if (lane->lanes)
        atomic_fetch_sub(lane->lanes, 1);
    if (lane->members)
        members_unlisten(lane->members, &lane->news);
    for (unsigned i = 0; i < BACKENDS_MAX; i++)
        pool_free(lane->pools[i]);
    while (!list_empty(&lane->retired))
        pool_free(CONTAINER_OF(lane->retired.next, struct pool, node));
    backend_set_drop(lane->set);
    home_signer_free(lane->router.signer);
    free(lane->router.policy_memory);
    free(lane->router.hash_memory);
    windows_close(&lane->windows);
    free(lane->input);
    free(lane->plain);
    free(lane);
}
