/* Page part: a page of Markdown of which a part is written by a bench, between two lines, and the
 * rest by hand. Thread: the caller's.
 */
#ifndef STOA_BENCH_PAGE_PART_H
#define STOA_BENCH_PAGE_PART_H

#include "base/err.h"

#include <stdio.h>

struct page_part {
    const char *title;       /* of a page that is made now: "# Which policy" */
    const char *begin, *end; /* the two lines, without their newlines */
    /* Writes the part, the two lines included. */
    void (*write)(const void *context, FILE *out);
    const void *context;
};

/* FILE is made, or its part is written anew and the rest kept as it is. ERR_INVALID: it is there
 * and has not the two lines; it is left alone. */
int page_part_write(const struct page_part *part, const char *file, struct failure *failure);
/* Whether that would do, before a long measurement rather than after it: the same errors, but for
 * those of writing. */
int page_part_check(const struct page_part *part, const char *file, struct failure *failure);

#endif
