#include "bench/engines_run.h"

#include "base/check.h"
#include "bench/engines_app.h"
#include "bench/engines_figures.h"
#include "bench/load.h"

#include <stdlib.h>
#include <string.h>

/* What the pages cost, and how often they are asked for where that is not the question. */
enum {
    LONG_MS = 10,      /* as in pages_of */
    SHORT_PER_S = 540, /* of short and long: 0.6 of a processor, by the long ones alone */
    LONG_PER_S = 60,
    PACED_PER_S = 500, /* pages in memory beside the disk */
    SEARCH_MOST = 64,
    SEARCH_MOST_QUICK = 8,
    THREADS_MAX = 8, /* of the generator */
    URL_SIZE = 80,
};

/* Of the disk's time that the pages from it may take, and how many a second at most. */
static const double DISK_BUSY = 0.4, COLD_PER_S_MAX = 60;

/* At twice the capacity a queue that grows makes wait half the time since it began, at one and a
 * half times a third: what is measured is what comes when that is more than ENGINES_IN_TIME_MS. */
static const double OVERLOAD_WARM_UP_S = 3;

struct run {
    const struct engines_plan *plan;
    const struct engines_host *host;
    struct engines_report *report;
    struct engines_cores cores;
    struct bench_report *found; /* by the generator, in this measurement */
    struct load_tally *tally;
    struct engines_memory memory;
    pid_t server;
};

/* ---- The generator's side ---- */

/* Two kinds of pages: of so many of them one is of the second. */
struct pages {
    const char *first, *second;
    double share;
    bool numbered; /* the second kind is of files */
};

static void pages_request(const void *context, struct visitor *visitor,
                          struct script_request *request)
{
    const struct pages *pages = context;
    visitor->kind = pages->share > 0 && random_unit(&visitor->random) < pages->share;
    request->method = "GET";
    buf_puts(request->path, visitor->kind ? pages->second : pages->first);
    if (visitor->kind && pages->numbered)
        buf_u64(request->path, random_below(&visitor->random, ENGINES_FILES));
}

static enum script_verdict pages_answer(const void *context, struct visitor *visitor, int status,
                                        struct str body)
{
    (void)context;
    (void)visitor;
    (void)body;
    if (status == 503)
        return SCRIPT_REFUSED;
    return status == 200 ? SCRIPT_DONE : SCRIPT_FAILED;
}

static const struct script script_pages = {"pages", pages_request, pages_answer};

static struct pages pages_of(const struct run *run, enum engines_work work)
{
    double cold = run->report->cold_per_s;
    switch (work) {
    case ENGINES_COMPUTE:
    case ENGINES_OVERLOAD:
        return (struct pages){.first = "/compute?us=1000"};
    case ENGINES_DISK:
        return (struct pages){"/cached", "/disk?n=", cold / (cold + PACED_PER_S), true};
    case ENGINES_MIX:
        return (struct pages){"/cached", "/compute?us=10000",
                              (double)LONG_PER_S / (LONG_PER_S + SHORT_PER_S), false};
    case ENGINES_CACHED:
    case ENGINES_DISK_ALONE:
        break;
    }
    return (struct pages){.first = "/cached"};
}

/* Operations a second; 0: a closed loop. CAPACITY: what an overload is a multiple of. */
static double rate_of(const struct run *run, const struct engines_cell *cell, double capacity)
{
    switch (cell->work) {
    case ENGINES_DISK_ALONE:
        return PACED_PER_S;
    case ENGINES_DISK:
        return PACED_PER_S + run->report->cold_per_s;
    case ENGINES_MIX:
        return SHORT_PER_S + LONG_PER_S;
    case ENGINES_OVERLOAD:
        return cell->load * capacity;
    case ENGINES_CACHED:
    case ENGINES_COMPUTE:
        break;
    }
    return 0;
}

static void look_at_memory(void *context)
{
    struct run *run = context;
    engines_memory_look(run->server, &run->memory);
}

static double warm_up_of(const struct engines_plan *plan, const struct engines_cell *cell)
{
    bool longer = cell->work == ENGINES_OVERLOAD && !plan->quick;
    return longer && plan->warm_up_seconds < OVERLOAD_WARM_UP_S ? OVERLOAD_WARM_UP_S
                                                                : plan->warm_up_seconds;
}

static int generate(struct run *run, const char *url, const struct engines_cell *cell, double rate,
                    struct failure *failure)
{
    const struct engines_plan *plan = run->plan;
    struct pages pages = pages_of(run, cell->work);
    unsigned threads = (unsigned)CPU_COUNT(&run->cores.all) - run->cores.server;
    struct load_config config = {
        .url = url,
        .script = &script_pages,
        .script_context = &pages,
        .connections = cell->connections,
        .streams = 1,
        .threads = threads > THREADS_MAX ? THREADS_MAX
                   : threads             ? threads
                                         : 1,
        .seconds = plan->seconds,
        .warm_up_seconds = warm_up_of(plan, cell),
        .rate = rate,
        .seed = plan->seed,
        .tally = run->tally,
        .greeting = "/cached",
        .standing = look_at_memory,
        .standing_context = run,
    };
    if (config.threads > config.connections)
        config.threads = config.connections;
    memset(run->found, 0, sizeof *run->found);
    histogram_clear(&run->found->latency);
    memset(run->tally->done, 0, cell->connections * sizeof *run->tally->done);
    for (unsigned i = 0; i < LOAD_KINDS; i++)
        histogram_clear(&run->tally->latency[i]);
    engines_cores_take(&run->cores, run->cores.server, CPU_SETSIZE);
    int err = load_run(&config, run->found, failure);
    engines_cores_take(&run->cores, 0, CPU_SETSIZE);
    return err;
}

/* ---- What was found, as figures ---- */

static double quantile_ms(const struct histogram *histogram, double share)
{
    return (double)histogram_quantile(histogram, share) / 1e6;
}

static double mean_ms(const struct histogram *histogram)
{
    return histogram_mean(histogram) / 1e6;
}

static double jain_of_clients(const struct run *run, const struct engines_cell *cell)
{
    double *shares = calloc(cell->connections, sizeof *shares);
    if (!shares)
        return 0;
    for (unsigned i = 0; i < cell->connections; i++)
        shares[i] = (double)run->tally->done[i];
    double index = engines_jain(shares, cell->connections);
    free(shares);
    return index;
}

/* Of how many times longer than alone each kind took: alone a short one takes what it does with one
 * connection, a long one that and its computing. */
static double jain_of_kinds(const struct run *run, unsigned contestant)
{
    const struct engines_report *report = run->report;
    const struct histogram *latency = run->tally->latency;
    int alone = engines_report_cell(report, ENGINES_CACHED, 1, 0);
    double short_ms = engines_report_median(report, alone, contestant, ENGINES_P50);
    if (short_ms <= 0 || !latency[0].count || !latency[1].count)
        return 0;
    double stretch[2] = {mean_ms(&latency[0]) / short_ms,
                         mean_ms(&latency[1]) / (short_ms + LONG_MS)};
    return engines_jain(stretch, 2);
}

static void take_load(const struct run *run, const struct engines_cell *cell, unsigned contestant,
                      double rate, double *figures)
{
    const struct bench_report *found = run->found;
    const struct histogram *first = &run->tally->latency[0], *second = &run->tally->latency[1];
    double seconds = found->seconds > 0 ? found->seconds : 1;
    uint64_t in_time = engines_within(&found->latency, ENGINES_IN_TIME_MS * 1000000ull);
    figures[ENGINES_OFFERED] = rate;
    figures[ENGINES_PER_S] = (double)found->operations / seconds;
    figures[ENGINES_IN_TIME] = (double)in_time / seconds;
    figures[ENGINES_REFUSED] = (double)found->refused / seconds;
    figures[ENGINES_FAILED] = (double)found->failed / seconds;
    figures[ENGINES_P50] = quantile_ms(first, 0.5);
    figures[ENGINES_P99] = quantile_ms(first, 0.99);
    figures[ENGINES_P999] = quantile_ms(first, 0.999);
    figures[ENGINES_P9999] = quantile_ms(first, 0.9999);
    figures[ENGINES_MEAN] = mean_ms(first);
    uint64_t longest = found->latency.max;
    if (found->unanswered && found->unanswered_ns > longest)
        longest = found->unanswered_ns;
    figures[ENGINES_LONGEST] = (double)longest / 1e6;
    figures[ENGINES_LONG_P50] = quantile_ms(second, 0.5);
    figures[ENGINES_LONG_P99] = quantile_ms(second, 0.99);
    figures[ENGINES_LONG_MEAN] = mean_ms(second);
    figures[ENGINES_CONNECTIONS] = cell->connections;
    figures[ENGINES_GENERATOR] = found->generator_busy + found->generator_waited;
    if (rate <= 0)
        figures[ENGINES_JAIN_CLIENTS] = jain_of_clients(run, cell);
    if (cell->work == ENGINES_MIX)
        figures[ENGINES_JAIN_KINDS] = jain_of_kinds(run, contestant);
}

static void take_usage(const struct run *run, const struct engines_usage *usage, double *figures)
{
    double requests = usage->requests ? (double)usage->requests : 1;
    figures[ENGINES_RSS] = run->memory.rss_mb;
    figures[ENGINES_PSS] = run->memory.pss_mb;
    figures[ENGINES_PROCESSES] = run->memory.processes;
    figures[ENGINES_THREADS] = run->memory.threads;
    figures[ENGINES_VOLUNTARY] = (double)usage->voluntary / requests;
    figures[ENGINES_INVOLUNTARY] = (double)usage->involuntary / requests;
    figures[ENGINES_CPU] = usage->cpu_s * 1e6 / requests;
}

/* ---- One measurement ---- */

/* Into FIGURES; run->tally has the latencies. CAPACITY: as of rate_of. */
static int measure(struct run *run, const struct engines_cell *cell, unsigned contestant,
                   double capacity, double *figures, struct failure *failure)
{
    char url[URL_SIZE];
    struct engines_usage usage = {0};
    struct failure end = {0};
    double rate = rate_of(run, cell, capacity);
    memset(figures, 0, ENGINES_FIGURES * sizeof *figures);
    run->memory = (struct engines_memory){0};
    int err = run->host->start(run->host->context, &run->report->contestants[contestant], url,
                               &run->server, failure);
    if (err)
        return err;
    err = generate(run, url, cell, rate, failure);
    if (!err)
        take_load(run, cell, contestant, rate, figures);
    int lost = run->host->stop(run->host->context, &usage, &end);
    if (lost)
        return fail(failure, lost, "%s", end.text);
    take_usage(run, &usage, figures);
    return err;
}

/* Finds the number of connections at which it does most, and stays with it. */
static int search_capacity(struct run *run, const struct engines_cell *cell, unsigned contestant,
                           struct failure *failure)
{
    struct engines_search search = {.most = run->plan->quick ? SEARCH_MOST_QUICK : SEARCH_MOST};
    double figures[ENGINES_FIGURES];
    while (engines_search_next(&search)) {
        struct engines_cell step = *cell;
        step.connections = search.connections;
        int err = measure(run, &step, contestant, 0, figures, failure);
        if (err)
            return err;
        engines_search_found(&search, figures[ENGINES_PER_S]);
    }
    run->report->contestants[contestant].capacity_connections = search.best_connections;
    return 0;
}

static int measure_capacity(struct run *run, unsigned contestant, double *figures,
                            struct failure *failure)
{
    struct engines_report *report = run->report;
    const struct engines_contestant *who = &report->contestants[contestant];
    struct engines_cell cell = report->cells[engines_report_cell(report, ENGINES_COMPUTE, 0, 0)];
    int err = who->capacity_connections ? 0 : search_capacity(run, &cell, contestant, failure);
    cell.connections = who->capacity_connections;
    if (err || !cell.connections)
        return err ? err : fail(failure, ERR_STATE, "it answered nothing");
    return measure(run, &cell, contestant, 0, figures, failure);
}

/* The capacity is taken again just before: a processor is not as fast at all times, least where
 * others use a part of it, and minutes lie between the cells. */
static int measure_overload(struct run *run, const struct engines_cell *cell, unsigned contestant,
                            double *figures, struct failure *failure)
{
    int err = measure_capacity(run, run->report->contestants[contestant].plain, figures, failure);
    double capacity = figures[ENGINES_PER_S];
    if (!err && capacity <= 0)
        return fail(failure, ERR_STATE, "its capacity could not be measured");
    err = err ? err : measure(run, cell, contestant, capacity, figures, failure);
    if (err)
        return err;
    figures[ENGINES_CAPACITY] = capacity;
    figures[ENGINES_OF_CAPACITY] = figures[ENGINES_PER_S] / capacity;
    figures[ENGINES_IN_TIME_OF_CAPACITY] = figures[ENGINES_IN_TIME] / capacity;
    return 0;
}

static int measure_cell(struct run *run, unsigned at, unsigned contestant, double *figures,
                        struct failure *failure)
{
    const struct engines_cell *cell = &run->report->cells[at];
    if (cell->work == ENGINES_COMPUTE)
        return measure_capacity(run, contestant, figures, failure);
    if (cell->work == ENGINES_OVERLOAD)
        return measure_overload(run, cell, contestant, figures, failure);
    return measure(run, cell, contestant, 0, figures, failure);
}

static void measure_round(struct run *run, unsigned at, unsigned contestant)
{
    struct engines_report *report = run->report;
    struct engines_result *result = &report->results[at][contestant];
    struct failure failure = {0};
    double *figures = result->round[result->rounds];
    int err = measure_cell(run, at, contestant, figures, &failure);
    if (err) {
        snprintf(result->why, sizeof result->why, "%.230s", failure.text);
    } else {
        histogram_merge(&result->latency, &run->tally->latency[0]);
        result->rounds++;
    }
    if (run->plan->progress) {
        engines_print_round(report, at, contestant, err ? result->why : NULL, run->plan->progress);
        fflush(run->plan->progress);
    }
}

/* ---- All ---- */

static void measure_all(struct run *run)
{
    struct engines_report *report = run->report;
    for (unsigned round = 0; round < report->rounds; round++)
        for (unsigned at = 0; at < report->cell_count; at++) {
            for (unsigned i = 0; i < report->contestant_count; i++) {
                unsigned contestant = (i + round) % report->contestant_count;
                if (engines_report_wants(report, at, contestant))
                    measure_round(run, at, contestant);
            }
            engines_report_close(report);
        }
}

static int prepare(struct run *run, struct failure *failure)
{
    struct engines_report *report = run->report;
    int err = engines_run_lay_out(run->plan, report, failure);
    err = err ? err : engines_files_make(run->plan->dir, failure);
    err = err ? err : engines_files_cold_ms(run->plan->dir, &report->cold_ms, failure);
    if (err)
        return err;
    report->cold_per_s = report->cold_ms > 0 ? DISK_BUSY * 1000 / report->cold_ms : COLD_PER_S_MAX;
    if (report->cold_per_s > COLD_PER_S_MAX)
        report->cold_per_s = COLD_PER_S_MAX;
    unsigned most = 1;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].connections > most)
            most = report->cells[at].connections;
    if (most < SEARCH_MOST)
        most = SEARCH_MOST;
    engines_cores_look(&run->cores);
    report->server_cores = run->cores.server;
    run->found = calloc(1, sizeof *run->found);
    run->tally = calloc(1, sizeof *run->tally);
    if (run->tally)
        run->tally->done = calloc(most, sizeof *run->tally->done);
    bool good = run->found && run->tally && run->tally->done;
    return good ? 0 : fail(failure, ERR_NOMEM, "out of memory");
}

int engines_run(const struct engines_plan *plan, const struct engines_host *host,
                struct engines_report *report, struct failure *failure)
{
    struct run run = {.plan = plan, .host = host, .report = report};
    memset(report, 0, sizeof *report);
    engines_machine_look(&report->machine);
    int err = prepare(&run, failure);
    if (!err && plan->progress)
        engines_print_head(plan->progress);
    if (!err)
        measure_all(&run);
    engines_machine_look_again(&report->machine);
    if (run.tally)
        free(run.tally->done);
    free(run.tally);
    free(run.found);
    return err;
}
