/* Cache trace: made-up requests for a shop's pages, to hold eviction policies against.
 *
 * Half of the objects are products' pages, half their JSON, with the sizes that those have in
 * memory. The same seed gives the same trace everywhere. Used by bench/cache_contest.c and by
 * tests. Thread: the caller's.
 */
#ifndef STOA_BENCH_CACHE_TRACE_H
#define STOA_BENCH_CACHE_TRACE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct cache_trace_kind {
    const char *name, *about;
    double skew;       /* Zipf's exponent */
    unsigned wonders;  /* per mille of requests: for what is never asked for again */
    unsigned crawl;    /* the same: a crawler's, through all objects in order, again and again */
    unsigned shift;    /* requests until a tenth of the popular ones has given way to others */
    unsigned changing; /* per mille: a sale, which outdates what is asked for next */
};
extern const struct cache_trace_kind cache_trace_kinds[];
extern const unsigned cache_trace_kind_count;

enum { CACHE_TRACE_OBJECTS = 20000 }; /* that are asked for more than once */

/* In a request: the object has changed since it was asked for last. */
#define CACHE_TRACE_CHANGED (1u << 31)

struct cache_trace {
    uint32_t *requests; /* objects, or'ed with the above */
    size_t count;
    uint32_t *bytes; /* of each object */
    uint32_t objects;
    uint64_t catalogue_bytes; /* of those that are asked for more than once */
};

int cache_trace_make(const struct cache_trace_kind *kind, size_t requests, uint64_t seed,
                     struct cache_trace *trace, struct failure *failure);
void cache_trace_free(struct cache_trace *trace);

#endif
