/* Top's screen of the tiers: the queue, fronts and workers, and what was decided, as lines of text.
 * Pure.
 *
 * What a front's status door says (admin/tiers.h: GET /tiers.json) in, lines out, as top_screen.h.
 */
#ifndef STOA_MAIN_TOP_TIERS_H
#define STOA_MAIN_TOP_TIERS_H

#include "main/top_lines.h"

#include <yyjson.h>

struct top_tiers_picture {
    yyjson_val *tiers;   /* NULL: it has not answered yet */
    const char *door;    /* whom we ask */
    const char *trouble; /* why it does not answer now; NULL: it does */
    const char *time;    /* of day */
    unsigned columns, rows;
    bool colours;
};

void top_tiers_screen(const struct top_tiers_picture *picture, struct buf *out);

#endif
