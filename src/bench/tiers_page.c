/* The page of a tiers report: Markdown. Each number is the mean of all rounds, with half the width
 * of its 95 % confidence interval where there is more than one. */
#include "base/check.h"
#include "base/str.h"
#include "bench/page_part.h"
#include "bench/tiers_report.h"

#include <math.h>
#include <string.h>

enum { NAME_SIZE = 256, NAMES_MAX = 16 };

/* How busy fronts are to be: the usual of `--scale-fronts-busy`. */
static const double FRONTS_BUSY = 0.7;

struct column {
    const char *title;
    enum tiers_figure figure;
    double factor;
};

/* ---- Numbers ---- */

/* Three digits that count; thousands with commas; what is whole is written so. */
static void put_number(double value, FILE *out)
{
    double size = fabs(value);
    if (size >= 10000)
        fprintf(out, "%.0f,%03.0f", trunc(value / 1000), fmod(size, 1000));
    else if (value == floor(value) || size >= 100)
        fprintf(out, "%.0f", value);
    else
        fprintf(out, size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f", value);
}

static void put_mean(struct tiers_mean mean, double factor, FILE *out)
{
    if (mean.count == 0) {
        fputs("–", out);
        return;
    }
    put_number(factor * mean.mean, out);
    if (!isnan(mean.half) && mean.half > 0) {
        fputs(" ± ", out);
        put_number(factor * mean.half, out);
    }
}

/* ---- Tables ---- */

static void write_head(const char *const *titles, unsigned title_count,
                       const struct column *columns, unsigned count, FILE *out)
{
    for (unsigned i = 0; i < title_count; i++)
        fprintf(out, "| %s ", titles[i]);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "| %s ", columns[i].title);
    fputs("|\n", out);
    for (unsigned i = 0; i < title_count; i++)
        fputs("| --- ", out);
    for (unsigned i = 0; i < count; i++)
        fputs("| ---: ", out);
    fputs("|\n", out);
}

static void write_cells(const struct tiers_report *report, unsigned at,
                        const struct column *columns, unsigned count, FILE *out)
{
    for (unsigned i = 0; i < count; i++) {
        fputs(" | ", out);
        if (columns[i].figure == TIERS_BACK &&
            tiers_report_mean(report, at, TIERS_NOT_BACK).mean > 0)
            fputs("> ", out);
        put_mean(tiers_report_mean(report, at, columns[i].figure), columns[i].factor, out);
    }
    fputs(report->results[at].why[0] ? " † |\n" : " |\n", out);
}

/* A row for each cell of PART; of loads of the name NAME alone, unless that is NULL. */
static void write_table(const struct tiers_report *report, enum tiers_part part, const char *name,
                        const struct column *columns, unsigned count, FILE *out)
{
    static const char *const titles[] = {"load", "who bears it"};
    unsigned skipped = name ? 1 : 0;
    write_head(titles + skipped, 2 - skipped, columns, count, out);
    for (unsigned at = 0; at < report->cell_count; at++) {
        const struct tiers_cell *cell = &report->cells[at];
        if (cell->part != part || (name && strcmp(cell->name, name) != 0))
            continue;
        if (!name)
            fprintf(out, "| %s ", cell->name);
        fprintf(out, "| %s", cell->who);
        write_cells(report, at, columns, count, out);
    }
}

/* The names of a part's loads, or of those who bear them; each once. */
struct names {
    const char *list[NAMES_MAX];
    unsigned count;
};

static void add_name(struct names *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return;
    if (names->count < NAMES_MAX)
        names->list[names->count++] = name;
}

static struct names names_of(const struct tiers_report *report, enum tiers_part part, bool who)
{
    struct names names = {.count = 0};
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].part == part)
            add_name(&names, who ? report->cells[at].who : report->cells[at].name);
    return names;
}

static void write_picture(const struct tiers_report *report, const char *file, unsigned which,
                          const char *title, FILE *out)
{
    char name[NAME_SIZE];
    if (!tiers_picture_wanted(report, which))
        return;
    tiers_picture_name(file, which, name, sizeof name);
    fprintf(out, "\n![%s](%s)\n", title, name);
}

/* ---- Each question ---- */

static void write_rules(const struct tiers_report *report, const char *file, FILE *out)
{
    static const struct column columns[] = {
        {"p99 back after, s", TIERS_BACK, 1},
        {"p99 over the limit for, s", TIERS_OVER, 1},
        {"p50 ms", TIERS_P50, 1},
        {"p99 ms", TIERS_P99, 1},
        {"late, %", TIERS_LATE, 100},
        {"503", TIERS_REFUSED, 1},
        {"of these dropped", TIERS_DROPPED, 1},
        {"worker seconds", TIERS_WORKER_S, 1},
        {"most workers", TIERS_MOST, 1},
        {"decisions", TIERS_DECISIONS, 1},
        {"reversals a minute", TIERS_REVERSALS, 1},
        {"at the minimum again after, s", TIERS_MINIMUM, 1},
    };
    struct names shapes = names_of(report, TIERS_RULES, false);
    fprintf(
        out,
        "\n### Rules under loads that change\n\nPages that compute for 2 ms and wait for 8: one "
        "worker, with one helper, does %.0f a second. The limit for p99 is %.0f ms. *Late* is "
        "what was answered later than that, or not well.%s%s%s\n",
        report->capacity_per_s, report->limit_ms, report->trace[0] ? " The trace is " : "",
        report->trace, report->trace[0] ? "." : "");
    for (unsigned i = 0; i < shapes.count; i++) {
        fprintf(out, "\n**%s**\n\n", shapes.list[i]);
        write_table(report, TIERS_RULES, shapes.list[i], columns, COUNT_OF(columns), out);
    }
    write_picture(report, file, 0, "A step, rule by rule", out);
}

/* What WHO, a number of workers, can bear. */
struct bearing {
    unsigned workers;
    double most;   /* share of their capacity at which p99 crosses the limit; NAN: none */
    double beyond; /* the highest that was tried */
    double knee;   /* NAN: there is none */
};

static struct bearing bearing_of(const struct tiers_report *report, const char *who)
{
    double x[TIERS_CELLS_MAX] = {0}, y[TIERS_CELLS_MAX] = {0};
    unsigned count = 0;
    struct bearing bearing = {0, NAN, NAN, NAN};
    for (unsigned at = 0; at < report->cell_count; at++) {
        const struct tiers_cell *cell = &report->cells[at];
        double p99 = tiers_report_mean(report, at, TIERS_P99).mean;
        if (cell->part != TIERS_SIZES || strcmp(cell->who, who) != 0 || isnan(p99))
            continue;
        bearing.workers = cell->setup.workers;
        x[count] = cell->load;
        y[count++] = p99;
    }
    if (count == 0)
        return bearing;
    size_t knee = tiers_knee(x, y, count);
    bearing.most = tiers_crossing(x, y, count, report->limit_ms);
    bearing.beyond = x[count - 1];
    if (knee < count)
        bearing.knee = x[knee];
    return bearing;
}

/* (W - R)/√R, where R of W workers are busy. */
static double beta_of(const struct bearing *bearing)
{
    double busy = bearing->most * bearing->workers;
    return (bearing->workers - busy) / sqrt(busy);
}

static void write_size(const struct tiers_report *report, const char *who, FILE *out)
{
    struct bearing bearing = bearing_of(report, who);
    const char *open = bearing.most >= bearing.beyond ? "≥ " : "";
    fprintf(out, "| %s | ", who);
    if (isnan(bearing.most))
        fputs("– | – | –", out);
    else
        fprintf(out, "%s%.0f | %s%.0f | %.2f", open, 100 * bearing.most, open,
                bearing.most * bearing.workers * report->capacity_per_s, beta_of(&bearing));
    if (isnan(bearing.knee))
        fputs(" | – |\n", out);
    else
        fprintf(out, " | %.0f |\n", 100 * bearing.knee);
}

/* By the largest β of those measured, and never above BUSIEST. */
static void write_starts(const struct tiers_report *report, const struct names *who, FILE *out)
{
    static const double loads[] = {0.5, 1, 2, 3, 4, 6, 8}, BUSIEST = 0.9;
    double beta = 0;
    for (unsigned i = 0; i < who->count; i++) {
        struct bearing bearing = bearing_of(report, who->list[i]);
        if (!isnan(bearing.most))
            beta = fmax(beta, beta_of(&bearing));
    }
    fprintf(
        out,
        "\nTo start with, then: for R times what one worker can do R + %.2f × √R workers, and "
        "never so few that they would be more than %.0f %% busy, for a queue at 100 %% grows for "
        "ever, however slowly.\n\n| requests a second | of one worker's capacity | workers "
        "to start with |\n| ---: | ---: | ---: |\n",
        beta, 100 * BUSIEST);
    for (unsigned i = 0; i < COUNT_OF(loads); i++) {
        double workers = fmax(loads[i] + beta * sqrt(loads[i]), loads[i] / BUSIEST);
        fprintf(out, "| %.0f | %.0f %% | %.0f |\n", loads[i] * report->capacity_per_s,
                100 * loads[i], ceil(workers));
    }
}

static void write_sizes(const struct tiers_report *report, const char *file, FILE *out)
{
    static const struct column columns[] = {
        {"offered/s", TIERS_OFFERED, 1}, {"answered/s", TIERS_PER_S, 1}, {"p50 ms", TIERS_P50, 1},
        {"p99 ms", TIERS_P99, 1},        {"late, %", TIERS_LATE, 100},   {"busy", TIERS_BUSY, 1},
    };
    struct names who = names_of(report, TIERS_SIZES, true);
    if (who.count == 0)
        return;
    fputs(
        "\n### What sizes to start with for a given rate\n\nThe same pages, an even load at random "
        "moments (open loop), and sizes that stay.\n\n",
        out);
    write_table(report, TIERS_SIZES, NULL, columns, COUNT_OF(columns), out);
    fprintf(
        out,
        "\nSo these can bear, before p99 crosses %.0f ms (laid straight between the loads "
        "above, of the logarithm of p99); with R of W workers busy there, β is (W - R)/√R, what "
        "`--scale-margin` and `--scale-room` leave:\n\n| | %% of their capacity | requests a "
        "second | β | knee, %% "
        "|\n| --- | ---: | ---: | ---: | ---: |\n",
        report->limit_ms);
    for (unsigned i = 0; i < who.count; i++)
        write_size(report, who.list[i], out);
    write_starts(report, &who, out);
    write_picture(report, file, 1, "Waiting against load", out);
}

static bool is_polled(const struct tiers_report *report, unsigned at, const char *who)
{
    return report->cells[at].part == TIERS_POLLS && strcmp(report->cells[at].who, who) == 0 &&
           report->results[at].rounds > 0;
}

/* Whether the cell A has no more late requests than B, as far as their intervals tell. */
static bool is_as_good(const struct tiers_report *report, unsigned a, unsigned b)
{
    struct tiers_mean mine = tiers_report_mean(report, a, TIERS_LATE);
    struct tiers_mean other = tiers_report_mean(report, b, TIERS_LATE);
    double slack = (isnan(mine.half) ? 0 : mine.half) + (isnan(other.half) ? 0 : other.half);
    return mine.mean - other.mean <= slack;
}

/* The poll with the fewest worker seconds of those that are as good as the best. */
static void write_best_poll(const struct tiers_report *report, const char *who, FILE *out)
{
    unsigned best = TIERS_CELLS_MAX, cheapest = TIERS_CELLS_MAX;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (is_polled(report, at, who) &&
            (best == TIERS_CELLS_MAX || tiers_report_mean(report, at, TIERS_LATE).mean <
                                            tiers_report_mean(report, best, TIERS_LATE).mean))
            best = at;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (is_polled(report, at, who) && is_as_good(report, at, best) &&
            (cheapest == TIERS_CELLS_MAX ||
             tiers_report_mean(report, at, TIERS_WORKER_S).mean <
                 tiers_report_mean(report, cheapest, TIERS_WORKER_S).mean))
            cheapest = at;
    if (cheapest < TIERS_CELLS_MAX)
        fprintf(out,
                "\nBest, %s: %u ms. Of those with no more late requests than the one with the "
                "fewest (as far as the intervals tell) it takes the fewest worker seconds.\n",
                who, report->cells[cheapest].setup.poll_ms);
}

static void write_polls(const struct tiers_report *report, const char *file, FILE *out)
{
    static const struct column columns[] = {
        {"late, %", TIERS_LATE, 100},
        {"p99 ms", TIERS_P99, 1},
        {"worker seconds", TIERS_WORKER_S, 1},
        {"decisions", TIERS_DECISIONS, 1},
        {"reversals a minute", TIERS_REVERSALS, 1},
        {"one idle worker and front, % of a processor", TIERS_IDLE, 100},
    };
    if (!tiers_report_has(report, TIERS_POLLS))
        return;
    fputs("\n### How long a poll should wait\n\nThe rule `poll` under bursts: two and a half times "
          "what one worker can do for 2 s, a fifth of it for 3 s, four times. *The rule alone* is "
          "without what the scaler puts around every rule (`--scale-hold`, `--scale-calm`, "
          "`--scale-urgent`, `--scale-room`): then the poll's time is all that keeps a worker from "
          "leaving "
          "between two bursts.\n\n",
          out);
    write_table(report, TIERS_POLLS, NULL, columns, COUNT_OF(columns), out);
    struct names who = names_of(report, TIERS_POLLS, true);
    for (unsigned i = 0; i < who.count; i++)
        write_best_poll(report, who.list[i], out);
    write_picture(report, file, 2, "Polls", out);
}

/* ---- Fronts to workers ---- */

/* How many fronts, at FRONTS_BUSY, a worker that is always busy keeps at work. */
static double fronts_for_worker(const struct tiers_report *report, unsigned at)
{
    double per_s = tiers_report_mean(report, at, TIERS_PER_S).mean;
    double us = tiers_report_mean(report, at, TIERS_FRONTS_NET).mean;
    double busy = tiers_report_mean(report, at, TIERS_BUSY).mean;
    return busy > 0 ? per_s * us / 1e6 / FRONTS_BUSY / busy : 0;
}

static void write_ratio(const struct tiers_report *report, const char *file, FILE *out)
{
    static const struct column columns[] = {
        {"answered/s", TIERS_PER_S, 1},    {"p50 ms", TIERS_P50, 1},
        {"p99 ms", TIERS_P99, 1},          {"µs each: fronts", TIERS_CPU_FRONTS, 1},
        {"workers", TIERS_CPU_WORKERS, 1}, {"workers busy", TIERS_BUSY, 1},
    };
    struct names pages = names_of(report, TIERS_RATIO, false);
    if (pages.count == 0)
        return;
    fputs("\n### How many fronts for how many workers\n\nClosed loop, 64 connections: as much as "
          "goes. Fronts + workers, all on all processors of the machine, and the generator with "
          "them.\n\n",
          out);
    write_table(report, TIERS_RATIO, NULL, columns, COUNT_OF(columns), out);
    fprintf(
        out,
        "\nFrom the pair 1 + 1: the `--scale-fronts-ratio` at which fronts are %.0f %% busy while "
        "the workers are busy all the time:\n\n| page | fronts for each "
        "worker |\n| --- | ---: |\n",
        100 * FRONTS_BUSY);
    for (unsigned i = 0; i < pages.count; i++)
        for (unsigned at = 0; at < report->cell_count; at++) {
            const struct tiers_cell *cell = &report->cells[at];
            if (cell->part == TIERS_RATIO && strcmp(cell->name, pages.list[i]) == 0 &&
                strcmp(cell->who, "1 + 1") == 0 && report->results[at].rounds > 0)
                fprintf(out, "| %s | %.2f |\n", cell->name, fronts_for_worker(report, at));
        }
    write_picture(report, file, 3, "Fronts and workers", out);
}

/* ---- Too much ---- */

static void write_kept(const struct tiers_report *report, FILE *out)
{
    fputs(
        "\nOf what the same workers did in a closed loop just before, in the same round:\n\n| load "
        "| answers, % |\n| --- | ---: |\n",
        out);
    for (unsigned at = 0; at < report->cell_count; at++) {
        if (report->cells[at].part != TIERS_OVERLOAD || report->cells[at].loop == TIERS_CLOSED)
            continue;
        fprintf(out, "| %s | ", report->cells[at].name);
        put_mean(tiers_report_kept(report, at), 100, out);
        fputs(" |\n", out);
    }
}

static void write_overload(const struct tiers_report *report, FILE *out)
{
    static const struct column columns[] = {
        {"offered/s", TIERS_OFFERED, 1},
        {"answered/s", TIERS_PER_S, 1},
        {"503", TIERS_REFUSED, 1},
        {"of these dropped", TIERS_DROPPED, 1},
        {"p50 ms", TIERS_P50, 1},
        {"p99 ms", TIERS_P99, 1},
        {"longest ms", TIERS_LONGEST, 1},
        {"workers busy", TIERS_BUSY, 1},
        {"generator busy, %", TIERS_GENERATOR, 100},
    };
    if (!tiers_report_has(report, TIERS_OVERLOAD))
        return;
    fputs("\n### More than can be done\n\nThe pages that wait, sizes that stay, and requests at "
          "random "
          "moments that do not care whether there is room (open loop). What nobody has begun "
          "within 2 "
          "s (`--wait`) is dropped and told so with 503; times are of what was answered.\n\n",
          out);
    write_table(report, TIERS_OVERLOAD, NULL, columns, COUNT_OF(columns), out);
    write_kept(report, out);
}

/* ---- The hop ---- */

static void write_difference(const struct tiers_report *report, unsigned at, unsigned alone,
                             FILE *out)
{
    const struct tiers_result *tiers = &report->results[at], *one = &report->results[alone];
    unsigned rounds = tiers->rounds < one->rounds ? tiers->rounds : one->rounds;
    static const enum tiers_figure figures[] = {TIERS_CPU_NET, TIERS_CPU};
    double with[TIERS_ROUNDS_MAX], without[TIERS_ROUNDS_MAX];
    double ratio = tiers_report_mean(report, at, TIERS_PER_S).mean /
                   tiers_report_mean(report, alone, TIERS_PER_S).mean;
    fprintf(out, "| %s", report->cells[at].name);
    for (unsigned f = 0; f < COUNT_OF(figures); f++) {
        for (unsigned i = 0; i < rounds; i++) {
            with[i] = tiers->round[i][figures[f]];
            without[i] = one->round[i][figures[f]];
        }
        fputs(" | ", out);
        put_mean(tiers_mean_difference(with, without, rounds), 1, out);
    }
    fputs(" | ", out);
    if (isfinite(ratio))
        put_number(100 * ratio, out);
    else
        fputs("–", out);
    fputs(" |\n", out);
}

static void write_hop(const struct tiers_report *report, const char *file, FILE *out)
{
    static const struct column columns[] = {
        {"answered/s", TIERS_PER_S, 1},
        {"503", TIERS_REFUSED, 1},
        {"p50 ms", TIERS_P50, 1},
        {"p99 ms", TIERS_P99, 1},
        {"processor µs each", TIERS_CPU, 1},
        {"idle, % of a processor", TIERS_IDLE, 100},
        {"generator busy, %", TIERS_GENERATOR, 100},
    };
    if (!tiers_report_has(report, TIERS_HOP))
        return;
    fprintf(out,
            "\n### What the way through the queue costs\n\nOne process on the engine event, and a "
            "front with workers, on the same %u of the processors; both have two helpers for "
            "pages that compute. The generator has the other processors.\n\n",
            report->server_cores);
    write_table(report, TIERS_HOP, NULL, columns, COUNT_OF(columns), out);
    fputs(
        "\nWhat a request costs more in the tiers, by the processor time of all processes (round "
        "by "
        "round, so that what changes on the machine drops out): for itself; with its part of what "
        "the processes use when nothing is asked, which counts where little is; and what is left "
        "of the throughput:\n\n| load | processor µs more | with what idling costs | answers, % of "
        "those of one process |\n| --- | ---: | ---: | ---: |\n",
        out);
    for (unsigned at = 0; at < report->cell_count; at++) {
        int alone = tiers_report_alone(report, at);
        if (report->cells[at].part == TIERS_HOP && !report->cells[at].setup.alone && alone >= 0)
            write_difference(report, at, (unsigned)alone, out);
    }
    write_picture(report, file, 4, "The hop", out);
}

/* ---- The page ---- */

/* What a † stands for. */
static void write_failures(const struct tiers_report *report, FILE *out)
{
    const char *heading = "\n### † What could not be measured, at least in one round\n\n";
    for (unsigned at = 0; at < report->cell_count; at++) {
        if (!report->results[at].why[0])
            continue;
        fprintf(out, "%s- %s, %s: %s\n", heading, report->cells[at].name, report->cells[at].who,
                report->results[at].why);
        heading = "";
    }
}

/* Whether the figures are worth little: too few, or not alone on the machine. */
static bool is_rough(const struct tiers_report *report)
{
    return report->quick || report->rounds < 3 || report->seconds < 2 ||
           report->machine.load_before > report->machine.cores / 2.0;
}

static void write_machine(const struct tiers_report *report, FILE *out)
{
    const struct engines_machine *machine = &report->machine;
    fprintf(
        out,
        "%s; %u processors; %llu MB; %s; %s. Load average %.2f before and %.2f after; %.1f %% of "
        "the processors' time went to others of the host. Rounds: %u, each through everything; "
        "even loads lasted %.1f s each after %.1f s of the same. Figures are means of the "
        "rounds ± half of the 95 %% confidence interval (Student's t).%s\n",
        machine->processor[0] ? machine->processor : "Processor unknown", machine->cores,
        (unsigned long long)machine->memory_mb, machine->kernel, machine->date,
        machine->load_before, machine->load_after, 100 * machine->stolen, report->rounds,
        report->seconds, report->warm_up_seconds,
        is_rough(report) ? " **A short run, or a busy machine: it shows that everything is "
                           "measured, not what is good.**"
                         : "");
}

/* For page_part. */
struct results {
    const struct tiers_report *report;
    const char *file;
};

static void write_part(const void *context, FILE *out)
{
    const struct results *results = context;
    const struct tiers_report *report = results->report;
    fprintf(out, "%s\n\n## What was measured\n\n", TIERS_REPORT_BEGIN);
    write_machine(report, out);
    if (tiers_report_has(report, TIERS_RULES))
        write_rules(report, results->file, out);
    write_sizes(report, results->file, out);
    write_polls(report, results->file, out);
    write_ratio(report, results->file, out);
    write_overload(report, out);
    write_hop(report, results->file, out);
    write_failures(report, out);
    fprintf(out, "\n%s\n", TIERS_REPORT_END);
}

static const struct page_part results_part = {
    .title = "# How the tiers grow, measured",
    .begin = TIERS_REPORT_BEGIN,
    .end = TIERS_REPORT_END,
    .write = write_part,
};

int tiers_report_page(const struct tiers_report *report, const char *file, struct failure *failure)
{
    struct results results = {report, file};
    struct page_part part = results_part;
    part.context = &results;
    return page_part_write(&part, file, failure);
}

int tiers_report_page_check(const char *file, struct failure *failure)
{
    return page_part_check(&results_part, file, failure);
}
