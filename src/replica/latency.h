/* Latency: the last 1024 durations of something, for quantiles. One thread records,
 * any thread asks.
 */
#ifndef STOA_REPLICA_LATENCY_H
#define STOA_REPLICA_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

enum { LATENCY_KEPT = 1024 };

struct latency {
    atomic_uint_fast64_t recorded;
    atomic_uint_fast32_t us[LATENCY_KEPT]; /* microseconds, newest overwrites oldest */
};

void latency_record(struct latency *latency, uint64_t ns);
/* The 50th and 99th percentile in nanoseconds; 0 when nothing was recorded. */
void latency_quantiles(const struct latency *latency, uint64_t *p50_ns, uint64_t *p99_ns);

#endif
