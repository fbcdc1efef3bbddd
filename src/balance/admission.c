#include "balance/admission.h"

#include "base/clock.h"
#include "base/err.h"

enum { FULL_SHARE = 1000, RETRY_MAX_S = 30 };

int admission_init(struct admission *admission, const struct admission_limits *limits,
                   uint64_t seed)
{
    *admission = (struct admission){.lane = limits->lane, .lanes = limits->lanes};
    admission->queue = fair_new(&limits->queue, seed);
    random_seed(&admission->random, seed);
    return admission->queue ? ERR_OK : ERR_NOMEM;
}

void admission_close(struct admission *admission)
{
    fair_free(admission->queue);
    admission->queue = NULL;
}

/* ---- Places ---- */

uint32_t admission_part(const struct admission *admission, uint32_t limit, uint32_t share)
{
    if (limit == 0)
        return UINT32_MAX;
    unsigned lanes = admission->lanes ? admission->lanes : 1;
    uint64_t part = limit / lanes + (admission->lane < limit % lanes);
    part = part * share / FULL_SHARE;
    return part ? (uint32_t)part : 1;
}

static uint64_t usable_places(const struct policy_view *view)
{
    uint64_t usable = 0;
    for (unsigned i = 0; i < view->count; i++)
        usable |= (uint64_t)view->servers[i].usable << i;
    return usable;
}

static uint64_t full_places(const struct admission *admission, const struct policy_view *view,
                            const struct admission_place *places)
{
    uint64_t full = 0;
    for (unsigned i = 0; i < view->count; i++) {
        const struct policy_server *server = &view->servers[i];
        bool is = places[i].in_flight >= admission_part(admission, places[i].limit, server->share);
        full |= (uint64_t)is << i;
    }
    return full;
}

struct admission_look admission_look(struct admission *admission, const struct policy_view *view,
                                     const struct admission_place *places)
{
    struct admission_look look = {.full = full_places(admission, view, places)};
    uint64_t avoid = look.full;
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].share < FULL_SHARE &&
            random_below(&admission->random, FULL_SHARE) >= view->servers[i].share)
            avoid |= 1ull << i;
    look.avoid = usable_places(view) & ~avoid ? avoid : look.full;
    return look;
}

/* ---- Waiting ---- */

bool admission_has_room(const struct policy_view *view, uint64_t full)
{
    return (usable_places(view) & ~full) != 0;
}

bool admission_must_wait(const struct admission *admission, const struct policy_view *view,
                         uint64_t full)
{
    return fair_count(admission->queue) > 0 || !admission_has_room(view, full);
}

struct fair_item *admission_wait(struct admission *admission, struct fair_item *item, uint64_t key,
                                 uint64_t now_ns)
{
    return fair_add(admission->queue, item, key, 1, now_ns);
}

/* How fast the queue moves, by whole seconds in which it did. */
static void count_served(struct admission *admission, uint64_t now_ns)
{
    uint64_t past = now_ns - admission->served_ns;
    admission->served++;
    if (past < SEC_NS)
        return;
    if (past < 2 * SEC_NS) {
        double rate = (double)admission->served * SEC_NS / (double)past;
        double before = admission->per_second;
        admission->per_second = before > 0 ? (before + rate) / 2 : rate;
    }
    admission->served = 0;
    admission->served_ns = now_ns;
}

struct fair_item *admission_next(struct admission *admission, const struct policy_view *view,
                                 const struct admission_place *places, uint64_t now_ns)
{
    if (fair_count(admission->queue) == 0)
        return NULL;
    if (!admission_has_room(view, full_places(admission, view, places)))
        return NULL;
    count_served(admission, now_ns);
    return fair_next(admission->queue);
}

struct fair_item *admission_late(struct admission *admission, uint64_t now_ns)
{
    return fair_expired(admission->queue, now_ns);
}

void admission_leave(struct admission *admission, struct fair_item *item)
{
    fair_remove(admission->queue, item);
}

bool admission_pause(struct admission *admission)
{
    return fair_reserve(admission->queue);
}

void admission_resume(struct admission *admission)
{
    fair_release(admission->queue);
}

unsigned admission_waiting(const struct admission *admission)
{
    return fair_count(admission->queue);
}

unsigned admission_retry_s(const struct admission *admission)
{
    double waiting = fair_count(admission->queue), per_second = admission->per_second;
    if (per_second <= 0 || waiting <= per_second)
        return 1;
    double seconds = waiting / per_second;
    return seconds >= RETRY_MAX_S ? RETRY_MAX_S : (unsigned)seconds + 1;
}
