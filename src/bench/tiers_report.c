#include "bench/tiers_report.h"

#include "base/json_text.h"

#include <math.h>
#include <string.h>

const char *const tiers_figure_keys[TIERS_FIGURES] = {
#define X(name, key) key,
    TIERS_FIGURE_LIST(X)
#undef X
};

/* ---- Asking ---- */

struct tiers_mean tiers_report_mean(const struct tiers_report *report, unsigned cell,
                                    enum tiers_figure figure)
{
    const struct tiers_result *result = &report->results[cell];
    double values[TIERS_ROUNDS_MAX];
    for (unsigned i = 0; i < result->rounds; i++)
        values[i] = result->round[i][figure];
    return tiers_mean_of(values, result->rounds);
}

bool tiers_report_has(const struct tiers_report *report, enum tiers_part part)
{
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].part == part)
            return true;
    return false;
}

int tiers_report_alone(const struct tiers_report *report, unsigned cell)
{
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].part == TIERS_HOP && report->cells[at].setup.alone &&
            strcmp(report->cells[at].name, report->cells[cell].name) == 0)
            return (int)at;
    return -1;
}

/* The closed loop that stands before the cell AT and has the same workers; -1: none. */
static int capacity_before(const struct tiers_report *report, unsigned at)
{
    for (unsigned i = at; i-- > 0;)
        if (report->cells[i].part == TIERS_OVERLOAD && report->cells[i].loop == TIERS_CLOSED)
            return (int)i;
    return -1;
}

struct tiers_mean tiers_report_kept(const struct tiers_report *report, unsigned at)
{
    int before = capacity_before(report, at);
    double shares[TIERS_ROUNDS_MAX] = {0};
    unsigned count = 0;
    if (before < 0)
        return tiers_mean_of(shares, 0);
    const struct tiers_result *result = &report->results[at], *whole = &report->results[before];
    for (; count < result->rounds && count < whole->rounds; count++) {
        double all = whole->round[count][TIERS_PER_S];
        shares[count] = all > 0 ? result->round[count][TIERS_PER_S] / all : NAN;
    }
    return tiers_mean_of(shares, count);
}

/* ---- Text ---- */

void tiers_print_head(FILE *out)
{
    fprintf(out, "%-7s %-28s %-22s %9s %9s %8s %9s %9s %7s %8s %6s %8s %7s\n", "", "", "",
            "offered/s", "answers/s", "late %", "p50 ms", "p99 ms", "back s", "worker s", "turns",
            "µs each", "busy %");
}

static void print_number(double value, int width, int digits, FILE *out)
{
    if (isnan(value))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.*f", width, digits, value);
}

void tiers_print_round(const struct tiers_report *report, unsigned cell, const char *why, FILE *out)
{
    const struct tiers_cell *what = &report->cells[cell];
    const struct tiers_result *result = &report->results[cell];
    fprintf(out, "%-7s %-28.28s %-22.22s", tiers_part_names[what->part], what->name, what->who);
    if (why) {
        fprintf(out, " %s\n", why);
        return;
    }
    const double *f = result->round[result->rounds - 1];
    print_number(f[TIERS_OFFERED], 9, 0, out);
    print_number(f[TIERS_PER_S], 9, 0, out);
    print_number(100 * f[TIERS_LATE], 8, 2, out);
    print_number(f[TIERS_P50], 9, 3, out);
    print_number(f[TIERS_P99], 9, 3, out);
    print_number(f[TIERS_BACK], 7, 2, out);
    print_number(f[TIERS_WORKER_S], 8, 1, out);
    print_number(f[TIERS_REVERSALS], 6, 1, out);
    print_number(f[TIERS_CPU], 8, 1, out);
    print_number(100 * f[TIERS_GENERATOR], 7, 0, out);
    fputs("\n", out);
}

/* ---- JSON ---- */

static void print_value(double value, FILE *out)
{
    if (isfinite(value))
        fprintf(out, "%.6g", value);
    else
        fputs("null", out);
}

static void print_figures(const double figures[TIERS_FIGURES], FILE *out)
{
    for (unsigned i = 0; i < TIERS_FIGURES; i++) {
        fprintf(out, "%s\"%s\":", i ? "," : "{", tiers_figure_keys[i]);
        print_value(figures[i], out);
    }
    fputs("}", out);
}

static void print_means(const struct tiers_report *report, unsigned cell, FILE *out)
{
    double means[TIERS_FIGURES], halves[TIERS_FIGURES];
    for (unsigned i = 0; i < TIERS_FIGURES; i++) {
        struct tiers_mean mean = tiers_report_mean(report, cell, (enum tiers_figure)i);
        means[i] = mean.mean;
        halves[i] = mean.half;
    }
    fputs("\"mean\":", out);
    print_figures(means, out);
    fputs(",\"interval_half\":", out);
    print_figures(halves, out);
}

static void print_cell(const struct tiers_report *report, unsigned at, FILE *out)
{
    const struct tiers_cell *cell = &report->cells[at];
    const struct tiers_result *result = &report->results[at];
    fprintf(out, "{\"part\":\"%s\",\"load\":", tiers_part_names[cell->part]);
    json_text_print(cell->name, out);
    fputs(",\"who\":", out);
    json_text_print(cell->who, out);
    fputs(",\"page\":", out);
    json_text_print(cell->page, out);
    fprintf(out, ",\"connections\":%u,\"workers\":%u,\"fronts\":%u,\"failure\":", cell->connections,
            cell->setup.workers, cell->setup.fronts);
    if (result->why[0])
        json_text_print(result->why, out);
    else
        fputs("null", out);
    fputs(",", out);
    print_means(report, at, out);
    fputs(",\"rounds\":[", out);
    for (unsigned round = 0; round < result->rounds; round++) {
        fputs(round ? "," : "", out);
        print_figures(result->round[round], out);
    }
    fputs("]}", out);
}

void tiers_print_json(const struct tiers_report *report, FILE *out)
{
    fputs("{\"bench\":\"scale\",", out);
    engines_machine_print(&report->machine, report->server_cores, out);
    fprintf(out,
            ",\"rounds\":%u,\"seconds\":%.3f,\"warm_up_seconds\":%.3f,\"quick\":%s,"
            "\"limit_ms\":%.0f,\"worker_capacity_per_s\":",
            report->rounds, report->seconds, report->warm_up_seconds,
            report->quick ? "true" : "false", report->limit_ms);
    print_value(report->capacity_per_s, out);
    fputs(",\"trace\":", out);
    if (report->trace[0])
        json_text_print(report->trace, out);
    else
        fputs("null", out);
    fputs(",\"cells\":[", out);
    for (unsigned at = 0; at < report->cell_count; at++) {
        fputs(at ? "," : "", out);
        print_cell(report, at, out);
    }
    fputs("]}\n", out);
}
