#include "replica/await.h"

#include "base/check.h"

void awaits_init(struct awaits *awaits)
{
    pthread_mutex_init(&awaits->mutex, NULL);
    awaits->lowest = NULL;
    awaits->closed = false;
    atomic_init(&awaits->count, 0);
    atomic_init(&awaits->soonest, UINT64_MAX);
    atomic_init(&awaits->applied, 0);
}

void awaits_destroy(struct awaits *awaits)
{
    CHECK(awaits->lowest == NULL);
    pthread_mutex_destroy(&awaits->mutex);
}

/* ---- The heap ---- */

static struct awaiting *meld(struct awaiting *a, struct awaiting *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->index < a->index) {
        struct awaiting *swapped = a;
        a = b;
        b = swapped;
    }
    b->next = a->child;
    a->child = b;
    return a;
}

/* Makes one heap of a root's children: melded in pairs, then the pairs from the last to the
 * first. */
static struct awaiting *meld_children(struct awaiting *child)
{
    struct awaiting *pairs = NULL, *heap = NULL;
    while (child != NULL) {
        struct awaiting *first = child, *second = child->next;
        child = second != NULL ? second->next : NULL;
        first->next = NULL;
        if (second != NULL)
            second->next = NULL;
        struct awaiting *pair = meld(first, second);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs != NULL) {
        struct awaiting *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        heap = meld(heap, pair);
    }
    return heap;
}

/* ---- In and out ---- */

static void finish(struct awaiting *first, int err)
{
    while (first != NULL) {
        struct awaiting *next = first->next; /* FIRST is the waiter's again once done */
        first->done(first, err);
        first = next;
    }
}

bool awaits_add(struct awaits *awaits, struct awaiting *awaiting)
{
    if (atomic_load(&awaits->applied) >= awaiting->index)
        return true;
    awaiting->next = awaiting->child = NULL;
    pthread_mutex_lock(&awaits->mutex);
    bool closed = awaits->closed;
    /* Counted before the second look: either it sees what the applier has just applied, or the
     * applier sees that somebody waits. */
    atomic_fetch_add(&awaits->count, 1);
    bool applied = atomic_load(&awaits->applied) >= awaiting->index;
    if (closed || applied) {
        atomic_fetch_sub(&awaits->count, 1);
    } else {
        awaits->lowest = meld(awaits->lowest, awaiting);
        if (awaiting->deadline_ns < atomic_load(&awaits->soonest))
            atomic_store(&awaits->soonest, awaiting->deadline_ns);
    }
    pthread_mutex_unlock(&awaits->mutex);
    if (closed && !applied)
        awaiting->done(awaiting, ERR_CLOSED);
    return applied;
}

void awaits_applied(struct awaits *awaits, uint64_t index)
{
    atomic_store(&awaits->applied, index);
    if (atomic_load(&awaits->count) == 0)
        return;
    struct awaiting *first = NULL, **last = &first;
    uint32_t count = 0;
    pthread_mutex_lock(&awaits->mutex);
    while (awaits->lowest != NULL && awaits->lowest->index <= index) {
        struct awaiting *reached = awaits->lowest;
        awaits->lowest = meld_children(reached->child);
        reached->next = NULL;
        *last = reached;
        last = &reached->next;
        count++;
    }
    atomic_fetch_sub(&awaits->count, count);
    if (awaits->lowest == NULL)
        atomic_store(&awaits->soonest, UINT64_MAX);
    pthread_mutex_unlock(&awaits->mutex);
    finish(first, 0);
}

/* Takes out who is past NOW_NS; the others are melded anew, as the heap does not know where
 * they are. The lock is held. */
static struct awaiting *take_late(struct awaits *awaits, uint64_t now_ns)
{
    struct awaiting *rest = awaits->lowest, *late = NULL, *heap = NULL;
    uint64_t soonest = UINT64_MAX;
    while (rest != NULL) {
        struct awaiting *at = rest, **last = &at->child;
        rest = at->next;
        if (at->child != NULL) { /* its children are looked at next */
            while (*last != NULL)
                last = &(*last)->next;
            *last = rest;
            rest = at->child;
        }
        at->next = at->child = NULL;
        if (at->deadline_ns <= now_ns) {
            at->next = late;
            late = at;
            atomic_fetch_sub(&awaits->count, 1);
            continue;
        }
        heap = meld(heap, at);
        soonest = at->deadline_ns < soonest ? at->deadline_ns : soonest;
    }
    awaits->lowest = heap;
    atomic_store(&awaits->soonest, soonest);
    return late;
}

void awaits_expire(struct awaits *awaits, uint64_t now_ns)
{
    if (now_ns < atomic_load(&awaits->soonest))
        return;
    pthread_mutex_lock(&awaits->mutex);
    struct awaiting *late = take_late(awaits, now_ns);
    pthread_mutex_unlock(&awaits->mutex);
    finish(late, ERR_TIMEOUT);
}

void awaits_close(struct awaits *awaits)
{
    pthread_mutex_lock(&awaits->mutex);
    awaits->closed = true;
    struct awaiting *all = take_late(awaits, UINT64_MAX);
    pthread_mutex_unlock(&awaits->mutex);
    finish(all, ERR_CLOSED);
}
