#include "bench/tiers_run.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/engines_figures.h"
#include "bench/load.h"
#include "bench/tiers_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CAPACITY_CONNECTIONS = 4, /* a worker with one helper has always something to do */
    THREADS_MAX = 8,          /* of the generator */
    LOOK_MS = 50,
    MINIMUM_WAIT_MS = 40000,
    IDLE_MS = 1000,
    IDLE_QUICK_MS = 200,
    FILL_S = 4,
    GOOD_MS = 3000, /* p99 is back when it stays under the limit for so long */
};

struct run {
    const struct tiers_plan *plan;
    const struct tiers_host *host;
    struct tiers_report *report;
    struct engines_cores cores;
    struct bench_report *found; /* by the generator, in this measurement */
    struct load_timeline timeline;
    struct load_window windows[TIERS_WINDOWS_MAX];
    struct tiers_usage usage; /* when it began to count … */
    uint64_t counted_ns;      /* … which was then */
    double idle_fronts;       /* of a processor, when nothing is asked */
    unsigned round;
    double capacity; /* of one worker, in this round */
    struct buf record;
};

/* ---- The generator's side ---- */

static void begin_to_count(void *context)
{
    struct run *run = context;
    run->counted_ns = clock_mono_ns();
    run->host->usage(run->host->context, &run->usage);
}

static double rate_of(const struct run *run, const struct tiers_cell *cell)
{
    if (cell->loop != TIERS_OPEN)
        return 0;
    return cell->load > 0 ? cell->load * run->capacity * cell->setup.workers : cell->rate;
}

/* Where rates change one thread does, and is all that the windows can bear. */
static unsigned threads_of(const struct run *run, const struct tiers_cell *cell)
{
    unsigned threads = (unsigned)CPU_COUNT(&run->cores.all) - run->cores.server;
    threads = threads < THREADS_MAX ? threads : THREADS_MAX;
    threads = threads < cell->connections ? threads : cell->connections;
    return cell->loop == TIERS_CLOSED && threads > 0 ? threads : 1;
}

static void clear(struct run *run)
{
    memset(run->found, 0, sizeof *run->found);
    histogram_clear(&run->found->latency);
    memset(run->windows, 0, sizeof run->windows);
    run->timeline = (struct load_timeline){
        .window_ns = TIERS_WINDOW_MS * MS_NS, .count = TIERS_WINDOWS_MAX, .windows = run->windows};
}

/* Where more comes than can be done the queue is to be as long as it gets: at twice as much what
 * comes waits for as long as half the time before, so that it takes twice `--wait`. */
static double warm_up_of(const struct tiers_plan *plan, const struct tiers_cell *cell)
{
    bool fills = cell->part == TIERS_OVERLOAD && cell->loop == TIERS_OPEN && !plan->quick;
    return fills && plan->warm_up_seconds < FILL_S ? FILL_S : plan->warm_up_seconds;
}

/* PACE: of a cell that is paced, else NULL. */
static int generate(struct run *run, const struct tiers_cell *cell, const struct scale_load *pace,
                    const char *url, struct failure *failure)
{
    const struct tiers_plan *plan = run->plan;
    struct http_script page = {cell->page, ""};
    struct load_config config = {
        .url = url,
        .script = &script_http,
        .script_context = &page,
        .connections = cell->connections,
        .streams = 1,
        .threads = threads_of(run, cell),
        .seconds = pace ? pace->seconds : plan->seconds,
        .warm_up_seconds = pace ? 0 : warm_up_of(plan, cell),
        .rate = rate_of(run, cell),
        .pace = pace,
        .timeline = pace ? &run->timeline : NULL,
        .seed = plan->seed + run->round,     /* the same for all in a round */
        .greeting = pace ? NULL : "/cached", /* hundreds at once would be a load of their own */
        .counting = begin_to_count,
        .counting_context = run,
    };
    clear(run);
    if (cell->setup.apart)
        engines_cores_take(&run->cores, run->cores.server, CPU_SETSIZE);
    int err = load_run(&config, run->found, failure);
    engines_cores_take(&run->cores, 0, CPU_SETSIZE);
    return err;
}

/* ---- What was found, as figures ---- */

static double quantile_ms(const struct histogram *histogram, double share)
{
    return histogram->count ? (double)histogram_quantile(histogram, share) / 1e6 : NAN;
}

static void take_load(const struct run *run, const struct tiers_cell *cell, double offered,
                      double *figures)
{
    const struct bench_report *found = run->found;
    double seconds = found->seconds > 0 ? found->seconds : 1;
    uint64_t in_time = engines_within(&found->latency, (uint64_t)(run->plan->limit_ms * 1e6));
    double all = (double)(found->operations + found->refused + found->failed);
    figures[TIERS_OFFERED] = cell->loop == TIERS_CLOSED ? NAN : offered;
    figures[TIERS_PER_S] = (double)found->operations / seconds;
    figures[TIERS_REFUSED] = (double)found->refused;
    figures[TIERS_FAILED] = (double)found->failed;
    figures[TIERS_LATE] = all > 0 ? (all - (double)in_time) / all : NAN;
    figures[TIERS_P50] = quantile_ms(&found->latency, 0.5);
    figures[TIERS_P99] = quantile_ms(&found->latency, 0.99);
    figures[TIERS_LONGEST] = (double)found->latency.max / 1e6;
    figures[TIERS_GENERATOR] = found->generator_busy + found->generator_waited;
}

static void take_usage(const struct run *run, double *figures)
{
    struct tiers_usage now;
    const struct bench_report *found = run->found;
    double requests = (double)(found->operations + found->refused + found->failed);
    run->host->usage(run->host->context, &now);
    if (requests <= 0)
        return;
    double fronts = (double)(now.fronts_ns - run->usage.fronts_ns) / 1e3 / requests;
    double workers = (double)(now.workers_ns - run->usage.workers_ns) / 1e3 / requests;
    double idle_us = found->seconds * 1e6 / requests;
    figures[TIERS_CPU_FRONTS] = fronts;
    figures[TIERS_CPU_WORKERS] = workers;
    figures[TIERS_CPU] = fronts + workers;
    figures[TIERS_FRONTS_NET] = fronts - run->idle_fronts * idle_us;
    figures[TIERS_CPU_NET] = fronts + workers - figures[TIERS_IDLE] * idle_us;
}

/* p99 of a window; of one with a request that was lost, or too few to say otherwise: the worst. */
static double window_p99_ms(const struct load_window *window)
{
    uint64_t all = window->done + window->lost;
    if (window->lost * 100 > all)
        return INFINITY;
    return (double)scale_waits_quantile(&window->waits, 0.99) / 1e6;
}

static void take_windows(const struct run *run, const struct tiers_load *load, double *figures,
                         struct tiers_series *series)
{
    bool over[TIERS_WINDOWS_MAX], back = false;
    static const double WINDOW_S = TIERS_WINDOW_MS / 1000.0;
    double count = ceil(load->load.seconds / WINDOW_S);
    series->count = count < TIERS_WINDOWS_MAX ? (unsigned)count : TIERS_WINDOWS_MAX;
    figures[TIERS_OVER] = 0;
    for (unsigned i = 0; i < series->count; i++) {
        const struct load_window *window = &run->windows[i];
        double p99 = window_p99_ms(window);
        over[i] = p99 > run->plan->limit_ms;
        figures[TIERS_OVER] += over[i] ? WINDOW_S : 0;
        series->p99_ms[i] = (float)p99;
        series->offered[i] = (float)((double)(window->done + window->lost) / WINDOW_S);
    }
    if (isnan(load->rise_s))
        return;
    size_t from = (size_t)(load->rise_s / WINDOW_S);
    figures[TIERS_BACK] =
        (double)tiers_settle(over, series->count, from, GOOD_MS / TIERS_WINDOW_MS, &back) *
        WINDOW_S;
    figures[TIERS_NOT_BACK] = !back;
}

/* ---- What the master has logged ---- */

static int read_record(struct run *run, struct failure *failure)
{
    buf_clear(&run->record);
    return run->host->record(run->host->context, &run->record, failure);
}

static void rest(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * (long)MS_NS}, NULL);
}

/* Until its tiers are at their minimum again, or it takes too long. */
static int wait_for_minimum(struct run *run, const struct tiers_setup *setup,
                            struct failure *failure)
{
    uint64_t end_ns = clock_mono_ns() + MINIMUM_WAIT_MS * MS_NS;
    struct tiers_sizes sizes = {0};
    int err = 0;
    do {
        rest(LOOK_MS);
        err = read_record(run, failure);
        tiers_record_last(buf_text(&run->record), &sizes);
    } while (!err && (sizes.workers != setup->workers || sizes.changing > 0) &&
             clock_mono_ns() < end_ns);
    return err;
}

/* Of the SECONDS since it began to count. WAITS: first for the minimum. */
static int take_record(struct run *run, const struct tiers_cell *cell, double seconds, bool waits,
                       double *figures, struct tiers_series *series, struct failure *failure)
{
    uint64_t from_ns = run->counted_ns, to_ns = from_ns + (uint64_t)(seconds * 1e9);
    int err = waits ? wait_for_minimum(run, &cell->setup, failure) : 0;
    err = err ? err : read_record(run, failure);
    return err ? err
               : tiers_record_read(buf_text(&run->record), from_ns, to_ns, cell->setup.workers,
                                   figures, series, failure);
}

/* ---- One measurement ---- */

static void take_idle(struct run *run, double *figures)
{
    struct tiers_usage before, after;
    uint64_t begun_ns = clock_mono_ns();
    run->host->usage(run->host->context, &before);
    rest(run->plan->quick ? IDLE_QUICK_MS : IDLE_MS);
    run->host->usage(run->host->context, &after);
    double lasted_ns = (double)(clock_mono_ns() - begun_ns);
    run->idle_fronts = (double)(after.fronts_ns - before.fronts_ns) / lasted_ns;
    figures[TIERS_IDLE] =
        run->idle_fronts + (double)(after.workers_ns - before.workers_ns) / lasted_ns;
}

/* In the first round alone it is waited for the minimum: it takes as long each time. */
static int measure_paced(struct run *run, const struct tiers_cell *cell, const char *url,
                         double *figures, struct tiers_series *series, struct failure *failure)
{
    const struct tiers_plan *plan = run->plan;
    struct tiers_load load;
    bool waits = cell->shape == TIERS_STEP && cell->setup.rule && !plan->quick && run->round == 0;
    int err = tiers_shape_make(cell->shape, plan->quick, plan->seed + run->round, plan->trace,
                               &load, failure);
    if (err)
        return err;
    tiers_shape_multiply(&load.load, run->capacity);
    if (cell->part == TIERS_POLLS)
        take_idle(run, figures);
    err = generate(run, cell, &load.load, url, failure);
    if (!err) {
        double seconds = load.load.seconds;
        take_load(run, cell, scale_load_between(&load.load, 0, seconds) / seconds, figures);
        take_windows(run, &load, figures, series);
        err = take_record(run, cell, seconds, waits, figures, series, failure);
    }
    scale_load_close(&load.load);
    return err;
}

static int measure_even(struct run *run, const struct tiers_cell *cell, const char *url,
                        double *figures, struct tiers_series *series, struct failure *failure)
{
    if (cell->part == TIERS_RATIO || cell->part == TIERS_HOP)
        take_idle(run, figures);
    int err = generate(run, cell, NULL, url, failure);
    if (err)
        return err;
    take_load(run, cell, rate_of(run, cell), figures);
    take_usage(run, figures);
    return cell->setup.alone
               ? 0
               : take_record(run, cell, run->plan->seconds, false, figures, series, failure);
}

static int measure(struct run *run, const struct tiers_cell *cell, double *figures,
                   struct tiers_series *series, struct failure *failure)
{
    char url[TIERS_URL];
    struct failure end = {0};
    for (unsigned i = 0; i < TIERS_FIGURES; i++)
        figures[i] = NAN;
    memset(series, 0, sizeof *series);
    if (cell->setup.apart)
        engines_cores_take(&run->cores, 0, run->cores.server);
    int err = run->host->start(run->host->context, &cell->setup, url, failure);
    engines_cores_take(&run->cores, 0, CPU_SETSIZE);
    if (err)
        return err;
    err = (cell->loop == TIERS_PACED ? measure_paced : measure_even)(run, cell, url, figures,
                                                                     series, failure);
    int lost = run->host->stop(run->host->context, &end);
    return !err && lost ? fail(failure, lost, "%s", end.text) : err;
}

/* What one worker can do, in a closed loop: what loads are multiples of. It is taken again in each
 * round, for a processor is not as fast at all times. */
static int measure_capacity(struct run *run, struct failure *failure)
{
    double figures[TIERS_FIGURES];
    struct tiers_series series;
    const struct tiers_cell cell = {
        .setup = {.workers = 1,
                  .workers_most = 1,
                  .fronts = 1,
                  .fronts_most = 1,
                  .helpers = 1,
                  .slots = 64},
        .page = TIERS_PAGE_WAITING,
        .loop = TIERS_CLOSED,
        .connections = CAPACITY_CONNECTIONS,
    };
    int err = measure(run, &cell, figures, &series, failure);
    run->capacity = err ? 0 : figures[TIERS_PER_S];
    return !err && run->capacity <= 0 ? fail(failure, ERR_STATE, "a worker answered nothing") : err;
}

static void measure_round(struct run *run, unsigned at)
{
    struct tiers_report *report = run->report;
    struct tiers_result *result = &report->results[at];
    struct failure failure = {0};
    struct tiers_series series;
    int err = measure(run, &report->cells[at], result->round[result->rounds], &series, &failure);
    if (err) {
        snprintf(result->why, sizeof result->why, "%.230s", failure.text);
    } else {
        if (result->rounds == 0)
            result->series = series;
        result->rounds++;
    }
    if (run->plan->progress) {
        tiers_print_round(report, at, err ? result->why : NULL, run->plan->progress);
        fflush(run->plan->progress);
    }
}

/* ---- All ---- */

static bool needs_capacity(const struct tiers_report *report)
{
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].loop == TIERS_PACED || report->cells[at].load > 0)
            return true;
    return false;
}

static int measure_all(struct run *run, struct failure *failure)
{
    struct tiers_report *report = run->report;
    double capacities[TIERS_ROUNDS_MAX];
    unsigned count = 0;
    for (; run->round < report->rounds; run->round++) {
        int err = needs_capacity(report) ? measure_capacity(run, failure) : 0;
        if (err)
            return err;
        capacities[count++] = run->capacity;
        for (unsigned at = 0; at < report->cell_count; at++)
            measure_round(run, at);
    }
    report->capacity_per_s = engines_median(capacities, count);
    return 0;
}

int tiers_run(const struct tiers_plan *plan, const struct tiers_host *host,
              struct tiers_report *report, struct failure *failure)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return fail(failure, ERR_NOMEM, "out of memory");
    memset(report, 0, sizeof *report);
    *run = (struct run){.plan = plan, .host = host, .report = report};
    engines_machine_look(&report->machine);
    engines_cores_look(&run->cores);
    report->server_cores = run->cores.server;
    buf_init(&run->record, TIERS_RECORD_MAX);
    run->found = calloc(1, sizeof *run->found);
    int err = run->found ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    err = err ? err : tiers_run_lay_out(plan, report, failure);
    if (!err && plan->progress)
        tiers_print_head(plan->progress);
    err = err ? err : measure_all(run, failure);
    engines_machine_look_again(&report->machine);
    buf_close(&run->record);
    free(run->found);
    free(run);
    return err;
}
