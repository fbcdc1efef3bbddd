/* Bench front: a load manager in front of a bench's servers, a process of its own. It names the
 * server in each answer, and believes what anybody on this machine says of the client's address: so
 * one generator is many clients. Thread: main.
 */
#ifndef STOA_MAIN_BENCH_FRONT_H
#define STOA_MAIN_BENCH_FRONT_H

#include "main/bench_process.h"

struct bench_front {
    struct bench_process process;
    char listen[64]; /* the same at each start */
    char url[80];
};

enum { BENCH_FRONT_WORDS = BENCH_PROCESS_WORDS - 6 };

/* Chooses its address. */
int bench_front_place(struct bench_front *front, struct failure *failure);
/* Starts it and waits until it is ready. MORE: words for `stoa balance`, to NULL, at most
 * BENCH_FRONT_WORDS. Its log is balance-NUMBER.log (from 1 for WHICH 0) in DIR. */
int bench_front_start(struct bench_front *front, unsigned which, const char *dir,
                      const char *const *more, struct failure *failure);

#endif
