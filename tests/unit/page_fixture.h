/* Pages and pictures that a report was written to: read, written by hand, looked into. */
#ifndef STOA_TESTS_PAGE_FIXTURE_H
#define STOA_TESTS_PAGE_FIXTURE_H

#include "base/check.h"

#include <stdio.h>
#include <string.h>

/* Good until the next call. */
static inline const char *page_read(const char *path)
{
    static char text[1 << 18];
    FILE *in = fopen(path, "re");
    CHECK(in);
    size_t len = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[len] = 0;
    return text;
}

static inline void page_write(const char *path, const char *text)
{
    FILE *out = fopen(path, "we");
    CHECK(out);
    fputs(text, out);
    CHECK(fclose(out) == 0);
}

/* How often PART is in TEXT. */
static inline unsigned page_count(const char *text, const char *part)
{
    unsigned count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

#endif
