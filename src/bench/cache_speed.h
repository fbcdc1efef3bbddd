/* Cache speed: what a look-up in the shop's cache takes (web/cache.h), and keeping a page, by one
 * thread and by several at once. Starts threads of its own; blocks.
 */
#ifndef STOA_BENCH_CACHE_SPEED_H
#define STOA_BENCH_CACHE_SPEED_H

#include "base/err.h"

#include <stdio.h>

/* ROUNDS of each, in turn; prints the median and the least, in nanoseconds of one thread. */
int cache_speed_print(unsigned threads, unsigned rounds, FILE *out, struct failure *failure);

#endif
