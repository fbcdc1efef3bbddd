/* Ids: 16 bytes, made as UUIDv7 (RFC 9562): 48 bits of wall-clock milliseconds,
 * then 74 random bits. Time-ordered, so that an index of them is appended to;
 * unguessable, so that a cart's id is also the right to see it.
 */
#ifndef STOA_BASE_ID_H
#define STOA_BASE_ID_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct id {
    unsigned char bytes[16];
};

/* Text form without dashes: 32 hex digits and a 0. */
enum { ID_TEXT = 33 };

/* A new id at WALL_MS, its random bits from the kernel. */
struct id id_new(int64_t wall_ms);
/* The same with RANDOM_BITS given (16 bytes, of which 10 are used). */
struct id id_make(int64_t wall_ms, const unsigned char random_bits[16]);

static inline bool id_eq(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}
bool id_is_zero(struct id id);

/* 32 lower-case hex digits into OUT[ID_TEXT]; returns OUT. */
char *id_text(struct id id, char out[static ID_TEXT]);
/* Reads 32 hex digits, or the 36-character form with dashes; 0, or
 * ERR_INVALID and *ID is as it was. */
int id_parse(struct str text, struct id *id);

#endif
