#include "replica/pace.h"

#include "base/clock.h"

void pace_set(struct pace *pace, uint32_t every_ms, uint64_t now_ns)
{
    if (pace->every_ms == every_ms)
        return;
    pace->every_ms = every_ms;
    pace->rested_ns = now_ns;
    pace->apply_to = 0;
}

uint64_t pace_bytes(const struct pace *pace)
{
    return pace->every_ms > 0 ? PACE_WARM_BYTES : PACE_GATHER_BYTES;
}

static uint64_t later(uint64_t until_ns, uint64_t now_ns)
{
    return until_ns > now_ns ? until_ns : 0;
}

uint64_t pace_until(struct pace *pace, const struct pace_queue *queue, uint64_t now_ns)
{
    bool hurry = queue->urgent || queue->bytes >= pace_bytes(pace);
    if (!queue->any)
        return 0;
    if (pace->every_ms == 0)
        return hurry ? 0 : later(pace->began_ns + PACE_GATHER_MS * MS_NS, now_ns);
    if (pace->apply_to > queue->applied)
        return 0;
    if (pace->apply_to != 0) {
        pace->apply_to = 0;
        pace->rested_ns = now_ns;
    }
    uint64_t until_ns = hurry ? 0 : later(pace->rested_ns + pace->every_ms * MS_NS, now_ns);
    if (until_ns == 0)
        pace->apply_to = queue->newest;
    return until_ns;
}
