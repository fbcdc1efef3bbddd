#include "web/change_ring.h"

#include "base/cond.h"
#include "base/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct change_ring {
    uint64_t number;
    _Atomic bool heard;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint64_t head;  /* the place of the next change */
    uint64_t shown; /* those before are told */
    uint64_t told;  /* the entry up to which all are */
    uint64_t floor; /* all changes of the entries after it are here */
    unsigned listeners;
    bool nudged;
    struct change_note notes[CHANGE_RING_ROOM];
};

struct change_ring *change_ring_new(void)
{
    struct change_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return NULL;
    while (ring->number == 0)
        random_secret(&ring->number, sizeof ring->number);
    pthread_mutex_init(&ring->lock, NULL);
    cond_init(&ring->changed);
    return ring;
}

void change_ring_free(struct change_ring *ring)
{
    if (!ring)
        return;
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

uint64_t change_ring_number(const struct change_ring *ring)
{
    return ring->number;
}

/* ---- Telling ---- */

void change_ring_begin(struct change_ring *ring, uint64_t index)
{
    pthread_mutex_lock(&ring->lock);
    ring->head = ring->shown = 0;
    ring->told = ring->floor = index;
    pthread_mutex_unlock(&ring->lock);
}

static void keep(struct change_ring *ring, const struct change_note *note)
{
    struct change_note *to = &ring->notes[ring->head % CHANGE_RING_ROOM];
    if (ring->head >= CHANGE_RING_ROOM && ring->floor < to->index)
        ring->floor = to->index;
    *to = *note;
    ring->head++;
}

void change_ring_changed(struct change_ring *ring, enum change_kind kind, uint64_t product_id,
                         struct str handle, uint64_t index)
{
    struct change_note note = {.index = index, .product_id = product_id, .kind = kind};
    if (handle.len < sizeof note.handle)
        str_copy(note.handle, sizeof note.handle, handle);
    pthread_mutex_lock(&ring->lock);
    keep(ring, &note);
    pthread_mutex_unlock(&ring->lock);
}

void change_ring_told(struct change_ring *ring, uint64_t index)
{
    pthread_mutex_lock(&ring->lock);
    ring->shown = ring->head;
    ring->told = index;
    if (ring->listeners)
        pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

/* ---- Reading ---- */

static uint64_t oldest(const struct change_ring *ring)
{
    return ring->head > CHANGE_RING_ROOM ? ring->head - CHANGE_RING_ROOM : 0;
}

bool change_ring_find(struct change_ring *ring, uint64_t since, uint64_t *at, uint64_t *told)
{
    pthread_mutex_lock(&ring->lock);
    bool here = since >= ring->floor && since <= ring->told;
    *at = here ? oldest(ring) : ring->shown;
    while (*at < ring->shown && ring->notes[*at % CHANGE_RING_ROOM].index <= since)
        ++*at;
    *told = ring->told;
    pthread_mutex_unlock(&ring->lock);
    return here;
}

int change_ring_read(struct change_ring *ring, uint64_t *at, struct change_note *notes, int max,
                     uint64_t *told)
{
    int count = 0;
    pthread_mutex_lock(&ring->lock);
    bool gone = *at < oldest(ring);
    while (!gone && count < max && *at < ring->shown)
        notes[count++] = ring->notes[(*at)++ % CHANGE_RING_ROOM];
    *told = ring->told;
    pthread_mutex_unlock(&ring->lock);
    return gone ? -1 : count;
}

/* ---- Listening ---- */

void change_ring_listen(struct change_ring *ring, int count)
{
    atomic_store(&ring->heard, true);
    pthread_mutex_lock(&ring->lock);
    ring->listeners += (unsigned)count;
    pthread_mutex_unlock(&ring->lock);
}

bool change_ring_is_heard(const struct change_ring *ring)
{
    return atomic_load_explicit(&ring->heard, memory_order_relaxed);
}

void change_ring_wait(struct change_ring *ring, uint64_t *told, uint64_t until_ns)
{
    pthread_mutex_lock(&ring->lock);
    while (!ring->nudged && ring->told == *told &&
           cond_wait_until(&ring->changed, &ring->lock, until_ns))
        continue;
    ring->nudged = false;
    *told = ring->told;
    pthread_mutex_unlock(&ring->lock);
}

void change_ring_nudge(struct change_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->nudged = true;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}
