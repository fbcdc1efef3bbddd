/* Residency: the threads that bring pieces of files into memory, so that a loop never waits for a
 * disk.
 *
 * The connection core reads a file's bytes only as far as they are in memory (http_host.fetch);
 * its exchange then stands in line here until a thread has read the next FETCH_BYTES, which go
 * nowhere: it is the kernel's page cache that keeps them. Afterwards exchange_wake.
 *
 *   SENDING --not in memory--> in line --a thread is free--> being read --exchange_wake--> SENDING
 *                                |                                              ^
 *                                +-- its client has gone, or all is abandoned --+
 *
 * The line is first in, first out, and bounded by the connections: an exchange stands in it once,
 * by x->next. Each has a piece at a time, so that a long file does not hold up a short one. These
 * threads are not the ones that run work(): a piece of a file does not wait for a computation.
 *
 * Why threads that read, and not the kernel's own asynchronous ways: Flash (engine/amped.h) had
 * none; today's are Linux's alone (io_uring), and often forbidden in containers.
 */
#ifndef STOA_ENGINE_RESIDENCY_H
#define STOA_ENGINE_RESIDENCY_H

#include "base/err.h"
#include "http/exchange.h"

#include <stdatomic.h>
#include <stdint.h>

struct residency;

/* Starts THREADS of them. NULL with FAILURE. */
struct residency *residency_new(unsigned threads, struct failure *failure);

/* What its threads do, for who has threads of its own: reads X's next FETCH_BYTES, which go
 * nowhere, unless X's client goes or ABANDONED (may be NULL) becomes true meanwhile. May block. */
void residency_read(const struct exchange *x, const atomic_bool *abandoned);

/* X's thread. Until exchange_wake X's file, file_offset and next are not to be touched. */
void residency_fetch(struct residency *residency, struct exchange *x);

/* Any thread. How many are in line; how many have been in it in all. */
uint64_t residency_waiting(const struct residency *residency);
uint64_t residency_fetched(const struct residency *residency);

/* Any thread. What is in line comes back without having been read. */
void residency_abandon(struct residency *residency);

/* Waits for what is being read, ends the threads. Nothing is in line any more. NULL is fine. */
void residency_free(struct residency *residency);

#endif
