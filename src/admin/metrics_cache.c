#include "admin/metrics_cache.h"

#include "base/check.h"
#include "base/clock.h"

struct row {
    const char *name, *type, *help;
    size_t offset; /* in struct cache_stats: uint64_t */
    bool seconds;  /* it is in nanoseconds */
};

#define AT(field) offsetof(struct cache_stats, field)

/* clang-format off */
static const struct row rows[] = {
    {"stoa_cache_hits_total", "counter", "Answers given from the response cache.", AT(hits), false},
    {"stoa_cache_misses_total", "counter", "Look-ups that found nothing, or what was outdated.", AT(misses), false},
    {"stoa_cache_outdated_total", "counter", "Entries given up because a change had outdated them.", AT(outdated), false},
    {"stoa_cache_evicted_total", "counter", "Entries given up for room.", AT(evicted), false},
    {"stoa_cache_refused_total", "counter", "Entries not kept: outdated already, or too big.", AT(refused), false},
    {"stoa_cache_ghost_hits_total", "counter", "Entries kept at once, as they had been given up lately.", AT(ghosts), false},
    {"stoa_cache_bytes", "gauge", "Bytes of the response cache, what it needs itself included.", AT(bytes), false},
    {"stoa_cache_limit_bytes", "gauge", "Most bytes that it may have (--cache).", AT(limit), false},
    {"stoa_cache_entries", "gauge", "Entries in the response cache.", AT(entries), false},
    {"stoa_cache_told_index", "gauge", "The log entry up to which the cache knows all changes.", AT(told), false},
    {"stoa_cache_behind_seconds", "gauge", "For how long what is given out now may have been outdated at most; 0: it is not.", AT(behind_ns), true},
    {"stoa_cache_behind_max_seconds", "gauge", "The longest such time since the process that writes began.", AT(behind_max_ns), true},
};
/* clang-format on */

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_row(struct buf *out, const struct row *row, const struct cache_stats *stats)
{
    uint64_t value;
    memcpy(&value, (const char *)stats + row->offset, sizeof value);
    put_head(out, row->name, row->type, row->help);
    if (row->seconds)
        buf_printf(out, "%s %.9g\n", row->name, (double)value / (double)SEC_NS);
    else
        buf_printf(out, "%s %llu\n", row->name, (unsigned long long)value);
}

static void put_lag(struct buf *out, const struct cache_stats *stats, uint64_t database_index)
{
    static const char name[] = "stoa_cache_lag_entries";
    put_head(out, name, "gauge",
             "Log entries in the database whose changes the cache does not know.");
    buf_printf(out, "%s %llu\n", name, (unsigned long long)cache_lag(stats, database_index));
}

static void put_ages(struct buf *out, const struct cache_stats *stats)
{
    static const char name[] = "stoa_cache_age_seconds";
    unsigned long long sum = 0;
    put_head(out, name, "histogram", "How long ago what is given out was made, of every 64th.");
    for (unsigned i = 0; i < CACHE_AGES; i++) {
        sum += stats->ages[i];
        buf_printf(out, "%s_bucket{le=\"%llu\"} %llu\n", name,
                   (unsigned long long)cache_age_bounds_s[i], sum);
    }
    sum += stats->ages[CACHE_AGES];
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9g\n%s_count %llu\n", name, sum, name,
               (double)stats->ages_sum_ns / (double)SEC_NS, name, sum);
}

void metrics_put_cache(struct buf *out, const struct cache_stats *stats, uint64_t database_index)
{
    for (unsigned i = 0; i < COUNT_OF(rows); i++)
        put_row(out, &rows[i], stats);
    put_lag(out, stats, database_index);
    put_ages(out, stats);
}
