/* Cache contest: eviction policies on the same requests with the same room, and how many each
 * finds.
 *
 * A policy is a struct of functions; the runner asks `get`, and when that finds nothing tells
 * `put`, as a page that was not there is made and kept. Each file cache_policy_NAME.c has one or a
 * few. S3-FIFO is the shop's own (web/eviction.h), and "whole" is the shop's cache as it is
 * (web/cache.h), with its stripes and what it spends on itself; the others are here to compare
 * with. Single thread.
 */
#ifndef STOA_BENCH_CACHE_CONTEST_H
#define STOA_BENCH_CACHE_CONTEST_H

#include "bench/cache_trace.h"

#include <stdbool.h>
#include <stdio.h>

struct cache_policy {
    const char *name;
    /* ROOM in bytes; TRACE is lent until free. NULL: no memory. */
    void *(*new)(size_t room, const struct cache_trace *trace);
    void (*free)(void *state); /* NULL is fine */
    bool (*get)(void *state, uint32_t object);
    void (*put)(void *state, uint32_t object);     /* which is not there */
    void (*outdate)(void *state, uint32_t object); /* what get finds of it is wrong from now on */
};

extern const struct cache_policy cache_policy_lru, cache_policy_clock, cache_policy_sieve;
extern const struct cache_policy cache_policy_tinylfu, cache_policy_s3fifo, cache_policy_whole;

extern const struct cache_policy *const cache_policies[]; /* ends with NULL */

/* Requests of TRACE that found what they asked for, after the first fifth, which only fills.
 * *ASKED: of how many. */
int cache_contest_run(const struct cache_policy *policy, size_t room,
                      const struct cache_trace *trace, uint64_t *hits, uint64_t *asked,
                      struct failure *failure);

/* All policies on all traces, as a table in Markdown: per cents found, and what they took. */
int cache_contest_print(size_t requests, uint64_t seed, FILE *out, struct failure *failure);

#endif
