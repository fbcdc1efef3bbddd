#include "scale/fleet_count.h"

#include "base/clock.h"

enum { PAUSE_S = 1, PAUSE_MAX_S = 60, DOUBLINGS = 6 };

void fleet_count_want(struct fleet_count *count, unsigned wanted)
{
    count->is_wanted = true;
    count->wanted = wanted;
}

static bool is_settled(const struct fleet_count *count)
{
    return !count->is_wanted || (count->is_told && count->told == count->wanted);
}

bool fleet_count_turn(struct fleet_count *count, uint64_t now_ns, unsigned *number)
{
    if (count->under_way || is_settled(count) || now_ns < count->due_ns)
        return false;
    count->under_way = true;
    count->telling = *number = count->wanted;
    return true;
}

void fleet_count_done(struct fleet_count *count, bool failed, uint64_t now_ns)
{
    uint64_t pause_s = (uint64_t)PAUSE_S
                       << (count->failures < DOUBLINGS ? count->failures : DOUBLINGS);
    count->under_way = false;
    count->is_told = !failed; /* what a failed command has done nobody knows */
    count->told = count->telling;
    count->failures = failed ? count->failures + 1 : 0;
    count->due_ns = failed ? now_ns + (pause_s < PAUSE_MAX_S ? pause_s : PAUSE_MAX_S) * SEC_NS : 0;
}

uint64_t fleet_count_due(const struct fleet_count *count)
{
    return count->under_way || is_settled(count) ? UINT64_MAX : count->due_ns;
}
