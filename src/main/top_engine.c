#include "main/top_engine.h"

#include "base/check.h"
#include "main/top_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELLED = 96, FIGURE_TEXT = 32 };

/* ---- What the text says ---- */

/* The value of the line that begins with NAME and a space; false: there is none. */
static bool value_of(struct str metrics, const char *name, double *value)
{
    struct str line;
    size_t len = strlen(name);
    while (str_cut(&metrics, '\n', &line)) {
        char text[FIGURE_TEXT];
        if (line.len <= len + 1 || memcmp(line.at, name, len) || line.at[len] != ' ')
            continue;
        str_copy(text, sizeof text, str_make(line.at + len + 1, line.len - len - 1));
        *value = strtod(text, NULL);
        return true;
    }
    return false;
}

static double gauge(const struct top_engine_picture *picture, const char *name)
{
    double value = 0;
    value_of(picture->metrics, name, &value);
    return value;
}

/* How much NAME has grown, a second. */
static double rate(const struct top_engine_picture *picture, const char *name)
{
    double now, before;
    if (picture->between_ns == 0 || !value_of(picture->metrics, name, &now) ||
        !value_of(picture->before, name, &before) || now < before)
        return 0;
    return (now - before) * 1e9 / (double)picture->between_ns;
}

/* ---- The screen ---- */

static void put_title(struct screen *screen, const struct top_engine_picture *picture)
{
    unsigned width = (unsigned)strlen(picture->time);
    screen_put(screen, BOLD, "stoa top");
    screen_put(screen, PLAIN, "  %s  ", picture->door);
    screen_put(screen, DIM, "engine  ");
    if (screen->column + width < screen->columns)
        screen_put(screen, DIM, "%*s", (int)(screen->columns - screen->column), picture->time);
    screen_end_line(screen);
    if (picture->trouble) {
        screen_put(screen, BAD, "%s; asking again", picture->trouble);
        screen_end_line(screen);
    }
}

static void put_figure(struct screen *screen, const char *name, double value)
{
    char figure[SCREEN_FIGURE];
    screen_put(screen, DIM, "%s ", name);
    screen_put(screen, BOLD, "%s  ", screen_number(value, figure));
}

static void put_totals(struct screen *screen, const struct top_engine_picture *picture)
{
    put_figure(screen, "requests/s", rate(picture, "stoa_requests_total"));
    put_figure(screen, "refused/s", rate(picture, "stoa_requests_refused_total"));
    put_figure(screen, "connections", gauge(picture, "stoa_connections_open"));
    put_figure(screen, "waiting for a helper", gauge(picture, "stoa_helpers_waiting"));
    screen_end_line(screen);
}

/* Of engines that have them: pool; fork; amped, and seda. */
static void put_workers(struct screen *screen, const struct top_engine_picture *picture)
{
    double workers = gauge(picture, "stoa_workers"), processes = gauge(picture, "stoa_processes");
    double crashed = gauge(picture, "stoa_processes_crashed_total");
    if (workers > 0) {
        put_figure(screen, "workers", workers);
        put_figure(screen, "connections that wait for one",
                   gauge(picture, "stoa_workers_waited_for"));
    }
    if (processes > 0 || crashed > 0) {
        put_figure(screen, "processes", processes);
        put_figure(screen, "crashed", crashed);
    }
    if (gauge(picture, "stoa_disk_reads_total") > 0) {
        put_figure(screen, "disk reads/s", rate(picture, "stoa_disk_reads_total"));
        put_figure(screen, "waiting for the disk", gauge(picture, "stoa_disk_waiting"));
    }
    if (screen->column > 0)
        screen_end_line(screen);
}

/* Of engines that have it. */
static void put_admission(struct screen *screen, const struct top_engine_picture *picture)
{
    double target, let_in = gauge(picture, "stoa_admission_rate");
    double on_time = rate(picture, "stoa_admission_on_time_total");
    double late = rate(picture, "stoa_admission_late_total");
    char figure[SCREEN_FIGURE];
    if (!value_of(picture->metrics, "stoa_admission_target_seconds", &target))
        return;
    double p90 = gauge(picture, "stoa_admission_p90_seconds");
    screen_put(screen, DIM, "admission  let in ");
    if (let_in > 0)
        screen_put(screen, WARNING, "%s/s  ", screen_number(let_in, figure));
    else
        screen_put(screen, BOLD, "all  ");
    screen_put(screen, DIM, "nine of ten within, ms ");
    screen_put(screen, p90 > target ? WARNING : BOLD, "%s", screen_time(p90 * 1e3, figure));
    screen_put(screen, DIM, " of %s  ", screen_time(target * 1e3, figure));
    screen_put(screen, DIM, "late ");
    screen_put(screen, BOLD, "%.1f%%", on_time + late > 0 ? 100 * late / (on_time + late) : 0);
    screen_end_line(screen);
}

static void put_stage(struct screen *screen, const struct top_engine_picture *picture,
                      const char *stage)
{
    static const char *const families[] = {"queue", "threads", "batch"};
    char name[LABELLED], waits[SCREEN_FIGURE], done[SCREEN_FIGURE];
    double values[COUNT_OF(families)] = {0};
    for (unsigned i = 0; i < COUNT_OF(families); i++) {
        snprintf(name, sizeof name, "stoa_stage_%s{stage=\"%s\"}", families[i], stage);
        values[i] = gauge(picture, name);
    }
    snprintf(name, sizeof name, "stoa_stage_done_total{stage=\"%s\"}", stage);
    screen_put(screen, PLAIN, "%-8s ", stage);
    screen_put(screen, values[0] > 0 ? BOLD : PLAIN, "%7s ", screen_number(values[0], waits));
    screen_put(screen, PLAIN, "%7.0f %5.0f %7s", values[1], values[2],
               screen_number(rate(picture, name), done));
    screen_end_line(screen);
}

/* Of an engine that has them. */
static void put_stages(struct screen *screen, const struct top_engine_picture *picture)
{
    static const char *const stages[] = {"accept", "parse", "handle", "work", "disk", "write"};
    double threads;
    if (!value_of(picture->metrics, "stoa_stage_threads{stage=\"accept\"}", &threads))
        return;
    screen_put(screen, DIM, "%-8s %7s %7s %5s %7s", "stage", "waiting", "threads", "batch",
               "done/s");
    screen_end_line(screen);
    for (unsigned i = 0; i < COUNT_OF(stages); i++)
        put_stage(screen, picture, stages[i]);
}

void top_engine_screen(const struct top_engine_picture *picture, struct buf *out)
{
    struct screen screen = {
        .out = out,
        .columns = picture->columns < TOP_COLUMNS_LEAST ? TOP_COLUMNS_LEAST : picture->columns,
        .rows = picture->rows < TOP_ROWS_LEAST ? TOP_ROWS_LEAST : picture->rows,
        .colours = picture->colours,
    };
    put_title(&screen, picture);
    if (picture->metrics.len == 0)
        return;
    put_totals(&screen, picture);
    put_workers(&screen, picture);
    put_admission(&screen, picture);
    put_stages(&screen, picture);
}
