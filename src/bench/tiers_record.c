#include "bench/tiers_record.h"

#include "scale/decision.h"

#include <math.h>

struct reading {
    uint64_t from_ns, to_ns;
    unsigned minimum;
    double *figures;
    struct tiers_series *series;
    int direction; /* of the last change: -1, 1; 0: none yet */
    double reversals, busy_s, seconds;
};

static uint64_t all_of(const struct scale_tier *tier)
{
    return tier->ready + tier->starting + tier->draining;
}

static void count_decision(struct reading *reading, const struct scale_decision *decision)
{
    int direction = (decision->workers > decision->workers_before) -
                    (decision->workers < decision->workers_before);
    reading->figures[TIERS_DECISIONS] += scale_decision_acts(decision);
    if (direction == 0)
        return;
    reading->reversals += reading->direction == -direction;
    reading->direction = direction;
}

static void note_series(struct reading *reading, const struct scale_sample *sample)
{
    struct tiers_series *series = reading->series;
    uint64_t window = (sample->now_ns - reading->from_ns) / (TIERS_WINDOW_MS * 1000000ull);
    for (uint64_t i = window; i < series->count; i++) /* until the next one says otherwise */
        series->workers[i] = (float)sample->workers.ready;
}

static void take_sample(struct reading *reading, const struct scale_sample *sample,
                        const struct scale_decision *decision)
{
    double *figures = reading->figures;
    double workers = (double)all_of(&sample->workers);
    if (sample->now_ns < reading->from_ns)
        return;
    if (sample->now_ns > reading->to_ns) {
        if (isnan(figures[TIERS_MINIMUM]) && workers <= reading->minimum)
            figures[TIERS_MINIMUM] = (double)(sample->now_ns - reading->to_ns) / 1e9;
        return;
    }
    figures[TIERS_WORKER_S] += workers * (double)sample->interval_ns / 1e9;
    reading->busy_s += (double)sample->busy / 1000 * (double)sample->interval_ns / 1e9;
    reading->seconds += (double)sample->interval_ns / 1e9;
    figures[TIERS_MOST] = fmax(figures[TIERS_MOST], workers);
    figures[TIERS_DROPPED] += (double)sample->dropped;
    count_decision(reading, decision);
    note_series(reading, sample);
}

int tiers_record_read(struct str text, uint64_t from_ns, uint64_t to_ns, unsigned minimum,
                      double figures[static TIERS_FIGURES], struct tiers_series *series,
                      struct failure *failure)
{
    struct reading reading = {from_ns, to_ns, minimum, figures, series, 0, 0, 0, 0};
    struct decision_log log;
    enum decision_line kind;
    struct scale_place place;
    struct failure why = {0};
    figures[TIERS_WORKER_S] = figures[TIERS_MOST] = figures[TIERS_DROPPED] = 0;
    figures[TIERS_DECISIONS] = 0;
    figures[TIERS_MINIMUM] = NAN;
    decision_log_init(&log, text);
    do {
        int err = decision_log_next(&log, &kind, &place, &why);
        if (err)
            return fail(failure, err, "the master's log of decisions, line %llu: %s",
                        (unsigned long long)place.line, why.text);
        if (kind == DECISION_SAMPLE)
            take_sample(&reading, &log.sample, &log.decision);
    } while (kind != DECISION_END);
    figures[TIERS_BUSY] = reading.seconds > 0 ? reading.busy_s / reading.seconds : NAN;
    double minutes = (double)(to_ns - from_ns) / 60e9;
    figures[TIERS_REVERSALS] = minutes > 0 ? reading.reversals / minutes : 0;
    return 0;
}

/* The last whole line of TEXT. */
static struct str last_line(struct str text)
{
    size_t end = text.len;
    while (end > 0 && text.at[end - 1] != '\n')
        end--;
    size_t begin = end > 0 ? end - 1 : 0;
    while (begin > 0 && text.at[begin - 1] != '\n')
        begin--;
    return str_sub(text, begin, end - begin);
}

bool tiers_record_last(struct str text, struct tiers_sizes *sizes)
{
    struct decision_log log;
    enum decision_line kind;
    struct scale_place place;
    struct failure why;
    decision_log_init(&log, last_line(text));
    if (decision_log_next(&log, &kind, &place, &why) || kind != DECISION_SAMPLE)
        return false;
    const struct scale_sample *sample = &log.sample;
    *sizes = (struct tiers_sizes){sample->now_ns, sample->workers.ready, sample->fronts.ready,
                                  sample->workers.starting + sample->workers.draining +
                                      sample->fronts.starting + sample->fronts.draining};
    return true;
}
