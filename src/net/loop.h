/* Loop: one thread's epoll loop with watches, timers, and posts from other threads.
 *
 * Whoever needs to wait for many descriptors runs one: the event engine (one per
 * core), the load manager, the fronts. Everything is called on the loop's own
 * thread (the one in loop_run), but loop_post and loop_stop, which any thread may
 * call. Before loop_run the creating thread counts as the own one.
 *
 * Ownership: watches, timers, posts and soons live inside their owners, and the
 * loop keeps pointers while they are active. An object may be freed as soon as
 * its watch is removed, its timer stopped, its soon cancelled and its post run,
 * also in the middle of a batch of events.
 */
#ifndef STOA_NET_LOOP_H
#define STOA_NET_LOOP_H

#include "base/err.h"
#include "base/list.h"
#include "net/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct watch {
    int fd;
    /* EVENTS: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR, EPOLLHUP. */
    void (*ready)(struct watch *watch, uint32_t events);
};

/* Something to be done on the loop's thread, asked for by any thread. */
struct post {
    struct post *next;
    void (*run)(struct post *post);
};

/* Something that can wait: done in a turn after the events that came in, and when
 * others have already taken their share of the turn, in the next one. */
struct soon {
    struct list node; /* list_init before the first use */
    void (*run)(struct soon *soon);
};

struct ring;

struct loop *loop_new(struct failure *failure);
/* After loop_run has returned. Posts not yet run are dropped. NULL is fine. */
void loop_free(struct loop *loop);

/* EVENTS as for epoll, EPOLLET included when wanted. 0 or ERR_IO (errno is set). */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);
int loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events);
/* Call before close(watch->fd). No event of this batch reaches it afterwards. */
void loop_unwatch(struct loop *loop, struct watch *watch);

/* See net/timer.h for the three. */
int loop_timer_set(struct loop *loop, struct timer *timer, uint64_t due_ns);
int loop_timer_put_off(struct loop *loop, struct timer *timer, uint64_t due_ns);
void loop_timer_stop(struct loop *loop, struct timer *timer);

/* Any thread: runs POST on the loop's thread soon, in the order of arrival per
 * thread. POST must not be under way already. Wakes the loop by one write, and
 * only when no other post is waiting. */
void loop_post(struct loop *loop, struct post *post);

/* Own thread. Harmless when it is already waiting. */
void loop_soon(struct loop *loop, struct soon *soon);
void loop_soon_cancel(struct soon *soon);
/* As the last act of a watch's callback: what is to be done soon is done now, while the bytes that
 * it is about are still in the processor's cache. */
void loop_soon_now(struct loop *loop);

/* Monotonic time, read once per turn; at most as old as the turn is long. */
uint64_t loop_now(const struct loop *loop);
/* Reads the clock again (after something that took long). */
uint64_t loop_now_refresh(struct loop *loop);
/* Counts turns: what is cached per turn compares with it. */
uint64_t loop_turns(const struct loop *loop);
/* From here on it is known how long events wait for the loop. For that the clock is read once more
 * in each turn. */
void loop_measure(struct loop *loop);
/* How long this turn's events had to wait for it, at most: for as long as the loop was busy before
 * it looked. Too much for those that came last. 0 without loop_measure. */
uint64_t loop_waited(const struct loop *loop);

/* Before loop_run: it waits by io_uring (net/ring.h) from then on. ERR_IO: there is none, and
 * nothing has changed. */
int loop_use_ring(struct loop *loop, struct failure *failure);
/* NULL: it waits by epoll. */
struct ring *loop_ring(const struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* One turn: waits at most WAIT_MS (-1: until something happens) and runs what
 * became ready. */
void loop_turn(struct loop *loop, int wait_ms);
/* Any thread: loop_run returns after its present turn. */
void loop_stop(struct loop *loop);

#endif
