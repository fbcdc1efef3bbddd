#include "balance/members_inner.h"
#include "base/clock.h"

/* ---- A server's state ---- */

static bool is_of_check(enum health_sign sign)
{
    return sign == SIGN_CHECK_BAD || sign == SIGN_CHECK_LOST;
}

/* Signs of checks come on the watcher's thread, where it is known what was wrong. */
static const char *reason(const struct members *members, const struct backend *backend,
                          enum health_sign sign)
{
    const char *problem = is_of_check(sign) ? checks_problem(members->checks, backend->id) : "";
    return problem[0] ? problem : health_sign_text(sign);
}

static void tell(struct members *members, enum event_kind kind, const struct backend *backend,
                 const char *sentence)
{
    events_add(members->events, kind, backend->id, backend->name, "%s", sentence);
}

static unsigned ms_since_heard(const struct backend *backend)
{
    uint64_t heard_ns = atomic_load_explicit(&backend->heard_ns, memory_order_relaxed);
    uint64_t now_ns = clock_mono_ns();
    return now_ns > heard_ns ? (unsigned)((now_ns - heard_ns) / MS_NS) : 0;
}

void members_tell_state(struct members *members, const struct backend *backend,
                        enum health_state before, enum health_state now, enum health_sign sign)
{
    bool trusted = before == HEALTH_SUSPECT && (now == HEALTH_UP || now == HEALTH_WARMING);
    if (trusted) {
        tell(members, EVENT_TRUSTED, backend, "It answers again.");
        return;
    }
    switch (now) {
    case HEALTH_UP:
        tell(members, EVENT_UP, backend, "It has its full share.");
        break;
    case HEALTH_WARMING:
        tell(members, EVENT_BACK, backend, "It is back, with a share that grows.");
        break;
    case HEALTH_SUSPECT:
        events_add(members->events, EVENT_SUSPECT, backend->id, backend->name,
                   "Nothing has come from it for %u ms: requests go elsewhere.",
                   ms_since_heard(backend));
        break;
    case HEALTH_OUT:
        events_add(members->events, EVENT_OUT, backend->id, backend->name,
                   "It gets no requests: %s.", reason(members, backend, sign));
        break;
    case HEALTH_DRAINING:
        tell(members, EVENT_DRAINING, backend, "It is leaving: it gets nothing new.");
        break;
    }
}

void members_tell_slow(struct members *members, const struct backend *backend, uint32_t now)
{
    if (now < 1000)
        events_add(members->events, EVENT_SLOW, backend->id, backend->name,
                   "It is far slower than the others: its share shrinks.");
    else
        events_add(members->events, EVENT_SLOW, backend->id, backend->name,
                   "It is no longer slower than the others.");
}

/* ---- All of them ---- */

void members_tell_panic(struct members *members)
{
    const struct balance_config *config = members->config;
    struct backend_set *set = members_set(members);
    bool panic = false;
    if (set->count)
        backend_set_usable(set, config->max_out, config->panic, &panic);
    backend_set_drop(set);
    if (atomic_exchange_explicit(&members->panic, panic, memory_order_acq_rel) == panic)
        return;
    if (panic)
        events_add(members->events, EVENT_PANIC, 0, NULL,
                   "Too few servers are well: those that only fail now and then are used too, or, "
                   "when there is nobody else, all.");
    else
        events_add(members->events, EVENT_CALM, 0, NULL, "Enough servers are well again.");
}
