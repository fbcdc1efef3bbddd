/* News and bells (see queue.h). A bell is a FIFO: unlike an eventfd it can be opened by its name,
 * by whoever comes later, and stays the seat's whoever has that. */
#include "tier/queue_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void bell_path(const struct queue *queue, unsigned seat, char out[static QUEUE_PATH + 16])
{
    snprintf(out, QUEUE_PATH + 16, "%s/bell.%u", queue->path, seat);
}

/* Opened for both, so that neither end is ever missing. */
static int open_bell(struct queue *queue, unsigned seat)
{
    char path[QUEUE_PATH + 16];
    int none = -1;
    bell_path(queue, seat, path);
    if (mkfifo(path, 0600) != 0 && errno != EEXIST)
        return -1;
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && !atomic_compare_exchange_strong(&queue->bells[seat], &none, fd)) {
        close(fd); /* another thread was quicker */
        return none;
    }
    return fd;
}

int queue_bell(struct queue *queue, unsigned seat)
{
    int fd = atomic_load_explicit(&queue->bells[seat], memory_order_acquire);
    return fd >= 0 ? fd : open_bell(queue, seat);
}

void queue_ring(struct queue *queue, unsigned seat)
{
    int fd = queue_bell(queue, seat);
    /* EAGAIN: it is full of rings that nobody has heard yet. */
    while (fd >= 0 && write(fd, "!", 1) < 0 && errno == EINTR)
        ;
}

void queue_wake(struct queue *queue, unsigned seat)
{
    char rings[256];
    int fd = queue_bell(queue, seat);
    atomic_store(&queue->area->seats[seat].parked, 0);
    while (fd >= 0 && read(fd, rings, sizeof rings) == sizeof rings)
        ;
}

bool queue_park(struct queue *queue, unsigned seat)
{
    struct queue_seat *own = &queue->area->seats[seat];
    atomic_store(&own->parked, 1);
    for (unsigned i = 0; i < QUEUE_NEWS_WORDS; i++)
        if (atomic_load(&own->news[i]) != 0) {
            atomic_store(&own->parked, 0);
            return false;
        }
    return true;
}

unsigned queue_news(struct queue *queue, unsigned seat, unsigned from)
{
    struct queue_seat *own = &queue->area->seats[seat];
    unsigned words = (queue->area->slots + 63) / 64;
    for (unsigned i = from / 64; i < words; i++) {
        uint64_t bits = atomic_load_explicit(&own->news[i], memory_order_relaxed);
        if (i == from / 64)
            bits &= ~0ull << from % 64;
        if (bits == 0)
            continue;
        unsigned bit = (unsigned)__builtin_ctzll(bits);
        atomic_fetch_and(&own->news[i], ~(1ull << bit));
        return i * 64 + bit;
    }
    return QUEUE_NONE;
}

void queue_tell(struct queue *queue, unsigned seat, unsigned slot)
{
    if (seat >= QUEUE_SEATS)
        return;
    struct queue_seat *other = &queue->area->seats[seat];
    atomic_fetch_or(&other->news[slot / 64], 1ull << slot % 64);
    if (atomic_exchange(&other->parked, 0))
        queue_ring(queue, seat);
}

void queue_tell_front(struct queue *queue, unsigned slot)
{
    queue_tell(queue, atomic_load_explicit(&queue_slot(queue, slot)->front, memory_order_acquire),
               slot);
}

void queue_tell_worker(struct queue *queue, unsigned slot)
{
    queue_tell(queue, atomic_load_explicit(&queue_slot(queue, slot)->worker, memory_order_acquire),
               slot);
}

void queue_close_bells(struct queue *queue)
{
    for (unsigned i = 0; i < QUEUE_SEATS; i++) {
        int fd = atomic_exchange(&queue->bells[i], -1);
        if (fd >= 0)
            close(fd);
    }
}

void queue_remove_bells(const struct queue *queue)
{
    char path[QUEUE_PATH + 16];
    for (unsigned i = 0; i < QUEUE_SEATS; i++) {
        bell_path(queue, i, path);
        unlink(path);
    }
}
