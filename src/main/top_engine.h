/* Top's other screen: how a server's engine is at work, from its /metrics. Pure.
 *
 * Rates are of the time between two looks; at the first look there is none yet.
 */
#ifndef STOA_MAIN_TOP_ENGINE_H
#define STOA_MAIN_TOP_ENGINE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct top_engine_picture {
    struct str metrics; /* Prometheus' text format; empty: it has not answered yet */
    struct str before;  /* the same, as it was `between_ns` ago; empty: not known */
    uint64_t between_ns;
    const char *door;    /* whom we ask */
    const char *trouble; /* why it does not answer now; NULL: it does */
    const char *time;    /* of day */
    unsigned columns, rows;
    bool colours;
};

void top_engine_screen(const struct top_engine_picture *picture, struct buf *out);

#endif
