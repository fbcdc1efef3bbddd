#include "bench/balance_sim_events.h"

#include <stdlib.h>

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

bool sim_events_add(struct sim_events *events, struct sim_event event)
{
    if (events->count == events->room) {
        uint32_t room = events->room ? 2 * events->room : 4096;
        struct sim_event *heap = realloc(events->heap, room * sizeof *heap);
        if (!heap)
            return false;
        events->heap = heap;
        events->room = room;
    }
    event.order = events->added++;
    uint32_t at = events->count++;
    for (; at && is_before(&event, &events->heap[(at - 1) / 2]); at = (at - 1) / 2)
        events->heap[at] = events->heap[(at - 1) / 2];
    events->heap[at] = event;
    return true;
}

bool sim_events_next(struct sim_events *events, struct sim_event *event)
{
    if (events->count == 0)
        return false;
    *event = events->heap[0];
    struct sim_event last = events->heap[--events->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= events->count)
            break;
        if (child + 1 < events->count && is_before(&events->heap[child + 1], &events->heap[child]))
            child++;
        if (!is_before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    if (events->count)
        events->heap[at] = last;
    return true;
}
