/* Change line: what a server tells of its committed changes to those who keep its pages elsewhere
 * (GET /api/v1/changes, web/change_feed.h; the other side: web/far_follow.h). One line of text for
 * each thing, so that a person can read it with any HTTP client:
 *
 *   all RING INDEX                   first: forget all that is kept; what follows is after INDEX
 *   from RING INDEX                  or first: it goes on after INDEX, and nothing is left out
 *   change INDEX product ID HANDLE   the entry INDEX changed a product; HANDLE "-" when it is long
 *   change INDEX catalogue           … the set of products, or of categories
 *   change INDEX settings            … everything
 *   beat INDEX ROUND NANOSECONDS     all up to INDEX is told; the round of the server's cache, and
 *                                    the server's clock
 *
 * Pure. Thread: any.
 */
#ifndef STOA_WEB_CHANGE_LINE_H
#define STOA_WEB_CHANGE_LINE_H

#include "base/buf.h"
#include "base/str.h"
#include "shop/shop.h"

#include <stdint.h>

enum change_line_kind { CHANGE_LINE_ALL, CHANGE_LINE_FROM, CHANGE_LINE_CHANGE, CHANGE_LINE_BEAT };

enum { CHANGE_LINE_MAX = 384 }; /* bytes, with its end */

struct change_line {
    enum change_line_kind kind;
    uint64_t index;
    uint64_t ring;           /* all, from */
    enum change_kind change; /* change: one of the first three */
    uint64_t product_id;     /* of a product */
    struct str handle;       /* of a product; empty: not said */
    uint64_t round, time_ns; /* beat */
};

/* Appends LINE with its end. */
void change_line_put(struct buf *out, const struct change_line *line);
/* TEXT without its end, which LINE then points into. 0 or ERR_INVALID. */
int change_line_read(struct str text, struct change_line *line);

#endif
