/* Bench process: this program once more, as a child of a bench: a server, or a load manager. Its
 * log goes to a file; its standard output says when it is ready. Thread: one at a time for each.
 */
#ifndef STOA_MAIN_BENCH_PROCESS_H
#define STOA_MAIN_BENCH_PROCESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bench_process {
    pid_t pid;  /* 0: does not run */
    int output; /* its standard output; -1: none */
};

enum { BENCH_PROCESS_WORDS = 127 };

/* WORDS: "serve", "--dir", …, NULL; at most BENCH_PROCESS_WORDS. Does not wait for it. It dies with
 * this process, not with the thread that starts it. */
int bench_process_start(struct bench_process *process, const char *const *words, const char *log,
                        struct failure *failure);
/* Waits until it prints a line that begins with READY. NAME is what a message calls it. */
int bench_process_wait(struct bench_process *process, const char *ready, unsigned timeout_ms,
                       const char *name, struct failure *failure);
/* kill -9, and waits for its end; harmless when it does not run. */
void bench_process_kill(struct bench_process *process);
/* SIGTERM, and waits for its end. ERR_STATE: it did not end well; ERR_TIMEOUT: nor in time, and was
 * killed. */
int bench_process_end(struct bench_process *process, unsigned timeout_ms, const char *name,
                      struct failure *failure);
/* SIGSTOP, or SIGCONT. */
int bench_process_hang(const struct bench_process *process, bool hangs, const char *name,
                       struct failure *failure);
/* What it has used of processors so far; 0: does not run. */
uint64_t bench_process_used_ns(const struct bench_process *process);

#endif
