#include "bench/load_pace.h"

uint64_t load_pace_next(const struct scale_load *pace, double share, uint64_t begun_ns,
                        uint64_t at_ns, double gap)
{
    double at_s = (double)(at_ns - begun_ns) / 1e9;
    for (unsigned i = scale_load_find(pace, at_s); i < pace->count; i++) {
        const struct load_point *point = &pace->points[i];
        double rate = point->rate * share, begin = at_s > point->at_s ? at_s : point->at_s;
        double area = rate * (point->at_s + point->seconds - begin);
        if (area <= 0)
            continue;
        if (gap < area)
            return begun_ns + (uint64_t)((begin + gap / rate) * 1e9) + 1;
        gap -= area;
    }
    return UINT64_MAX;
}

void load_timeline_note(struct load_timeline *timeline, uint64_t due_ns, uint64_t now_ns, bool done)
{
    if (!timeline)
        return;
    uint64_t at = (due_ns - timeline->begun_ns) / timeline->window_ns;
    struct load_window *window =
        &timeline->windows[at < timeline->count ? at : timeline->count - 1];
    window->done += done;
    window->lost += !done;
    if (done)
        scale_waits_add(&window->waits, now_ns - due_ns);
}
