/* Healthy: whether the three servers of a bench's cluster are all up and agree, as they themselves
 * say. Blocks. Thread: the caller's.
 */
#ifndef STOA_BENCH_HEALTHY_H
#define STOA_BENCH_HEALTHY_H

#include "base/err.h"
#include "bench/ask.h"

#include <stdint.h>

enum { HEALTHY_SERVERS = 3 };

/* Waits until every server sees all of them up, caught up (but for LAG entries), and the same
 * primary. OPERATORS: one for each server, with the operator's token; *PRIMARY: from 0. */
int healthy_wait(struct ask *const operators[HEALTHY_SERVERS], uint64_t lag, unsigned *primary,
                 struct failure *failure);

#endif
