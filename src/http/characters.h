/* Characters: which bytes may stand where in a request, in one table.
 *
 * Pure. On the way of each request: a look at the table costs a third of comparing ranges.
 */
#ifndef STOA_HTTP_CHARACTERS_H
#define STOA_HTTP_CHARACTERS_H

#include "base/str.h"

enum characters {
    CHARACTERS_TOKEN = 1,  /* tchar: RFC 9110 §5.6.2 */
    CHARACTERS_HOST = 2,   /* unreserved, sub-delims and '%': RFC 3986 §3.2.2 */
    CHARACTERS_TARGET = 4, /* visible ASCII but '#': what no URL has is left to the app */
};

/* For each byte the sets that it is in. */
extern const unsigned char characters_table[256];

static inline bool characters_have(enum characters set, char c)
{
    return characters_table[(unsigned char)c] & set;
}

/* How many bytes at the beginning of TEXT are in SET. */
static inline size_t characters_span(enum characters set, struct str text)
{
    size_t i = 0;
    while (i < text.len && characters_have(set, text.at[i]))
        i++;
    return i;
}

#endif
