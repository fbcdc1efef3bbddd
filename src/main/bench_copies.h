/* Bench copies: whether the three copies of a bench's shop are the same, and each agrees with
 * itself, once nobody changes anything any more. Blocks. Thread: main.
 */
#ifndef STOA_MAIN_BENCH_COPIES_H
#define STOA_MAIN_BENCH_COPIES_H

#include "main/bench_trio.h"

/* What an audit finds first, for its `tell`: stays in CONTEXT, a char[BENCH_FINDING] that begins
 * empty. */
enum { BENCH_FINDING = 300 };
void bench_finding_keep(void *context, const char *sentence);

/* "equal" into OUT, or where they differ, or what the first difference within one is. */
int bench_copies_judge(const struct trio *trio, char *out, size_t size, struct failure *failure);

#endif
