/* struct buf: a growable, bounded byte buffer that we own.
 *
 * A write that would pass the bound, or for which there is no memory, sets
 * `failed` and writes nothing; so do all writes after it. A renderer writes on
 * and looks at `failed` once, at the end. Not thread-safe.
 */
#ifndef STOA_BASE_BUF_H
#define STOA_BASE_BUF_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *at;
    size_t len, cap, max;
    bool failed;
};

/* An empty buffer that may grow to MAX bytes. Allocates nothing yet. */
void buf_init(struct buf *buf, size_t max);
void buf_close(struct buf *buf);
/* Empties it, keeps its memory, clears `failed`. */
void buf_clear(struct buf *buf);

void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_str(struct buf *buf, struct str s);
void buf_byte(struct buf *buf, char byte);
void buf_u64(struct buf *buf, uint64_t value); /* decimal */
void buf_i64(struct buf *buf, int64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for LEN more bytes at the end, to be written to directly and then
 * counted by `buf->len += n`; NULL (and failed) when there is none. */
char *buf_room(struct buf *buf, size_t len);

/* Drops the first LEN bytes. */
void buf_drain(struct buf *buf, size_t len);

/* Its content, lent until the next change. */
static inline struct str buf_text(const struct buf *buf)
{
    return (struct str){buf->at, buf->len};
}

/* Hands the memory over to the caller (free()); the buffer is empty after it. */
char *buf_take(struct buf *buf, size_t *len);

#endif
