/* Top's screen: how a load manager is, as lines of text. Pure.
 *
 * What the load manager says of itself (balance/view.h: GET /balance.json) in, lines out, each
 * ended by a newline and no longer than the window is wide, and no more of them than it is high.
 * What does not fit is left out from the right and from the bottom, but the newest events stay.
 */
#ifndef STOA_MAIN_TOP_SCREEN_H
#define STOA_MAIN_TOP_SCREEN_H

#include "main/cluster_view.h"
#include "main/top_lines.h"

#include <yyjson.h>

struct top_picture {
    yyjson_val *balance;                /* NULL: it has not answered yet */
    yyjson_val *events;                 /* an array, oldest first; may be NULL */
    const char *door;                   /* whom we ask */
    const char *trouble;                /* why it does not answer now; NULL: it does */
    const char *time;                   /* of day */
    const struct cluster_view *cluster; /* for the other load managers; may be NULL */
    unsigned columns, rows;
    bool colours;
};

void top_screen(const struct top_picture *picture, struct buf *out);

#endif
