/* Bench tiers: what the processes that a master front has started use. Thread: any; reads /proc.
 */
#ifndef STOA_MAIN_BENCH_TIERS_H
#define STOA_MAIN_BENCH_TIERS_H

#include "bench/tiers_run.h"

#include <sys/types.h>

/* Adds what the children of MASTER that run have used of processors so far. */
void bench_tiers_add_usage(pid_t master, struct tiers_usage *usage);

#endif
