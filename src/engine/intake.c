#include "engine/intake.h"

#include "base/clock.h"

#include <stdlib.h>

/* What was not used before may be used at once for this part of the target: who reads may have had
 * to wait for a processor, and what came meanwhile comes together. */
enum { BURST_PART = 4 };

static uint64_t get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uint64_t *value, uint64_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

void intake_init(struct intake *intake, uint64_t target_ns, const struct log *log, uint64_t now_ns)
{
    *intake = (struct intake){.target_ns = target_ns, .log = log};
    set(&intake->begun_ns, now_ns);
    control_admission_init(&intake->control, target_ns);
    atomic_flag_clear(&intake->ending);
}

bool intake_refuses(struct intake *intake, uint64_t now_ns)
{
    uint64_t period_ns = get(&intake->period_ns);
    if (period_ns == 0)
        return false;
    uint64_t next_ns = get(&intake->next_ns), due_ns, burst_ns = intake->target_ns / BURST_PART;
    do {
        due_ns = next_ns + burst_ns < now_ns ? now_ns - burst_ns : next_ns;
        if (due_ns > now_ns) {
            atomic_fetch_add_explicit(&intake->refused, 1, memory_order_relaxed);
            return true;
        }
    } while (!atomic_compare_exchange_weak_explicit(&intake->next_ns, &next_ns, due_ns + period_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    return false;
}

/* ---- The end of an interval, by one thread ---- */

static int compare(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void find_quantiles(struct intake *intake, struct admission_seen *seen)
{
    uint32_t sorted[INTAKE_SAMPLES];
    uint32_t count = seen->measured < INTAKE_SAMPLES ? seen->measured : INTAKE_SAMPLES;
    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = atomic_load_explicit(&intake->samples_us[i], memory_order_relaxed);
    qsort(sorted, count, sizeof *sorted, compare);
    seen->p50_ns = (uint64_t)sorted[(count - 1) / 2] * 1000;
    seen->p90_ns = (uint64_t)sorted[(count - 1) * 9 / 10] * 1000;
}

static void tell(const struct intake *intake, enum admission_move move, double before,
                 const struct admission_seen *seen)
{
    static const char *const verbs[] = {[ADMISSION_RAISED] = "raised",
                                        [ADMISSION_LOWERED] = "lowered",
                                        [ADMISSION_LIFTED] = "lifted"};
    bool edge = before <= 0 || move == ADMISSION_LIFTED;
    log_line(intake->log, edge ? LOG_INFO : LOG_DEBUG, "engine",
             "admission: %s from %.0f to %.0f requests/s (0: all): nine of ten of %u within %.1f "
             "ms of %.0f, half within %.1f; in %.0f ms %u were answered and %u refused",
             verbs[move], before, intake->control.rate, seen->measured, (double)seen->p90_ns / 1e6,
             (double)intake->target_ns / 1e6, (double)seen->p50_ns / 1e6, (double)seen->ns / 1e6,
             seen->answered, seen->refused);
}

/* Counters that others add to meanwhile may lose a few. */
static void end_interval(struct intake *intake, uint64_t now_ns)
{
    double before = intake->control.rate;
    struct admission_seen seen = {
        .ns = now_ns - get(&intake->begun_ns),
        .measured = atomic_load_explicit(&intake->measured, memory_order_relaxed),
    };
    find_quantiles(intake, &seen);
    seen.answered = atomic_exchange_explicit(&intake->answered, 0, memory_order_relaxed);
    seen.refused = atomic_exchange_explicit(&intake->refused, 0, memory_order_relaxed);
    atomic_store_explicit(&intake->measured, 0, memory_order_relaxed);
    set(&intake->begun_ns, now_ns);
    enum admission_move move = control_admission_step(&intake->control, &seen);
    if (seen.measured > 0)
        set(&intake->p90_ns, seen.p90_ns);
    if (move == ADMISSION_HELD)
        return;
    double rate = intake->control.rate;
    set(&intake->acted_ns, now_ns);
    set(&intake->period_ns, rate > 0 ? (uint64_t)(1e9 / rate) + 1 : 0);
    tell(intake, move, before, &seen);
}

static bool is_due(struct intake *intake, uint64_t now_ns)
{
    uint64_t begun_ns = get(&intake->begun_ns);
    return now_ns > begun_ns &&
           control_admission_is_due(&intake->control, now_ns - begun_ns,
                                    atomic_load_explicit(&intake->measured, memory_order_relaxed));
}

void intake_answered(struct intake *intake, uint64_t came_ns, uint64_t now_ns)
{
    uint64_t took_ns = now_ns > came_ns ? now_ns - came_ns : 0;
    atomic_fetch_add_explicit(took_ns > intake->target_ns ? &intake->late : &intake->on_time, 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&intake->answered, 1, memory_order_relaxed);
    if (came_ns >= get(&intake->acted_ns)) {
        uint32_t at = atomic_fetch_add_explicit(&intake->measured, 1, memory_order_relaxed);
        uint64_t us = took_ns / 1000;
        atomic_store_explicit(&intake->samples_us[at % INTAKE_SAMPLES],
                              us < UINT32_MAX ? (uint32_t)us : UINT32_MAX, memory_order_relaxed);
    }
    if (!is_due(intake, now_ns) ||
        atomic_flag_test_and_set_explicit(&intake->ending, memory_order_acquire))
        return;
    if (is_due(intake, now_ns))
        end_interval(intake, now_ns);
    atomic_flag_clear_explicit(&intake->ending, memory_order_release);
}

void intake_look(const struct intake *intake, struct engine_admission *admission)
{
    uint64_t period_ns = get(&intake->period_ns);
    *admission = (struct engine_admission){
        .target_ns = intake->target_ns,
        .rate = period_ns > 0 ? 1e9 / (double)period_ns : 0,
        .p90_ns = get(&intake->p90_ns),
        .on_time = get(&intake->on_time),
        .late = get(&intake->late),
    };
}
