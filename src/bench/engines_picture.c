/* The pictures of an engines report, each a file: throughput against connections, the CDF of
 * latencies by nines, cached pages beside a cold disk, and answers in time against offered load.
 * A line for each contestant; one with admission has its engine's colour, dashed. */
#include "base/check.h"
#include "base/str.h"
#include "bench/engines_figures.h"
#include "bench/engines_report.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 860, HEIGHT = 460, LEFT = 84, RIGHT = 190, TOP = 64, BOTTOM = 60, PATH_BYTES = 600 };

static const char *const names[ENGINES_PICTURES] = {"throughput", "cdf", "disk", "overload"};

/* From value to place; logarithmic, by nines, or linear. */
struct axis {
    double from, to;
    bool logarithmic;
};

struct plot {
    struct axis x, y;
    FILE *out;
};

static double place(const struct axis *axis, double value)
{
    double at = axis->logarithmic ? log10(fmax(value, 1e-9)) : value;
    double low = axis->logarithmic ? log10(axis->from) : axis->from;
    double high = axis->logarithmic ? log10(axis->to) : axis->to;
    return fmin(fmax((at - low) / (high - low), 0), 1);
}

static double x_of(const struct plot *plot, double value)
{
    return LEFT + place(&plot->x, value) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct plot *plot, double value)
{
    return HEIGHT - BOTTOM - place(&plot->y, value) * (HEIGHT - TOP - BOTTOM);
}

/* 0.9 is 1, 0.99 is 2. */
static double nines(double share)
{
    return share >= 1 ? 5 : -log10(1 - share);
}

/* ---- What all have ---- */

static void draw_text(const struct plot *plot, double x, double y, const char *class,
                      const char *text)
{
    fprintf(plot->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, text);
}

static void draw_begin(const struct plot *plot, const char *title, const char *x_title,
                       const char *y_title)
{
    fprintf(plot->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui,'Helvetica Neue',Arial,sans-serif\" font-size=\"12\" "
            "fill=\"#2b3440\">\n<style>\n"
            ".head{font-size:18px;font-weight:600}.tick{fill:#66717e}.x{text-anchor:middle}"
            ".y{text-anchor:end}.grid{stroke:#e4e8ed;fill:none}"
            ".line{fill:none;stroke-width:2.2;stroke-linejoin:round}.dashed{stroke-dasharray:6 4}\n"
            ".ideal{stroke:#c3cad2}.e0{stroke:#8d6e63}.e1{stroke:#c2410c}.e2{stroke:#b0a000}.e3{"
            "stroke:#1d5fa8}"
            ".e4{stroke:#00796b}.e5{stroke:#7b1fa2}.e6{stroke:#d81b60}.e7{stroke:#455a64}\n"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT);
    draw_text(plot, LEFT, 30, "head", title);
    draw_text(plot, LEFT, TOP - 12, "tick", y_title);
    draw_text(plot, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 16, "tick x", x_title);
}

static void draw_x_tick(const struct plot *plot, double value, const char *text)
{
    double x = x_of(plot, value);
    fprintf(plot->out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", x, TOP, HEIGHT - BOTTOM);
    draw_text(plot, x, HEIGHT - BOTTOM + 18, "tick x", text);
}

static void draw_y_tick(const struct plot *plot, double value)
{
    char text[32];
    double y = y_of(plot, value);
    snprintf(text, sizeof text, "%g", value);
    fprintf(plot->out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", LEFT, y, WIDTH - RIGHT);
    draw_text(plot, LEFT - 8, y + 4, "tick y", text);
}

static void draw_y_decades(const struct plot *plot)
{
    for (double value = plot->y.from; value <= plot->y.to * 1.001; value *= 10)
        draw_y_tick(plot, value);
}

/* Five steps of a round size, up to MOST or a little more. */
static void draw_y_steps(struct plot *plot, double most)
{
    static const double round_ones[] = {1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    double power = pow(10, floor(log10(fmax(most, 1) / 5))), step = power;
    for (unsigned i = 0; i < COUNT_OF(round_ones) && 5 * step < most; i++)
        step = power * round_ones[i];
    plot->y = (struct axis){0, 5 * step, false};
    for (unsigned i = 0; i <= 5; i++)
        draw_y_tick(plot, i * step);
}

static unsigned colour_of(const struct engines_report *report, unsigned contestant)
{
    return report->contestants[contestant].plain % 8;
}

static void begin_line(const struct plot *plot, const struct engines_report *report,
                       unsigned contestant)
{
    bool dashed = report->contestants[contestant].admission_ms > 0;
    double y = TOP + 12 + 22 * contestant;
    char style[32];
    snprintf(style, sizeof style, "line e%u%s", colour_of(report, contestant),
             dashed ? " dashed" : "");
    fprintf(plot->out, "<path class=\"%s\" d=\"M%d %.1fh24\"/>\n", style, WIDTH - RIGHT + 18, y);
    draw_text(plot, WIDTH - RIGHT + 50, y + 4, "name", report->contestants[contestant].name);
    fprintf(plot->out, "<path class=\"%s\" d=\"", style);
}

static void draw_point(const struct plot *plot, bool *first, double x, double y)
{
    fprintf(plot->out, "%c%.1f %.1f", *first ? 'M' : 'L', x_of(plot, x), y_of(plot, y));
    *first = false;
}

static void end_line(const struct plot *plot, bool empty)
{
    fputs(empty ? "M0 0\"/>\n" : "\"/>\n", plot->out);
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
                draw_point(plot, &first, work == ENGINES_OVERLOAD ? cell->load : cell->connections,
                           report->results[at][i].median[figure]);
        }
        end_line(plot, first);
    }
}

static void draw_throughput(struct plot *plot, const struct engines_report *report)
{
    static const double marks[] = {1, 10, 100, 1000, 10000};
    char text[32];
    plot->x = (struct axis){1, 10000, true};
    draw_begin(plot, "Throughput of a cached page of 1 KiB", "connections (closed loop)",
               "answers a second");
    for (unsigned i = 0; i < COUNT_OF(marks); i++) {
        snprintf(text, sizeof text, "%g", marks[i]);
        draw_x_tick(plot, marks[i], text);
    }
    draw_y_steps(plot, most_of(report, ENGINES_CACHED, ENGINES_PER_S));
    draw_series(plot, report, ENGINES_CACHED, ENGINES_PER_S);
}

static void draw_overload(struct plot *plot, const struct engines_report *report)
{
    static const double marks[] = {0, 0.5, 1, 1.5, 2};
    char text[32];
    plot->x = (struct axis){0, 2, false};
    draw_begin(plot, "A page that computes for 1 ms: answers within a second",
               "offered load, as multiples of the engine's own capacity (open loop)",
               "answers, as multiples of the same; grey: what can be");
    for (unsigned i = 0; i < COUNT_OF(marks); i++) {
        snprintf(text, sizeof text, "%g", marks[i]);
        draw_x_tick(plot, marks[i], text);
    }
    draw_y_steps(plot, 1.2);
    fprintf(plot->out, "<path class=\"line ideal\" d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>\n",
            x_of(plot, 0), y_of(plot, 0), x_of(plot, 1), y_of(plot, 1), x_of(plot, 2));
    draw_series(plot, report, ENGINES_OVERLOAD, ENGINES_IN_TIME_OF_CAPACITY);
}

static void draw_cdf(struct plot *plot, const struct engines_report *report, int at)
{
    static const struct {
        const char *name;
        double share;
    } marks[] = {{"min", 0},    {"p50", 0.5},     {"p90", 0.9},
                 {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
    plot->x = (struct axis){0, 4, false};
    plot->y = (struct axis){0.01, 10000, true};
    for (unsigned i = 0; i < COUNT_OF(marks); i++)
        draw_x_tick(plot, nines(marks[i].share), marks[i].name);
    draw_y_decades(plot);
    for (unsigned i = 0; at >= 0 && i < report->contestant_count; i++) {
        struct engines_cdf_point points[ENGINES_CDF_MAX];
        bool first = true;
        if (!engines_report_wants(report, (unsigned)at, i))
            continue;
        unsigned count = engines_cdf(&report->results[at][i].latency, points);
        begin_line(plot, report, i);
        for (unsigned p = 0; p < count; p++)
            draw_point(plot, &first, nines(points[p].share), points[p].ms);
        end_line(plot, first);
    }
}

static void draw(unsigned which, const struct engines_report *report, FILE *out)
{
    struct plot plot = {.out = out};
    switch (which) {
    case 0:
        draw_throughput(&plot, report);
        break;
    case 1:
        draw_begin(&plot, "Latency of a cached page, 64 connections",
                   "share of requests that take no longer, by nines", "ms");
        draw_cdf(&plot, report, engines_report_cell(report, ENGINES_CACHED, ENGINES_MIDDLE, 0));
        break;
    case 2:
        draw_begin(&plot, "Latency of cached pages while others read a cold disk",
                   "share of requests that take no longer, by nines", "ms");
        draw_cdf(&plot, report, engines_report_cell(report, ENGINES_DISK, 0, 0));
        break;
    default:
        draw_overload(&plot, report);
    }
    fputs("</svg>\n", out);
}

/* ---- Files ---- */

static size_t stem_length(const char *page)
{
    size_t len = strlen(page);
    return len > 3 && strcmp(page + len - 3, ".md") == 0 ? len - 3 : len;
}

void engines_picture_name(const char *page, unsigned which, char *out, size_t size)
{
    const char *slash = strrchr(page, '/');
    const char *name = slash ? slash + 1 : page;
    CHECK(which < ENGINES_PICTURES);
    snprintf(out, size, "%.*s-%s.svg", (int)stem_length(name), name, names[which]);
}

int engines_report_pictures(const struct engines_report *report, const char *page,
                            struct failure *failure)
{
    for (unsigned which = 0; which < ENGINES_PICTURES; which++) {
        char path[PATH_BYTES];
        int len =
            snprintf(path, sizeof path, "%.*s-%s.svg", (int)stem_length(page), page, names[which]);
        if (len < 0 || (size_t)len >= sizeof path)
            return fail(failure, ERR_INVALID, "the path %.60s… is too long", page);
        FILE *out = fopen(path, "we");
        if (!out)
            return fail_errno(failure, ERR_IO, "cannot write %s", path);
        draw(which, report, out);
        bool lost = ferror(out);
        if (fclose(out) || lost)
            return fail_errno(failure, ERR_IO, "cannot write %s", path);
    }
    return 0;
}
