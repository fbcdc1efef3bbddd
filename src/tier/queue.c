#include "base/check.h"
#include "base/clock.h"
#include "tier/queue_inner.h"

#include <string.h>

/* ---- Lists, under the lock ---- */

static void list_clear(struct queue_list *list)
{
    *list = (struct queue_list){QUEUE_NONE, QUEUE_NONE};
}

/* Behind AFTER; QUEUE_NONE: as the first. */
static void list_insert(struct queue *queue, struct queue_list *list, unsigned slot, uint32_t after)
{
    struct queue_slot *s = queue_slot(queue, slot);
    s->before = after;
    s->next = after == QUEUE_NONE ? list->first : queue_slot(queue, after)->next;
    if (after == QUEUE_NONE)
        list->first = slot;
    else
        queue_slot(queue, after)->next = slot;
    if (s->next == QUEUE_NONE)
        list->last = slot;
    else
        queue_slot(queue, s->next)->before = slot;
}

static void list_remove_slot(struct queue *queue, struct queue_list *list, unsigned slot)
{
    const struct queue_slot *s = queue_slot(queue, slot);
    if (s->before == QUEUE_NONE)
        list->first = s->next;
    else
        queue_slot(queue, s->before)->next = s->next;
    if (s->next == QUEUE_NONE)
        list->last = s->before;
    else
        queue_slot(queue, s->next)->before = s->before;
}

static struct queue_list *waiting_list(struct queue *queue, unsigned slot)
{
    return &queue->area->waiting[queue_slot(queue, slot)->facts.class];
}

/* In the order in which they came, which is mostly at the end. */
static void list_by_turn(struct queue *queue, struct queue_list *list, unsigned slot)
{
    uint32_t after = list->last;
    while (after != QUEUE_NONE && queue_slot(queue, after)->turn > queue_slot(queue, slot)->turn)
        after = queue_slot(queue, after)->before;
    list_insert(queue, list, slot, after);
}

/* ---- States ---- */

static void set_state(struct queue *queue, unsigned slot, enum queue_state state)
{
    atomic_store_explicit(&queue_slot(queue, slot)->state, state, memory_order_release);
}

bool queue_change_state(struct queue *queue, unsigned slot, enum queue_state from,
                        enum queue_state to)
{
    uint32_t expected = from;
    return atomic_compare_exchange_strong(&queue_slot(queue, slot)->state, &expected, to);
}

enum queue_state queue_state(const struct queue *queue, unsigned slot)
{
    return atomic_load_explicit(&queue_slot(queue, slot)->state, memory_order_acquire);
}

/* For those who look without the lock. */
static void count_waiting(struct queue *queue)
{
    uint64_t length = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        length += queue->area->share.waiting[i];
    atomic_store_explicit(&queue->area->length, length, memory_order_relaxed);
}

uint64_t queue_length(const struct queue *queue)
{
    return atomic_load_explicit(&queue->area->length, memory_order_relaxed);
}

static void set_waiting(struct queue *queue, unsigned slot)
{
    list_by_turn(queue, waiting_list(queue, slot), slot);
    share_wait(&queue->area->share, queue_slot(queue, slot)->facts.class);
    count_waiting(queue);
    set_state(queue, slot, QUEUE_QUEUED);
}

void queue_take_out(struct queue *queue, unsigned slot)
{
    list_remove_slot(queue, waiting_list(queue, slot), slot);
    share_unwait(&queue->area->share, queue_slot(queue, slot)->facts.class);
    count_waiting(queue);
}

void queue_free_slot(struct queue *queue, unsigned slot)
{
    struct queue_slot *s = queue_slot(queue, slot);
    set_state(queue, slot, QUEUE_FREE);
    atomic_store_explicit(&s->front, QUEUE_NONE, memory_order_relaxed);
    atomic_store_explicit(&s->worker, QUEUE_NONE, memory_order_relaxed);
    share_leave(&queue->area->share, s->facts.class);
    /* The last one that was used is the first to be used again: its memory is warm. */
    list_insert(queue, &queue->area->free, slot, QUEUE_NONE);
}

void queue_rebuild(struct queue *queue)
{
    struct queue_area *area = queue->area;
    struct share *share = &area->share;
    list_clear(&area->free);
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        list_clear(&area->waiting[i]);
        share->held[i] = share->waiting[i] = 0;
    }
    for (unsigned i = 0; i < area->slots; i++) {
        enum queue_state state = queue_state(queue, i);
        enum share_class class = queue_slot(queue, i)->facts.class;
        if (state == QUEUE_FREE) {
            list_insert(queue, &area->free, i, area->free.last);
            continue;
        }
        share->held[class]++;
        if (state == QUEUE_QUEUED)
            set_waiting(queue, i);
    }
    count_waiting(queue);
}

/* ---- Pipes ---- */

static struct pipe pipe_of(const struct queue *queue, unsigned slot, bool down)
{
    size_t size = queue->area->pipe_bytes;
    struct queue_slot *s = queue_slot(queue, slot);
    return (struct pipe){down ? &s->down : &s->up, queue->bytes + (2 * slot + down) * size, size};
}

struct pipe queue_up(const struct queue *queue, unsigned slot)
{
    return pipe_of(queue, slot, false);
}

struct pipe queue_down(const struct queue *queue, unsigned slot)
{
    return pipe_of(queue, slot, true);
}

static void empty_pipes(const struct queue *queue, unsigned slot)
{
    struct pipe up = queue_up(queue, slot), down = queue_down(queue, slot);
    pipe_reset(&up);
    pipe_reset(&down);
}

struct queue_facts *queue_facts(const struct queue *queue, unsigned slot)
{
    return &queue_slot(queue, slot)->facts;
}

/* ---- Fronts ---- */

unsigned queue_enter(struct queue *queue, unsigned seat, enum share_class class)
{
    struct queue_area *area = queue->area;
    queue_lock(queue);
    unsigned slot = share_enter(&area->share, class) ? area->free.first : QUEUE_NONE;
    if (slot == QUEUE_NONE) {
        area->counts.refused[class]++;
        queue_unlock(queue);
        return QUEUE_NONE;
    }
    struct queue_slot *s = queue_slot(queue, slot);
    s->facts.class = class;
    s->attempts = 0;
    s->turn = area->turns++;
    atomic_store_explicit(&s->worker, QUEUE_NONE, memory_order_relaxed);
    atomic_store_explicit(&s->front, (uint16_t)seat, memory_order_relaxed);
    set_state(queue, slot, QUEUE_FILLING);
    list_remove_slot(queue, &area->free, slot);
    area->counts.entered[class]++;
    queue_unlock(queue);
    empty_pipes(queue, slot);
    return slot;
}

/* Under the lock. The first that is idle, so that the last ones rest long enough to be sent away.
 * It is not idle any more: the next request wakes another. */
static unsigned take_idle(struct queue *queue)
{
    for (unsigned i = 0; i < QUEUE_SEAT_WORDS; i++) {
        uint64_t *word = &queue->area->idle[i];
        if (*word == 0)
            continue;
        unsigned bit = (unsigned)__builtin_ctzll(*word);
        *word &= ~(1ull << bit);
        return i * 64 + bit;
    }
    return QUEUE_NONE;
}

/* Waking one costs about as much as some tens of microseconds of work: it has to be worth that. */
enum { WORTH_WAKING_NS = 30000, WOKEN_MAX = 16 };

/* Under the lock: how many workers what waits is work for. */
static uint64_t workers_needed(const struct share *share)
{
    uint64_t work_ns = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        work_ns += share->waiting[i] * share_cost(share, i);
    return 1 + work_ns / WORTH_WAKING_NS;
}

static unsigned take_idle_for(struct queue *queue, unsigned count, unsigned idle[static WOKEN_MAX])
{
    uint64_t needed = workers_needed(&queue->area->share);
    unsigned taken = 0;
    while (taken < count && taken < needed && taken < WOKEN_MAX) {
        unsigned seat = take_idle(queue);
        if (seat == QUEUE_NONE)
            break;
        idle[taken++] = seat;
    }
    return taken;
}

void queue_push(struct queue *queue, const unsigned *slots, unsigned count)
{
    unsigned idle[WOKEN_MAX];
    queue_lock(queue);
    for (unsigned i = 0; i < count; i++)
        set_waiting(queue, slots[i]);
    unsigned woken = take_idle_for(queue, count, idle);
    queue_unlock(queue);
    for (unsigned i = 0; i < woken; i++)
        queue_ring(queue, idle[i]);
}

void queue_pass_on(struct queue *queue)
{
    queue_lock(queue);
    unsigned idle = queue_length(queue) > 0 ? take_idle(queue) : QUEUE_NONE;
    queue_unlock(queue);
    if (idle != QUEUE_NONE)
        queue_ring(queue, idle);
}

bool queue_is_lost(const struct queue *queue, unsigned slot)
{
    struct pipe down = queue_down(queue, slot);
    return queue_state(queue, slot) == QUEUE_LOST && !pipe_has_ended(&down);
}

bool queue_refill(struct queue *queue, unsigned slot)
{
    struct queue_slot *s = queue_slot(queue, slot);
    CHECK(queue_state(queue, slot) == QUEUE_LOST);
    if (++s->attempts >= QUEUE_ATTEMPTS)
        return false;
    empty_pipes(queue, slot);
    set_state(queue, slot, QUEUE_FILLING);
    return true;
}

/* Under the lock: its work was WORK_NS, whoever waited for it. */
static void count_work(struct queue *queue, unsigned slot, uint64_t work_ns, bool answered)
{
    struct queue_area *area = queue->area;
    enum share_class class = queue_slot(queue, slot)->facts.class;
    share_measured(&area->share, class, work_ns);
    area->counts.work_ns[class] += work_ns;
    area->counts.done[class] += answered;
}

/* It may have died here before: then it is ABANDONED, and still the front's. */
bool queue_part(struct queue *queue, unsigned slot)
{
    struct queue_slot *s = queue_slot(queue, slot);
    if (queue_change_state(queue, slot, QUEUE_TAKEN, QUEUE_ABANDONED) ||
        queue_state(queue, slot) == QUEUE_ABANDONED) {
        atomic_store_explicit(&s->front, QUEUE_NONE, memory_order_relaxed);
        return true;
    }
    if (queue_state(queue, slot) == QUEUE_QUEUED)
        queue_take_out(queue, slot);
    if (queue_state(queue, slot) == QUEUE_DONE)
        count_work(queue, slot, s->work_ns, true);
    queue_free_slot(queue, slot);
    return false;
}

void queue_release(struct queue *queue, unsigned slot)
{
    queue_lock(queue);
    bool abandoned = queue_part(queue, slot);
    queue_unlock(queue);
    if (abandoned)
        queue_tell_worker(queue, slot);
}

/* Under the lock, and it waits. */
static void drop(struct queue *queue, unsigned slot)
{
    queue_take_out(queue, slot);
    queue->area->counts.dropped[queue_slot(queue, slot)->facts.class]++;
    set_state(queue, slot, QUEUE_DROPPED);
}

bool queue_expire(struct queue *queue, unsigned slot, uint64_t now_ns)
{
    if (queue_slot(queue, slot)->facts.deadline_ns > now_ns)
        return false;
    queue_lock(queue);
    bool waits = queue_state(queue, slot) == QUEUE_QUEUED;
    if (waits)
        drop(queue, slot);
    queue_unlock(queue);
    return waits;
}

/* ---- Workers ---- */

enum { WAIT_STEP_BITS = 3, WAIT_LEAST_BITS = 10 };
_Static_assert(1 << WAIT_STEP_BITS == QUEUE_WAIT_STEPS, "steps of a doubling");

static unsigned wait_bucket(uint64_t wait_ns)
{
    if (wait_ns >> WAIT_LEAST_BITS == 0)
        return 0;
    unsigned doubling = 63 - (unsigned)__builtin_clzll(wait_ns);
    unsigned step = (unsigned)(wait_ns >> (doubling - WAIT_STEP_BITS)) & (QUEUE_WAIT_STEPS - 1);
    unsigned b = (doubling - WAIT_LEAST_BITS) * QUEUE_WAIT_STEPS + step;
    return b < QUEUE_WAIT_BUCKETS ? b : QUEUE_WAIT_BUCKETS - 1;
}

uint64_t queue_wait_bound(unsigned b)
{
    uint64_t step = b % QUEUE_WAIT_STEPS + 1;
    return (QUEUE_WAIT_STEPS + step) << (WAIT_LEAST_BITS - WAIT_STEP_BITS) << b / QUEUE_WAIT_STEPS;
}

/* The oldest ones that nobody waits for any more; their fronts learn it after the lock. */
static unsigned drop_overdue(struct queue *queue, uint64_t now_ns, unsigned *dropped, unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        const struct queue_list *list = &queue->area->waiting[i];
        while (count < max && list->first != QUEUE_NONE &&
               queue_slot(queue, list->first)->facts.deadline_ns <= now_ns) {
            dropped[count++] = list->first;
            drop(queue, list->first);
        }
    }
    return count;
}

static unsigned take_next(struct queue *queue, unsigned seat, uint64_t now_ns)
{
    struct queue_area *area = queue->area;
    enum share_class class = share_next(&area->share);
    if (class == SHARE_CLASSES)
        return QUEUE_NONE;
    struct queue_list *list = &area->waiting[class];
    unsigned slot = list->first;
    CHECK(slot != QUEUE_NONE);
    struct queue_slot *s = queue_slot(queue, slot);
    list_remove_slot(queue, list, slot);
    count_waiting(queue);
    s->taken_ns = now_ns;
    atomic_store_explicit(&s->worker, (uint16_t)seat, memory_order_relaxed);
    set_state(queue, slot, QUEUE_TAKEN);
    uint64_t wait_ns = now_ns > s->facts.entered_ns ? now_ns - s->facts.entered_ns : 0;
    area->counts.waits[wait_bucket(wait_ns)]++;
    area->counts.waited_ns += wait_ns;
    area->counts.taken[class]++;
    atomic_fetch_add_explicit(&area->seats[seat].handled, 1, memory_order_relaxed);
    return slot;
}

static void set_idle(struct queue *queue, unsigned seat, bool idle)
{
    uint64_t bit = 1ull << seat % 64, *word = &queue->area->idle[seat / 64];
    *word = idle ? *word | bit : *word & ~bit;
}

unsigned queue_pull(struct queue *queue, unsigned seat, uint64_t now_ns)
{
    unsigned dropped[16], count, slot;
    do {
        queue_lock(queue);
        count = drop_overdue(queue, now_ns, dropped, COUNT_OF(dropped));
        /* With as many as that there may be more, and those are not to be begun. */
        slot = count < COUNT_OF(dropped) ? take_next(queue, seat, now_ns) : QUEUE_NONE;
        set_idle(queue, seat, slot == QUEUE_NONE);
        queue_unlock(queue);
        for (unsigned i = 0; i < count; i++)
            queue_tell_front(queue, dropped[i]);
    } while (count == COUNT_OF(dropped));
    return slot;
}

/* It may have been woken for one that waits: another is, in its place. */
void queue_busy(struct queue *queue, unsigned seat)
{
    queue_lock(queue);
    set_idle(queue, seat, false);
    queue_unlock(queue);
    queue_pass_on(queue);
}

bool queue_done(struct queue *queue, unsigned slot, uint64_t work_ns)
{
    queue_slot(queue, slot)->work_ns = work_ns;
    if (queue_change_state(queue, slot, QUEUE_TAKEN, QUEUE_DONE))
        return true;
    CHECK(queue_state(queue, slot) == QUEUE_ABANDONED);
    struct pipe down = queue_down(queue, slot);
    queue_lock(queue);
    /* A front that has all of the answer lets go of it before it is said to be done. */
    count_work(queue, slot, work_ns, pipe_is_over(&down));
    queue_free_slot(queue, slot);
    queue_unlock(queue);
    return false;
}

/* Under the lock, so that nobody has pulled it again before it is this worker's no more. */
bool queue_give_back(struct queue *queue, unsigned slot)
{
    queue_lock(queue);
    bool lost = queue_change_state(queue, slot, QUEUE_TAKEN, QUEUE_LOST);
    queue->area->counts.given_back += lost;
    if (lost)
        atomic_store_explicit(&queue_slot(queue, slot)->worker, QUEUE_NONE, memory_order_relaxed);
    queue_unlock(queue);
    if (lost)
        queue_tell_front(queue, slot);
    else
        queue_done(queue, slot, 0);
    return lost;
}

uint64_t queue_work_ns(const struct queue *queue, unsigned slot)
{
    return queue_slot(queue, slot)->work_ns;
}

/* ---- For who looks at it ---- */

void queue_look(struct queue *queue, uint64_t now_ns, struct queue_stats *stats)
{
    struct queue_area *area = queue->area;
    queue_lock(queue);
    *stats = area->counts;
    stats->slots = area->slots;
    stats->more = atomic_load_explicit(&area->more, memory_order_relaxed);
    stats->fewer = atomic_load_explicit(&area->fewer, memory_order_relaxed);
    memcpy(stats->weight, area->share.weight, sizeof stats->weight);
    memcpy(stats->waiting, area->share.waiting, sizeof stats->waiting);
    memcpy(stats->held, area->share.held, sizeof stats->held);
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        uint32_t first = area->waiting[i].first;
        uint64_t since = first == QUEUE_NONE ? now_ns : queue_slot(queue, first)->facts.entered_ns;
        if (since < now_ns && now_ns - since > stats->oldest_wait_ns)
            stats->oldest_wait_ns = now_ns - since;
    }
    for (unsigned i = 0; i < QUEUE_SEATS; i++) {
        uint32_t role = atomic_load_explicit(&area->seats[i].role, memory_order_relaxed);
        stats->fronts += role == QUEUE_FRONT;
        stats->workers += role == QUEUE_WORKER;
        stats->idle += role == QUEUE_WORKER && area->idle[i / 64] >> i % 64 & 1;
    }
    queue_unlock(queue);
}
