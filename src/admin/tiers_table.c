#include "admin/tiers_table.h"

#include "admin/tiers.h"

#define W(field) offsetof(struct tiers_view, field)
#define C(field) offsetof(struct tiers_class, field)
#define F(field) offsetof(struct front_stats, field)
#define K(field) offsetof(struct worker_cache, field)
#define B(field) offsetof(struct scale_board, field)
#define T(field) offsetof(struct fleet_tier_view, field)

/* clang-format off */
const struct metric_row tiers_rows_whole[] = {
    {"slots", "queue_slots", "gauge", "Most requests that the queue holds.", METRIC_U32, W(look.stats.slots)},
    {"length", NULL, NULL, NULL, METRIC_U32, W(length)},
    {"held", NULL, NULL, NULL, METRIC_U32, W(held)},
    {"oldest_wait_ms", "queue_oldest_wait_seconds", "gauge", "How long the first of those that wait has waited.", METRIC_TIME, W(look.stats.oldest_wait_ns)},
    {"wait_p50_ms", NULL, NULL, NULL, METRIC_TIME, W(wait_p50_ns)},
    {"wait_p90_ms", NULL, NULL, NULL, METRIC_TIME, W(wait_p90_ns)},
    {"wait_p99_ms", NULL, NULL, NULL, METRIC_TIME, W(wait_p99_ns)},
    {"arrived_per_s", NULL, NULL, NULL, METRIC_NUMBER, W(arrived_per_s)},
    {"taken_per_s", NULL, NULL, NULL, METRIC_NUMBER, W(taken_per_s)},
    {"answered_per_s", NULL, NULL, NULL, METRIC_NUMBER, W(answered_per_s)},
    {"dropped_per_s", NULL, NULL, NULL, METRIC_NUMBER, W(dropped_per_s)},
    {"refused_per_s", NULL, NULL, NULL, METRIC_NUMBER, W(refused_per_s)},
    {"hit_ratio", NULL, NULL, NULL, METRIC_NUMBER, W(hit_ratio)},
    {"given_back", "queue_given_back_total", "counter", "Requests of workers that died; their fronts pushed them again.", METRIC_U64, W(look.stats.given_back)},
    {"died", "queue_deaths_total", "counter", "Fronts' threads and workers that left the queue without a word.", METRIC_U64, W(look.stats.died)},
    {"idle", "tier_workers_idle", "gauge", "Workers that wait for a request at this moment.", METRIC_UNSIGNED, W(look.stats.idle)},
    {0},
};

const struct metric_row tiers_rows_class[] = {
    {"waiting", "queue_length", "gauge", "Requests that wait for a worker.", METRIC_U32, C(waiting)},
    {"held", "queue_held", "gauge", "Requests in the queue: those that wait, and those that workers have.", METRIC_U32, C(held)},
    {"share", "queue_share", "gauge", "Its weight when all classes ask for more than there is.", METRIC_U32, C(weight)},
    {"entered", "queue_entered_total", "counter", "Requests that came into the queue.", METRIC_U64, C(entered)},
    {"taken", "queue_taken_total", "counter", "Requests that a worker took; one that is given back is taken again.", METRIC_U64, C(taken)},
    {"done", "queue_done_total", "counter", "Requests that were answered.", METRIC_U64, C(done)},
    {"dropped", "queue_dropped_total", "counter", "Requests that no worker took before their deadline.", METRIC_U64, C(dropped)},
    {"refused", "queue_refused_total", "counter", "Requests that the queue had no room for.", METRIC_U64, C(refused)},
    {"work_s", "queue_work_seconds_total", "counter", "Time that workers needed for those that are done.", METRIC_SECONDS, C(work_ns)},
    {"arrived_per_s", NULL, NULL, NULL, METRIC_NUMBER, C(arrived_per_s)},
    {"answered_per_s", NULL, NULL, NULL, METRIC_NUMBER, C(answered_per_s)},
    {0},
};

const struct metric_row tiers_rows_front[] = {
    {"requests", "front_requests_total", "counter", "Requests that this front got.", METRIC_U64, F(requests)},
    {"refused", "front_refused_total", "counter", "Of these, those answered 503 as there was no room.", METRIC_U64, F(refused)},
    {"overdue", "front_overdue_total", "counter", "Those answered 503 as no worker took them in time.", METRIC_U64, F(overdue)},
    {"retried", "front_retried_total", "counter", "Those pushed again, as their worker died.", METRIC_U64, F(retried)},
    {"given_up", "front_given_up_total", "counter", "Those answered 503 as workers died with them too often.", METRIC_U64, F(given_up)},
    {"resumed", "front_resumed_total", "counter", "Long answers that another worker went on with.", METRIC_U64, F(resumed)},
    {"cut", "front_cut_total", "counter", "Answers that broke off with their worker.", METRIC_U64, F(cut)},
    {"connections", "front_connections", "gauge", "Clients' connections that this front has.", METRIC_U64, F(connections)},
    {0},
};

const struct metric_row tiers_rows_cache[] = {
    {"hits", "worker_cache_hits_total", "counter", "Answers that this worker has given from its cache.", METRIC_U64, K(hits)},
    {"misses", "worker_cache_misses_total", "counter", "Look-ups that found nothing, or what was outdated.", METRIC_U64, K(misses)},
    {"outdated", "worker_cache_outdated_total", "counter", "Entries given up because a change had outdated them.", METRIC_U64, K(outdated)},
    {"evicted", "worker_cache_evicted_total", "counter", "Entries given up for room.", METRIC_U64, K(evicted)},
    {"refused", "worker_cache_refused_total", "counter", "Entries not kept: outdated already, or too big.", METRIC_U64, K(refused)},
    {"ghost_hits", "worker_cache_ghost_hits_total", "counter", "Entries kept at once, as they had been given up lately.", METRIC_U64, K(ghosts)},
    {"bytes", "worker_cache_bytes", "gauge", "Bytes of its cache, what it needs itself included.", METRIC_U64, K(bytes)},
    {"limit_bytes", "worker_cache_limit_bytes", "gauge", "Most bytes that it may have (--cache).", METRIC_U64, K(limit)},
    {"entries", "worker_cache_entries", "gauge", "Answers in its cache.", METRIC_U64, K(entries)},
    {"lag_entries", "worker_cache_lag_entries", "gauge", "Log entries in its database whose changes its cache does not know.", METRIC_U64, K(lag)},
    {"behind_ms", "worker_cache_behind_seconds", "gauge", "For how long what it gives out now may have been outdated at most; 0: it is not.", METRIC_TIME, K(behind_ns)},
    {0},
};

const struct metric_row tiers_rows_wanted[] = {
    {"workers_wanted", "tier_workers_wanted", "gauge", "How many workers the rule wants.", METRIC_UNSIGNED, B(workers_wanted)},
    {"fronts_wanted", "tier_fronts_wanted", "gauge", "How many fronts it wants, the master among them.", METRIC_UNSIGNED, B(fronts_wanted)},
    {"decisions", "scale_decisions_total", "counter", "Decisions that changed a size, by whichever master.", METRIC_U64, B(decisions)},
    {0},
};

const struct metric_row tiers_rows_fleet[] = {
    {"starts", "fleet_starts_total", "counter", "Processes that this master has started.", METRIC_U64, T(starts)},
    {"crashes", "fleet_crashes_total", "counter", "Of these, those that ended without having been told to.", METRIC_U64, T(crashes)},
    {"slow_starts", "fleet_slow_starts_total", "counter", "Those that did not get ready in time.", METRIC_U64, T(slow_starts)},
    {"kills", "fleet_kills_total", "counter", "Those that had to be killed.", METRIC_U64, T(kills)},
    {"looping", "fleet_looping", "gauge", "Those that crash again and again.", METRIC_UNSIGNED, T(sizes.looping)},
    {0},
};
/* clang-format on */
