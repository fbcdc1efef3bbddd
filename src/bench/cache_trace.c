#include "bench/cache_trace.h"

#include "base/check.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

const struct cache_trace_kind cache_trace_kinds[] = {
    {"zipf 0.7", "by Zipf's law, exponent 0.7: many products are asked for now and then", 0.7, 0, 0,
     0, 0},
    {"zipf 0.9", "exponent 0.9", 0.9, 0, 0, 0, 0},
    {"zipf 1.1", "exponent 1.1: a few products make most requests", 1.1, 0, 0, 0, 0},
    {"once", "zipf 0.9, and every fourth request is for what nobody asks for again", 0.9, 250, 0, 0,
     0},
    {"crawler", "zipf 0.9, and every fourth request is a crawler's, through the whole catalogue",
     0.9, 0, 250, 0, 0},
    {"shifting", "zipf 0.9, and of what is popular a tenth changes every 50,000 requests", 0.9, 0,
     0, 50000, 0},
    {"selling", "zipf 0.9, and every fiftieth request finds its page outdated by a sale", 0.9, 0, 0,
     0, 20},
    {"all of it", "crawler, once, shifting and selling together", 0.9, 100, 150, 50000, 20},
};
const unsigned cache_trace_kind_count = COUNT_OF(cache_trace_kinds);

enum { POPULAR = CACHE_TRACE_OBJECTS / 20, MILLE = 1000 };

/* Measured in the demo shop: a product's page takes 10 KiB with its compressed form, long texts
 * more; its JSON 2 to 3 KiB. In steps, so that few sizes have to be made. */
static uint32_t size_of(struct random *random, uint32_t object)
{
    if (object % 2)
        return 1792 + 256 * (uint32_t)random_below(random, 6);
    uint32_t bytes = 7168 + 512 * (uint32_t)random_below(random, 10);
    return random_below(random, 16) ? bytes : bytes * 3;
}

struct making {
    const struct cache_trace_kind *kind;
    struct random random;
    double *up_to;     /* probability of a rank and all before it */
    uint32_t *by_rank; /* objects */
    uint32_t wonder, crawled, until_shift;
};

static void swap(uint32_t *one, uint32_t *other)
{
    uint32_t kept = *one;
    *one = *other;
    *other = kept;
}

static int begin(struct making *making, uint64_t seed)
{
    making->up_to = malloc(CACHE_TRACE_OBJECTS * sizeof *making->up_to);
    making->by_rank = malloc(CACHE_TRACE_OBJECTS * sizeof *making->by_rank);
    if (!making->up_to || !making->by_rank)
        return ERR_NOMEM;
    random_seed(&making->random, seed);
    double sum = 0;
    for (uint32_t i = 0; i < CACHE_TRACE_OBJECTS; i++) {
        sum += pow(i + 1, -making->kind->skew);
        making->up_to[i] = sum;
        uint32_t other = (uint32_t)random_below(&making->random, i + 1);
        making->by_rank[i] = i;
        swap(&making->by_rank[i], &making->by_rank[other]);
    }
    for (uint32_t i = 0; i < CACHE_TRACE_OBJECTS; i++)
        making->up_to[i] /= sum;
    making->wonder = CACHE_TRACE_OBJECTS;
    return 0;
}

static uint32_t pick_rank(struct making *making)
{
    double chance = random_unit(&making->random);
    uint32_t low = 0, high = CACHE_TRACE_OBJECTS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (making->up_to[middle] <= chance)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A tenth of the popular ones changes places with any. */
static void shift(struct making *making)
{
    for (unsigned i = 0; i < POPULAR / 10; i++) {
        uint64_t from = random_below(&making->random, POPULAR);
        uint64_t to = random_below(&making->random, CACHE_TRACE_OBJECTS);
        swap(&making->by_rank[from], &making->by_rank[to]);
    }
}

static uint32_t next(struct making *making)
{
    const struct cache_trace_kind *kind = making->kind;
    unsigned chance = (unsigned)random_below(&making->random, MILLE);
    if (kind->shift && making->until_shift++ == kind->shift) {
        making->until_shift = 0;
        shift(making);
    }
    if (chance < kind->wonders)
        return making->wonder++;
    if (chance < kind->wonders + kind->crawl)
        return making->crawled++ % CACHE_TRACE_OBJECTS;
    uint32_t object = making->by_rank[pick_rank(making)];
    return random_below(&making->random, MILLE) < kind->changing ? object | CACHE_TRACE_CHANGED
                                                                 : object;
}

static int fill(struct making *making, size_t requests, struct cache_trace *trace)
{
    trace->requests = malloc(requests * sizeof *trace->requests);
    if (!trace->requests)
        return ERR_NOMEM;
    trace->count = requests;
    for (size_t i = 0; i < requests; i++)
        trace->requests[i] = next(making);
    trace->objects = making->wonder;
    trace->bytes = malloc(trace->objects * sizeof *trace->bytes);
    if (!trace->bytes)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < trace->objects; i++) {
        trace->bytes[i] = size_of(&making->random, i);
        trace->catalogue_bytes += i < CACHE_TRACE_OBJECTS ? trace->bytes[i] : 0;
    }
    return 0;
}

int cache_trace_make(const struct cache_trace_kind *kind, size_t requests, uint64_t seed,
                     struct cache_trace *trace, struct failure *failure)
{
    struct making making = {.kind = kind};
    *trace = (struct cache_trace){0};
    int err = begin(&making, seed);
    err = err ? err : fill(&making, requests, trace);
    free(making.up_to);
    free(making.by_rank);
    if (err)
        cache_trace_free(trace);
    return err ? fail(failure, err, "no memory for %zu requests", requests) : 0;
}

void cache_trace_free(struct cache_trace *trace)
{
    free(trace->requests);
    free(trace->bytes);
    *trace = (struct cache_trace){0};
}
