/* Plot: what a bench's pictures are drawn with: SVG, one or more areas with axes, lines and dots.
 *
 *   plot_open ─▶ (for each area: titles, ticks, lines) ─▶ plot_close
 *
 * A line is named in a legend at the right of its area. Colours are numbered, 0 to 7. Thread: any.
 */
#ifndef STOA_BENCH_PLOT_H
#define STOA_BENCH_PLOT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>

enum { PLOT_COLOURS = 8 };

/* From value to place; logarithmic, or linear. Values beyond its ends are drawn there. */
struct plot_axis {
    double from, to;
    bool logarithmic;
};

struct plot {
    FILE *out;
    double left, top, width, height; /* of the area */
    struct plot_axis x, y;
};

void plot_open(FILE *out, unsigned width, unsigned height);
void plot_close(FILE *out);

double plot_x(const struct plot *plot, double value);
double plot_y(const struct plot *plot, double value);

/* CLASS: "head", "tick", "name"; with " x": centred, with " y": to the left of X. */
void plot_text(const struct plot *plot, double x, double y, const char *class, const char *text);
/* Of the area: HEAD may be NULL. */
void plot_titles(const struct plot *plot, const char *head, const char *x, const char *y);
void plot_x_tick(const struct plot *plot, double value, const char *text);
void plot_x_ticks(const struct plot *plot, const double *values, unsigned count);
void plot_y_tick(const struct plot *plot, double value);
void plot_y_decades(const struct plot *plot);
/* Makes the axis: five steps of a round size, up to MOST or a little more. */
void plot_y_steps(struct plot *plot, double most);

/* A line: its name in row ROW of the legend; NAME NULL: it has none. */
void plot_line_begin(const struct plot *plot, unsigned row, unsigned colour, bool dashed,
                     const char *name);
void plot_line_to(const struct plot *plot, bool *first, double x, double y);
void plot_line_end(const struct plot *plot, bool empty);

/* A dot at Y, and a bar HALF up and down if that is a number: its confidence interval. */
void plot_dot(const struct plot *plot, unsigned colour, double x, double y, double half);
/* A line at Y through the area: a limit. */
void plot_limit(const struct plot *plot, double y);
/* A ring around a dot: the knee. */
void plot_ring(const struct plot *plot, double x, double y);

/* Pictures of a page: beside docs/engines.md docs/engines-NAME.svg. Its name, without folder: */
void plot_name(const char *page, const char *name, char *out, size_t size);
/* And the file, by DRAW. */
int plot_write(const char *page, const char *name, void (*draw)(const void *context, FILE *out),
               const void *context, struct failure *failure);

#endif
