#include "balance/view_table.h"

#include "balance/view.h"

#include <string.h>

#define W(field) offsetof(struct balance_view, field)
#define S(field) offsetof(struct view_backend, field)
#define L(field) offsetof(struct view_loop, field)

/* clang-format off */
const struct view_row view_rows_whole[] = {
    {"requests", "requests_total", "counter", "Requests from clients.", VIEW_U64, W(totals.requests)},
    {"answers", "answers_total", "counter", "Answers passed on to clients.", VIEW_U64, W(totals.answers)},
    {"failed", "failed_total", "counter", "Requests that got 502, 503 or 504 from here, or half an answer.", VIEW_U64, W(totals.failed)},
    {"shed", "shed_total", "counter", "Requests refused with 503 for want of room.", VIEW_U64, W(totals.shed)},
    {"queued", "queued_total", "counter", "Requests that had to wait for a server.", VIEW_U64, W(totals.queued)},
    {"placed", "placed_total", "counter", "Shoppers given a home.", VIEW_U64, W(totals.placed)},
    {"away", "away_total", "counter", "Requests that an away server answered in place of home.", VIEW_U64, W(totals.away)},
    {"moved", "moved_total", "counter", "Shoppers given another set of servers.", VIEW_U64, W(totals.moved)},
    {"retries", "retries_total", "counter", "Requests sent again to another server.", VIEW_U64, W(totals.retries)},
    {"retries_denied", "retries_denied_total", "counter", "Requests not sent again, the budget being empty.", VIEW_U64, W(totals.retries_denied)},
    {"hedges", "hedges_total", "counter", "Slow reads sent to a second server too.", VIEW_U64, W(totals.hedges)},
    {"hedge_wins", "hedge_wins_total", "counter", "Of these, those that the second one answered first.", VIEW_U64, W(totals.hedge_wins)},
    {"hedges_denied", "hedges_denied_total", "counter", "Slow reads not hedged, the budget being empty.", VIEW_U64, W(totals.hedges_denied)},
    {"tunnels", "tunnels_total", "counter", "Connections upgraded (WebSocket and the like).", VIEW_U64, W(totals.tunnels)},
    {"accepted", "connections_accepted_total", "counter", "Connections accepted from clients.", VIEW_U64, W(totals.accepted)},
    {"bytes_in", "received_bytes_total", "counter", "Bytes received from clients.", VIEW_U64, W(totals.bytes_in)},
    {"bytes_out", "sent_bytes_total", "counter", "Bytes sent to clients.", VIEW_U64, W(totals.bytes_out)},
    {"clients", "connections_open", "gauge", "Connections of clients open now.", VIEW_U32, W(totals.clients)},
    {"in_flight", "in_flight", "gauge", "Requests at servers now.", VIEW_U32, W(totals.in_flight)},
    {"queue", "queue", "gauge", "Requests waiting for a server now.", VIEW_U32, W(totals.queue)},
    {"queue_oldest_ms", "queue_oldest_seconds", "gauge", "How long the first of them has waited.", VIEW_TIME, W(totals.queue_oldest_ns)},
    {"tunnels_open", "tunnels_open", "gauge", "Upgraded connections open now.", VIEW_U32, W(totals.tunnels_open)},
    {"requests_per_s", NULL, NULL, NULL, VIEW_NUMBER, W(totals.requests_per_s)},
    {"bytes_per_s", NULL, NULL, NULL, VIEW_NUMBER, W(totals.bytes_per_s)},
    {"shed_per_s", NULL, NULL, NULL, VIEW_NUMBER, W(totals.shed_per_s)},
    {"retries_per_s", NULL, NULL, NULL, VIEW_NUMBER, W(totals.retries_per_s)},
    {"hedges_per_s", NULL, NULL, NULL, VIEW_NUMBER, W(totals.hedges_per_s)},
    {"p50_ms", NULL, NULL, NULL, VIEW_TIME, W(totals.p50_ns)},
    {"p95_ms", NULL, NULL, NULL, VIEW_TIME, W(totals.p95_ns)},
    {"p99_ms", NULL, NULL, NULL, VIEW_TIME, W(totals.p99_ns)},
    {"p999_ms", NULL, NULL, NULL, VIEW_TIME, W(totals.p999_ns)},
    {"servers", "servers", "gauge", "Servers known.", VIEW_UNSIGNED, W(count)},
    {"usable", "servers_usable", "gauge", "Servers that take new requests.", VIEW_UNSIGNED, W(usable)},
    {"members_version", "members_version", "gauge", "Grows whenever a server joins or leaves.", VIEW_U64, W(version)},
    {"panic", "panic", "gauge", "1 while so many servers are out that all are used.", VIEW_TRUTH, W(panic)},
    {"spread", "spread", "gauge", "Coefficient of variation of requests/s by weight over usable servers.", VIEW_NUMBER, W(spread)},
    {"processor", NULL, NULL, NULL, VIEW_NUMBER, W(processor)},
    {"cpu_s", "process_cpu_seconds_total", "counter", "Processor time used, user and system.", VIEW_SECONDS, W(process.cpu_ns)},
    {"resident_bytes", "process_resident_memory_bytes", "gauge", "Resident memory.", VIEW_U64, W(process.resident_bytes)},
    {"open_fds", "process_open_fds", "gauge", "Open file descriptors.", VIEW_U64, W(process.open_fds)},
    {"max_fds", "process_max_fds", "gauge", "Most file descriptors.", VIEW_U64, W(process.max_fds)},
    {"start_s", "process_start_time_seconds", "gauge", "Start of the process, since 1970.", VIEW_U64, W(process.start_s)},
    {0},
};

const struct view_row view_rows_server[] = {
    {"weight", "server_weight", "gauge", "Its weight; 100 is usual.", VIEW_U32, S(weight)},
    {"share", "server_share", "gauge", "Share of its weight that it gets now; below 1 while it warms up.", VIEW_THOUSANDTH, S(share)},
    {"limit", "server_limit", "gauge", "Most requests that it may have at once; 0: any number.", VIEW_U32, S(limit)},
    {"in_flight", "server_in_flight", "gauge", "Requests that it has from here.", VIEW_U32, S(in_flight)},
    {"homes", "server_homes", "gauge", "Shoppers who were given this home lately.", VIEW_U32, S(homes)},
    {"primary", "server_primary", "gauge", "1 when it is the cluster's primary.", VIEW_TRUTH, S(primary)},
    {"requests", "server_requests_total", "counter", "Requests sent to it.", VIEW_U64, S(requests)},
    {"answers", "server_answers_total", "counter", "Answers that came from it.", VIEW_U64, S(answers)},
    {"failures", "server_failures_total", "counter", "Requests without an answer of its own.", VIEW_U64, S(failures)},
    {"refused", "server_refused_total", "counter", "Connections that it refused.", VIEW_U64, S(refused)},
    {"resets", "server_resets_total", "counter", "Connections that broke before the answer.", VIEW_U64, S(resets)},
    {"timeouts", "server_timeouts_total", "counter", "Requests that it did not answer in time.", VIEW_U64, S(timeouts)},
    {"answered_5xx", "server_answered_5xx_total", "counter", "Answers of 500, 502 and 504.", VIEW_U64, S(answered_5xx)},
    {"retries", "server_retries_total", "counter", "Requests sent to it after another server had failed.", VIEW_U64, S(retries)},
    {"hedges", "server_hedges_total", "counter", "Requests sent to it because another server was slow.", VIEW_U64, S(hedges)},
    {"hedge_wins", "server_hedge_wins_total", "counter", "Of these, those that it answered first.", VIEW_U64, S(hedge_wins)},
    {"ejections", "server_ejections_total", "counter", "How often it was taken out.", VIEW_U64, S(ejections_total)},
    {"bytes_out", "server_sent_bytes_total", "counter", "Bytes sent to it.", VIEW_U64, S(bytes_out)},
    {"bytes_in", "server_received_bytes_total", "counter", "Bytes received from it.", VIEW_U64, S(bytes_in)},
    {"connects", "server_connects_total", "counter", "Connections made to it.", VIEW_U64, S(connects)},
    {"idle", "server_idle_connections", "gauge", "Connections to it kept for use.", VIEW_U32, S(idle)},
    {"reported_in_flight", "server_reported_in_flight", "gauge", "Requests that it says it has, from all sides.", VIEW_U32, S(reported_in_flight)},
    {"reported_latency_ms", "server_reported_latency_seconds", "gauge", "How long a request takes lately, as it says.", VIEW_TIME, S(reported_latency_ns)},
    {"round_trip_ms", "server_round_trip_seconds", "gauge", "Time that a check takes there and back.", VIEW_TIME, S(round_trip_ns)},
    {"requests_per_s", NULL, NULL, NULL, VIEW_NUMBER, S(requests_per_s)},
    {"failures_per_s", NULL, NULL, NULL, VIEW_NUMBER, S(failures_per_s)},
    {"bytes_per_s", NULL, NULL, NULL, VIEW_NUMBER, S(bytes_per_s)},
    {"p50_ms", NULL, NULL, NULL, VIEW_TIME, S(p50_ns)},
    {"p95_ms", NULL, NULL, NULL, VIEW_TIME, S(p95_ns)},
    {"p99_ms", NULL, NULL, NULL, VIEW_TIME, S(p99_ns)},
    {0},
};

const struct view_row view_rows_loop[] = {
    {"requests", "loop_requests_total", "counter", "Requests that this loop has taken.", VIEW_U64, L(requests)},
    {"in_flight", "loop_in_flight", "gauge", "Requests of this loop at servers now.", VIEW_U32, L(in_flight)},
    {"queued", "loop_queue", "gauge", "Requests waiting in this loop now.", VIEW_U32, L(queued)},
    {"idle", "loop_idle_connections", "gauge", "Connections to servers kept for use by this loop.", VIEW_U32, L(idle)},
    {"tunnels", "loop_tunnels_open", "gauge", "Upgraded connections of this loop.", VIEW_U32, L(tunnels)},
    {"requests_per_s", NULL, NULL, NULL, VIEW_NUMBER, L(requests_per_s)},
    {0},
};
/* clang-format on */

double view_row_value(const struct view_row *row, const void *whole, int as_metric)
{
    const char *field = (const char *)whole + row->offset;
    union {
        uint64_t u64;
        uint32_t u32;
        unsigned plain;
        bool truth;
        double number;
    } value = {0};
    switch (row->form) {
    case VIEW_U64:
        memcpy(&value.u64, field, sizeof value.u64);
        return (double)value.u64;
    case VIEW_U32:
        memcpy(&value.u32, field, sizeof value.u32);
        return value.u32;
    case VIEW_UNSIGNED:
        memcpy(&value.plain, field, sizeof value.plain);
        return value.plain;
    case VIEW_TRUTH:
        memcpy(&value.truth, field, sizeof value.truth);
        return value.truth;
    case VIEW_TIME:
        memcpy(&value.u64, field, sizeof value.u64);
        return (double)value.u64 / (as_metric ? 1e9 : 1e6);
    case VIEW_SECONDS:
        memcpy(&value.u64, field, sizeof value.u64);
        return (double)value.u64 / 1e9;
    case VIEW_NUMBER:
        memcpy(&value.number, field, sizeof value.number);
        return value.number;
    case VIEW_THOUSANDTH:
        memcpy(&value.u32, field, sizeof value.u32);
        return value.u32 / 1e3;
    }
    return 0;
}
