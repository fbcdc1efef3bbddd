/* Timers: many deadlines, of which few ever come, in a heap of four children.
 *
 * Made for connection deadlines: ten thousand of them, each put off at every
 * request. timer_put_off is free while the new deadline is the later one (the
 * timer then fires early and its owner looks again), so that a busy connection
 * moves in the heap about once per timeout, not once per request.
 *
 * Used by net/loop.h, one heap per loop. Pure: `now` is an argument. Not
 * thread-safe. The timer lives inside its owner; the heap holds pointers.
 */
#ifndef STOA_NET_TIMER_H
#define STOA_NET_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t due_ns; /* while armed */
    size_t slot;     /* 1 + place in the heap; 0: not armed */
    void (*fire)(struct timer *timer, uint64_t now_ns);
};

struct timer_heap {
    struct timer **at;
    size_t count, room;
};

void timer_heap_close(struct timer_heap *heap);

/* Arms TIMER for DUE_NS, or moves it there. 0 or ERR_NOMEM. */
int timer_set(struct timer_heap *heap, struct timer *timer, uint64_t due_ns);

/* As timer_set, but an armed timer that is due earlier stays where it is: its
 * owner, when it fires, compares with the true deadline and sets it again.
 * UINT64_MAX arms nothing. */
int timer_put_off(struct timer_heap *heap, struct timer *timer, uint64_t due_ns);

/* Harmless on a timer that is not armed. */
void timer_stop(struct timer_heap *heap, struct timer *timer);

/* When the earliest is due; UINT64_MAX: none is armed. */
uint64_t timer_next(const struct timer_heap *heap);

/* Disarms and fires all that are due at NOW_NS, earliest first. A timer that is
 * set again meanwhile for a moment not after NOW_NS waits for the next call. */
void timer_run(struct timer_heap *heap, uint64_t now_ns);

#endif
