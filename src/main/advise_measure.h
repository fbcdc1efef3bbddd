/* Advise measure: what `stoa advise` need not be told, asked of servers and load managers that run.
 *
 * Each is looked at twice: a server's /metrics for its processor time, its requests by kind and its
 * log's writes, a load manager's /balance.json for its requests and the ways to its servers. Out of
 * both, what the file leaves open is filled in; what it says stays. Blocks for as long as is
 * wanted between the looks. Thread: main.
 */
#ifndef STOA_MAIN_ADVISE_MEASURE_H
#define STOA_MAIN_ADVISE_MEASURE_H

#include "base/buf.h"
#include "main/advise_file.h"

#include <stdint.h>

/* Counters and gauges of one look at a server or load manager. */
struct advise_figures {
    bool door;             /* a load manager's: `all` alone counts */
    double all;            /* requests, operators' and all */
    double cached, worked; /* of these: from the cache; pages and the API */
    double changes;        /* commands that handlers have submitted */
    double processor_s;
    struct advise_time durable;
};

/* What a server's /metrics say. Pure. False: it is no such text. */
bool advise_figures_read(struct str metrics, struct advise_figures *figures);

/* Fills what FILE leaves open from its sources' figures BEFORE and AFTER, SECONDS apart; appends
 * lines about it to NOTES. Pure. */
int advise_measure_fill(struct advise_file *file, const struct advise_figures *before,
                        const struct advise_figures *after, double seconds, struct buf *notes,
                        struct failure *failure);

/* Both, with PAUSE_MS between the looks. Without sources nothing is done. */
int advise_measure(struct advise_file *file, uint64_t pause_ms, struct buf *notes,
                   struct failure *failure);

#endif
