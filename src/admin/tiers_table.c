#include "admin/tiers_table.h"

#include "admin/tiers.h"

#define W(field) offsetof(struct tiers_view, field)
#define C(field) offsetof(struct tiers_class, field)
#define F(field) offsetof(struct front_stats, field)
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
    {"given_back", "queue_given_back_total", "counter", "Requests of workers that died; their fronts pushed them again.", METRIC_U64, W(look.stats.given_back)},
    {"died", "queue_deaths_total", "counter", "Fronts' threads and workers that left the queue without a word.", METRIC_U64, W(look.stats.died)},
    {"idle", "workers_idle", "gauge", "Workers that wait for a request at this moment.", METRIC_UNSIGNED, W(look.stats.idle)},
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
    {0},
};

const struct metric_row tiers_rows_wanted[] = {
    {"workers_wanted", "workers_wanted", "gauge", "How many workers the rule wants.", METRIC_UNSIGNED, B(workers_wanted)},
    {"fronts_wanted", "fronts_wanted", "gauge", "How many fronts it wants, the master among them.", METRIC_UNSIGNED, B(fronts_wanted)},
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
