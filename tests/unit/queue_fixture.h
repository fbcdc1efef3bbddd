/* A central queue of a test's own, and whether what stands in its memory hangs together. */
#ifndef STOA_TESTS_QUEUE_FIXTURE_H
#define STOA_TESTS_QUEUE_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "folder_fixture.h"
#include "tier/queue_inner.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct queue_config queue_usual = {16, 4096, {1, 4, 3, 2}};

static inline struct queue *queue_at(const char *dir, const struct queue_config *config)
{
    struct failure failure = {0};
    struct queue *queue = NULL;
    if (queue_open(dir, config, &queue, &failure) != 0)
        fprintf(stderr, "queue_open: %s\n", failure.text);
    CHECK(queue != NULL);
    return queue;
}

static inline unsigned queue_take_seat(struct queue *queue, enum queue_role role)
{
    unsigned seat;
    CHECK(queue_join(queue, role, &seat, NULL) == 0);
    return seat;
}

/* A request of CLASS that can wait long. */
static inline unsigned queue_enter_usual(struct queue *queue, unsigned seat, enum share_class class)
{
    unsigned slot = queue_enter(queue, seat, class);
    if (slot == QUEUE_NONE)
        return slot;
    struct queue_facts *facts = queue_facts(queue, slot);
    facts->entered_ns = clock_mono_ns();
    facts->deadline_ns = UINT64_MAX;
    return slot;
}

static inline void queue_push_one(struct queue *queue, unsigned slot)
{
    queue_push(queue, &slot, 1);
}

/* It is done, and its front is told. */
static inline void queue_answer(struct queue *queue, unsigned slot, uint64_t work_ns)
{
    if (queue_done(queue, slot, work_ns))
        queue_tell_front(queue, slot);
}

static inline bool queue_has_role(struct queue *queue, unsigned seat, enum queue_role role)
{
    return seat < QUEUE_SEATS && atomic_load(&queue->area->seats[seat].role) == role;
}

/* Whether it has the owners that its state asks for (see queue.h). */
static inline bool queue_is_owned(struct queue *queue, unsigned slot, enum queue_state state)
{
    const struct queue_slot *s = queue_slot(queue, slot);
    bool front = queue_has_role(queue, atomic_load(&s->front), QUEUE_FRONT);
    bool worker = queue_has_role(queue, atomic_load(&s->worker), QUEUE_WORKER);
    switch (state) {
    case QUEUE_FREE:
        return true;
    case QUEUE_TAKEN:
        return front && worker;
    case QUEUE_ABANDONED:
        return worker;
    default:
        return front;
    }
}

/* How many stand in LIST; -1: it is broken, or something else stands in it too. */
static inline int queue_count_list(struct queue *queue, const struct queue_list *list,
                                   enum queue_state state, int class)
{
    uint32_t before = QUEUE_NONE;
    uint64_t turn = 0;
    int count = 0;
    for (uint32_t slot = list->first; slot != QUEUE_NONE; slot = queue_slot(queue, slot)->next) {
        if (slot >= queue->area->slots || count > (int)queue->area->slots)
            return -1;
        const struct queue_slot *s = queue_slot(queue, slot);
        if (s->before != before || atomic_load(&s->state) != state)
            return -1;
        if (class >= 0 && ((int)s->facts.class != class || s->turn < turn))
            return -1;
        turn = s->turn;
        before = slot;
        count++;
    }
    return list->last == before ? count : -1;
}

struct queue_census {
    int free, held[SHARE_CLASSES], waiting[SHARE_CLASSES];
};

static inline const char *queue_find_fault_locked(struct queue *queue)
{
    const struct queue_area *area = queue->area;
    struct queue_census census = {0};
    for (unsigned i = 0; i < area->slots; i++) {
        enum queue_state state = queue_state(queue, i);
        enum share_class class = queue_slot(queue, i)->facts.class;
        census.free += state == QUEUE_FREE;
        census.held[class] += state != QUEUE_FREE;
        census.waiting[class] += state == QUEUE_QUEUED;
        if (!queue_is_owned(queue, i, state))
            return "a slot is nobody's";
    }
    if (queue_count_list(queue, &area->free, QUEUE_FREE, -1) != census.free)
        return "the list of free slots is not what their states say";
    for (int i = 0; i < SHARE_CLASSES; i++) {
        if (queue_count_list(queue, &area->waiting[i], QUEUE_QUEUED, i) != census.waiting[i])
            return "a list of those that wait is not what their states say";
        if ((int)area->share.held[i] != census.held[i])
            return "share counts others than are held";
        if ((int)area->share.waiting[i] != census.waiting[i])
            return "share counts others than wait";
    }
    return NULL;
}

/* NULL: there is none. At any time, whoever uses the queue meanwhile. */
static inline const char *queue_find_fault(struct queue *queue)
{
    queue_lock(queue);
    const char *fault = queue_find_fault_locked(queue);
    queue_unlock(queue);
    return fault;
}

static inline unsigned queue_count_state(struct queue *queue, enum queue_state state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < queue_slots(queue); i++)
        count += queue_state(queue, i) == state;
    return count;
}

/* Waits until SEAT's bell has rung, or MS are over. */
static inline bool queue_hears(struct queue *queue, unsigned seat, int ms)
{
    struct pollfd bell = {.fd = queue_bell(queue, seat), .events = POLLIN};
    return poll(&bell, 1, ms) == 1;
}

#endif
