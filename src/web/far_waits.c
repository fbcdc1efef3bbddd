#include "web/far_waits.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* In its exchange's arena, which lives as long as it waits. */
struct wait {
    struct wait *next;
    struct exchange *x;
    uint64_t index, until_ns;
    void (*then)(struct exchange *x);
};

struct far_waits {
    _Atomic unsigned count; /* read without the lock: nearly always 0 */
    pthread_mutex_t lock;   /* guards what follows */
    struct wait *first;
};

struct far_waits *far_waits_new(void)
{
    struct far_waits *waits = calloc(1, sizeof *waits);
    if (waits)
        pthread_mutex_init(&waits->lock, NULL);
    return waits;
}

void far_waits_free(struct far_waits *waits)
{
    if (waits)
        pthread_mutex_destroy(&waits->lock);
    free(waits);
}

bool far_waits_add(struct far_waits *waits, struct exchange *x, uint64_t index, uint64_t now_ns,
                   void (*then)(struct exchange *x))
{
    struct wait *wait = ARENA_NEW(&x->arena, struct wait);
    if (!wait || atomic_load(&waits->count) >= FAR_WAITS_MAX)
        return false;
    *wait = (struct wait){
        .x = x, .index = index, .until_ns = now_ns + FAR_WAIT_MS * MS_NS, .then = then};
    pthread_mutex_lock(&waits->lock);
    wait->next = waits->first;
    waits->first = wait;
    atomic_fetch_add(&waits->count, 1);
    pthread_mutex_unlock(&waits->lock);
    return true;
}

void far_waits_look(struct far_waits *waits, uint64_t told, uint64_t now_ns)
{
    if (atomic_load(&waits->count) == 0)
        return;
    pthread_mutex_lock(&waits->lock);
    struct wait **at = &waits->first;
    while (*at) {
        struct wait *wait = *at;
        if (wait->index > told && now_ns < wait->until_ns) {
            at = &wait->next;
            continue;
        }
        *at = wait->next; /* WAIT is its exchange's after the next line */
        exchange_continue(wait->x, wait->then);
        atomic_fetch_sub(&waits->count, 1);
    }
    pthread_mutex_unlock(&waits->lock);
}
