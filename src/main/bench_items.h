/* Bench items: products that a bench puts into the shop that it measures. Blocks. Thread: main. */
#ifndef STOA_MAIN_BENCH_ITEMS_H
#define STOA_MAIN_BENCH_ITEMS_H

#include "main/remote.h"

/* COUNT products with the handles NAMES, UNITS of each. */
int bench_items_make(const struct remote *remote, const char *const *names, unsigned count,
                     unsigned units, struct failure *failure);

#endif
