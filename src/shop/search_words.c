#include "shop/search_words.h"

enum { WORDS_MAX = 16 /* more are left out: they would only narrow it further */ };

static bool is_word_byte(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool search_words(struct buf *out, struct str text)
{
    unsigned words = 0;
    for (size_t i = 0; i < text.len && words < WORDS_MAX;) {
        size_t start = i;
        while (i < text.len && is_word_byte((unsigned char)text.at[i]))
            i++;
        if (i == start) {
            i++;
            continue;
        }
        buf_puts(out, words++ ? " \"" : "\"");
        buf_put(out, text.at + start, i - start);
        buf_byte(out, '"');
    }
    if (words > 0)
        buf_byte(out, '*');
    return words > 0;
}
