#include "admin/worker_cache.h"

#include <math.h>
#include <string.h>

_Static_assert(sizeof(struct worker_cache) <= QUEUE_COUNTS * sizeof(uint64_t),
               "a seat has room for a cache's figures");

void worker_cache_tell(const struct cache_stats *stats, uint64_t database_index,
                       uint64_t counts[static QUEUE_COUNTS])
{
    struct worker_cache cache = {
        .hits = stats->hits,
        .misses = stats->misses,
        .outdated = stats->outdated,
        .evicted = stats->evicted,
        .refused = stats->refused,
        .ghosts = stats->ghosts,
        .bytes = stats->bytes,
        .limit = stats->limit,
        .entries = stats->entries,
        .lag = cache_lag(stats, database_index),
        .behind_ns = stats->behind_ns,
    };
    memcpy(counts, &cache, sizeof cache);
}

void worker_cache_read(const struct queue_report *report, struct worker_cache *cache)
{
    memcpy(cache, report->counts, sizeof *cache);
}

double worker_cache_hit_ratio(const struct worker_cache *now, const struct worker_cache *before)
{
    uint64_t hits = now->hits > before->hits ? now->hits - before->hits : 0;
    uint64_t misses = now->misses > before->misses ? now->misses - before->misses : 0;
    return hits + misses > 0 ? (double)hits / (double)(hits + misses) : (double)NAN;
}
