/* Disk: how many durable writes a second a directory's disk takes, one after the other.
 * What a log that waits for each write cannot pass. Thread: the caller's; blocks.
 */
#ifndef STOA_BENCH_DISK_H
#define STOA_BENCH_DISK_H

#include "base/err.h"
#include "bench/histogram.h"

/* Writes 4 KiB blocks to a file in DIR (removed afterwards), each with fdatasync, for
 * about SECONDS; LATENCY has the time of each. */
int disk_measure(const char *dir, double seconds, struct histogram *latency,
                 struct failure *failure);

#endif
