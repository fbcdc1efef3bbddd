#include "base/str.h"

#include "base/err.h"

#include <stdint.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

int str_compare(struct str a, struct str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.at, b.at, shared) : 0;
    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.at + s.len - suffix.len, suffix.at, suffix.len) == 0);
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && is_space(s.at[s.len - 1]))
        s.len--;
    return s;
}

struct str str_from(struct str s, size_t from)
{
    if (from > s.len)
        from = s.len;
    return (struct str){s.at ? s.at + from : NULL, s.len - from};
}

struct str str_sub(struct str s, size_t from, size_t len)
{
    s = str_from(s, from);
    if (len < s.len)
        s.len = len;
    return s;
}

ptrdiff_t str_find_byte(struct str s, char byte)
{
    const char *hit = s.len ? memchr(s.at, byte, s.len) : NULL;
    return hit ? hit - s.at : -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.len == 0)
        return 0;
    const char *hit = s.len ? memmem(s.at, s.len, needle.at, needle.len) : NULL;
    return hit ? hit - s.at : -1;
}

bool str_cut(struct str *rest, char separator, struct str *part)
{
    if (!rest->at)
        return false;
    ptrdiff_t hit = str_find_byte(*rest, separator);
    if (hit < 0) {
        *part = *rest;
        *rest = STR_NONE;
    } else {
        *part = str_sub(*rest, 0, (size_t)hit);
        *rest = str_from(*rest, (size_t)hit + 1);
    }
    return true;
}

int str_to_u64(struct str s, uint64_t *value)
{
    uint64_t sum = 0;
    if (s.len == 0 || !s.at)
        return ERR_INVALID;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return ERR_INVALID;
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(s.at[i] - '0'), &sum))
            return ERR_INVALID;
    }
    *value = sum;
    return 0;
}

int str_to_i64(struct str s, int64_t *value)
{
    bool negative = s.len && s.at[0] == '-';
    uint64_t magnitude;
    if (str_to_u64(negative ? str_from(s, 1) : s, &magnitude))
        return ERR_INVALID;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return ERR_INVALID;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return 0;
}

/* How many bytes the sequence at P takes, or 0 when it is not well formed. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t need = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : need;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.at;
    for (size_t i = 0; p && i < s.len;) {
        size_t step = utf8_sequence(p + i, s.len - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

struct str str_clip_utf8(struct str s, size_t max)
{
    if (s.len <= max)
        return s;
    /* The first byte that is cut off tells: a character goes on there, or one begins. */
    while (max > 0 && ((unsigned char)s.at[max] & 0xc0) == 0x80)
        max--;
    return str_make(s.at, max);
}

char *str_copy(char *dst, size_t size, struct str s)
{
    size_t n = s.len < size - 1 ? s.len : size - 1;
    if (n)
        memcpy(dst, s.at, n);
    dst[n] = 0;
    return dst;
}

void hex_encode(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = 0;
}

static int hex_digit(char c)
{
    c = lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct str hex, void *out, size_t out_len)
{
    unsigned char *p = out;
    if (hex.len != 2 * out_len)
        return ERR_INVALID;
    for (size_t i = 0; i < out_len; i++) {
        int high = hex_digit(hex.at[2 * i]), low = hex_digit(hex.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_INVALID;
        p[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

int hex_to_u64(struct str hex, uint64_t *number)
{
    unsigned char bytes[sizeof *number];
    if (hex_decode(hex, bytes, sizeof bytes))
        return ERR_INVALID;
    *number = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *number = *number << 8 | bytes[i];
    return 0;
}
