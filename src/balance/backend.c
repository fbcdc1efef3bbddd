#include "balance/backend.h"

#include "base/check.h"

#include <stdlib.h>

enum { FULL = 1000 };

struct backend *backend_new(const struct backend_plan *plan, uint64_t now_ns)
{
    struct backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return NULL;
    struct str host = str_of(plan->url);
    ptrdiff_t scheme = str_find(host, STR("://"));
    backend->id = plan->id;
    str_copy(backend->name, sizeof backend->name, str_of(plan->name));
    str_copy(backend->url, sizeof backend->url, str_of(plan->url));
    str_copy(backend->host, sizeof backend->host,
             str_from(host, scheme < 0 ? 0 : (size_t)scheme + 3));
    backend->address = plan->address;
    backend->tls_context = plan->tls_context;
    backend->tls = plan->tls_context;
    backend->shop = plan->shop;
    backend->proxy_header = plan->proxy_header;
    backend->weight = plan->weight;
    backend->limit = plan->limit;
    backend->watcher = plan->watcher;
    health_begin(&backend->health, &plan->rules, plan->fresh, now_ns);
    atomic_init(&backend->state, backend->health.state);
    atomic_init(&backend->share, health_share(&backend->health, now_ns));
    atomic_init(&backend->changed_ns, now_ns);
    atomic_init(&backend->heard_ns, now_ns);
    atomic_init(&backend->references, 1);
    pthread_mutex_init(&backend->lock, NULL);
    return backend;
}

struct backend *backend_hold(struct backend *backend)
{
    atomic_fetch_add_explicit(&backend->references, 1, memory_order_relaxed);
    return backend;
}

void backend_drop(struct backend *backend)
{
    if (!backend || atomic_fetch_sub_explicit(&backend->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_mutex_destroy(&backend->lock);
    free(backend);
}

struct backend_set *backend_set_new(uint64_t version)
{
    struct backend_set *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->version = version;
    atomic_init(&set->references, 1);
    return set;
}

struct backend_set *backend_set_hold(struct backend_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void backend_set_drop(struct backend_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < set->count; i++)
        backend_drop(set->at[i]);
    free(set);
}

struct backend *backend_set_find(const struct backend_set *set, uint64_t id)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->at[i]->id == id)
            return set->at[i];
    return NULL;
}

uint64_t backend_set_usable(const struct backend_set *set, uint32_t max_out, uint32_t panic,
                            bool *panic_now)
{
    struct health_member members[BACKENDS_MAX];
    for (unsigned i = 0; i < set->count; i++)
        members[i] = (struct health_member){
            .state = backend_state(set->at[i]),
            .by_checks = atomic_load_explicit(&set->at[i]->by_checks, memory_order_relaxed),
            .changed_ns = atomic_load_explicit(&set->at[i]->changed_ns, memory_order_relaxed),
            .aside = atomic_load_explicit(&set->at[i]->aside, memory_order_relaxed),
        };
    return health_all(members, set->count, max_out, panic, panic_now);
}

void backend_set_shares(const struct backend_set *set, uint64_t usable,
                        uint32_t shares[static BACKENDS_MAX])
{
    uint32_t best = 1;
    for (unsigned i = 0; i < set->count; i++) {
        shares[i] = atomic_load_explicit(&set->at[i]->share, memory_order_relaxed);
        if (usable >> i & 1 && shares[i] > best)
            best = shares[i];
    }
    for (unsigned i = 0; i < set->count; i++)
        shares[i] = shares[i] < best ? shares[i] * FULL / best : FULL;
}

/* With the lock: others may read each of these at any time, and none of them depends on another
 * for being safe. */
static void publish(struct backend *backend, uint64_t now_ns)
{
    const struct health *health = &backend->health;
    atomic_store_explicit(&backend->share, health_share(health, now_ns), memory_order_relaxed);
    atomic_store_explicit(&backend->by_checks, health->by_checks, memory_order_relaxed);
    atomic_store_explicit(&backend->changed_ns, health->changed_ns, memory_order_relaxed);
    atomic_store_explicit(&backend->suspect_ns, health->silent_ns, memory_order_relaxed);
    atomic_store_explicit(&backend->state, health->state, memory_order_release);
}

/* An answer that went well, from a server of which nothing bad is known, changes nothing; that is
 * nearly every request, and the loops are not to meet in the lock for it. */
static bool changes_nothing(struct backend *backend, enum health_sign sign)
{
    return sign == SIGN_FINE && backend_state(backend) != HEALTH_SUSPECT &&
           atomic_load_explicit(&backend->suspect_ns, memory_order_relaxed) == 0 &&
           !atomic_load_explicit(&backend->failing, memory_order_relaxed);
}

void backend_sign(struct backend *backend, enum health_sign sign, uint64_t now_ns)
{
    if (changes_nothing(backend, sign))
        return;
    pthread_mutex_lock(&backend->lock);
    enum health_state before = backend->health.state;
    bool was_slow = backend->health.slow < FULL;
    bool changed = health_see(&backend->health, sign, now_ns);
    enum health_state now = backend->health.state;
    uint32_t slow = backend->health.slow;
    atomic_store_explicit(&backend->failing, backend->health.failures > 0, memory_order_relaxed);
    publish(backend, now_ns);
    pthread_mutex_unlock(&backend->lock);
    if (changed && now == HEALTH_OUT)
        backend_count(&backend->counters.ejections, 1);
    if (!backend->watcher)
        return;
    if (changed)
        backend->watcher->changed(backend->watcher, backend, before, now, sign);
    if ((slow < FULL) != was_slow)
        backend->watcher->slowed(backend->watcher, backend, slow);
}
