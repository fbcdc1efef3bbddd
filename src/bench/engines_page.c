/* The page of an engines report: Markdown. Its first table is the usual comparison of server
 * architectures, throughput, response time and programmability, with what was measured in it. */
#include "base/check.h"
#include "base/str.h"
#include "bench/engines_lines.h"
#include "bench/engines_report.h"
#include "bench/page_part.h"

#include <math.h>
#include <string.h>

enum { NAME_SIZE = 256 };

struct column {
    const char *title;
    int cell; /* in the report; -1: it was not measured */
    enum engines_figure figure;
};

/* ---- Cells of tables ---- */

/* Three digits that count; thousands with commas; what is whole is written so. */
static void put_number(double value, FILE *out)
{
    long whole = lround(value);
    if (whole >= 1000000)
        fprintf(out, "%ld,%03ld,%03ld", whole / 1000000, whole / 1000 % 1000, whole % 1000);
    else if (whole >= 10000)
        fprintf(out, "%ld,%03ld", whole / 1000, whole % 1000);
    else if (value == floor(value))
        fprintf(out, "%.0f", value);
    else
        fprintf(out,
                value >= 100  ? "%.0f"
                : value >= 10 ? "%.1f"
                : value >= 1  ? "%.2f"
                              : "%.3f",
                value);
}

/* Of a load that had no answer there is no latency. */
static bool is_known(const struct engines_result *result, enum engines_figure figure)
{
    bool latency = figure >= ENGINES_P50 && figure <= ENGINES_MEAN;
    return result && result->rounds && (!latency || result->median[ENGINES_PER_S] > 0);
}

static void put_cell(const struct engines_report *report, const struct column *column,
                     unsigned contestant, FILE *out)
{
    const struct engines_result *result =
        column->cell < 0 ? NULL : &report->results[column->cell][contestant];
    fputs(" | ", out);
    if (is_known(result, column->figure))
        put_number(result->median[column->figure], out);
    else
        fputs("–", out);
    if (result && result->why[0])
        fputs(" †", out);
}

static void write_head(const struct column *columns, unsigned count, FILE *out)
{
    fputs("| engine", out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, " | %s", columns[i].title);
    fputs(" |\n| ---", out);
    for (unsigned i = 0; i < count; i++)
        fputs(" | ---:", out);
    fputs(" |\n", out);
}

/* A row for each contestant that has something in the first column's cell. */
static void write_table(const struct engines_report *report, const struct column *columns,
                        unsigned count, FILE *out)
{
    write_head(columns, count, out);
    for (unsigned i = 0; i < report->contestant_count; i++) {
        if (columns[0].cell >= 0 && !engines_report_wants(report, (unsigned)columns[0].cell, i))
            continue;
        fprintf(out, "| %s", report->contestants[i].name);
        for (unsigned c = 0; c < count; c++)
            put_cell(report, &columns[c], i, out);
        fputs(" |\n", out);
    }
}

/* ---- The tables ---- */

static void write_overview(const struct engines_report *report, FILE *out)
{
    int middle = engines_report_cell(report, ENGINES_CACHED, ENGINES_MIDDLE, 0);
    int mix = engines_report_cell(report, ENGINES_MIX, 0, 0);
    const struct column columns[] = {
        {"throughput: cached pages/s", middle, ENGINES_PER_S},
        {"computed pages/s", engines_report_cell(report, ENGINES_COMPUTE, 0, 0), ENGINES_PER_S},
        {"response time: p50 ms", middle, ENGINES_P50},
        {"p99 ms", middle, ENGINES_P99},
        {"p99 ms beside long requests", mix, ENGINES_P99},
        {"p99 ms beside a cold disk", engines_report_cell(report, ENGINES_DISK, 0, 0), ENGINES_P99},
    };
    fprintf(out, "### Throughput, response time, programmability\n\n| engine | how it works");
    for (unsigned i = 0; i < COUNT_OF(columns); i++)
        fprintf(out, " | %s", columns[i].title);
    fputs(" | programmability: lines of its own | it stands on |\n| --- | ---", out);
    for (unsigned i = 0; i < COUNT_OF(columns) + 2; i++)
        fputs(" | ---:", out);
    fputs(" |\n", out);
    for (unsigned i = 0; i < report->contestant_count; i++) {
        const struct engines_contestant *who = &report->contestants[i];
        const struct engines_lines *lines = engines_lines_of(who->engine);
        if (who->admission_ms)
            continue;
        fprintf(out, "| **%s** | %s", who->name, who->about);
        for (unsigned c = 0; c < COUNT_OF(columns); c++)
            put_cell(report, &columns[c], i, out);
        fprintf(out, " | %u | %u |\n", lines->own, lines->shared);
    }
}

/* One figure of all cells of WORK, side by side. */
static void write_series(const struct engines_report *report, enum engines_work work,
                         enum engines_figure figure, FILE *out)
{
    struct column columns[ENGINES_CELLS_MAX];
    unsigned count = 0;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].work == work)
            columns[count++] = (struct column){report->cells[at].name, (int)at, figure};
    if (count)
        write_table(report, columns, count, out);
}

static void write_cached(const struct engines_report *report, FILE *out)
{
    int middle = engines_report_cell(report, ENGINES_CACHED, ENGINES_MIDDLE, 0);
    fputs("\n### A cached page of 1 KiB, closed loop: answers a second\n\n", out);
    write_series(report, ENGINES_CACHED, ENGINES_PER_S, out);
    fputs("\nThe slowest percent, ms:\n\n", out);
    write_series(report, ENGINES_CACHED, ENGINES_P99, out);
    fputs("\nFairness between clients: Jain's index of what each connection got (1: all the "
          "same).\n\n",
          out);
    write_series(report, ENGINES_CACHED, ENGINES_JAIN_CLIENTS, out);
    fputs("\nThe longest wait, ms, also of requests that were never answered:\n\n", out);
    write_series(report, ENGINES_CACHED, ENGINES_LONGEST, out);
    fputs("\nHow busy the generator was, as a share of its time (near 1 it has no time left: then "
          "the "
          "figures say as much about the generator as about the engine):\n\n",
          out);
    write_series(report, ENGINES_CACHED, ENGINES_GENERATOR, out);
    fprintf(out, "\nMemory, MB (PSS: what is shared counts once, children count).\n\n");
    write_series(report, ENGINES_CACHED, ENGINES_PSS, out);
    fprintf(out, "\nWhat a request costs with %u connections:\n\n", ENGINES_MIDDLE);
    const struct column columns[] = {
        {"voluntary switches", middle, ENGINES_VOLUNTARY},
        {"involuntary", middle, ENGINES_INVOLUNTARY},
        {"processor µs", middle, ENGINES_CPU},
        {"threads", middle, ENGINES_THREADS},
        {"processes", middle, ENGINES_PROCESSES},
        {"RSS MB", middle, ENGINES_RSS},
        {"p99.9 ms", middle, ENGINES_P999},
        {"p99.99 ms", middle, ENGINES_P9999},
    };
    write_table(report, columns, COUNT_OF(columns), out);
}

static void write_compute(const struct engines_report *report, FILE *out)
{
    int cell = engines_report_cell(report, ENGINES_COMPUTE, 0, 0);
    const struct column columns[] = {
        {"answers/s", cell, ENGINES_PER_S},
        {"with connections", cell, ENGINES_CONNECTIONS},
        {"p50 ms", cell, ENGINES_P50},
        {"p99 ms", cell, ENGINES_P99},
        {"fairness between clients", cell, ENGINES_JAIN_CLIENTS},
        {"involuntary switches", cell, ENGINES_INVOLUNTARY},
    };
    fputs("\n### A page that computes for 1 ms: the capacity\n\nClosed loop, with as many "
          "connections as bring most.\n\n",
          out);
    write_table(report, columns, COUNT_OF(columns), out);
}

static void write_disk(const struct engines_report *report, FILE *out)
{
    int paced = engines_report_cell(report, ENGINES_DISK_ALONE, 0, 0);
    int disk = engines_report_cell(report, ENGINES_DISK, 0, 0);
    const struct column columns[] = {
        {"cached alone: p50 ms", paced, ENGINES_P50},
        {"p99 ms", paced, ENGINES_P99},
        {"beside the disk: p50 ms", disk, ENGINES_P50},
        {"p99 ms", disk, ENGINES_P99},
        {"p99.9 ms", disk, ENGINES_P999},
        {"from the disk: p50 ms", disk, ENGINES_LONG_P50},
        {"p99 ms", disk, ENGINES_LONG_P99},
    };
    fprintf(out,
            "\n### Pages from a cold disk beside cached ones\n\n500 cached pages a second, and "
            "beside them %.0f of 1 MiB that are not in memory (each takes %.1f ms to read when "
            "nothing else is asked of the disk). Open loop.\n\n",
            report->cold_per_s, report->cold_ms);
    write_table(report, columns, COUNT_OF(columns), out);
}

static void write_mix(const struct engines_report *report, FILE *out)
{
    int mix = engines_report_cell(report, ENGINES_MIX, 0, 0);
    const struct column columns[] = {
        {"short: p50 ms", mix, ENGINES_P50}, {"p99 ms", mix, ENGINES_P99},
        {"p99.9 ms", mix, ENGINES_P999},     {"long: p50 ms", mix, ENGINES_LONG_P50},
        {"p99 ms", mix, ENGINES_LONG_P99},   {"fairness", mix, ENGINES_JAIN_KINDS},
    };
    fputs("\n### Nine short requests, one long\n\n540 cached pages a second and 60 that compute "
          "for 10 ms: 60 % of one processor. Open loop. Fairness is Jain's index of how many times "
          "longer than alone each kind takes (1: both suffer alike, 0.5: one alone).\n\n",
          out);
    write_table(report, columns, COUNT_OF(columns), out);
}

static void write_overload(const struct engines_report *report, FILE *out)
{
    int twice = engines_report_cell(report, ENGINES_OVERLOAD, 0, 2);
    const struct column columns[] = {
        {"capacity/s", twice, ENGINES_CAPACITY}, {"answered/s", twice, ENGINES_PER_S},
        {"within 1 s", twice, ENGINES_IN_TIME},  {"refused/s", twice, ENGINES_REFUSED},
        {"failed/s", twice, ENGINES_FAILED},     {"p50 ms", twice, ENGINES_P50},
        {"p99 ms", twice, ENGINES_P99},          {"PSS MB", twice, ENGINES_PSS},
    };
    fputs("\n### Overload\n\nPages that compute for 1 ms come at random moments, whatever the "
          "server does, at so many times its own capacity, which is measured again just before. "
          "With admission, engines let in so many that nine of ten are answered within 100 ms. "
          "Answers within a second, a second:\n\n",
          out);
    write_series(report, ENGINES_OVERLOAD, ENGINES_IN_TIME, out);
    if (twice < 0)
        return;
    fputs("\nAt twice the capacity:\n\n", out);
    write_table(report, columns, COUNT_OF(columns), out);
    fputs("\nOf the capacity are answered at twice that load, round by round:", out);
    for (unsigned i = 0; i < report->contestant_count; i++) {
        const double *median = report->results[twice][i].median;
        fprintf(out, "%s %s %.0f %% (%.0f %% within 1 s)", i ? ";" : "",
                report->contestants[i].name, 100 * median[ENGINES_OF_CAPACITY],
                100 * median[ENGINES_IN_TIME_OF_CAPACITY]);
    }
    fputs(".\n", out);
}

/* What a † stands for. */
static void write_failures(const struct engines_report *report, FILE *out)
{
    const char *heading = "\n### † What could not be measured, at least in one round\n\n";
    for (unsigned at = 0; at < report->cell_count; at++)
        for (unsigned i = 0; i < report->contestant_count; i++) {
            const struct engines_result *result = &report->results[at][i];
            if (!result->why[0])
                continue;
            fprintf(out, "%s- %s, %s: %s\n", heading, report->contestants[i].name,
                    report->cells[at].name, result->why);
            heading = "";
        }
}

/* ---- The page ---- */

/* Whether the figures are worth little: too few, or not alone on the machine. */
static bool is_rough(const struct engines_report *report)
{
    return report->quick || report->rounds < 3 || report->seconds < 2 ||
           report->machine.load_before > report->machine.cores / 2.0;
}

static void write_machine(const struct engines_report *report, FILE *out)
{
    const struct engines_machine *machine = &report->machine;
    fprintf(out,
            "%s; %u processors, of which the server had %u and the generator the others; %llu MB; "
            "%s; %s. Load average %.2f before and %.2f after; %.1f %% of the processors' time went "
            "to others of the host. Rounds by turns: %u, of %.1f s each after %.1f s of the same; "
            "figures are "
            "their medians.%s\n\n",
            machine->processor[0] ? machine->processor : "Processor unknown", machine->cores,
            machine->cores > 1 ? report->server_cores : 1, (unsigned long long)machine->memory_mb,
            machine->kernel, machine->date, machine->load_before, machine->load_after,
            100 * machine->stolen, report->rounds, report->seconds, report->warm_up_seconds,
            is_rough(report) ? " **A short run, or a busy machine: it shows that everything is "
                               "measured, not what is fast.**"
                             : "");
}

static void write_results(const struct engines_report *report, const char *file, FILE *out)
{
    static const char *const titles[ENGINES_PICTURES] = {
        "Throughput against load", "Latencies up to p99.99", "Cached pages beside a cold disk",
        "Answers in time against load"};
    char name[NAME_SIZE];
    fprintf(out, "%s\n\n## What was measured\n\n", ENGINES_REPORT_BEGIN);
    write_machine(report, out);
    write_overview(report, out);
    for (unsigned i = 0; i < ENGINES_PICTURES; i++) {
        engines_picture_name(file, i, name, sizeof name);
        fprintf(out, "\n![%s](%s)\n", titles[i], name);
    }
    write_cached(report, out);
    write_compute(report, out);
    write_disk(report, out);
    write_mix(report, out);
    write_overload(report, out);
    write_failures(report, out);
    fprintf(out, "\n%s\n", ENGINES_REPORT_END);
}

/* For page_part. */
struct results {
    const struct engines_report *report;
    const char *file;
};

static void write_part(const void *context, FILE *out)
{
    const struct results *results = context;
    write_results(results->report, results->file, out);
}

static const struct page_part results_part = {
    .title = "# Seven engines",
    .begin = ENGINES_REPORT_BEGIN,
    .end = ENGINES_REPORT_END,
    .write = write_part,
};

int engines_report_page(const struct engines_report *report, const char *file,
                        struct failure *failure)
{
    struct results results = {report, file};
    struct page_part part = results_part;
    part.context = &results;
    return page_part_write(&part, file, failure);
}

int engines_report_page_check(const char *file, struct failure *failure)
{
    return page_part_check(&results_part, file, failure);
}
