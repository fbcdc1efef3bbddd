#include "balance/view.h"
#include "balance/view_table.h"

#define PREFIX "stoa_balance_"

static void put_server_labels(struct buf *out, const struct view_backend *server)
{
    buf_printf(out, "server=\"%llu\",name=\"", (unsigned long long)server->id);
    metric_put_label(out, server->name);
    buf_byte(out, '"');
}

static void put_servers(struct buf *out, const struct balance_view *view)
{
    for (const struct metric_row *row = view_rows_server; row->key || row->metric; row++) {
        if (!row->metric)
            continue;
        metric_put_head(out, PREFIX, row->metric, row->type, row->help);
        for (unsigned i = 0; i < view->count; i++) {
            buf_printf(out, PREFIX "%s{", row->metric);
            put_server_labels(out, &view->at[i]);
            buf_byte(out, '}');
            metric_put_number(out, metric_value(row, &view->at[i], true));
        }
    }
}

static void put_loops(struct buf *out, const struct balance_view *view)
{
    for (const struct metric_row *row = view_rows_loop; row->key || row->metric; row++) {
        if (!row->metric)
            continue;
        metric_put_head(out, PREFIX, row->metric, row->type, row->help);
        for (unsigned i = 0; i < view->loop_count; i++) {
            buf_printf(out, PREFIX "%s{loop=\"%u\"}", row->metric, i);
            metric_put_number(out, metric_value(row, &view->loops[i], true));
        }
    }
}

/* One row for each state, of which one is 1: as is usual for states. */
static void put_states(struct buf *out, const struct balance_view *view)
{
    metric_put_head(out, PREFIX, "server_state", "gauge", "1 for the state that the server is in.");
    for (unsigned i = 0; i < view->count; i++) {
        for (unsigned state = HEALTH_UP; state <= HEALTH_DRAINING; state++) {
            buf_puts(out, PREFIX "server_state{");
            put_server_labels(out, &view->at[i]);
            buf_printf(out, ",state=\"%s\"} %d\n", health_name((enum health_state)state),
                       view->at[i].state == state);
        }
    }
}

/* The cells of a doubling are told as one: 23 buckets are enough for a diagram. SERVER may be
 * NULL: of all. */
static void put_histogram(struct buf *out, const char *metric, const struct view_backend *server,
                          const struct latency_look *look)
{
    uint64_t sum = 0;
    for (unsigned cell = 0; cell < LATENCY_CELLS; cell++) {
        sum += look->cells[cell];
        bool last = cell == LATENCY_CELLS - 1;
        if (!last && cell % LATENCY_STEPS != 0)
            continue;
        buf_printf(out, PREFIX "%s_bucket{", metric);
        if (server) {
            put_server_labels(out, server);
            buf_byte(out, ',');
        }
        if (last)
            buf_printf(out, "le=\"+Inf\"} %llu\n", (unsigned long long)sum);
        else
            buf_printf(out, "le=\"%.9g\"} %llu\n", (double)latency_cell_end(cell) / 1e9,
                       (unsigned long long)sum);
    }
    const char *ends[] = {"sum", "count"};
    for (unsigned i = 0; i < 2; i++) {
        buf_printf(out, PREFIX "%s_%s", metric, ends[i]);
        if (server) {
            buf_byte(out, '{');
            put_server_labels(out, server);
            buf_byte(out, '}');
        }
        metric_put_number(out, i ? (double)sum : (double)look->sum_ns / 1e9);
    }
}

void view_write_metrics(struct buf *out, const struct balance_view *view)
{
    metric_put_head(out, PREFIX, "build_info", "gauge",
                    "The program's version, its policy and its mode.");
    buf_puts(out, PREFIX "build_info{version=\"" STOA_VERSION "\",policy=\"");
    metric_put_label(out, view->policy ? view->policy : "");
    buf_printf(out, "\",mode=\"%s\"} 1\n", view->mode == BALANCE_DIRECT ? "direct" : "proxy");
    metric_put_table(out, PREFIX, view_rows_whole, view);
    put_states(out, view);
    put_servers(out, view);
    put_loops(out, view);
    metric_put_head(out, PREFIX, "request_seconds", "histogram",
                    "From a request's head to its answer's, with waiting and retries.");
    put_histogram(out, "request_seconds", NULL, &view->totals.latency);
    metric_put_head(out, PREFIX, "server_request_seconds", "histogram",
                    "From sending a request to a server to the head of its answer.");
    for (unsigned i = 0; i < view->count; i++)
        put_histogram(out, "server_request_seconds", &view->at[i], &view->at[i].latency);
}
