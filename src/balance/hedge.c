#include "balance/hedge.h"

#include "balance/events.h"
#include "balance/forward.h"
#include "base/check.h"
#include "base/hash.h"

enum { LATE_SHARE = 950, FREE_PER_SECOND = 5, SAVED_MOST = 50 };
/* A loop cannot tell times apart that are shorter, and a second request costs more. */
#define SOONEST_NS (2 * MS_NS)

void hedges_init(struct hedges *hedges, uint32_t share, uint64_t now_ns)
{
    hedges->off = share == 0;
    budget_init(&hedges->budget, share, FREE_PER_SECOND, SAVED_MOST, now_ns);
    for (unsigned i = 0; i < HEDGE_CLASSES; i++)
        list_init(&hedges->classes[i].waiting);
}

void hedges_stop(struct lane *lane)
{
    loop_timer_stop(lane->loop, &lane->hedges.timer);
}

/* Those that began before it was known how long is long are looked at, too. */
static void watch_oldest(struct lane *lane, const struct hedge_class *class)
{
    if (!class->after_ns || list_empty(&class->waiting))
        return;
    const struct hedge *oldest = CONTAINER_OF(class->waiting.next, struct hedge, node);
    loop_timer_put_off(lane->loop, &lane->hedges.timer, oldest->began_ns + class->after_ns);
}

void hedges_tick(struct lane *lane)
{
    for (unsigned i = 0; i < HEDGE_CLASSES; i++) {
        struct hedge_class *class = &lane->hedges.classes[i];
        class->after_ns = quantile_at(&class->times, LATE_SHARE);
        if (class->after_ns && class->after_ns < SOONEST_NS)
            class->after_ns = SOONEST_NS;
        watch_oldest(lane, class);
    }
}

unsigned hedge_class_of(const struct exchange *x)
{
    static const struct hash_key key = {0x6865646765206b69, 0x6e6473206f662072};
    size_t end = 1;
    while (end < x->path.len && x->path.at[end] != '/')
        end++;
    uint64_t hash = hash_fast(key, str_sub(x->path, 0, end));
    return (unsigned)((hash + (uint64_t)x->method) % HEDGE_CLASSES);
}

void hedge_learn(struct hedges *hedges, unsigned class, uint64_t ns)
{
    quantile_add(&hedges->classes[class].times, ns);
}

void hedge_forget(struct hedge *hedge)
{
    if (!hedge->watched)
        return;
    hedge->watched = false;
    list_remove(&hedge->node);
}

/* Without a budget it is looked at again after the same time: there may be one then. */
static void fire(struct lane *lane, struct hedge_class *class, struct hedge *hedge, uint64_t now_ns)
{
    list_remove(&hedge->node);
    if (budget_spend(&lane->hedges.budget, now_ns)) {
        hedge->watched = false;
        forward_hedge(CONTAINER_OF(hedge, struct forward, hedge));
        return;
    }
    if (!hedge->denied) {
        lane_count(&lane->figures.hedges_denied, 1);
        events_add(lane->events, EVENT_NO_HEDGES, 0, NULL,
                   "More reads are slow than may be asked for twice.");
    }
    hedge->denied = true;
    hedge->began_ns = now_ns;
    list_append(&class->waiting, &hedge->node);
}

/* The oldest of each class are looked at; *NEXT_NS becomes when the next one's time is over. */
static void fire_class(struct lane *lane, struct hedge_class *class, uint64_t now_ns,
                       uint64_t *next_ns)
{
    while (!list_empty(&class->waiting)) {
        struct hedge *oldest = CONTAINER_OF(class->waiting.next, struct hedge, node);
        uint64_t due = oldest->began_ns + class->after_ns;
        if (class->after_ns == 0 || due > now_ns) {
            if (class->after_ns && due < *next_ns)
                *next_ns = due;
            return;
        }
        fire(lane, class, oldest, now_ns);
    }
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct lane *lane = CONTAINER_OF(timer, struct lane, hedges.timer);
    uint64_t next_ns = UINT64_MAX;
    for (unsigned i = 0; i < HEDGE_CLASSES; i++)
        fire_class(lane, &lane->hedges.classes[i], now_ns, &next_ns);
    loop_timer_put_off(lane->loop, timer, next_ns);
}

void hedge_watch(struct lane *lane, struct hedge *hedge)
{
    struct hedges *hedges = &lane->hedges;
    struct hedge_class *class = &hedges->classes[hedge->class];
    if (hedges->off)
        return;
    budget_earn(&hedges->budget);
    hedge_forget(hedge);
    hedge->began_ns = lane_now(lane);
    hedge->watched = true;
    list_append(&class->waiting, &hedge->node);
    hedges->timer.fire = on_timer;
    if (class->after_ns) /* without memory for it there are no hedges */
        loop_timer_put_off(lane->loop, &hedges->timer, hedge->began_ns + class->after_ns);
}
