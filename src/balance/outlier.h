/* Outlier: which servers are far slower than the others, or fail far more often. Pure.
 *
 * Each server is compared with the median of the others, over the last seconds, once a second: one
 * that is slow together with all the others is not slow, it has much to do, or the requests are
 * heavy. Of N servers at most half are named, and none of those with too few answers to tell. As
 * Envoy's outlier detection by success rate, but against the median, which one bad server of three
 * does not move, and with slowness beside failures.
 */
#ifndef STOA_BALANCE_OUTLIER_H
#define STOA_BALANCE_OUTLIER_H

#include <stdbool.h>
#include <stdint.h>

enum { OUTLIER_LEAST = 20 }; /* answers in the last seconds, to be judged */

/* A server: what its counters said last, and what came since, of which each second counts half as
 * much as the next. Zeroed at the beginning. */
struct outlier_server {
    bool known; /* the counters are from a look before */
    uint64_t answers_before, failures_before, lost_before;
    double tries, failures;
    uint64_t latency_ns;                /* 0: too few answers to tell */
    unsigned slow_looks, failing_looks; /* in a row */
};

/* A second has passed. The counters only grow: ANSWERS, of which FAILED were failures, and what was
 * LOST without one. LATENCY_NS: what an answer took lately, by a quantile; 0: nobody knows. */
void outlier_count(struct outlier_server *server, uint64_t answers, uint64_t failed, uint64_t lost,
                   uint64_t latency_ns);

/* Then: which of them are slow, and which fail, for the second time in a row; bits by place. NULL
 * in SERVERS: one that is not compared (it is out). */
struct outliers {
    uint64_t slow, failing;
};
struct outliers outlier_look(struct outlier_server *const *servers, unsigned count);

#endif
