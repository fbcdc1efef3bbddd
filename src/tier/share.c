#include "tier/share.h"

#include "base/check.h"

#include <string.h>

enum {
    RESERVE_PART = 8,   /* of the limit */
    SMOOTHING = 16,     /* the last sixteen or so count */
    UNKNOWN_NS = 50000, /* what a class costs before it was measured */
    LEAST_NS = 1000,    /* however cheap, it is not for nothing */
};

const char *const share_names[SHARE_CLASSES] = {
    [SHARE_OPERATOR] = "operator",
    [SHARE_BUYS] = "buys",
    [SHARE_CARTS] = "carts",
    [SHARE_PAGES] = "pages",
};

void share_init(struct share *share, uint32_t limit, const uint32_t weight[static SHARE_CLASSES])
{
    *share = (struct share){.limit = limit};
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        CHECK(weight[i] >= 1 && weight[i] <= SHARE_WEIGHT_MAX);
        share->weight[i] = weight[i];
        share->reserve[i] = limit / RESERVE_PART;
    }
}

/* What must stay free for the others. */
static uint32_t reserved_for_others(const struct share *share, enum share_class class)
{
    uint32_t reserved = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        if (i != class && share->held[i] < share->reserve[i])
            reserved += share->reserve[i] - share->held[i];
    return reserved;
}

static uint32_t held_in_all(const struct share *share)
{
    uint32_t held = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        held += share->held[i];
    return held;
}

bool share_enter(struct share *share, enum share_class class)
{
    uint32_t held = held_in_all(share);
    bool room = held < share->limit;
    if (share->held[class] >= share->reserve[class])
        room = held + reserved_for_others(share, class) < share->limit;
    share->held[class] += room;
    return room;
}

void share_leave(struct share *share, enum share_class class)
{
    CHECK(share->held[class] > 0);
    share->held[class]--;
}

/* They come around, after some days of many processors. */
static bool is_before(uint64_t pass, uint64_t other)
{
    return (int64_t)(pass - other) < 0;
}

void share_wait(struct share *share, enum share_class class)
{
    if (share->waiting[class]++ == 0 && is_before(share->pass[class], share->virtual_pass))
        share->pass[class] = share->virtual_pass;
}

void share_unwait(struct share *share, enum share_class class)
{
    CHECK(share->waiting[class] > 0);
    share->waiting[class]--;
}

uint64_t share_cost(const struct share *share, enum share_class class)
{
    uint64_t cost = share->cost_ns[class] ? share->cost_ns[class] : UNKNOWN_NS;
    return cost < LEAST_NS ? LEAST_NS : cost;
}

static uint64_t stride(const struct share *share, enum share_class class)
{
    return share_cost(share, class) * SHARE_WEIGHT_MAX / share->weight[class];
}

enum share_class share_next(struct share *share)
{
    enum share_class next = SHARE_CLASSES;
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        if (share->waiting[i] > 0 &&
            (next == SHARE_CLASSES || is_before(share->pass[i], share->pass[next])))
            next = i;
    if (next == SHARE_CLASSES)
        return next;
    share->waiting[next]--;
    share->virtual_pass = share->pass[next];
    share->pass[next] += stride(share, next);
    return next;
}

void share_measured(struct share *share, enum share_class class, uint64_t work_ns)
{
    uint64_t *cost = &share->cost_ns[class];
    uint64_t before = *cost ? *cost : UNKNOWN_NS;
    /* The first, too, counts as one of many: were it the mean, one that took a second would be
     * charged to each of those after it. */
    *cost = before - before / SMOOTHING + work_ns / SMOOTHING;
}
