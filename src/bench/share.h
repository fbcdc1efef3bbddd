/* Share: three replicated servers against three processes over one directory, in one table. What
 * was measured comes from main/bench_share.c; here it is summed up and shown. Thread: any.
 */
#ifndef STOA_BENCH_SHARE_H
#define STOA_BENCH_SHARE_H

#include <stdint.h>
#include <stdio.h>

enum { SHARE_ROUNDS_MAX = 1000 };

/* One of the two. */
struct share_figures {
    double reads_s, carts_s, purchases_s; /* a second, at all three together */
    double memory_mib;                    /* proportional set sizes of all processes, after that */
    double cart_bytes;                    /* written to disks by all, for a change of a cart */
    double again_ms[SHARE_ROUNDS_MAX];    /* from each kill -9 to the next change that succeeded */
    unsigned rounds;
    uint64_t refused; /* changes, meanwhile */
};

struct share_times {
    double median_ms, worst_ms;
};
/* Sorts them. */
struct share_times share_times(struct share_figures *figures);

/* How many times OF is NUMBER; 0: it cannot be said. */
double share_ratio(double number, double of);

void share_print(struct share_figures *replicated, struct share_figures *shared, FILE *out);
void share_json(struct share_figures *replicated, struct share_figures *shared, FILE *out);

#endif
