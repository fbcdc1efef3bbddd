#include "base/wire.h"

/* Most numbers are one byte and there is room for it. */
static bool put_small(struct buf *out, uint64_t value)
{
    if (value >= 0x80 || out->failed || out->len == out->cap)
        return false;
    out->at[out->len++] = (char)value;
    return true;
}

void wire_put_u64(struct buf *out, uint64_t value)
{
    if (put_small(out, value))
        return;
    char bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (char)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (char)value;
    buf_put(out, bytes, n);
}

void wire_put_i64(struct buf *out, int64_t value)
{
    wire_put_u64(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void wire_put_bool(struct buf *out, bool value)
{
    wire_put_u64(out, value);
}

void wire_put_str(struct buf *out, struct str value)
{
    if (value.len < 0x80 && !out->failed && out->cap - out->len > value.len) {
        char *at = out->at + out->len;
        *at = (char)value.len;
        if (value.len)
            memcpy(at + 1, value.at, value.len);
        out->len += value.len + 1;
        return;
    }
    wire_put_u64(out, value.len);
    buf_str(out, value);
}

void wire_put_raw(struct buf *out, const void *bytes, size_t len)
{
    buf_put(out, bytes, len);
}

struct wire wire_of(struct str record)
{
    const unsigned char *at = (const unsigned char *)record.at;
    return (struct wire){at, at ? at + record.len : at, false};
}

uint64_t wire_u64(struct wire *in)
{
    if (!in->bad && in->at != in->end && *in->at < 0x80)
        return *in->at++;
    uint64_t value = 0;
    for (unsigned shift = 0; !in->bad; shift += 7) {
        if (in->at == in->end || shift > 63 || (shift == 63 && *in->at > 1))
            break;
        unsigned char byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    in->bad = true;
    return 0;
}

uint64_t wire_u64_max(struct wire *in, uint64_t max)
{
    uint64_t value = wire_u64(in);
    if (value <= max)
        return value;
    in->bad = true;
    return 0;
}

int64_t wire_i64(struct wire *in)
{
    uint64_t coded = wire_u64(in);
    return (int64_t)(coded >> 1 ^ (0 - (coded & 1)));
}

bool wire_bool(struct wire *in)
{
    return wire_u64_max(in, 1);
}

struct str wire_str(struct wire *in)
{
    uint64_t len = wire_u64(in);
    if (in->bad || len > wire_left(in)) {
        in->bad = true;
        return STR("");
    }
    struct str value = str_make(in->at, (size_t)len);
    in->at += len;
    return value;
}

void wire_raw(struct wire *in, void *out, size_t len)
{
    if (in->bad || len > wire_left(in)) {
        in->bad = true;
        memset(out, 0, len);
        return;
    }
    if (len)
        memcpy(out, in->at, len);
    in->at += len;
}
