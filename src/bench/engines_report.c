#include "bench/engines_report.h"

#include "base/json_text.h"
#include "base/str.h"
#include "bench/engines_figures.h"
#include "bench/engines_lines.h"

#include <string.h>

const char *const engines_figure_keys[ENGINES_FIGURES] = {
#define X(name, key) key,
    ENGINES_FIGURE_LIST(X)
#undef X
};

/* ---- Asking ---- */

bool engines_report_wants(const struct engines_report *report, unsigned cell, unsigned contestant)
{
    return !report->contestants[contestant].admission_ms ||
           report->cells[cell].work == ENGINES_OVERLOAD;
}

int engines_report_cell(const struct engines_report *report, enum engines_work work,
                        unsigned connections, double load)
{
    for (unsigned i = 0; i < report->cell_count; i++) {
        const struct engines_cell *cell = &report->cells[i];
        if (cell->work == work && (!connections || cell->connections == connections) &&
            (load <= 0 || cell->load == load))
            return (int)i;
    }
    return -1;
}

double engines_report_median(const struct engines_report *report, int cell, unsigned contestant,
                             enum engines_figure figure)
{
    return cell < 0 ? 0 : report->results[cell][contestant].median[figure];
}

void engines_report_close(struct engines_report *report)
{
    double values[ENGINES_ROUNDS_MAX];
    for (unsigned at = 0; at < report->cell_count; at++)
        for (unsigned i = 0; i < report->contestant_count; i++) {
            struct engines_result *result = &report->results[at][i];
            for (unsigned figure = 0; figure < ENGINES_FIGURES; figure++) {
                for (unsigned round = 0; round < result->rounds; round++)
                    values[round] = result->round[round][figure];
                result->median[figure] = engines_median(values, result->rounds);
            }
        }
}

/* ---- Text ---- */

void engines_print_head(FILE *out)
{
    fprintf(out, "%-26s %-17s %9s %9s %9s %9s %9s %9s %7s %8s\n", "", "", "offered/s", "answered/s",
            "in time/s", "p50 ms", "p99 ms", "p99.9 ms", "PSS MB", "switches");
}

void engines_print_round(const struct engines_report *report, unsigned cell, unsigned contestant,
                         const char *why, FILE *out)
{
    const struct engines_result *result = &report->results[cell][contestant];
    fprintf(out, "%-26s %-17s ", report->cells[cell].name, report->contestants[contestant].name);
    if (why) {
        fprintf(out, "%s\n", why);
        return;
    }
    const double *f = result->round[result->rounds - 1];
    fprintf(out, "%9.0f %9.0f %9.0f %9.3f %9.3f %9.3f %7.1f %8.2f\n", f[ENGINES_OFFERED],
            f[ENGINES_PER_S], f[ENGINES_IN_TIME], f[ENGINES_P50], f[ENGINES_P99], f[ENGINES_P999],
            f[ENGINES_PSS], f[ENGINES_VOLUNTARY] + f[ENGINES_INVOLUNTARY]);
}

static void print_machine(const struct engines_report *report, FILE *out)
{
    const struct engines_machine *machine = &report->machine;
    fprintf(out,
            "\n%s, %u processors (%u for the server), %llu MB, %s, %s\n"
            "load average %.2f before, %.2f after; %.1f %% of the time went to others of its host\n"
            "rounds: %u, of %.1f s each; a page that is not in memory takes %.2f ms to read\n\n",
            machine->processor[0] ? machine->processor : "processor unknown", machine->cores,
            report->server_cores, (unsigned long long)machine->memory_mb, machine->kernel,
            machine->date, machine->load_before, machine->load_after, 100 * machine->stolen,
            report->rounds, report->seconds, report->cold_ms);
}

void engines_print_table(const struct engines_report *report, FILE *out)
{
    int middle = engines_report_cell(report, ENGINES_CACHED, ENGINES_MIDDLE, 0);
    int compute = engines_report_cell(report, ENGINES_COMPUTE, 0, 0);
    int paced = engines_report_cell(report, ENGINES_DISK_ALONE, 0, 0);
    int disk = engines_report_cell(report, ENGINES_DISK, 0, 0);
    int mix = engines_report_cell(report, ENGINES_MIX, 0, 0);
    int twice = engines_report_cell(report, ENGINES_OVERLOAD, 0, 2);
    print_machine(report, out);
    fprintf(out, "%-17s %9s %9s %9s %9s %9s %9s %10s %10s %6s %6s\n", "", "cached/s", "compute/s",
            "p99 ms", "disk p99", "x alone", "short p99", "2x: good/s", "in time/s", "own",
            "shared");
    for (unsigned i = 0; i < report->contestant_count; i++) {
        const struct engines_lines *lines = engines_lines_of(report->contestants[i].engine);
        double alone = engines_report_median(report, paced, i, ENGINES_P99);
        double beside = engines_report_median(report, disk, i, ENGINES_P99);
        fprintf(
            out, "%-17s %9.0f %9.0f %9.3f %9.3f %9.1f %9.3f %10.0f %10.0f %6u %6u\n",
            report->contestants[i].name, engines_report_median(report, middle, i, ENGINES_PER_S),
            engines_report_median(report, compute, i, ENGINES_PER_S),
            engines_report_median(report, middle, i, ENGINES_P99), beside,
            alone > 0 ? beside / alone : 0, engines_report_median(report, mix, i, ENGINES_P99),
            engines_report_median(report, twice, i, ENGINES_PER_S),
            engines_report_median(report, twice, i, ENGINES_IN_TIME), lines->own, lines->shared);
    }
}

/* ---- JSON ---- */

static void print_figures(const double figures[ENGINES_FIGURES], FILE *out)
{
    for (unsigned i = 0; i < ENGINES_FIGURES; i++)
        fprintf(out, "%s\"%s\":%.6g", i ? "," : "{", engines_figure_keys[i], figures[i]);
    fputs("}", out);
}

static void print_result(const struct engines_report *report, unsigned at, unsigned contestant,
                         FILE *out)
{
    const struct engines_result *result = &report->results[at][contestant];
    struct engines_cdf_point points[ENGINES_CDF_MAX];
    unsigned count = engines_cdf(&result->latency, points);
    fputs("{\"name\":", out);
    json_text_print(report->contestants[contestant].name, out);
    fputs(",\"failure\":", out);
    if (result->why[0])
        json_text_print(result->why, out);
    else
        fputs("null", out);
    fputs(",\"median\":", out);
    print_figures(result->median, out);
    fputs(",\"rounds\":[", out);
    for (unsigned round = 0; round < result->rounds; round++) {
        fputs(round ? "," : "", out);
        print_figures(result->round[round], out);
    }
    fputs("],\"cdf\":[", out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%s[%.6f,%.5f]", i ? "," : "", points[i].share, points[i].ms);
    fputs("]}", out);
}

static void print_cell(const struct engines_report *report, unsigned at, FILE *out)
{
    const char *separator = "";
    fputs("{\"name\":", out);
    json_text_print(report->cells[at].name, out);
    fprintf(out, ",\"connections\":%u,\"load\":%.2f,\"engines\":[", report->cells[at].connections,
            report->cells[at].load);
    for (unsigned i = 0; i < report->contestant_count; i++) {
        if (!engines_report_wants(report, at, i))
            continue;
        fputs(separator, out);
        print_result(report, at, i, out);
        separator = ",";
    }
    fputs("]}", out);
}

void engines_print_json(const struct engines_report *report, FILE *out)
{
    fputs("{\"bench\":\"engines\",", out);
    engines_machine_print(&report->machine, report->server_cores, out);
    fprintf(out,
            ",\"rounds\":%u,\"seconds\":%.3f,\"warm_up_seconds\":%.3f,\"quick\":%s,"
            "\"cold_read_ms\":%.4f,\"cold_per_s\":%.2f,\"lines\":{",
            report->rounds, report->seconds, report->warm_up_seconds,
            report->quick ? "true" : "false", report->cold_ms, report->cold_per_s);
    for (const struct engines_lines *lines = engines_lines; lines->name; lines++)
        fprintf(out, "%s\"%s\":{\"own\":%u,\"shared\":%u}", lines == engines_lines ? "" : ",",
                lines->name, lines->own, lines->shared);
    fputs("},\"loads\":[", out);
    for (unsigned at = 0; at < report->cell_count; at++) {
        fputs(at ? "," : "", out);
        print_cell(report, at, out);
    }
    fputs("]}\n", out);
}
