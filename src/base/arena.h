/* Arena: memory that is given back all at once.
 *
 * One per request: everything a request needs is allocated here and freed when
 * the request ends. Not thread-safe; one thread at a time uses an arena.
 */
#ifndef STOA_BASE_ARENA_H
#define STOA_BASE_ARENA_H

#include "base/str.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* free part of the newest block */
    size_t used, max;           /* bytes handed out; the most there may be */
};

/* An empty arena that may hand out up to MAX bytes. Allocates nothing yet. */
void arena_init(struct arena *arena, size_t max);

/* Frees everything. The arena may be used again after it. */
void arena_close(struct arena *arena);

/* Forgets everything but keeps the first block for the next use. */
void arena_reset(struct arena *arena);

/* SIZE bytes aligned for any type, or NULL when MAX or memory is exhausted. 0 bytes are
 * an address, too. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same, set to zero. */
void *arena_zero(struct arena *arena, size_t size);
/* COUNT × SIZE bytes set to zero; NULL also when the product does not fit a size_t. */
void *arena_zeros(struct arena *arena, size_t count, size_t size);

/* A 0-terminated copy; at == NULL when there is no room. */
struct str arena_str(struct arena *arena, struct str s);
/* COUNT strings, one behind the other: several times as fast as arena_printf. */
struct str arena_join(struct arena *arena, const struct str *parts, size_t count);
#define ARENA_JOIN(arena, ...)                             \
    arena_join((arena), (const struct str[]){__VA_ARGS__}, \
               sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
struct str arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type)          ((type *)arena_zero((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zeros((arena), (count), sizeof(type)))

#endif
