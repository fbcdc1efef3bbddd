/* Seats: who has a place at the queue, and what becomes of what the dead had. */
#include "base/check.h"
#include "base/clock.h"
#include "tier/queue_inner.h"

#include <string.h>
#include <unistd.h>

static void put_report(struct queue_seat *seat, const struct queue_report *report)
{
    atomic_store_explicit(&seat->loop_ns, report->loop_ns, memory_order_relaxed);
    atomic_store_explicit(&seat->helper_ns, report->helper_ns, memory_order_relaxed);
    atomic_store_explicit(&seat->helpers, report->helpers, memory_order_relaxed);
    atomic_store_explicit(&seat->open, report->open, memory_order_relaxed);
    atomic_store_explicit(&seat->draining, report->draining, memory_order_relaxed);
    for (unsigned i = 0; i < QUEUE_COUNTS; i++)
        atomic_store_explicit(&seat->counts[i], report->counts[i], memory_order_relaxed);
    atomic_store_explicit(&seat->beat_ns, report->beat_ns, memory_order_relaxed);
}

static void get_report(const struct queue_seat *seat, struct queue_report *report)
{
    *report = (struct queue_report){
        .beat_ns = atomic_load_explicit(&seat->beat_ns, memory_order_relaxed),
        .loop_ns = atomic_load_explicit(&seat->loop_ns, memory_order_relaxed),
        .helper_ns = atomic_load_explicit(&seat->helper_ns, memory_order_relaxed),
        .helpers = atomic_load_explicit(&seat->helpers, memory_order_relaxed),
        .open = atomic_load_explicit(&seat->open, memory_order_relaxed),
        .draining = atomic_load_explicit(&seat->draining, memory_order_relaxed) != 0,
    };
    for (unsigned i = 0; i < QUEUE_COUNTS; i++)
        report->counts[i] = atomic_load_explicit(&seat->counts[i], memory_order_relaxed);
}

static void begin_seat(struct queue *queue, unsigned seat, enum queue_role role,
                       const struct queue_far *who)
{
    struct queue_seat *own = &queue->area->seats[seat];
    for (unsigned i = 0; i < QUEUE_NEWS_WORDS; i++)
        atomic_store_explicit(&own->news[i], 0, memory_order_relaxed);
    atomic_store_explicit(&own->parked, 0, memory_order_relaxed);
    atomic_store(&own->handled, 0);
    atomic_store(&own->empty_polls, 0);
    atomic_store(&own->number, who->number);
    atomic_store(&own->space, who->space);
    memcpy(own->host, who->host, sizeof own->host);
    atomic_store(&own->wants_to_leave, 0);
    put_report(own, &(struct queue_report){.beat_ns = clock_mono_ns()});
    atomic_store_explicit(&own->pid, who->pid, memory_order_relaxed);
    atomic_store_explicit(&own->role, role, memory_order_release);
}

int queue_join(struct queue *queue, enum queue_role role, unsigned *seat, struct failure *failure)
{
    return queue_join_far(queue, role, NULL, seat, failure);
}

int queue_join_far(struct queue *queue, enum queue_role role, const struct queue_far *far,
                   unsigned *out, struct failure *failure)
{
    const struct queue_far self = {.pid = (uint32_t)getpid(), .space = queue->space};
    unsigned seat = 0;
    queue_sweep(queue);
    queue_lock(queue);
    while (seat < QUEUE_SEATS && (atomic_load(&queue->area->seats[seat].role) != QUEUE_NOBODY ||
                                  !queue_seat_hold(queue, seat)))
        seat++;
    if (seat < QUEUE_SEATS)
        begin_seat(queue, seat, role, far ? far : &self);
    queue_unlock(queue);
    if (seat == QUEUE_SEATS)
        return fail(failure, ERR_FULL, "all %d places at the queue are taken", QUEUE_SEATS);
    *out = seat;
    if (queue_bell(queue, seat) >= 0)
        return 0;
    int err = fail_errno(failure, ERR_IO, "cannot make a FIFO in %s", queue->path);
    queue_leave(queue, seat);
    return err;
}

/* ---- What the dead had, under the lock ---- */

static void without_front(struct queue *queue, unsigned slot)
{
    if (queue_part(queue, slot))
        queue_tell_worker(queue, slot);
}

static void without_worker(struct queue *queue, unsigned slot)
{
    if (queue_state(queue, slot) == QUEUE_ABANDONED) {
        queue_free_slot(queue, slot);
        return;
    }
    queue->area->counts.given_back += queue_change_state(queue, slot, QUEUE_TAKEN, QUEUE_LOST);
    atomic_store_explicit(&queue_slot(queue, slot)->worker, QUEUE_NONE, memory_order_relaxed);
    /* DONE, too: it may have died before it told. */
    queue_tell_front(queue, slot);
}

/* What it had is others'. The seat is nobody's only when they have been told (vacate): who dies
 * before that is followed by another, who does it again. */
static void end_seat(struct queue *queue, unsigned seat)
{
    struct queue_area *area = queue->area;
    for (unsigned i = 0; i < area->slots; i++) {
        const struct queue_slot *s = queue_slot(queue, i);
        if (queue_state(queue, i) == QUEUE_FREE)
            continue;
        if (atomic_load(&s->front) == seat)
            without_front(queue, i);
        if (atomic_load(&s->worker) == seat && queue_state(queue, i) != QUEUE_FREE)
            without_worker(queue, i);
    }
    area->idle[seat / 64] &= ~(1ull << seat % 64);
}

static void vacate(struct queue *queue, unsigned seat)
{
    atomic_store(&queue->area->seats[seat].role, QUEUE_NOBODY);
}

/* It may have died after it had changed something and before it told. */
static void ring_all(struct queue *queue)
{
    atomic_fetch_add(&queue->area->deaths, 1);
    for (unsigned i = 0; i < QUEUE_SEATS; i++)
        if (atomic_load(&queue->area->seats[i].role) != QUEUE_NOBODY)
            queue_ring(queue, i);
}

void queue_leave(struct queue *queue, unsigned seat)
{
    queue_lock(queue);
    end_seat(queue, seat);
    ring_all(queue);
    vacate(queue, seat);
    queue_seat_drop(queue, seat);
    queue_unlock(queue);
}

static bool is_dead(const struct queue *queue, unsigned seat)
{
    return atomic_load(&queue->area->seats[seat].role) != QUEUE_NOBODY &&
           !queue_seat_lives(queue, seat);
}

/* Of those who look dead, who is; under the lock. */
static unsigned end_dead(struct queue *queue, bool dead[static QUEUE_SEATS])
{
    unsigned died = 0;
    for (unsigned i = 0; i < QUEUE_SEATS; i++) {
        dead[i] = dead[i] && is_dead(queue, i);
        died += dead[i];
        if (dead[i])
            end_seat(queue, i);
    }
    if (died > 0)
        ring_all(queue);
    for (unsigned i = 0; i < QUEUE_SEATS; i++)
        if (dead[i])
            vacate(queue, i);
    queue->area->counts.died += died;
    return died;
}

/* The kernel is asked of each seat that is taken: without the lock, for which all others would wait
 * as long. Who is just taking or leaving one may look dead then. */
unsigned queue_sweep(struct queue *queue)
{
    bool dead[QUEUE_SEATS];
    unsigned seem_dead = 0, died;
    for (unsigned i = 0; i < QUEUE_SEATS; i++) {
        dead[i] = is_dead(queue, i);
        seem_dead += dead[i];
    }
    if (seem_dead == 0)
        return 0;
    queue_lock(queue);
    died = end_dead(queue, dead);
    queue_unlock(queue);
    return died;
}

uint64_t queue_deaths(const struct queue *queue)
{
    return atomic_load(&queue->area->deaths);
}

unsigned queue_seats(struct queue *queue, struct queue_seat_view *list, unsigned max)
{
    unsigned count = 0;
    queue_lock(queue);
    for (unsigned i = 0; i < QUEUE_SEATS && count < max; i++) {
        const struct queue_seat *seat = &queue->area->seats[i];
        enum queue_role role = atomic_load(&seat->role);
        if (role == QUEUE_NOBODY)
            continue;
        struct queue_seat_view *view = &list[count++];
        *view = (struct queue_seat_view){
            .role = role,
            .seat = i,
            .number = atomic_load(&seat->number),
            .pid = atomic_load(&seat->pid),
            .space = atomic_load(&seat->space),
            .is_near = atomic_load(&seat->space) == queue->space,
            .handled = atomic_load(&seat->handled),
            .empty_polls = atomic_load(&seat->empty_polls),
        };
        memcpy(view->host, seat->host, sizeof view->host);
        get_report(seat, &view->report);
    }
    queue_unlock(queue);
    return count;
}

/* ---- To scale ---- */

void queue_set_number(struct queue *queue, unsigned seat, unsigned number)
{
    atomic_store(&queue->area->seats[seat].number, number);
}

void queue_report(struct queue *queue, unsigned seat, const struct queue_report *report)
{
    put_report(&queue->area->seats[seat], report);
}

void queue_set_polling(struct queue *queue, const struct queue_polling *polling)
{
    atomic_store(&queue->area->queue_long, polling->queue_long);
    atomic_store(&queue->area->actions, polling->actions);
    atomic_store(&queue->area->poll_ns, polling->poll_ns);
}

void queue_polling(const struct queue *queue, struct queue_polling *polling)
{
    *polling = (struct queue_polling){
        .poll_ns = atomic_load_explicit(&queue->area->poll_ns, memory_order_relaxed),
        .queue_long = atomic_load_explicit(&queue->area->queue_long, memory_order_relaxed),
        .actions = atomic_load_explicit(&queue->area->actions, memory_order_relaxed),
    };
}

void queue_wish(struct queue *queue, unsigned seat, bool more)
{
    atomic_fetch_add(more ? &queue->area->more : &queue->area->fewer, 1);
    if (!more)
        atomic_store(&queue->area->seats[seat].wants_to_leave, 1);
}

bool queue_take_wish(struct queue *queue, unsigned seat)
{
    return atomic_exchange(&queue->area->seats[seat].wants_to_leave, 0) != 0;
}

void queue_polled_empty(struct queue *queue, unsigned seat)
{
    atomic_fetch_add_explicit(&queue->area->seats[seat].empty_polls, 1, memory_order_relaxed);
}
