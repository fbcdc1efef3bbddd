#include "bench/balance_report.h"

#include "base/check.h"
#include "base/json_text.h"
#include "bench/page_part.h"

#include <stdlib.h>

/* ---- Running ---- */

static void list_rows(struct balance_report *report)
{
    report->rows[report->row_count++] = &balance_ideal_split;
    report->rows[report->row_count++] = &balance_ideal_homes;
    for (unsigned i = 0; policies[i]; i++) {
        CHECK(report->row_count < BALANCE_ROWS_MAX);
        report->rows[report->row_count++] = policies[i];
    }
}

bool balance_report_has(const struct balance_report *report, unsigned scenario, unsigned row)
{
    return report->rows[row] != &balance_ideal_homes || balance_scenarios[scenario].clicks > 0;
}

static struct balance_figures figures_of(const struct sim_result *result)
{
    return (struct balance_figures){
        .p50_ms = (double)histogram_quantile(&result->latency, 0.5) / 1e6,
        .p99_ms = (double)histogram_quantile(&result->latency, 0.99) / 1e6,
        .p999_ms = (double)histogram_quantile(&result->latency, 0.999) / 1e6,
        .load_spread = result->load_spread,
        .utilisation_spread = result->utilisation_spread,
        .requests = result->requests,
        .shed = result->shed,
        .retried = result->retried,
        .away = result->away,
    };
}

static double shed_percent(const struct balance_figures *figures)
{
    return figures->requests ? 100.0 * (double)figures->shed / (double)figures->requests : 0;
}

static void print_row(const char *name, const struct balance_figures *figures,
                      const struct balance_figures *ideal, FILE *out)
{
    fprintf(out, "  %-18s %9.2f %9.2f %9.2f %7.2f %6.2f %6.2f %7.2f %8llu\n", name, figures->p50_ms,
            figures->p99_ms, figures->p999_ms, figures->p99_ms / ideal->p99_ms,
            figures->load_spread, figures->utilisation_spread, shed_percent(figures),
            (unsigned long long)figures->retried);
}

static int run_scenario(struct balance_report *report, unsigned at, struct sim_result *result,
                        FILE *progress, struct failure *failure)
{
    const struct sim_scenario *scenario = &balance_scenarios[at];
    if (progress)
        fprintf(progress, "\n%s. %s\n  %-18s %9s %9s %9s %7s %6s %6s %7s %8s\n", scenario->title,
                scenario->about, "", "p50 ms", "p99 ms", "p99.9 ms", "×ideal", "load", "use",
                "shed %", "again");
    for (unsigned row = 0; row < report->row_count; row++) {
        if (!balance_report_has(report, at, row))
            continue;
        int err = balance_sim_run(scenario, report->rows[row], report->seed, result, failure);
        if (err)
            return err;
        report->figures[at][row] = figures_of(result);
        if (progress) {
            print_row(report->rows[row]->name, &report->figures[at][row], report->figures[at],
                      progress);
            fflush(progress);
        }
    }
    return 0;
}

int balance_report_run(struct balance_report *report, uint64_t seed, FILE *progress,
                       struct failure *failure)
{
    struct sim_result *result = malloc(sizeof *result);
    int err = result ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    *report = (struct balance_report){.seed = seed};
    list_rows(report);
    for (unsigned at = 0; !err && balance_scenarios[at].name; at++) {
        CHECK(at < BALANCE_SCENARIOS_MAX);
        err = run_scenario(report, at, result, progress, failure);
        report->scenario_count = at + 1;
    }
    free(result);
    return err;
}

void balance_report_json(const struct balance_report *report, FILE *out)
{
    fprintf(out, "{\"bench\":\"balance\",\"seed\":%llu,\"scenarios\":[",
            (unsigned long long)report->seed);
    for (unsigned at = 0; at < report->scenario_count; at++) {
        const char *separator = "";
        fprintf(out, "%s{\"name\":", at ? "," : "");
        json_text_print(balance_scenarios[at].name, out);
        fputs(",\"policies\":[", out);
        for (unsigned row = 0; row < report->row_count; row++) {
            const struct balance_figures *figures = &report->figures[at][row];
            if (!balance_report_has(report, at, row))
                continue;
            fprintf(out, "%s{\"name\":", separator);
            json_text_print(report->rows[row]->name, out);
            fprintf(out,
                    ",\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"p999_ms\":%.4f,\"load_spread\":%.4f,"
                    "\"utilisation_spread\":%.4f,\"requests\":%llu,\"shed\":%llu,\"again\":%llu,"
                    "\"away\":%llu}",
                    figures->p50_ms, figures->p99_ms, figures->p999_ms, figures->load_spread,
                    figures->utilisation_spread, (unsigned long long)figures->requests,
                    (unsigned long long)figures->shed, (unsigned long long)figures->retried,
                    (unsigned long long)figures->away);
            separator = ",";
        }
        fputs("]}", out);
    }
    fputs("]}\n", out);
}

/* ---- The page ---- */

/* Three digits that count. */
static void put_ms(double ms, FILE *out)
{
    fprintf(out, ms < 10 ? "%.2f" : ms < 100 ? "%.1f" : "%.0f", ms);
}

/* All of it on one screen: how many times the ideal split's p99. */
static void write_overview(const struct balance_report *report, FILE *out)
{
    fprintf(out, "### p99, in multiples of the ideal split's\n\n|");
    for (unsigned row = 1; row < report->row_count; row++)
        fprintf(out, " | %s", report->rows[row]->name);
    fprintf(out, " |\n| ---");
    for (unsigned row = 1; row < report->row_count; row++)
        fprintf(out, " | ---:");
    fprintf(out, " |\n");
    for (unsigned at = 0; at < report->scenario_count; at++) {
        const struct balance_figures *figures = report->figures[at];
        fprintf(out, "| %s", balance_scenarios[at].title);
        for (unsigned row = 1; row < report->row_count; row++) {
            double times = figures[row].p99_ms / figures[0].p99_ms;
            if (!balance_report_has(report, at, row))
                fprintf(out, " | ");
            else
                fprintf(out, times < 9.95 ? " | %.2f" : " | %.0f", times);
        }
        fprintf(out, " |\n");
    }
}

static void write_scenario(const struct balance_report *report, unsigned at, FILE *out)
{
    fprintf(out,
            "\n### %s\n\n%s\n\n| policy | p50 ms | p99 ms | p99.9 ms | load spread | use spread | "
            "shed %% | sent again |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
            balance_scenarios[at].title, balance_scenarios[at].about);
    for (unsigned row = 0; row < report->row_count; row++) {
        const struct balance_figures *figures = &report->figures[at][row];
        bool standard = report->rows[row] == policies[0];
        if (!balance_report_has(report, at, row))
            continue;
        fprintf(out, standard ? "| **%s** | " : "| %s | ", report->rows[row]->name);
        put_ms(figures->p50_ms, out);
        fputs(" | ", out);
        put_ms(figures->p99_ms, out);
        fputs(" | ", out);
        put_ms(figures->p999_ms, out);
        fprintf(out, " | %.2f | %.2f | %.2f | %llu |\n", figures->load_spread,
                figures->utilisation_spread, shed_percent(figures),
                (unsigned long long)figures->retried);
    }
}

static void write_results(const struct balance_report *report, const char *picture, FILE *out)
{
    fprintf(out, "%s\n\n## What the simulator finds\n\nSeed %llu.\n\n", BALANCE_REPORT_BEGIN,
            (unsigned long long)report->seed);
    if (picture)
        fprintf(out, "![Latency and spread of load, by scenario and policy](%s)\n\n", picture);
    write_overview(report, out);
    for (unsigned at = 0; at < report->scenario_count; at++)
        write_scenario(report, at, out);
    fprintf(out, "\n%s\n", BALANCE_REPORT_END);
}

/* For page_part. */
struct results {
    const struct balance_report *report;
    const char *picture;
};

static void write_part(const void *context, FILE *out)
{
    const struct results *results = context;
    write_results(results->report, results->picture, out);
}

int balance_report_page(const struct balance_report *report, const char *file, const char *picture,
                        struct failure *failure)
{
    struct results results = {report, picture};
    struct page_part part = {
        .title = "# Which policy",
        .begin = BALANCE_REPORT_BEGIN,
        .end = BALANCE_REPORT_END,
        .write = write_part,
        .context = &results,
    };
    return page_part_write(&part, file, failure);
}
