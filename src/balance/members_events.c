#include "balance/members_inner.h"

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

void members_tell_state(struct members *members, const struct backend *backend,
                        enum health_state before, enum health_state now, enum health_sign sign)
{
    struct events *events = members->events;
    const char *why = reason(members, backend, sign), *name = backend->name;
    uint64_t id = backend->id;
    switch (now) {
    case HEALTH_UP:
        if (before == HEALTH_SUSPECT)
            events_add(events, EVENT_TRUSTED, id, name, "%s answers again", name);
        else
            events_add(events, EVENT_UP, id, name, "%s has its full share", name);
        break;
    case HEALTH_WARMING:
        if (before == HEALTH_SUSPECT)
            events_add(events, EVENT_TRUSTED, id, name, "%s answers again", name);
        else
            events_add(events, EVENT_BACK, id, name, "%s is back, with a growing share", name);
        break;
    case HEALTH_SUSPECT:
        events_add(events, EVENT_SUSPECT, id, name, "%s is silent: %s", name, why);
        break;
    case HEALTH_OUT:
        events_add(events, EVENT_OUT, id, name, "%s is out: %s", name, why);
        break;
    case HEALTH_DRAINING:
        events_add(events, EVENT_DRAINING, id, name, "%s gets nothing new: %s", name, why);
        break;
    }
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
                   "too few servers are well: those that only fail now and then, or if need be "
                   "all, are used");
    else
        events_add(members->events, EVENT_CALM, 0, NULL, "enough servers are well again");
}
