/* The pictures of a tiers report, each a file: the step over time, waiting against load, polls,
 * fronts to workers, and the hop. Of figures with several rounds bars are 95 % confidence
 * intervals; a ring marks a knee. */
#include "base/check.h"
#include "bench/plot.h"
#include "bench/tiers_report.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 860, AREA = 200, APART = 96, LEFT = 84, RIGHT = 210, TOP = 64, LINES_MAX = 8 };

static const char *const names[TIERS_PICTURES] = {"step", "sizes", "polls", "ratio", "hop"};
static const unsigned areas[TIERS_PICTURES] = {3, 1, 3, 1, 3};

/* ---- What all have ---- */

/* The next area, below the others. */
static void next_area(struct plot *plot)
{
    plot->top += plot->top > 0 ? AREA + APART : TOP;
    plot->left = LEFT;
    plot->width = WIDTH - LEFT - RIGHT;
    plot->height = AREA;
}

/* Those who bear the loads of a part, each once, in their order. */
struct lines {
    const char *who[LINES_MAX];
    unsigned count;
};

static unsigned line_of(struct lines *lines, const char *who)
{
    for (unsigned i = 0; i < lines->count; i++)
        if (strcmp(lines->who[i], who) == 0)
            return i;
    CHECK(lines->count < LINES_MAX);
    lines->who[lines->count] = who;
    return lines->count++;
}

static struct lines lines_of(const struct tiers_report *report, enum tiers_part part)
{
    struct lines lines = {.count = 0};
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].part == part)
            line_of(&lines, report->cells[at].who);
    return lines;
}

static bool is_of(const struct tiers_report *report, unsigned at, enum tiers_part part,
                  const char *who)
{
    return report->cells[at].part == part && strcmp(report->cells[at].who, who) == 0 &&
           report->results[at].rounds > 0;
}

/* What lines of a picture show, against what. */
struct graph {
    enum tiers_part part;
    enum tiers_figure figure;
    double factor;
    double (*x)(const struct tiers_cell *cell); /* NAN: not in this picture */
};

static double most_of(const struct tiers_report *report, const struct graph *graph)
{
    double most = 0;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].part == graph->part && !isnan(graph->x(&report->cells[at])))
            most = fmax(most, graph->factor * tiers_report_mean(report, at, graph->figure).mean);
    return most;
}

static void draw_line(const struct plot *plot, const struct tiers_report *report,
                      const struct graph *graph, const char *who, unsigned row, const char *name)
{
    bool first = true;
    plot_line_begin(plot, row, row, false, name);
    for (unsigned at = 0; at < report->cell_count; at++) {
        double x = graph->x(&report->cells[at]);
        struct tiers_mean mean = tiers_report_mean(report, at, graph->figure);
        if (is_of(report, at, graph->part, who) && !isnan(x) && !isnan(mean.mean))
            plot_line_to(plot, &first, x, graph->factor * mean.mean);
    }
    plot_line_end(plot, first);
    for (unsigned at = 0; at < report->cell_count; at++) {
        double x = graph->x(&report->cells[at]);
        struct tiers_mean mean = tiers_report_mean(report, at, graph->figure);
        if (is_of(report, at, graph->part, who) && !isnan(x) && !isnan(mean.mean))
            plot_dot(plot, row, x, graph->factor * mean.mean, graph->factor * mean.half);
    }
}

static void draw_graph(const struct plot *plot, const struct tiers_report *report,
                       const struct graph *graph, bool named)
{
    struct lines lines = lines_of(report, graph->part);
    for (unsigned i = 0; i < lines.count; i++)
        draw_line(plot, report, graph, lines.who[i], i, named ? lines.who[i] : NULL);
}

/* ---- The step over time ---- */

enum series_kind { SERIES_OFFERED, SERIES_P99, SERIES_WORKERS };

static double value_of(const struct tiers_series *series, enum series_kind kind, unsigned i)
{
    const float *const values[] = {series->offered, series->p99_ms, series->workers};
    return (double)values[kind][i];
}

static bool is_step(const struct tiers_report *report, unsigned at)
{
    return report->cells[at].part == TIERS_RULES && report->cells[at].shape == TIERS_STEP &&
           report->results[at].series.count > 0;
}

static void draw_series(const struct plot *plot, const struct tiers_report *report,
                        enum series_kind kind)
{
    unsigned row = 0;
    for (unsigned at = 0; at < report->cell_count; at++) {
        const struct tiers_series *series = &report->results[at].series;
        bool first = true;
        if (!is_step(report, at))
            continue;
        plot_line_begin(plot, row, row, false, kind == SERIES_P99 ? report->cells[at].who : NULL);
        for (unsigned i = 0; i < series->count; i++)
            plot_line_to(plot, &first, i * TIERS_WINDOW_MS / 1000.0, value_of(series, kind, i));
        plot_line_end(plot, first);
        row++;
        if (kind == SERIES_OFFERED) /* all have the same */
            break;
    }
}

static double highest(const struct tiers_report *report, enum series_kind kind)
{
    double most = 1;
    for (unsigned at = 0; at < report->cell_count; at++)
        for (unsigned i = 0; is_step(report, at) && i < report->results[at].series.count; i++)
            most = fmax(most, value_of(&report->results[at].series, kind, i));
    return most;
}

static void draw_seconds(struct plot *plot, const struct tiers_report *report)
{
    double last = 1;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (is_step(report, at))
            last = fmax(last, report->results[at].series.count * TIERS_WINDOW_MS / 1000.0);
    plot->x = (struct plot_axis){0, last, false};
    for (double s = 0; s <= last; s += last > 8 ? 2 : 0.5)
        plot_x_ticks(plot, &s, 1);
}

static void draw_step(struct plot *plot, const struct tiers_report *report)
{
    next_area(plot);
    plot_titles(plot, "A step from a tenth to three times what one worker can do", "seconds",
                "requests a second that come");
    draw_seconds(plot, report);
    plot_y_steps(plot, highest(report, SERIES_OFFERED));
    draw_series(plot, report, SERIES_OFFERED);
    next_area(plot);
    plot_titles(plot, NULL, "seconds, by when a request was due",
                "ms that 99 of 100 take; dashed: the limit");
    draw_seconds(plot, report);
    plot->y = (struct plot_axis){1, 10000, true};
    plot_y_decades(plot);
    plot_limit(plot, report->limit_ms);
    draw_series(plot, report, SERIES_P99);
    next_area(plot);
    plot_titles(plot, NULL, "seconds", "workers that are ready");
    draw_seconds(plot, report);
    plot_y_steps(plot, highest(report, SERIES_WORKERS));
    draw_series(plot, report, SERIES_WORKERS);
}

/* ---- Sizes ---- */

static double load_of(const struct tiers_cell *cell)
{
    return cell->part == TIERS_SIZES ? 100 * cell->load : NAN;
}

static void ring_knee(const struct plot *plot, const struct tiers_report *report, const char *who)
{
    double x[TIERS_CELLS_MAX] = {0}, y[TIERS_CELLS_MAX] = {0};
    unsigned count = 0;
    for (unsigned at = 0; at < report->cell_count; at++)
        if (is_of(report, at, TIERS_SIZES, who)) {
            x[count] = report->cells[at].load * 100;
            y[count++] = tiers_report_mean(report, at, TIERS_P99).mean;
        }
    size_t knee = tiers_knee(x, y, count);
    if (knee < count)
        plot_ring(plot, x[knee], y[knee]);
}

static void draw_sizes(struct plot *plot, const struct tiers_report *report)
{
    static const double marks[] = {40, 50, 60, 70, 80, 90, 100, 110};
    const struct graph graph = {TIERS_SIZES, TIERS_P99, 1, load_of};
    struct lines lines = lines_of(report, TIERS_SIZES);
    next_area(plot);
    plot_titles(plot, "How much of their capacity workers bear",
                "load, % of what all workers can do",
                "ms that 99 of 100 take; dashed: the limit; ring: the knee");
    plot->x = (struct plot_axis){40, 115, false};
    plot->y = (struct plot_axis){10, 10000, true};
    plot_x_ticks(plot, marks, COUNT_OF(marks));
    plot_y_decades(plot);
    plot_limit(plot, report->limit_ms);
    draw_graph(plot, report, &graph, true);
    for (unsigned i = 0; i < lines.count; i++)
        ring_knee(plot, report, lines.who[i]);
}

/* ---- Polls ---- */

static double poll_of(const struct tiers_cell *cell)
{
    return cell->part == TIERS_POLLS ? (double)cell->setup.poll_ms : NAN;
}

static void draw_poll(struct plot *plot, const struct tiers_report *report, const char *head,
                      const char *title, enum tiers_figure figure, double factor)
{
    static const double marks[] = {10, 30, 100, 300, 1000};
    const struct graph graph = {TIERS_POLLS, figure, factor, poll_of};
    next_area(plot);
    plot_titles(plot, head, "ms that a poll waits", title);
    plot->x = (struct plot_axis){8, 1200, true};
    plot_x_ticks(plot, marks, COUNT_OF(marks));
    plot_y_steps(plot, most_of(report, &graph));
    draw_graph(plot, report, &graph, figure == TIERS_LATE);
}

static void draw_polls(struct plot *plot, const struct tiers_report *report)
{
    draw_poll(plot, report, "How long a worker's poll should wait, under bursts",
              "% of requests that come late or not at all", TIERS_LATE, 100);
    draw_poll(plot, report, NULL, "seconds of workers in 20 s", TIERS_WORKER_S, 1);
    draw_poll(plot, report, NULL, "changes of direction in a minute", TIERS_REVERSALS, 1);
}

/* ---- Fronts to workers ---- */

/* A place for each pair, in the order of the cells; the same for all pages. */
static double pair_of(const struct tiers_cell *cell)
{
    static const char *const pairs[] = {"1 + 1", "2 + 1", "1 + 2", "2 + 2", "1 + 4"};
    for (unsigned i = 0; cell->part == TIERS_RATIO && i < COUNT_OF(pairs); i++)
        if (strcmp(cell->who, pairs[i]) == 0)
            return i;
    return NAN;
}

/* Of the same page's first pair. */
static double base_of(const struct tiers_report *report, const char *name)
{
    for (unsigned at = 0; at < report->cell_count; at++)
        if (report->cells[at].part == TIERS_RATIO && strcmp(report->cells[at].name, name) == 0)
            return tiers_report_mean(report, at, TIERS_PER_S).mean;
    return NAN;
}

static void draw_page(const struct plot *plot, const struct tiers_report *report, const char *name,
                      unsigned row)
{
    bool first = true;
    double base = base_of(report, name);
    plot_line_begin(plot, row, row, false, name);
    for (unsigned at = 0; at < report->cell_count; at++) {
        const struct tiers_cell *cell = &report->cells[at];
        double per_s = tiers_report_mean(report, at, TIERS_PER_S).mean;
        if (cell->part == TIERS_RATIO && strcmp(cell->name, name) == 0 && base > 0 && per_s > 0)
            plot_line_to(plot, &first, pair_of(cell), per_s / base);
    }
    plot_line_end(plot, first);
}

static void draw_ratio(struct plot *plot, const struct tiers_report *report)
{
    struct lines pages = {.count = 0};
    next_area(plot);
    plot_titles(plot, "What more fronts and more workers bring", "fronts + workers",
                "answers a second, as multiples of those of 1 + 1");
    plot->x = (struct plot_axis){-0.3, 4.3, false};
    plot_y_steps(plot, 4);
    for (unsigned at = 0; at < report->cell_count; at++) {
        const struct tiers_cell *cell = &report->cells[at];
        if (cell->part == TIERS_RATIO && line_of(&pages, cell->name) == 0)
            plot_x_tick(plot, pair_of(cell), cell->who);
    }
    for (unsigned i = 0; i < pages.count; i++)
        draw_page(plot, report, pages.who[i], i);
}

/* ---- The hop ---- */

/* Of the cached page in a closed loop; all numbers of workers are one line. */
static double connections_of(const struct tiers_cell *cell)
{
    bool drawn =
        cell->part == TIERS_HOP && cell->loop == TIERS_CLOSED && strcmp(cell->page, "/cached") == 0;
    return drawn ? (double)cell->connections : NAN;
}

static void draw_hop_of(struct plot *plot, const struct tiers_report *report, const char *head,
                        const char *title, enum tiers_figure figure)
{
    static const double marks[] = {1, 10, 100, 1000};
    static const char *const who[] = {"one process", "1 front, 1 worker"};
    const struct graph graph = {TIERS_HOP, figure, 1, connections_of};
    next_area(plot);
    plot_titles(plot, head, "connections (closed loop)", title);
    plot->x = (struct plot_axis){1, 2500, true};
    plot_x_ticks(plot, marks, COUNT_OF(marks));
    plot_y_steps(plot, most_of(report, &graph));
    for (unsigned i = 0; i < COUNT_OF(who); i++)
        draw_line(plot, report, &graph, who[i], i, figure == TIERS_CPU ? who[i] : NULL);
}

static void draw_hop(struct plot *plot, const struct tiers_report *report)
{
    draw_hop_of(plot, report, "What the way through the queue costs: a cached page of 1 KiB",
                "µs of a processor for each request, of all processes that serve", TIERS_CPU);
    draw_hop_of(plot, report, NULL, "answers a second", TIERS_PER_S);
    draw_hop_of(plot, report, NULL, "ms that 99 of 100 take", TIERS_P99);
}

/* ---- Files ---- */

/* For plot_write. */
struct drawing {
    const struct tiers_report *report;
    unsigned which;
};

static void draw(const void *context, FILE *out)
{
    static void (*const each[TIERS_PICTURES])(struct plot *, const struct tiers_report *) = {
        draw_step, draw_sizes, draw_polls, draw_ratio, draw_hop};
    const struct drawing *drawing = context;
    struct plot plot = {.out = out};
    plot_open(out, WIDTH, TOP + areas[drawing->which] * (AREA + APART) - APART / 3);
    each[drawing->which](&plot, drawing->report);
    plot_close(out);
}

bool tiers_picture_wanted(const struct tiers_report *report, unsigned which)
{
    for (unsigned at = 0; which == 0 && at < report->cell_count; at++)
        if (is_step(report, at))
            return true;
    return which > 0 && tiers_report_has(report, (enum tiers_part)which);
}

void tiers_picture_name(const char *page, unsigned which, char *out, size_t size)
{
    CHECK(which < TIERS_PICTURES);
    plot_name(page, names[which], out, size);
}

int tiers_report_pictures(const struct tiers_report *report, const char *page,
                          struct failure *failure)
{
    int err = 0;
    for (unsigned which = 0; !err && which < TIERS_PICTURES; which++) {
        struct drawing drawing = {report, which};
        if (tiers_picture_wanted(report, which))
            err = plot_write(page, names[which], draw, &drawing, failure);
    }
    return err;
}
