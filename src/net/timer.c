#include "net/timer.h"

#include "base/check.h"
#include "base/err.h"

#include <stdlib.h>

enum { CHILDREN = 4 };

void timer_heap_close(struct timer_heap *heap)
{
    free(heap->at);
    *heap = (struct timer_heap){0};
}

static void place(struct timer_heap *heap, size_t i, struct timer *timer)
{
    heap->at[i] = timer;
    timer->slot = i + 1;
}

static void move_up(struct timer_heap *heap, size_t i, struct timer *timer)
{
    while (i > 0) {
        size_t parent = (i - 1) / CHILDREN;
        if (heap->at[parent]->due_ns <= timer->due_ns)
            break;
        place(heap, i, heap->at[parent]);
        i = parent;
    }
    place(heap, i, timer);
}

static void move_down(struct timer_heap *heap, size_t i, struct timer *timer)
{
    for (;;) {
        size_t first = i * CHILDREN + 1, least = first;
        if (first >= heap->count)
            break;
        for (size_t c = first + 1; c < first + CHILDREN && c < heap->count; c++)
            if (heap->at[c]->due_ns < heap->at[least]->due_ns)
                least = c;
        if (heap->at[least]->due_ns >= timer->due_ns)
            break;
        place(heap, i, heap->at[least]);
        i = least;
    }
    place(heap, i, timer);
}

static int make_room(struct timer_heap *heap)
{
    if (heap->count < heap->room)
        return ERR_OK;
    size_t room = heap->room ? heap->room * 2 : 64;
    struct timer **at = realloc(heap->at, room * sizeof *at);
    if (!at)
        return ERR_NOMEM;
    heap->at = at;
    heap->room = room;
    return ERR_OK;
}

int timer_set(struct timer_heap *heap, struct timer *timer, uint64_t due_ns)
{
    if (timer->slot) {
        uint64_t old = timer->due_ns;
        timer->due_ns = due_ns;
        if (due_ns < old)
            move_up(heap, timer->slot - 1, timer);
        else
            move_down(heap, timer->slot - 1, timer);
        return ERR_OK;
    }
    int err = make_room(heap);
    if (err)
        return err;
    timer->due_ns = due_ns;
    move_up(heap, heap->count++, timer);
    return ERR_OK;
}

int timer_put_off(struct timer_heap *heap, struct timer *timer, uint64_t due_ns)
{
    if (due_ns == UINT64_MAX || (timer->slot && timer->due_ns <= due_ns))
        return ERR_OK;
    return timer_set(heap, timer, due_ns);
}

void timer_stop(struct timer_heap *heap, struct timer *timer)
{
    if (!timer->slot)
        return;
    size_t i = timer->slot - 1;
    CHECK(i < heap->count && heap->at[i] == timer);
    timer->slot = 0;
    struct timer *last = heap->at[--heap->count];
    if (last == timer)
        return;
    /* The last one may come from another branch: it can belong above or below. */
    if (i > 0 && heap->at[(i - 1) / CHILDREN]->due_ns > last->due_ns)
        move_up(heap, i, last);
    else
        move_down(heap, i, last);
}

uint64_t timer_next(const struct timer_heap *heap)
{
    return heap->count ? heap->at[0]->due_ns : UINT64_MAX;
}

void timer_run(struct timer_heap *heap, uint64_t now_ns)
{
    /* At most as many as there are now, so that one that arms itself again at once
     * cannot hold the loop up. */
    for (size_t left = heap->count; left > 0 && timer_next(heap) <= now_ns; left--) {
        struct timer *timer = heap->at[0];
        timer_stop(heap, timer);
        timer->fire(timer, now_ns);
    }
}
