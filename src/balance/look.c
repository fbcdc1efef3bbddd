#include "balance/balance_inner.h"
#include "base/clock.h"

static uint64_t read64(_Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static uint32_t read32(_Atomic uint32_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void look_at_counters(struct backend *backend, struct view_backend *out)
{
    struct backend_counters *counters = &backend->counters;
    out->requests = read64(&counters->requests);
    out->answers = read64(&counters->answers);
    out->failures = read64(&counters->failures);
    out->refused = read64(&counters->refused);
    out->resets = read64(&counters->resets);
    out->timeouts = read64(&counters->timeouts);
    out->answered_5xx = read64(&counters->answered_5xx);
    out->retries = read64(&counters->retries);
    out->hedges = read64(&counters->hedges);
    out->hedge_wins = read64(&counters->hedge_wins);
    out->bytes_in = read64(&counters->bytes_in);
    out->bytes_out = read64(&counters->bytes_out);
    out->connects = read64(&counters->connects);
    out->ejections_total = read64(&counters->ejections);
    latency_look(&counters->latency, &out->latency);
}

static void look_at_backend(const struct balance_config *config, struct backend *backend,
                            struct view_backend *out)
{
    out->id = backend->id;
    str_copy(out->name, sizeof out->name, str_of(backend->name));
    str_copy(out->url, sizeof out->url, str_of(backend->url));
    out->state = backend_state(backend);
    out->primary = atomic_load_explicit(&backend->primary, memory_order_relaxed);
    out->shop = backend->shop;
    out->aside = atomic_load_explicit(&backend->aside, memory_order_relaxed);
    out->weight = backend->weight;
    out->share = read32(&backend->share);
    out->limit = backend->limit;
    out->in_flight = read32(&backend->in_flight);
    out->homes = read32(&backend->homes);
    out->idle = read32(&backend->idle);
    out->backup = out->idle < config->backup_connections ? out->idle : config->backup_connections;
    out->reported_in_flight = read32(&backend->reported_in_flight);
    out->reported_latency_ns = read64(&backend->reported_latency_ns);
    out->round_trip_ns = read64(&backend->round_trip_ns);
    pthread_mutex_lock(&backend->lock);
    out->out_until_ns = out->state == HEALTH_OUT ? backend->health.out_until_ns : 0;
    out->ejections = backend->health.ejections;
    pthread_mutex_unlock(&backend->lock);
    look_at_counters(backend, out);
}

static void look_at_servers(struct balance *balance, struct balance_view *view)
{
    struct backend_set *set = members_set(balance->members);
    uint64_t usable =
        backend_set_usable(set, balance->config.max_out, balance->config.panic, &view->panic);
    view->version = set->version;
    view->cluster = set->keyed;
    view->count = set->count;
    view->usable = (unsigned)__builtin_popcountll(usable);
    for (unsigned i = 0; i < set->count; i++) {
        look_at_backend(&balance->config, set->at[i], &view->at[i]);
        if (view->at[i].primary)
            view->primary = view->at[i].id;
    }
    backend_set_drop(set);
}

static void look_at_lane(struct lane *lane, uint64_t now_ns, struct view_totals *totals,
                         struct view_loop *loop)
{
    struct lane_figures *figures = &lane->figures;
    uint64_t oldest_ns = read64(&figures->queued_since_ns);
    *loop = (struct view_loop){
        .requests = read64(&figures->requests),
        .in_flight = read32(&figures->in_flight),
        .queued = read32(&figures->queue),
        .idle = read32(&figures->idle),
        .tunnels = read32(&figures->tunnels_open),
    };
    totals->requests += loop->requests;
    totals->answers += read64(&figures->answers);
    totals->failed += read64(&figures->failed);
    totals->retries += read64(&figures->retries);
    totals->retries_denied += read64(&figures->retries_denied);
    totals->hedges += read64(&figures->hedges);
    totals->hedge_wins += read64(&figures->hedge_wins);
    totals->hedges_denied += read64(&figures->hedges_denied);
    totals->queued += read64(&figures->queued);
    totals->shed += read64(&figures->shed);
    totals->away += read64(&figures->away);
    totals->moved += read64(&figures->moved);
    totals->placed += read64(&figures->placed);
    totals->tunnels += read64(&figures->tunnels);
    totals->in_flight += loop->in_flight;
    totals->queue += loop->queued;
    totals->tunnels_open += loop->tunnels;
    if (oldest_ns && now_ns > oldest_ns && now_ns - oldest_ns > totals->queue_oldest_ns)
        totals->queue_oldest_ns = now_ns - oldest_ns;
    latency_look(&figures->latency, &totals->latency);
}

void balance_look(struct balance *balance, struct balance_view *view)
{
    *view = (struct balance_view){
        .now_ns = clock_mono_ns(),
        .started_ns = balance->started_ns,
        .wall_ms = clock_wall_ms(),
        .policy = balance->config.policy->name,
        .mode = balance->config.mode,
    };
    str_copy(view->url, sizeof view->url, str_of(balance->config.url));
    look_at_servers(balance, view);
    pthread_mutex_lock(&balance->lock);
    for (unsigned i = 0; i < VIEW_LOOPS_MAX; i++)
        if (balance->lanes[i])
            look_at_lane(balance->lanes[i], view->now_ns, &view->totals,
                         &view->loops[view->loop_count++]);
    pthread_mutex_unlock(&balance->lock);
}
