/* Reporter: the thread that tells the shop what happened at a warehouse (warehouse_reports.h says
 * what), at least once and in order; and what is known of how that goes.
 *
 *   POST {shop}/api/warehouse/{id}/reports, up to 100 at once
 *     200 {"sequence": N}                          they are taken up to N
 *     409 {"error": "gap", "expected": N}          go back to N
 *     4xx {"error": "refused", "sequence": N, …}   people decide; the others wait
 *     anything else                                again later, at another address of the shop
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_REPORTER_H
#define STOA_OUTSIDE_WAREHOUSE_REPORTER_H

#include "outside/warehouse_server.h"
#include "outside/writer.h"

struct warehouse_reporter;

/* CONFIG and WRITER are lent. */
int warehouse_reporter_start(const struct warehouse_config *config, struct writer *writer,
                             struct warehouse_reporter **reporter, struct failure *failure);
void warehouse_reporter_stop(struct warehouse_reporter *reporter); /* NULL is fine */
/* Any thread: there may be something to tell. */
void warehouse_reporter_wake(struct warehouse_reporter *reporter);

struct reporter_state {
    bool well;                 /* the last attempt went well, or there was none */
    char trouble[240];         /* what is wrong, for people */
    int64_t tried_ms, well_ms; /* wall clock; 0: never */
};
void warehouse_reporter_look(struct warehouse_reporter *reporter, struct reporter_state *state);

#endif
