#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_close(struct buf *buf)
{
    free(buf->at);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

char *buf_room(struct buf *buf, size_t len)
{
    if (buf->failed)
        return NULL;
    if (buf->at && buf->cap - buf->len >= len)
        return buf->at + buf->len;
    if (len > buf->max || buf->len > buf->max - len) {
        buf->failed = true;
        return NULL;
    }
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap < buf->len + len)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    if (cap > buf->max)
        cap = buf->max;
    char *grown = realloc(buf->at, cap ? cap : 1);
    if (!grown) {
        buf->failed = true;
        return NULL;
    }
    buf->at = grown;
    buf->cap = cap;
    return buf->at + buf->len;
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
    char *room = len ? buf_room(buf, len) : NULL;
    if (!room)
        return;
    memcpy(room, bytes, len);
    buf->len += len;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_str(struct buf *buf, struct str s)
{
    buf_put(buf, s.at, s.len);
}

void buf_byte(struct buf *buf, char byte)
{
    buf_put(buf, &byte, 1);
}

static void put_decimal(struct buf *buf, uint64_t magnitude, bool negative)
{
    char digits[21];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (negative)
        digits[--at] = '-';
    buf_put(buf, digits + at, sizeof digits - at);
}

void buf_u64(struct buf *buf, uint64_t value)
{
    put_decimal(buf, value, false);
}

void buf_i64(struct buf *buf, int64_t value)
{
    put_decimal(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    size_t there = buf->cap - buf->len;
    va_start(args, format);
    int len = vsnprintf(there ? buf->at + buf->len : NULL, there, format, args);
    va_end(args);
    if (buf->failed)
        return;
    if (len >= 0 && (size_t)len < there) { /* it fitted, with the 0 that vsnprintf adds */
        buf->len += (size_t)len;
        return;
    }
    char *text = NULL;
    va_start(args, format);
    bool made =
        len >= 0 && (size_t)len <= buf->max - buf->len && vasprintf(&text, format, args) >= 0;
    va_end(args);
    if (!made) {
        buf->failed = true;
        return;
    }
    buf_put(buf, text, (size_t)len);
    free(text);
}

void buf_drain(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->at, buf->at + len, buf->len - len);
    buf->len -= len;
}

char *buf_take(struct buf *buf, size_t *len)
{
    char *taken = buf->at;
    *len = buf->len;
    buf_init(buf, buf->max);
    return taken;
}
