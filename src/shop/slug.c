#include "shop/slug.h"

#include "base/check.h"

/* Latin-1 Supplement from U+00C0 to U+00FF without their accents; "" is no letter. */
static const char *const latin1[64] = {
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",  "i",
    "d", "n", "o", "o", "o", "o", "o",  "",  "o", "u", "u", "u", "u", "y", "th", "ss",
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",  "i",
    "d", "n", "o", "o", "o", "o", "o",  "",  "o", "u", "u", "u", "u", "y", "th", "y",
};

/* Latin Extended-A, U+0100 to U+017F, the same. */
static const char latin_a[129] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                                 "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/* The code point at *AT (well-formed UTF-8, or else a single byte), moving *AT on. */
static uint32_t next_code_point(struct str text, size_t *at)
{
    unsigned char first = (unsigned char)text.at[(*at)++];
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t point = more == 3 ? first & 7u : more == 2 ? first & 15u : more ? first & 31u : first;
    for (; more && *at < text.len; more--)
        point = point << 6 | ((unsigned char)text.at[(*at)++] & 0x3fu);
    return point;
}

static void put_letter(struct buf *out, uint32_t point)
{
    if (point >= 'A' && point <= 'Z')
        buf_byte(out, (char)(point - 'A' + 'a'));
    else if (point < 0x80)
        buf_byte(out, (char)point);
    else if (point < 0x100)
        buf_puts(out, latin1[point - 0xc0]);
    else if (point < 0x180)
        buf_byte(out, latin_a[point - 0x100]);
    else
        buf_printf(out, "%x", point);
}

static bool is_letter(uint32_t point)
{
    if (point < 0x80)
        return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z') ||
               (point >= '0' && point <= '9');
    if (point < 0xc0 || (point >= 0x2000 && point < 0x2c00) || (point >= 0x3000 && point < 0x3040))
        return false; /* signs, punctuation, arrows, dashes */
    return point >= 0x100 || latin1[point - 0xc0][0];
}

void slug_put(struct buf *out, struct str text)
{
    size_t start = out->len;
    bool gap = false;
    for (size_t at = 0; at < text.len;) {
        uint32_t point = next_code_point(text, &at);
        if (point == '\'' || point == 0x2019)
            continue; /* "don't" is one word */
        if (!is_letter(point)) {
            gap = true;
            continue;
        }
        if (gap && out->len > start)
            buf_byte(out, '-');
        gap = false;
        put_letter(out, point);
    }
}

struct str slug_make(struct arena *arena, struct str text)
{
    struct buf out;
    buf_init(&out, 8 * text.len + 16);
    slug_put(&out, text);
    struct str slug = out.failed ? STR_NONE : arena_str(arena, buf_text(&out));
    buf_close(&out);
    return slug;
}
