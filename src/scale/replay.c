#include "scale/replay.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double WINDOW_S = 1, GOOD_S = 5, LATE_SHARE = 0.01;

/* One interval, to be judged when all is over. */
struct moment {
    uint32_t late, all;
    bool turned; /* the workers' number changed its direction */
};

struct run {
    const struct scale_replay *replay;
    struct scale_replayed *result;
    struct scaler scaler;
    struct sim_queue *sim;
    struct moment *moments;
    uint64_t count;
    int direction; /* of the last change: -1, 1; 0: none yet */
};

/* ---- Run ---- */

static void count_change(struct run *run, const struct scale_decision *decision)
{
    struct scale_replayed *result = run->result;
    int direction = (decision->workers > decision->workers_before) -
                    (decision->workers < decision->workers_before);
    result->ups += direction > 0;
    result->downs += direction < 0;
    result->most = decision->workers > result->most ? decision->workers : result->most;
    result->last = decision->workers;
    if (direction == 0)
        return;
    run->moments[run->count - 1].turned = run->direction == -direction;
    result->reversals += run->direction == -direction;
    run->direction = direction;
}

static void step(struct run *run)
{
    const struct scale_replay *replay = run->replay;
    struct scale_sample sample;
    struct scale_decision decision;
    uint64_t late;
    sim_queue_run(run->sim, (run->count + 1) * replay->interval_ns, &sample, &late);
    run->moments[run->count++] = (struct moment){
        (uint32_t)late, (uint32_t)(sample.taken + sample.dropped + sample.refused), false};
    if (replay->rule) {
        scaler_step(&run->scaler, &sample, &decision);
        count_change(run, &decision);
        sim_queue_resize(run->sim, decision.workers, decision.fronts);
    }
    if (replay->decided)
        replay->decided(replay->context, &sample, replay->rule ? &decision : NULL);
}

/* ---- Judgement ---- */

/* Whether in the window that begins with the interval FROM more than one in a hundred was late. */
static bool is_over(const struct run *run, uint64_t from, uint64_t window)
{
    uint64_t late = 0, all = 0;
    for (uint64_t i = from; i < from + window && i < run->count; i++) {
        late += run->moments[i].late;
        all += run->moments[i].all;
    }
    return (double)late > LATE_SHARE * (double)all;
}

static uint64_t intervals(const struct run *run, double seconds)
{
    double count = ceil(seconds * (double)SEC_NS / (double)run->replay->interval_ns);
    return count > 1 ? (uint64_t)count : 1;
}

static void judge_step(struct run *run)
{
    struct scale_replayed *result = run->result;
    result->stepped = scale_load_step(run->replay->load, &result->step_s);
    if (!result->stepped)
        return;
    uint64_t window = intervals(run, WINDOW_S), good = intervals(run, GOOD_S), in_a_row = 0;
    uint64_t begin = (uint64_t)(result->step_s * (double)SEC_NS) / run->replay->interval_ns;
    for (uint64_t i = begin; i < run->count && !result->came_back; i++) {
        in_a_row = is_over(run, i, window) ? 0 : in_a_row + 1;
        result->came_back = in_a_row > good;
        if (in_a_row == 1)
            result->back_s = (double)(i - begin) * (double)run->replay->interval_ns / 1e9;
    }
}

static void judge_reversals(struct run *run)
{
    uint64_t minute = intervals(run, 60), first = 0;
    unsigned in_minute = 0;
    for (uint64_t i = 0; i < run->count; i++) {
        in_minute += run->moments[i].turned;
        for (; first + minute <= i; first++)
            in_minute -= run->moments[first].turned;
        if (in_minute > run->result->reversals_in_minute)
            run->result->reversals_in_minute = in_minute;
    }
}

static int prepare(struct run *run, uint64_t samples, struct failure *failure)
{
    const struct scale_replay *replay = run->replay;
    unsigned workers = replay->rule ? (unsigned)replay->settings.workers_min : replay->fixed;
    run->moments = calloc(samples, sizeof *run->moments);
    if (!run->moments)
        return fail(failure, ERR_NOMEM, "out of memory");
    if (replay->rule)
        scaler_init(&run->scaler, replay->rule, &replay->settings);
    run->result->most = run->result->last = workers;
    int err = sim_queue_new(&replay->sim, replay->load, workers, &run->sim, failure);
    if (!err)
        sim_queue_resize(run->sim, workers, (unsigned)replay->settings.fronts_min);
    return err;
}

int scale_replay(const struct scale_replay *replay, struct scale_replayed *result,
                 struct failure *failure)
{
    double wanted = ceil(replay->load->seconds * (double)SEC_NS / (double)replay->interval_ns);
    memset(result, 0, sizeof *result);
    if (wanted > REPLAY_SAMPLES_MAX)
        return fail(failure, ERR_FULL,
                    "%.0f s have more than %d intervals of %.0f ms: make the interval longer",
                    replay->load->seconds, REPLAY_SAMPLES_MAX,
                    (double)replay->interval_ns / (double)MS_NS);
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return fail(failure, ERR_NOMEM, "out of memory");
    run->replay = replay;
    run->result = result;
    int err = prepare(run, (uint64_t)wanted + 1, failure);
    while (!err && run->count < (uint64_t)wanted)
        step(run);
    if (!err) {
        result->totals = *sim_queue_totals(run->sim);
        result->seconds = (double)run->count * (double)replay->interval_ns / 1e9;
        judge_step(run);
        judge_reversals(run);
    }
    sim_queue_free(run->sim);
    free(run->moments);
    free(run);
    return err;
}

/* ---- A log once more ---- */

static void check_one(struct scaler *scaler, const struct decision_log *log,
                      struct scale_checked *checked)
{
    struct scale_decision decision;
    scaler_step(scaler, &log->sample, &decision);
    checked->samples++;
    checked->decisions += scale_decision_acts(&log->decision);
    if (decision.workers == log->decision.workers && decision.fronts == log->decision.fronts)
        return;
    if (checked->others++ == 0)
        checked->first_line = log->line;
}

int scale_replay_check(const char *name, struct str text, struct scale_checked *checked,
                       struct failure *failure)
{
    struct scaler scaler;
    struct decision_log log;
    struct scale_place place = {1, 1};
    struct failure why = {0};
    enum decision_line kind;
    bool begun = false;
    int err;
    memset(checked, 0, sizeof *checked);
    decision_log_init(&log, text);
    while (!(err = decision_log_next(&log, &kind, &place, &why)) && kind != DECISION_END) {
        begun |= kind == DECISION_HEAD;
        if (!begun || !log.rule)
            return fail(failure, ERR_UNSUPPORTED,
                        "%s:%llu:1: the log does not say by what rule it was made, or by one that "
                        "is not known here",
                        name, (unsigned long long)place.line);
        if (kind == DECISION_HEAD)
            scaler_init(&scaler, log.rule, &log.settings);
        else
            check_one(&scaler, &log, checked);
    }
    return err ? fail(failure, err, "%s:%llu:%llu: %s", name, (unsigned long long)place.line,
                      (unsigned long long)place.column, why.text)
               : 0;
}
