/* The board: written by one, read by any, without a lock that the death of its writer could leave
 * locked. A reader that the writer got ahead of tries again (a seqlock; H. Boehm, "Can seqlocks get
 * along with programming language memory models?", MSPC 2012: words, each stored with release and
 * loaded with acquire).
 */
#include "base/check.h"
#include "tier/queue_inner.h"

#include <string.h>

enum { TRIES = 100 };

void queue_board_write(struct queue *queue, const void *at, size_t size)
{
    struct queue_area *area = queue->area;
    CHECK(size > 0 && size <= QUEUE_BOARD);
    /* Odd already when the last writer died of it. */
    uint64_t turn = atomic_load_explicit(&area->board_turn, memory_order_relaxed) | 1;
    atomic_store_explicit(&area->board_turn, turn, memory_order_relaxed);
    atomic_store_explicit(&area->board_size, size, memory_order_release);
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = size - done;
        memcpy(&word, (const char *)at + done, left < sizeof word ? left : sizeof word);
        atomic_store_explicit(&area->board[done / sizeof word], word, memory_order_release);
    }
    atomic_store_explicit(&area->board_turn, turn + 1, memory_order_release);
}

static size_t read_once(const struct queue_area *area, void *at, size_t room)
{
    size_t size = atomic_load_explicit(&area->board_size, memory_order_acquire);
    size_t some = size < room ? size : room;
    if (size > QUEUE_BOARD)
        return 0;
    for (size_t done = 0; done < some; done += sizeof(uint64_t)) {
        uint64_t word =
            atomic_load_explicit(&area->board[done / sizeof word], memory_order_acquire);
        size_t left = some - done;
        memcpy((char *)at + done, &word, left < sizeof word ? left : sizeof word);
    }
    return size;
}

size_t queue_board_read(const struct queue *queue, void *at, size_t room)
{
    const struct queue_area *area = queue->area;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t turn = atomic_load_explicit(&area->board_turn, memory_order_acquire);
        if (turn == 0)
            return 0;
        if (turn & 1)
            continue;
        size_t size = read_once(area, at, room);
        if (atomic_load_explicit(&area->board_turn, memory_order_relaxed) == turn)
            return size;
    }
    return 0;
}
