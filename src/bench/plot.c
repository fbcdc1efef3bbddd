#include "bench/plot.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

enum { LEGEND = 18, LEGEND_ROW = 22, PATH_BYTES = 600 };

/* ---- Places ---- */

static double place(const struct plot_axis *axis, double value)
{
    double at = axis->logarithmic ? log10(fmax(value, 1e-9)) : value;
    double low = axis->logarithmic ? log10(axis->from) : axis->from;
    double high = axis->logarithmic ? log10(axis->to) : axis->to;
    return fmin(fmax((at - low) / (high - low), 0), 1);
}

double plot_x(const struct plot *plot, double value)
{
    return plot->left + place(&plot->x, value) * plot->width;
}

double plot_y(const struct plot *plot, double value)
{
    return plot->top + (1 - place(&plot->y, value)) * plot->height;
}

/* ---- Around the lines ---- */

void plot_open(FILE *out, unsigned width, unsigned height)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" "
            "font-family=\"system-ui,'Helvetica Neue',Arial,sans-serif\" font-size=\"12\" "
            "fill=\"#2b3440\">\n<style>\n"
            ".head{font-size:18px;font-weight:600}.tick{fill:#66717e}.x{text-anchor:middle}"
            ".y{text-anchor:end}.grid{stroke:#e4e8ed;fill:none}"
            ".line{fill:none;stroke-width:2.2;stroke-linejoin:round}.dashed{stroke-dasharray:6 4}\n"
            ".dot{stroke-width:4.4;stroke-linecap:round;fill:none}.bar{stroke-width:1;fill:none}"
            ".knee{stroke:#2b3440;stroke-width:1.4;fill:none}\n"
            ".ideal{stroke:#c3cad2}.e0{stroke:#8d6e63}.e1{stroke:#c2410c}.e2{stroke:#b0a000}.e3{"
            "stroke:#1d5fa8}"
            ".e4{stroke:#00796b}.e5{stroke:#7b1fa2}.e6{stroke:#d81b60}.e7{stroke:#455a64}\n"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            width, height);
}

void plot_close(FILE *out)
{
    fputs("</svg>\n", out);
}

void plot_text(const struct plot *plot, double x, double y, const char *class, const char *text)
{
    fprintf(plot->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, text);
}

void plot_titles(const struct plot *plot, const char *head, const char *x, const char *y)
{
    if (head)
        plot_text(plot, plot->left, plot->top - 34, "head", head);
    plot_text(plot, plot->left, plot->top - 12, "tick", y);
    plot_text(plot, plot->left + plot->width / 2, plot->top + plot->height + 44, "tick x", x);
}

void plot_x_tick(const struct plot *plot, double value, const char *text)
{
    double x = plot_x(plot, value), bottom = plot->top + plot->height;
    fprintf(plot->out, "<path class=\"grid\" d=\"M%.1f %.0fV%.0f\"/>\n", x, plot->top, bottom);
    plot_text(plot, x, bottom + 18, "tick x", text);
}

void plot_x_ticks(const struct plot *plot, const double *values, unsigned count)
{
    char text[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%g", values[i]);
        plot_x_tick(plot, values[i], text);
    }
}

void plot_y_tick(const struct plot *plot, double value)
{
    char text[32];
    double y = plot_y(plot, value);
    snprintf(text, sizeof text, "%g", value);
    fprintf(plot->out, "<path class=\"grid\" d=\"M%.0f %.1fH%.0f\"/>\n", plot->left, y,
            plot->left + plot->width);
    plot_text(plot, plot->left - 8, y + 4, "tick y", text);
}

void plot_y_decades(const struct plot *plot)
{
    for (double value = plot->y.from; value <= plot->y.to * 1.001; value *= 10)
        plot_y_tick(plot, value);
}

void plot_y_steps(struct plot *plot, double most)
{
    static const double round_ones[] = {1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10};
    double power = pow(10, floor(log10(fmax(most, 1) / 5))), step = power;
    for (unsigned i = 0; i < COUNT_OF(round_ones) && 5 * step < most; i++)
        step = power * round_ones[i];
    plot->y = (struct plot_axis){0, 5 * step, false};
    for (unsigned i = 0; i <= 5; i++)
        plot_y_tick(plot, i * step);
}

/* ---- Lines ---- */

void plot_line_begin(const struct plot *plot, unsigned row, unsigned colour, bool dashed,
                     const char *name)
{
    double x = plot->left + plot->width + LEGEND, y = plot->top + 12 + LEGEND_ROW * row;
    char style[32];
    snprintf(style, sizeof style, "line e%u%s", colour % PLOT_COLOURS, dashed ? " dashed" : "");
    if (name) {
        fprintf(plot->out, "<path class=\"%s\" d=\"M%.0f %.1fh24\"/>\n", style, x, y);
        plot_text(plot, x + 32, y + 4, "name", name);
    }
    fprintf(plot->out, "<path class=\"%s\" d=\"", style);
}

void plot_line_to(const struct plot *plot, bool *first, double x, double y)
{
    fprintf(plot->out, "%c%.1f %.1f", *first ? 'M' : 'L', plot_x(plot, x), plot_y(plot, y));
    *first = false;
}

void plot_line_end(const struct plot *plot, bool empty)
{
    fputs(empty ? "M0 0\"/>\n" : "\"/>\n", plot->out);
}

void plot_dot(const struct plot *plot, unsigned colour, double x, double y, double half)
{
    colour %= PLOT_COLOURS;
    fprintf(plot->out, "<path class=\"dot e%u\" d=\"M%.1f %.1fh0\"/>\n", colour, plot_x(plot, x),
            plot_y(plot, y));
    if (!isnan(half))
        fprintf(plot->out, "<path class=\"bar e%u\" d=\"M%.1f %.1fV%.1f\"/>\n", colour,
                plot_x(plot, x), plot_y(plot, y - half), plot_y(plot, y + half));
}

void plot_limit(const struct plot *plot, double y)
{
    fprintf(plot->out, "<path class=\"line ideal dashed\" d=\"M%.0f %.1fh%.0f\"/>\n", plot->left,
            plot_y(plot, y), plot->width);
}

void plot_ring(const struct plot *plot, double x, double y)
{
    fprintf(plot->out, "<circle class=\"knee\" cx=\"%.1f\" cy=\"%.1f\" r=\"7\"/>\n",
            plot_x(plot, x), plot_y(plot, y));
}

/* ---- Files ---- */

static int stem_length(const char *page)
{
    size_t len = strlen(page);
    return (int)(len > 3 && strcmp(page + len - 3, ".md") == 0 ? len - 3 : len);
}

void plot_name(const char *page, const char *name, char *out, size_t size)
{
    const char *slash = strrchr(page, '/'), *file = slash ? slash + 1 : page;
    snprintf(out, size, "%.*s-%s.svg", stem_length(file), file, name);
}

int plot_write(const char *page, const char *name, void (*draw)(const void *context, FILE *out),
               const void *context, struct failure *failure)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%.*s-%s.svg", stem_length(page), page, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return fail(failure, ERR_INVALID, "the path %.60s… is too long", page);
    FILE *out = fopen(path, "we");
    if (!out)
        return fail_errno(failure, ERR_IO, "cannot write %s", path);
    draw(context, out);
    bool lost = ferror(out);
    if (fclose(out) || lost)
        return fail_errno(failure, ERR_IO, "cannot write %s", path);
    return 0;
}
