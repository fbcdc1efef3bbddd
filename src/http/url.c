#include "http/url.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one character at TEXT[*AT] and moves on; -1 for a bad escape or a NUL. */
static int decode_one(struct str text, size_t *at, bool plus)
{
    char c = text.at[(*at)++];
    if (c == '+' && plus)
        return ' ';
    if (c != '%')
        return c ? (unsigned char)c : -1;
    if (text.len - *at < 2)
        return -1;
    int high = hex_digit(text.at[*at]), low = hex_digit(text.at[*at + 1]);
    *at += 2;
    if (high < 0 || low < 0 || high + low == 0)
        return -1;
    return high * 16 + low;
}

struct str url_decode(struct arena *arena, struct str text, bool plus)
{
    bool plain = true;
    for (size_t i = 0; i < text.len && plain; i++)
        plain = text.at[i] != '%' && text.at[i] != '+' && text.at[i] != 0;
    if (plain)
        return text.at ? text : STR("");
    char *out = arena_alloc(arena, text.len + 1);
    if (!out)
        return STR_NONE;
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        int c = decode_one(text, &at, plus);
        if (c < 0)
            return STR_NONE;
        out[len++] = (char)c;
    }
    out[len] = 0;
    return str_make(out, len);
}

void url_encode(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_byte(out, (char)c);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_put(out, escape, 3);
        }
    }
}

bool form_next(struct str *rest, struct str *name, struct str *value)
{
    struct str pair;
    while (str_cut(rest, '&', &pair)) {
        if (pair.len == 0)
            continue;
        ptrdiff_t equals = str_find_byte(pair, '=');
        *name = equals < 0 ? pair : str_sub(pair, 0, (size_t)equals);
        *value = equals < 0 ? STR("") : str_from(pair, (size_t)equals + 1);
        return true;
    }
    return false;
}

/* Does ENCODED, decoded, read NAME? */
static bool names(struct str encoded, struct str name)
{
    size_t at = 0, i = 0;
    while (at < encoded.len && i < name.len)
        if (decode_one(encoded, &at, true) != (unsigned char)name.at[i++])
            return false;
    return at == encoded.len && i == name.len;
}

struct str form_find(struct arena *arena, struct str form, struct str name)
{
    struct str key, value;
    while (form_next(&form, &key, &value))
        if (names(key, name))
            return url_decode(arena, value, true);
    return STR_NONE;
}

bool cookie_next(struct str *rest, struct str name, struct str *value)
{
    struct str pair;
    while (str_cut(rest, ';', &pair)) {
        ptrdiff_t equals = str_find_byte(pair, '=');
        if (equals < 0 || !str_eq(str_trim(str_sub(pair, 0, (size_t)equals)), name))
            continue;
        *value = str_trim(str_from(pair, (size_t)equals + 1));
        if (value->len >= 2 && value->at[0] == '"' && value->at[value->len - 1] == '"')
            *value = str_sub(*value, 1, value->len - 2);
        if (!value->at)
            *value = STR("");
        return true;
    }
    return false;
}

struct str cookie_find(struct str header, struct str name)
{
    struct str value;
    return cookie_next(&header, name, &value) ? value : STR_NONE;
}
