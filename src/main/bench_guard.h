/* Bench guard: for a bench whose processes start others, which would outlive it (a follower front
 * takes over when its master is killed). When the bench is told to end (SIGINT, SIGTERM, SIGHUP) it
 * ends them first, in good order. Nothing helps when it is killed.
 *
 * Thread: one of its own, from the first call until the process ends. To be begun before any other
 * thread is started, so that no other takes the signals.
 */
#ifndef STOA_MAIN_BENCH_GUARD_H
#define STOA_MAIN_BENCH_GUARD_H

#include "base/err.h"

struct bench_guard {
    void (*end)(void *context); /* on the guard's thread, while the bench goes on; then it exits */
    void *context;
};

/* GUARD is lent for the rest of the process's life. */
int bench_guard_begin(const struct bench_guard *guard, struct failure *failure);

#endif
