#include "tier/pipe.h"

#include <string.h>

static uint64_t read_own(const _Atomic uint64_t *mark)
{
    return atomic_load_explicit(mark, memory_order_relaxed);
}

/* What the other side has done before it moved its mark is seen after this. */
static uint64_t read_other(const _Atomic uint64_t *mark)
{
    return atomic_load_explicit(mark, memory_order_acquire);
}

void pipe_reset(struct pipe *pipe)
{
    atomic_store_explicit(&pipe->marks->ended, 0, memory_order_relaxed);
    atomic_store_explicit(&pipe->marks->taken, 0, memory_order_relaxed);
    atomic_store_explicit(&pipe->marks->written, 0, memory_order_release);
}

size_t pipe_room(const struct pipe *pipe)
{
    uint64_t used = read_own(&pipe->marks->written) - read_other(&pipe->marks->taken);
    return used < pipe->size ? pipe->size - (size_t)used : 0;
}

size_t pipe_put(struct pipe *pipe, const void *bytes, size_t len)
{
    uint64_t written = read_own(&pipe->marks->written);
    size_t room = pipe_room(pipe), at = (size_t)(written & (pipe->size - 1));
    if (len > room)
        len = room;
    size_t first = len < pipe->size - at ? len : pipe->size - at;
    if (len == 0)
        return 0;
    memcpy(pipe->bytes + at, bytes, first);
    memcpy(pipe->bytes, (const char *)bytes + first, len - first);
    atomic_store_explicit(&pipe->marks->written, written + len, memory_order_release);
    return len;
}

void pipe_end(struct pipe *pipe)
{
    atomic_store_explicit(&pipe->marks->ended, 1, memory_order_release);
}

unsigned pipe_peek(const struct pipe *pipe, struct iovec pieces[static 2])
{
    uint64_t taken = read_own(&pipe->marks->taken);
    uint64_t there = read_other(&pipe->marks->written) - taken;
    size_t at = (size_t)(taken & (pipe->size - 1));
    size_t len = there < pipe->size ? (size_t)there : pipe->size;
    size_t first = len < pipe->size - at ? len : pipe->size - at;
    if (len == 0)
        return 0;
    pieces[0] = (struct iovec){pipe->bytes + at, first};
    pieces[1] = (struct iovec){pipe->bytes, len - first};
    return len > first ? 2 : 1;
}

void pipe_take(struct pipe *pipe, size_t len)
{
    uint64_t taken = read_own(&pipe->marks->taken);
    atomic_store_explicit(&pipe->marks->taken, taken + len, memory_order_release);
}

uint64_t pipe_taken(const struct pipe *pipe)
{
    return read_other(&pipe->marks->taken);
}

bool pipe_has_ended(const struct pipe *pipe)
{
    return atomic_load_explicit(&pipe->marks->ended, memory_order_acquire) != 0;
}

bool pipe_is_over(const struct pipe *pipe)
{
    return pipe_has_ended(pipe) &&
           read_other(&pipe->marks->written) == read_own(&pipe->marks->taken);
}
