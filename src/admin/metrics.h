/* Metrics: all figures of a server in Prometheus' text format 0.0.4, from one table.
 *
 * Called by web/ for GET /metrics. Any thread; looks are made one after the other.
 */
#ifndef STOA_ADMIN_METRICS_H
#define STOA_ADMIN_METRICS_H

#include "admin/watched.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/process.h"
#include "shop/read.h"
#include "web/cache.h"

struct metrics;

/* WATCHED is lent until metrics_free. */
int metrics_new(const struct watched *watched, struct metrics **metrics, struct failure *failure);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* Appends the text. CONTEXT is a struct metrics. */
void metrics_write(void *context, struct buf *out);

/* ---- The pure part ---- */

/* One look at everything. */
struct figures {
    struct engine_stats engine;
    struct cache_stats cache;
    struct order_status_report order;
    struct buy_report buying;
    struct bank_report bank; /* all 0: it tells nothing */
    struct outbox_report outbox;
    int64_t now_ms; /* by the wall clock */
    struct shop_counts shop;
    struct process_figures process;
    struct web_stats web;
    struct cluster_status cluster; /* count 0: alone */
};

void metrics_format(struct buf *out, const struct figures *figures);

#endif
