/* Bench items: products that a bench puts into the shop that it measures. Blocks. Thread: main. */
#ifndef STOA_MAIN_BENCH_ITEMS_H
#define STOA_MAIN_BENCH_ITEMS_H

#include "main/remote.h"

/* Handles: "bench-000000" and so on. */
struct bench_items {
    char (*texts)[24];
    const char **names;
    unsigned count;
};

/* COUNT handles. Closed by bench_items_close, also when it has failed. */
int bench_items_name(struct bench_items *items, unsigned count, struct failure *failure);
void bench_items_close(struct bench_items *items);

/* COUNT products with the handles NAMES, UNITS of each, beside those that the shop has. */
int bench_items_make(const struct remote *remote, const char *const *names, unsigned count,
                     unsigned units, struct failure *failure);

#endif
