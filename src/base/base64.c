#include "base/base64.h"

#include "base/err.h"

static const char letters[2][65] = {
    [BASE64_PADDED] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

void base64_put(struct buf *out, enum base64_kind kind, struct str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = (uint32_t)at[i] << 16;
        if (count > 1)
            group |= (uint32_t)at[i + 1] << 8;
        if (count > 2)
            group |= at[i + 2];
        for (size_t j = 0; j <= count; j++)
            buf_byte(out, letters[kind][group >> (18 - 6 * j) & 63]);
        for (size_t j = count; kind == BASE64_PADDED && j < 3; j++)
            buf_byte(out, '=');
    }
}

/* 0 to 63, or -1. */
static int value_of(enum base64_kind kind, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == letters[kind][62])
        return 62;
    return c && c == letters[kind][63] ? 63 : -1;
}

/* TEXT without its padding; false: that is not as it must be. */
static bool strip(enum base64_kind kind, struct str *text)
{
    if (kind == BASE64_URL)
        return text->len % 4 != 1;
    if (text->len % 4)
        return false;
    for (int i = 0; i < 2 && text->len && text->at[text->len - 1] == '='; i++)
        text->len--;
    return true;
}

int base64_decode(enum base64_kind kind, struct str text, void *out, size_t size, size_t *len)
{
    unsigned char *to = out;
    uint32_t bits = 0;
    unsigned count = 0;
    *len = 0;
    if (!strip(kind, &text))
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(kind, text.at[i]);
        if (value < 0)
            return ERR_INVALID;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        if (*len == size)
            return ERR_FULL;
        to[(*len)++] = (unsigned char)(bits >> count);
    }
    return bits & ((1u << count) - 1) ? ERR_INVALID : 0;
}
