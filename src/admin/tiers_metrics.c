#include "admin/tiers.h"
#include "admin/tiers_table.h"

#define PREFIX "stoa_"

static void put_classes(struct buf *out, const struct tiers_view *view)
{
    for (const struct metric_row *row = tiers_rows_class; row->key || row->metric; row++) {
        if (!row->metric)
            continue;
        metric_put_head(out, PREFIX, row->metric, row->type, row->help);
        for (unsigned i = 0; i < SHARE_CLASSES; i++) {
            buf_printf(out, PREFIX "%s{class=\"%s\"}", row->metric, share_names[i]);
            metric_put_number(out, metric_value(row, &view->classes[i], true));
        }
    }
}

static void put_front_labels(struct buf *out, const char *metric, const struct tiers_member *member)
{
    buf_printf(out, PREFIX "%s{front=\"%u\",pid=\"%u\"", metric, member->number, member->pid);
    if (member->host[0])
        buf_printf(out, ",host=\"%s\"", member->host);
    buf_byte(out, '}');
}

static bool is_front(const struct tiers_member *member)
{
    return member->tier == FLEET_FRONT && member->threads > 0;
}

static void put_fronts(struct buf *out, const struct tiers_view *view)
{
    for (const struct metric_row *row = tiers_rows_front; row->key || row->metric; row++) {
        metric_put_head(out, PREFIX, row->metric, row->type, row->help);
        for (unsigned i = 0; i < view->count; i++) {
            if (!is_front(&view->members[i]))
                continue;
            put_front_labels(out, row->metric, &view->members[i]);
            metric_put_number(out, metric_value(row, &view->members[i].front, true));
        }
    }
    metric_put_head(out, PREFIX, "front_master", "gauge", "1 for the front that is the master.");
    for (unsigned i = 0; i < view->count; i++) {
        if (!is_front(&view->members[i]))
            continue;
        put_front_labels(out, "front_master", &view->members[i]);
        metric_put_number(out, view->members[i].master);
    }
}

static void put_caches(struct buf *out, const struct tiers_view *view)
{
    for (const struct metric_row *row = tiers_rows_cache; row->key || row->metric; row++) {
        metric_put_head(out, PREFIX, row->metric, row->type, row->help);
        for (unsigned i = 0; i < view->count; i++) {
            const struct tiers_member *member = &view->members[i];
            if (member->cache.limit == 0)
                continue;
            buf_printf(out, PREFIX "%s{worker=\"%u\",pid=\"%u\"}", row->metric, member->number,
                       member->pid);
            metric_put_number(out, metric_value(row, &member->cache, true));
        }
    }
}

/* The steps of a doubling are told as one: 24 buckets are enough for a diagram. */
static void put_waits(struct buf *out, const struct queue_stats *stats)
{
    static const char name[] = "queue_wait_seconds";
    unsigned long long sum = 0;
    metric_put_head(out, PREFIX, name, "histogram",
                    "How long requests had waited when a worker took them.");
    for (unsigned b = 0; b < QUEUE_WAIT_BUCKETS; b++) {
        sum += stats->waits[b];
        if (b % QUEUE_WAIT_STEPS == QUEUE_WAIT_STEPS - 1 && b + 1 < QUEUE_WAIT_BUCKETS)
            buf_printf(out, PREFIX "%s_bucket{le=\"%.9g\"} %llu\n", name,
                       (double)queue_wait_bound(b) / 1e9, sum);
    }
    buf_printf(out, PREFIX "%s_bucket{le=\"+Inf\"} %llu\n", name, sum);
    buf_printf(out, PREFIX "%s_sum %.9g\n", name, (double)stats->waited_ns / 1e9);
    buf_printf(out, PREFIX "%s_count %llu\n", name, sum);
}

static void put_sizes(struct buf *out, const struct tiers_view *view)
{
    static const struct {
        const char *name, *help, *busy, *busy_help;
    } tiers[FLEET_TIERS] = {
        [FLEET_WORKER] = {"tier_workers", "Workers, by state.", "worker_busy_ratio",
                          "How busy a worker is that is ready, on average: 0 to 1."},
        [FLEET_FRONT] = {"tier_fronts", "Fronts, by state.", "front_busy_ratio",
                         "The same of fronts' threads."},
    };
    for (unsigned i = 0; i < FLEET_TIERS; i++) {
        metric_put_head(out, PREFIX, tiers[i].name, "gauge", tiers[i].help);
        for (unsigned state = 0; state < TIERS_STATES; state++)
            buf_printf(out, PREFIX "%s{state=\"%s\"} %u\n", tiers[i].name,
                       tiers_state_name((enum tiers_state)state), view->sizes[i].in[state]);
        metric_put_head(out, PREFIX, tiers[i].busy, "gauge", tiers[i].busy_help);
        buf_printf(out, PREFIX "%s", tiers[i].busy);
        metric_put_number(out, (double)view->sizes[i].busy / 1e3);
    }
}

static void put_fleet(struct buf *out, const struct scale_board *board)
{
    for (const struct metric_row *row = tiers_rows_fleet; row->key || row->metric; row++) {
        metric_put_head(out, PREFIX, row->metric, row->type, row->help);
        for (unsigned i = 0; i < FLEET_TIERS; i++) {
            buf_printf(out, PREFIX "%s{tier=\"%s\"}", row->metric,
                       fleet_tier_name((enum fleet_tier)i));
            metric_put_number(out, metric_value(row, &board->tiers[i], true));
        }
    }
}

/* What a master has told, as long as it is there. */
static void put_scale(struct buf *out, const struct tiers_view *view)
{
    if (!view->fresh)
        return;
    metric_put_table(out, PREFIX, tiers_rows_wanted, &view->board);
    put_fleet(out, &view->board);
}

void tiers_write_metrics(struct buf *out, const struct tiers_view *view)
{
    metric_put_head(out, PREFIX, "build_info", "gauge", "The program's version.");
    buf_puts(out, PREFIX "build_info{version=\"" STOA_VERSION "\"} 1\n");
    put_classes(out, view);
    metric_put_table(out, PREFIX, tiers_rows_whole, view);
    put_waits(out, &view->look.stats);
    put_sizes(out, view);
    put_scale(out, view);
    put_fronts(out, view);
    put_caches(out, view);
}
