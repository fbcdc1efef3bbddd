#include "admin/metrics.h"

#include "admin/metrics_cache.h"
#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum form {
    COUNT,   /* uint64_t, as it is */
    SECONDS, /* uint64_t nanoseconds, shown as seconds */
    TRUTH,   /* bool, shown as 0 or 1 */
    MILLIS,  /* uint64_t milliseconds, shown as seconds */
    TIME,    /* int64_t milliseconds since 1970, shown as seconds */
};

struct row {
    const char *name, *type, *help;
    enum form form;
    size_t offset; /* in struct figures */
};

#define AT(field) offsetof(struct figures, field)

/* clang-format off */
static const struct row rows[] = {
    {"stoa_connections_accepted_total", "counter", "Connections accepted.", COUNT, AT(engine.accepted)},
    {"stoa_connections_open", "gauge", "Connections open now.", COUNT, AT(engine.open)},
    {"stoa_requests_total", "counter", "Requests whose head was complete.", COUNT, AT(engine.requests)},
    {"stoa_requests_refused_total", "counter", "Requests answered 503 for want of helpers or room.", COUNT, AT(engine.refused)},
    {"stoa_requests_bad_total", "counter", "Requests refused as malformed.", COUNT, AT(engine.bad_requests)},
    {"stoa_requests_timed_out_total", "counter", "Requests cut off by a deadline.", COUNT, AT(engine.timeouts)},
    {"stoa_received_bytes_total", "counter", "Bytes received from clients.", COUNT, AT(engine.bytes_in)},
    {"stoa_sent_bytes_total", "counter", "Bytes sent to clients.", COUNT, AT(engine.bytes_out)},
    {"stoa_processes", "gauge", "Engine fork: clients' processes.", COUNT, AT(engine.processes)},
    {"stoa_processes_crashed_total", "counter", "Engine fork: clients' processes that did not end by themselves.", COUNT, AT(engine.crashed)},
    {"stoa_helpers_waiting", "gauge", "Requests waiting for a helper thread.", COUNT, AT(engine.helper_waiting)},
    {"stoa_disk_reads_total", "counter", "Pieces of files that were not in memory (engine amped).", COUNT, AT(engine.disk_reads)},
    {"stoa_disk_waiting", "gauge", "Answers that wait until such a piece is read.", COUNT, AT(engine.disk_waiting)},
    {"stoa_workers", "gauge", "Threads that take turns (engine pool).", COUNT, AT(engine.workers)},
    {"stoa_workers_waited_for", "gauge", "Connections that wait for one of these.", COUNT, AT(engine.queued)},

    {"stoa_log_primary", "gauge", "1 when this server is primary.", TRUTH, AT(order.primary)},
    {"stoa_log_term", "gauge", "Raft's term.", COUNT, AT(order.term)},
    {"stoa_log_last_index", "gauge", "The log's last entry.", COUNT, AT(order.last_index)},
    {"stoa_log_applied_index", "gauge", "The last entry applied and committed here.", COUNT, AT(order.applied_index)},
    {"stoa_log_applied_time_seconds", "gauge", "Log time of the last entry applied.", TIME, AT(order.applied_time_ms)},
    {"stoa_log_waiting", "gauge", "Commands submitted and not answered.", COUNT, AT(order.waiting)},
    {"stoa_log_waiting_limit", "gauge", "How many may wait at the present rate; above it 503.", COUNT, AT(order.waiting_limit)},
    {"stoa_log_refused_total", "counter", "Commands refused because more waited.", COUNT, AT(order.refused)},
    {"stoa_log_entries_total", "counter", "Entries appended since the start.", COUNT, AT(order.entries)},
    {"stoa_log_commands_total", "counter", "Commands in these entries.", COUNT, AT(order.commands)},
    {"stoa_log_bytes_total", "counter", "Bytes of these entries.", COUNT, AT(order.bytes)},
    {"stoa_log_loop_max_seconds", "gauge", "Longest turn of Raft's loop in the last minute or two.", SECONDS, AT(order.loop_max_ns)},
    {"stoa_log_loop_cpu_max_seconds", "gauge", "The same, counting only when it had a processor.", SECONDS, AT(order.loop_cpu_max_ns)},
    {"stoa_log_append_p50_seconds", "gauge", "Median of recent durable log writes.", SECONDS, AT(order.append_ns_p50)},
    {"stoa_log_append_p99_seconds", "gauge", "99th percentile of recent durable log writes.", SECONDS, AT(order.append_ns_p99)},
    {"stoa_log_ready", "gauge", "1 when a primary can be reached and this copy has caught up.", TRUTH, AT(order.ready)},
    {"stoa_log_primaries_total", "counter", "How often a server became primary.", COUNT, AT(order.primaries)},
    {"stoa_log_lag_entries", "gauge", "Entries that this copy is behind the primary.", COUNT, AT(order.lag_entries)},
    {"stoa_log_lag_seconds", "gauge", "Time that this copy is behind the primary.", MILLIS, AT(order.lag_ms)},
    {"stoa_log_staleness_p50_seconds", "gauge", "Median of recent entries' age when this copy had them, by the primary's clock.", SECONDS, AT(order.staleness_ns_p50)},
    {"stoa_log_staleness_p99_seconds", "gauge", "99th percentile of the same.", SECONDS, AT(order.staleness_ns_p99)},
    {"stoa_log_forwarded_total", "counter", "Commands sent to the primary.", COUNT, AT(order.forwarded)},
    {"stoa_log_resent_total", "counter", "Commands sent again, mostly to another primary.", COUNT, AT(order.resent)},
    {"stoa_log_replicated_bytes_total", "counter", "Bytes of the log and its heartbeats sent to other servers.", COUNT, AT(order.sent_bytes)},

    {"stoa_purchases_open", "gauge", "Purchases on their way.", COUNT, AT(buying.open)},
    {"stoa_purchases_paid_total", "counter", "Purchases paid.", COUNT, AT(buying.paid)},
    {"stoa_purchases_refused_total", "counter", "Purchases that the bank refused.", COUNT, AT(buying.refused)},
    {"stoa_purchases_undecided_total", "counter", "Purchases left for the primary to settle.", COUNT, AT(buying.undecided)},
    {"stoa_purchases_failed_total", "counter", "Purchases that the shop refused.", COUNT, AT(buying.failed)},

    {"stoa_bank_open", "gauge", "Calls of the bank on their way.", COUNT, AT(bank.open)},
    {"stoa_bank_requests_total", "counter", "Requests sent to the bank.", COUNT, AT(bank.requests)},
    {"stoa_bank_retries_total", "counter", "Of these, the same once more, as the answer before said nothing.", COUNT, AT(bank.retries)},

    {"stoa_outbox_sending", "gauge", "1 when this server sends what is in the outbox.", TRUTH, AT(outbox.sending)},
    {"stoa_outbox_refused_fences_total", "counter", "What was refused outside as a deposed primary's.", COUNT, AT(outbox.refused_fences)},

    {"stoa_products", "gauge", "Products.", COUNT, AT(shop.products)},
    {"stoa_variants", "gauge", "Variants.", COUNT, AT(shop.variants)},
    {"stoa_carts", "gauge", "Carts.", COUNT, AT(shop.carts)},
    {"stoa_checkouts", "gauge", "Checkouts.", COUNT, AT(shop.checkouts)},
    {"stoa_orders", "gauge", "Orders.", COUNT, AT(shop.orders)},
    {"stoa_units_held", "gauge", "Units held by checkouts that are being paid.", COUNT, AT(shop.held_units)},
    {"stoa_units_sold", "gauge", "Units sold.", COUNT, AT(shop.sold_units)},
    {"stoa_database_bytes", "gauge", "Size of the database.", COUNT, AT(shop.database_bytes)},
    {"stoa_database_wal_bytes", "gauge", "Size of the database's write-ahead log.", COUNT, AT(shop.wal_bytes)},

    {"stoa_handled_total", "counter", "Requests that reached a handler.", COUNT, AT(web.pages)},
    {"stoa_commands_submitted_total", "counter", "Commands and purchases submitted by handlers.", COUNT, AT(web.commands)},
    {"stoa_gate_waits_total", "counter", "Requests that waited for this copy to have what they have seen.", COUNT, AT(web.gate_waits)},
    {"stoa_gate_barriers_total", "counter", "Reads without a session token, which asked the primary how far it is.", COUNT, AT(web.gate_barriers)},
    {"stoa_relayed_total", "counter", "Requests sent on to the primary, this copy being too far behind.", COUNT, AT(web.relayed)},
    {"stoa_commands_failed_total", "counter", "Of these, those whose fate stayed unknown or that did not happen.", COUNT, AT(web.commands_failed)},

    {"process_resident_memory_bytes", "gauge", "Resident memory.", COUNT, AT(process.resident_bytes)},
    {"process_cpu_seconds_total", "counter", "Processor time used, user and system.", SECONDS, AT(process.cpu_ns)},
    {"process_open_fds", "gauge", "Open file descriptors.", COUNT, AT(process.open_fds)},
    {"process_max_fds", "gauge", "Most file descriptors.", COUNT, AT(process.max_fds)},
    {"process_start_time_seconds", "gauge", "Start of the process, since 1970.", COUNT, AT(process.start_s)},
};
/* clang-format on */

/* ---- Format ---- */

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_row(struct buf *out, const struct row *row, const struct figures *figures)
{
    const char *field = (const char *)figures + row->offset;
    uint64_t count = 0;
    int64_t time;
    bool truth;
    put_head(out, row->name, row->type, row->help);
    buf_printf(out, "%s ", row->name);
    switch (row->form) {
    case COUNT:
        memcpy(&count, field, sizeof count);
        buf_u64(out, count);
        break;
    case SECONDS:
        memcpy(&count, field, sizeof count);
        buf_printf(out, "%.9g", (double)count / 1e9);
        break;
    case MILLIS:
        memcpy(&count, field, sizeof count);
        buf_printf(out, "%.3f", (double)count / 1e3);
        break;
    case TRUTH:
        memcpy(&truth, field, sizeof truth);
        buf_u64(out, truth);
        break;
    case TIME:
        memcpy(&time, field, sizeof time);
        buf_printf(out, "%.3f", (double)time / 1e3);
        break;
    }
    buf_byte(out, '\n');
}

static void put_statuses(struct buf *out, const struct web_stats *web)
{
    static const char name[] = "stoa_http_requests_total";
    put_head(out, name, "counter", "Answers by kind of request and class of status.");
    for (unsigned i = 0; i < WEB_CLASS_COUNT; i++)
        for (unsigned status = 0; status < 5; status++)
            if (web->traffic[i].by_status[status])
                buf_printf(out, "%s{class=\"%s\",status=\"%uxx\"} %llu\n", name, web_class_names[i],
                           status + 1, (unsigned long long)web->traffic[i].by_status[status]);
}

static void put_latencies(struct buf *out, const struct web_stats *web)
{
    static const char name[] = "stoa_http_request_seconds";
    put_head(out, name, "histogram", "From the complete head to the end of the answer.");
    for (unsigned i = 0; i < WEB_CLASS_COUNT; i++) {
        const struct web_traffic *traffic = &web->traffic[i];
        unsigned long long sum = 0;
        for (unsigned bucket = 0; bucket <= WEB_LATENCY_BUCKETS; bucket++) {
            char bound[32] = "+Inf";
            if (bucket < WEB_LATENCY_BUCKETS)
                snprintf(bound, sizeof bound, "%g", web_latency_bounds[bucket]);
            sum += traffic->latency[bucket];
            buf_printf(out, "%s_bucket{class=\"%s\",le=\"%s\"} %llu\n", name, web_class_names[i],
                       bound, sum);
        }
        buf_printf(out, "%s_sum{class=\"%s\"} %.9g\n", name, web_class_names[i],
                   (double)traffic->latency_sum_ns / 1e9);
        buf_printf(out, "%s_count{class=\"%s\"} %llu\n", name, web_class_names[i], sum);
    }
}

/* One row a server and figure, of the cluster as this server sees it. */
static void put_servers(struct buf *out, const struct cluster_status *cluster)
{
    static const struct {
        const char *name, *help;
    } families[] = {
        {"stoa_server_up", "1 when this server has a connection to it, or is it."},
        {"stoa_server_primary", "1 when it is primary."},
        {"stoa_server_voter", "1 when its vote counts."},
        {"stoa_server_hot", "1 when it is to apply at once: only then a lag is one."},
        {"stoa_server_applied_index", "The last entry that its copy has applied, as last told."},
        {"stoa_server_lag_entries", "Entries that its copy is behind, as last told."},
        {"stoa_server_lag_seconds", "Time that its copy is behind, as last told."},
        {"stoa_server_copying_bytes", "Size of the copy that it is getting; 0: none."},
        {"stoa_server_copied_bytes", "How much of that it has."},
    };
    for (unsigned family = 0; cluster->count && family < COUNT_OF(families); family++) {
        put_head(out, families[family].name, "gauge", families[family].help);
        for (unsigned i = 0; i < cluster->count; i++) {
            const struct server_status *server = &cluster->servers[i];
            bool copying = server->state == SERVER_COPYING;
            const double values[COUNT_OF(families)] = {
                server->state != SERVER_DOWN,
                server->role == SERVER_PRIMARY,
                server->role == SERVER_PRIMARY || server->role == SERVER_SECONDARY,
                server->role != SERVER_WITNESS && server->ready == READINESS_HOT,
                (double)server->index,
                (double)server->lag_entries,
                (double)server->lag_ms / 1e3,
                copying ? (double)server->copy_bytes : 0,
                copying ? (double)server->copied_bytes : 0,
            };
            buf_printf(out, "%s{server=\"%llu\"} %.15g\n", families[family].name,
                       (unsigned long long)server->place.id, values[family]);
        }
    }
}

/* One row a kind of call and outcome; the seconds are of whole calls, retries and all. */
static void put_bank(struct buf *out, const struct bank_report *bank)
{
    static const char *const calls[BANK_CALLS] = {"authorise", "settle", "capture", "cancel",
                                                  "refund"};
    static const char *const outcomes[BANK_OUTCOMES] = {[BANK_AUTHORISED] = "authorised",
                                                        [BANK_REFUSED] = "refused",
                                                        [BANK_DONE] = "done",
                                                        [BANK_IMPOSSIBLE] = "impossible",
                                                        [BANK_DEPOSED] = "deposed",
                                                        [BANK_UNREACHABLE] = "unreachable"};
    static const char total[] = "stoa_bank_calls_total", seconds[] = "stoa_bank_call_seconds_total";
    put_head(out, total, "counter", "Calls of the bank that have ended, by how.");
    for (unsigned i = 0; i < BANK_CALLS; i++)
        for (unsigned k = 0; k < BANK_OUTCOMES; k++) {
            uint64_t count = bank->calls[i].outcomes[k];
            if (count > 0)
                buf_printf(out, "%s{call=\"%s\",outcome=\"%s\"} %llu\n", total, calls[i],
                           outcomes[k], (unsigned long long)count);
        }
    put_head(out, seconds, "counter", "How long these took in all, retries and pauses included.");
    for (unsigned i = 0; i < BANK_CALLS; i++)
        buf_printf(out, "%s{call=\"%s\"} %.9g\n", seconds, calls[i],
                   (double)bank->calls[i].ns / 1e9);
}

/* One row a lane and figure. What this server has sent is its own; the rest is in the table. */
static void put_outbox(struct buf *out, const struct figures *figures)
{
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        {"stoa_outbox_rows", "gauge", "Rows that wait in a lane of the outbox."},
        {"stoa_outbox_oldest_seconds", "gauge", "Age of the oldest of them."},
        {"stoa_outbox_sent_total", "counter", "Rows that were delivered."},
        {"stoa_outbox_failed_total", "counter", "Tries that failed, and are made again."},
        {"stoa_outbox_refused_total", "counter", "Rows that were refused for good."},
    };
    const struct outbox_report *outbox = &figures->outbox;
    for (unsigned family = 0; outbox->lane_count && family < COUNT_OF(families); family++) {
        put_head(out, families[family].name, families[family].type, families[family].help);
        for (unsigned i = 0; i < outbox->lane_count; i++) {
            const struct outbox_lane_report *lane = &outbox->lanes[i];
            int64_t age_ms = lane->rows ? figures->now_ms - lane->oldest_ms : 0;
            const double values[COUNT_OF(families)] = {
                (double)lane->rows,    age_ms > 0 ? (double)age_ms / 1e3 : 0,
                (double)lane->sent,    (double)lane->failed,
                (double)lane->refused,
            };
            buf_printf(out, "%s{lane=\"%s\"} %.15g\n", families[family].name, lane->lane,
                       values[family]);
        }
    }
}

/* Of engines that have it: a limit of 0 is none. */
static void put_admission(struct buf *out, const struct engine_admission *admission)
{
    const struct {
        const char *name, *type, *help;
        double value;
    } families[] = {
        {"stoa_admission_target_seconds", "gauge", "Nine of ten are to be answered within this.",
         (double)admission->target_ns / 1e9},
        {"stoa_admission_p90_seconds", "gauge",
         "What nine of ten were answered within, of those let in lately.",
         (double)admission->p90_ns / 1e9},
        {"stoa_admission_rate", "gauge", "Requests a second that are let in; 0: all are.",
         admission->rate},
        {"stoa_admission_on_time_total", "counter", "Requests let in and answered in that time.",
         (double)admission->on_time},
        {"stoa_admission_late_total", "counter", "Requests let in and answered later.",
         (double)admission->late},
    };
    for (unsigned i = 0; admission->target_ns > 0 && i < COUNT_OF(families); i++) {
        put_head(out, families[i].name, families[i].type, families[i].help);
        buf_printf(out, "%s %.15g\n", families[i].name, families[i].value);
    }
}

/* One row a stage and figure. */
static void put_stages(struct buf *out, const struct engine_stats *engine)
{
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        {"stoa_stage_queue", "gauge", "What waits for a stage of the engine."},
        {"stoa_stage_threads", "gauge", "Threads of the stage."},
        {"stoa_stage_batch", "gauge", "How many of its queue a thread takes at once, at most."},
        {"stoa_stage_done_total", "counter", "What has gone through the stage."},
    };
    for (unsigned family = 0; engine->stage_count && family < COUNT_OF(families); family++) {
        put_head(out, families[family].name, families[family].type, families[family].help);
        for (unsigned i = 0; i < engine->stage_count; i++) {
            const struct engine_stage *stage = &engine->stages[i];
            const uint64_t values[COUNT_OF(families)] = {stage->queued, stage->threads,
                                                         stage->batch, stage->done};
            buf_printf(out, "%s{stage=\"%s\"} %llu\n", families[family].name, stage->name,
                       (unsigned long long)values[family]);
        }
    }
}

void metrics_format(struct buf *out, const struct figures *figures)
{
    put_head(out, "stoa_build_info", "gauge", "The program's version.");
    buf_puts(out, "stoa_build_info{version=\"" STOA_VERSION "\"} 1\n");
    for (unsigned i = 0; i < COUNT_OF(rows); i++)
        put_row(out, &rows[i], figures);
    metrics_put_cache(out, &figures->cache, figures->shop.applied_index);
    put_admission(out, &figures->engine.admission);
    put_stages(out, &figures->engine);
    put_statuses(out, &figures->web);
    put_latencies(out, &figures->web);
    put_servers(out, &figures->cluster);
    put_bank(out, &figures->bank);
    put_outbox(out, figures);
}

/* ---- Looking ---- */

struct metrics {
    const struct watched *watched;
    pthread_mutex_t lock;
    struct reader *reader;
};

int metrics_new(const struct watched *watched, struct metrics **metrics, struct failure *failure)
{
    struct metrics *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for metrics");
    made->watched = watched;
    int err = reader_open(watched->database, &made->reader, failure);
    if (err) {
        free(made);
        return err;
    }
    pthread_mutex_init(&made->lock, NULL);
    *metrics = made;
    return 0;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    reader_close(metrics->reader);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

void metrics_write(void *context, struct buf *out)
{
    struct metrics *metrics = context;
    const struct watched *watched = metrics->watched;
    struct engine *engine = watched->engine;
    struct figures *figures = calloc(1, sizeof *figures);
    if (!figures) {
        out->failed = true;
        return;
    }
    if (engine)
        watched->kind->stats(engine, &figures->engine);
    order_report(watched->order, &figures->order);
    buying_report(watched->buying, &figures->buying);
    if (watched->bank && watched->bank->report)
        watched->bank->report(watched->bank, &figures->bank);
    outbox_report(watched->outbox, &figures->outbox);
    figures->now_ms = clock_wall_ms();
    web_stats(watched->web, &figures->web);
    web_cluster_status(watched->web, &figures->cluster);
    process_look(&figures->process);
    pthread_mutex_lock(&metrics->lock);
    if (reader_counts(metrics->reader, &figures->shop))
        figures->shop = (struct shop_counts){0};
    pthread_mutex_unlock(&metrics->lock);
    cache_read_stats(watched->cache, &figures->cache); /* after the database's index, in shop */
    metrics_format(out, figures);
    free(figures);
}
