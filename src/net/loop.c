#include "net/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { BATCH = 256 };

/* What soons may take of a turn. */
#define SOONS_NS (500 * 1000ull)

struct loop {
    int epoll_fd, wake_fd;
    struct ring *ring; /* NULL: epoll_wait waits */
    uint64_t now_ns, turns;
    uint64_t waited_ns;
    bool measured;
    bool was_full; /* there were more events than a batch takes */
    struct timer_heap timers;
    struct list soons;
    struct watch wake;
    /* Posts in reverse order of arrival. Whoever finds it empty writes to wake_fd. */
    _Atomic(struct post *) posts;
    atomic_bool stopping;
    atomic_bool running; /* `thread` is valid */
    pthread_t thread;
    bool posted_here; /* by the own thread, which writes nothing to wake_fd */
    struct epoll_event batch[BATCH];
    int batch_at, batch_count;
};

static void wake_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    uint64_t count;
    /* Non-blocking; the posts themselves are taken at the end of the turn. */
    while (read(watch->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

struct loop *loop_new(struct failure *failure)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        fail(failure, ERR_NOMEM, "no memory for an event loop");
        return NULL;
    }
    list_init(&loop->soons);
    atomic_init(&loop->posts, NULL);
    atomic_init(&loop->stopping, false);
    atomic_init(&loop->running, false);
    loop->now_ns = clock_mono_ns();
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->wake = (struct watch){loop->wake_fd, wake_ready};
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        loop_watch(loop, &loop->wake, EPOLLIN | EPOLLET) != ERR_OK) {
        fail_errno(failure, ERR_IO, "cannot make an event loop");
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    ring_free(loop->ring);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    timer_heap_close(&loop->timers);
    free(loop);
}

int loop_use_ring(struct loop *loop, struct failure *failure)
{
    loop->ring = ring_new(loop->epoll_fd, failure);
    return loop->ring ? ERR_OK : ERR_IO;
}

struct ring *loop_ring(const struct loop *loop)
{
    return loop->ring;
}

static int control(struct loop *loop, int operation, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) == 0 ? ERR_OK : ERR_IO;
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
    return control(loop, EPOLL_CTL_ADD, watch, events);
}

int loop_rewatch(struct loop *loop, struct watch *watch, uint32_t events)
{
    return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
    control(loop, EPOLL_CTL_DEL, watch, 0);
    for (int i = loop->batch_at; i < loop->batch_count; i++)
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
}

int loop_timer_set(struct loop *loop, struct timer *timer, uint64_t due_ns)
{
    return timer_set(&loop->timers, timer, due_ns);
}

int loop_timer_put_off(struct loop *loop, struct timer *timer, uint64_t due_ns)
{
    return timer_put_off(&loop->timers, timer, due_ns);
}

void loop_timer_stop(struct loop *loop, struct timer *timer)
{
    timer_stop(&loop->timers, timer);
}

static void wake_up(struct loop *loop)
{
    uint64_t one = 1;
    /* EAGAIN (the counter is full) means that it is awake anyway. */
    while (write(loop->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void loop_post(struct loop *loop, struct post *post)
{
    struct post *head = atomic_load_explicit(&loop->posts, memory_order_relaxed);
    do {
        post->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posts, &head, post, memory_order_release,
                                                    memory_order_relaxed));
    if (atomic_load_explicit(&loop->running, memory_order_acquire) &&
        pthread_equal(loop->thread, pthread_self()))
        loop->posted_here = true;
    else if (!head)
        wake_up(loop);
}

void loop_soon(struct loop *loop, struct soon *soon)
{
    if (list_empty(&soon->node))
        list_append(&loop->soons, &soon->node);
}

void loop_soon_cancel(struct soon *soon)
{
    list_remove(&soon->node);
}

uint64_t loop_now(const struct loop *loop)
{
    return loop->now_ns;
}

uint64_t loop_now_refresh(struct loop *loop)
{
    return loop->now_ns = clock_mono_ns();
}

uint64_t loop_turns(const struct loop *loop)
{
    return loop->turns;
}

void loop_measure(struct loop *loop)
{
    loop->measured = true;
}

uint64_t loop_waited(const struct loop *loop)
{
    return loop->waited_ns;
}

/* Events that the last look had no room for are older than that. */
static void measure(struct loop *loop, bool had_room)
{
    uint64_t busy_ns = clock_mono_ns() - loop->now_ns;
    loop->waited_ns = had_room ? busy_ns : loop->waited_ns + busy_ns;
}

static void run_posts(struct loop *loop)
{
    loop->posted_here = false;
    if (!atomic_load_explicit(&loop->posts, memory_order_relaxed))
        return;
    struct post *stack = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
    struct post *queue = NULL;
    while (stack) {
        struct post *next = stack->next;
        stack->next = queue;
        queue = stack;
        stack = next;
    }
    while (queue) {
        struct post *post = queue;
        queue = post->next; /* before run: it may be posted again, or freed, by it */
        post->run(post);
    }
}

/* Only those waiting now, one that asks for another turn gets it after the others; and
 * not for long: events come first. */
static void run_soons(struct loop *loop)
{
    struct list waiting;
    if (list_empty(&loop->soons))
        return;
    waiting = loop->soons;
    waiting.next->prev = waiting.prev->next = &waiting;
    list_init(&loop->soons);
    uint64_t end = clock_mono_ns() + SOONS_NS;
    do {
        struct soon *soon = CONTAINER_OF(waiting.next, struct soon, node);
        list_remove(&soon->node);
        soon->run(soon);
    } while (!list_empty(&waiting) && clock_mono_ns() < end);
    if (list_empty(&waiting))
        return;
    /* Before those that were added meanwhile. */
    waiting.prev->next = loop->soons.next;
    loop->soons.next->prev = waiting.prev;
    loop->soons.next = waiting.next;
    waiting.next->prev = &loop->soons;
}

void loop_soon_now(struct loop *loop)
{
    run_soons(loop);
}

/* Rounded up, so that the loop does not spin through a timer's last millisecond.
 * From the turn's own time: late by the length of a turn, and no clock is read. */
static int wait_for_timer(const struct loop *loop, int wait_ms)
{
    uint64_t due = timer_next(&loop->timers), now = loop->now_ns;
    if (due == UINT64_MAX)
        return wait_ms;
    uint64_t ms = due <= now ? 0 : (due - now + MS_NS - 1) / MS_NS;
    return wait_ms >= 0 && (uint64_t)wait_ms < ms ? wait_ms : ms > 60000 ? 60000 : (int)ms;
}

void loop_turn(struct loop *loop, int wait_ms)
{
    bool work = loop->posted_here || !list_empty(&loop->soons);
    wait_ms = work ? 0 : wait_for_timer(loop, wait_ms);
    if (loop->measured)
        measure(loop, !loop->was_full);
    int count = 0;
    if (loop->ring)
        ring_wait(loop->ring, wait_ms);
    else
        count = epoll_wait(loop->epoll_fd, loop->batch, BATCH, wait_ms);
    loop->now_ns = clock_mono_ns();
    loop->turns++;
    if (loop->ring && ring_run(loop->ring))
        count = epoll_wait(loop->epoll_fd, loop->batch, BATCH, 0);
    loop->batch_count = count > 0 ? count : 0;
    loop->was_full = count == BATCH || (loop->ring && ring_is_full(loop->ring));
    for (loop->batch_at = 0; loop->batch_at < loop->batch_count;) {
        struct epoll_event *event = &loop->batch[loop->batch_at++];
        struct watch *watch = event->data.ptr;
        if (watch)
            watch->ready(watch, event->events);
    }
    loop->batch_at = loop->batch_count = 0;
    run_posts(loop);
    run_soons(loop);
    if (timer_next(&loop->timers) <= loop->now_ns)
        timer_run(&loop->timers, loop->now_ns);
}

void loop_run(struct loop *loop)
{
    loop->thread = pthread_self();
    if (loop->ring)
        CHECK(ring_enable(loop->ring) == ERR_OK);
    atomic_store_explicit(&loop->running, true, memory_order_release);
    while (!atomic_load_explicit(&loop->stopping, memory_order_acquire))
        loop_turn(loop, -1);
    atomic_store_explicit(&loop->running, false, memory_order_release);
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    wake_up(loop);
}
