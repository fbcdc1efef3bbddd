/* The pictures of an engines report, each a file: throughput against connections, the CDF of
 * latencies by nines, cached pages beside a cold disk, and answers in time against offered load.
 * A line for each contestant; one with admission has its engine's colour, dashed. */
#include "base/check.h"
#include "base/str.h"
#include "bench/engines_figures.h"
#include "bench/engines_report.h"
#include "bench/plot.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 860, HEIGHT = 460, LEFT = 84, RIGHT = 190, TOP = 64, BOTTOM = 60 };

static const char *const names[ENGINES_PICTURES] = {"throughput", "cdf", "disk", "overload"};

/* 0.9 is 1, 0.99 is 2. */
static double nines(double share)
{
    return share >= 1 ? 5 : -log10(1 - share);
}

/* ---- What all have ---- */

static unsigned colour_of(const struct engines_report *report, unsigned contestant)
{
    return report->contestants[contestant].plain % 8;
}

static void begin_line(const struct plot *plot, const struct engines_report *report,
                       unsigned contestant)
{
    plot_line_begin(plot, contestant, colour_of(report, contestant),
                    report->contestants[contestant].admission_ms > 0,
                    report->contestants[contestant].name);
}

static double most_of(const struct engines_report *report, enum engines_work work,
                      enum engines_figure figure)
{
    double most = 0;
    for (unsigned at = 0; at < report->cell_count; at++)
        for (unsigned i = 0; report->cells[at].work == work && i < report->contestant_count; i++)
            most = fmax(most, report->results[at][i].median[figure]);
    return most;
}

/* ---- Each of them ---- */

/* A line through the cells of WORK: FIGURE against their connections or offered load. */
static void draw_series(struct plot *plot, const struct engines_report *report,
                        enum engines_work work, enum engines_figure figure)
{
    for (unsigned i = 0; i < report->contestant_count; i++) {
        bool first = true;
        if (report->contestants[i].admission_ms && work != ENGINES_OVERLOAD)
            continue;
        begin_line(plot, report, i);
        for (unsigned at = 0; at < report->cell_count; at++) {
            const struct engines_cell *cell = &report->cells[at];
            if (cell->work == work && report->results[at][i].rounds)
                plot_line_to(plot, &first,
                             work == ENGINES_OVERLOAD ? cell->load : cell->connections,
                             report->results[at][i].median[figure]);
        }
        plot_line_end(plot, first);
    }
}

static void draw_throughput(struct plot *plot, const struct engines_report *report)
{
    static const double marks[] = {1, 10, 100, 1000, 10000};
    plot->x = (struct plot_axis){1, 10000, true};
    plot_titles(plot, "Throughput of a cached page of 1 KiB", "connections (closed loop)",
                "answers a second");
    plot_x_ticks(plot, marks, COUNT_OF(marks));
    plot_y_steps(plot, most_of(report, ENGINES_CACHED, ENGINES_PER_S));
    draw_series(plot, report, ENGINES_CACHED, ENGINES_PER_S);
}

static void draw_overload(struct plot *plot, const struct engines_report *report)
{
    static const double marks[] = {0, 0.5, 1, 1.5, 2};
    plot->x = (struct plot_axis){0, 2, false};
    plot_titles(plot, "A page that computes for 1 ms: answers within a second",
                "offered load, as multiples of the engine's own capacity (open loop)",
                "answers, as multiples of the same; grey: what can be");
    plot_x_ticks(plot, marks, COUNT_OF(marks));
    plot_y_steps(plot, 1.2);
    fprintf(plot->out, "<path class=\"line ideal\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>\n",
            plot_x(plot, 0), plot_y(plot, 0), plot_x(plot, 1), plot_y(plot, 1), plot_x(plot, 2));
    draw_series(plot, report, ENGINES_OVERLOAD, ENGINES_IN_TIME_OF_CAPACITY);
}

static void draw_cdf(struct plot *plot, const struct engines_report *report, int at)
{
    static const struct {
        const char *name;
        double share;
    } marks[] = {{"min", 0},    {"p50", 0.5},     {"p90", 0.9},
                 {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
    plot->x = (struct plot_axis){0, 4, false};
    plot->y = (struct plot_axis){0.01, 10000, true};
    for (unsigned i = 0; i < COUNT_OF(marks); i++)
        plot_x_tick(plot, nines(marks[i].share), marks[i].name);
    plot_y_decades(plot);
    for (unsigned i = 0; at >= 0 && i < report->contestant_count; i++) {
        struct engines_cdf_point points[ENGINES_CDF_MAX];
        bool first = true;
        if (!engines_report_wants(report, (unsigned)at, i))
            continue;
        unsigned count = engines_cdf(&report->results[at][i].latency, points);
        begin_line(plot, report, i);
        for (unsigned p = 0; p < count; p++)
            plot_line_to(plot, &first, nines(points[p].share), points[p].ms);
        plot_line_end(plot, first);
    }
}

/* For plot_write. */
struct drawing {
    const struct engines_report *report;
    unsigned which;
};

static void draw(const void *context, FILE *out)
{
    const struct drawing *drawing = context;
    const struct engines_report *report = drawing->report;
    struct plot plot = {
        .out = out,
        .left = LEFT,
        .top = TOP,
        .width = WIDTH - LEFT - RIGHT,
        .height = HEIGHT - TOP - BOTTOM,
    };
    plot_open(out, WIDTH, HEIGHT);
    switch (drawing->which) {
    case 0:
        draw_throughput(&plot, report);
        break;
    case 1:
        plot_titles(&plot, "Latency of a cached page, 64 connections",
                    "share of requests that take no longer, by nines", "ms");
        draw_cdf(&plot, report, engines_report_cell(report, ENGINES_CACHED, ENGINES_MIDDLE, 0));
        break;
    case 2:
        plot_titles(&plot, "Latency of cached pages while others read a cold disk",
                    "share of requests that take no longer, by nines", "ms");
        draw_cdf(&plot, report, engines_report_cell(report, ENGINES_DISK, 0, 0));
        break;
    default:
        draw_overload(&plot, report);
    }
    plot_close(out);
}

/* ---- Files ---- */

void engines_picture_name(const char *page, unsigned which, char *out, size_t size)
{
    CHECK(which < ENGINES_PICTURES);
    plot_name(page, names[which], out, size);
}

int engines_report_pictures(const struct engines_report *report, const char *page,
                            struct failure *failure)
{
    int err = 0;
    for (unsigned which = 0; !err && which < ENGINES_PICTURES; which++) {
        struct drawing drawing = {report, which};
        err = plot_write(page, names[which], draw, &drawing, failure);
    }
    return err;
}
