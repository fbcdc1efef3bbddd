#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_SIZE = 4096, ALIGNMENT = 16 };

struct arena_block {
    struct arena_block *older;
    size_t size; /* of bytes[] */
    _Alignas(ALIGNMENT) char bytes[];
};

void arena_init(struct arena *arena, size_t max)
{
    *arena = (struct arena){.max = max};
}

void arena_close(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *older = arena->blocks->older;
        free(arena->blocks);
        arena->blocks = older;
    }
    arena_init(arena, arena->max);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->blocks;
    if (!first)
        return;
    while (first->older) {
        struct arena_block *older = first->older;
        free(first);
        first = older;
    }
    arena->blocks = first;
    arena->at = first->bytes;
    arena->end = first->bytes + first->size;
    arena->used = 0;
}

/* Adds a block in which NEED bytes fit. */
static int grow(struct arena *arena, size_t need)
{
    size_t size = BLOCK_SIZE - sizeof(struct arena_block);
    if (arena->blocks && arena->used > size)
        size = arena->used < 65536 ? arena->used : 65536;
    if (size < need)
        size = need;
    struct arena_block *block = malloc(sizeof *block + size);
    if (!block)
        return -1;
    block->older = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->at = block->bytes;
    arena->end = block->bytes + size;
    return 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = size ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (size > arena->max || arena->used > arena->max - size)
        return NULL;
    if ((size_t)(arena->end - arena->at) < size && grow(arena, size))
        return NULL;
    void *bytes = arena->at;
    arena->at += size;
    arena->used += size;
    return bytes;
}

void *arena_zero(struct arena *arena, size_t size)
{
    void *bytes = arena_alloc(arena, size);
    return bytes ? memset(bytes, 0, size) : NULL;
}

void *arena_zeros(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : arena_zero(arena, bytes);
}

struct str arena_join(struct arena *arena, const struct str *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(len, parts[i].len, &len))
            return STR_NONE;
    char *text = len < SIZE_MAX ? arena_alloc(arena, len + 1) : NULL;
    if (!text)
        return STR_NONE;
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len)
            memcpy(at, parts[i].at, parts[i].len);
        at += parts[i].len;
    }
    *at = 0;
    return str_make(text, len);
}

struct str arena_str(struct arena *arena, struct str s)
{
    return arena_join(arena, &s, 1);
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *there = arena->at; /* if it fits here, it is written once */
    va_start(args, format);
    int len = vsnprintf(there, (size_t)(arena->end - there), format, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return STR_NONE;
    if (text != there) {
        va_start(args, format);
        vsnprintf(text, (size_t)len + 1, format, args);
        va_end(args);
    }
    return str_make(text, (size_t)len);
}
