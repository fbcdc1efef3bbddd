/* Thread control: how many threads a stage has. Pure.
 *
 * Looked at every CONTROL_THREADS_NS: with more than CONTROL_THREADS_QUEUE waiting it gets one
 * more, up to its bound; a thread that had nothing to do for CONTROL_THREADS_IDLE_NS leaves (Welsh,
 * Culler and Brewer, SEDA, SOSP 2001, 4.2: every 2 s, up to 20, idle for 5 s). One leaves in an
 * interval at most, each at a moment of its own, so that a pause does not end with all threads to
 * be started anew.
 */
#ifndef STOA_ENGINE_CONTROL_THREADS_H
#define STOA_ENGINE_CONTROL_THREADS_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_THREADS_NS      (2 * SEC_NS)
#define CONTROL_THREADS_IDLE_NS (5 * SEC_NS)

enum { CONTROL_THREADS_QUEUE = 16 };

struct control_threads {
    unsigned least, most;
    uint64_t looked_ns; /* last time */
    uint64_t left_ns;   /* when one left; 0: none yet */
};

/* Whether one is to be started: of a stage with THREADS of them, and QUEUED that wait. Counts as a
 * look when it is time for one. */
bool control_threads_grow(struct control_threads *control, unsigned threads, uint64_t queued,
                          uint64_t now_ns);
/* Whether one that found nothing to do for its idle time may leave; counts as having left. */
bool control_threads_leave(struct control_threads *control, unsigned threads, uint64_t now_ns);
/* How long the next thread is to be idle, from a RANDOM number: a quarter more or less. */
uint64_t control_threads_idle_ns(uint64_t random);

#endif
