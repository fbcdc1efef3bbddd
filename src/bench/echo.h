/* Echo: how long this machine itself makes a thread wait, while something else is measured on it: a
 * byte goes to another thread and back, every 5 ms. Nothing is done there, so that what it takes is
 * waiting for a processor, which everything that goes from process to process has to do at every
 * step. With it one can tell a wait that a server causes from one that the machine does.
 *
 * Thread: the caller's; two of its own between echo_start and echo_stop, after which alone the
 * records may be read.
 */
#ifndef STOA_BENCH_ECHO_H
#define STOA_BENCH_ECHO_H

#include "base/err.h"
#include "bench/histogram.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct echo_record {
    uint64_t at_ns; /* CLOCK_MONOTONIC */
    uint64_t took_ns;
};

struct echo {
    pthread_t asker, answerer;
    int ends[2];
    atomic_bool stop;
    struct histogram latency;
    struct echo_record *records; /* NULL: not started */
    unsigned count;              /* after 80 minutes no more are kept */
};

int echo_start(struct echo *echo, struct failure *failure);
/* Also when it was not started. */
void echo_stop(struct echo *echo);
void echo_close(struct echo *echo);

/* The longest of those under way at some moment from BEGIN_NS to END_NS; 0: there is none. */
uint64_t echo_worst_ns(const struct echo *echo, uint64_t begin_ns, uint64_t end_ns);

#endif
