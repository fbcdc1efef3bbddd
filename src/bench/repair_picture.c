/* The picture of a repair report: a row for each point, on a logarithmic axis of time: the median
 * as a dot, the worst round as a tick at the end of its line, and the aim as a dashed mark. */
#include "bench/repair.h"

#include <math.h>
#include <string.h>

enum {
    GAP = 28,
    HEAD = 104,
    NAMES = 300, /* wide */
    TIMES = 520,
    NUMBERS = 130,
    ROW = 26,
    APART = 12, /* more between kinds */
    AXIS = 40,
    WIDTH = GAP + NAMES + TIMES + NUMBERS + GAP,
};

static const double LEAST_MS = 10, DECADES = 4;

static double x_of(double ms)
{
    double place = log10(ms > LEAST_MS ? ms / LEAST_MS : 1) / DECADES;
    return GAP + NAMES + TIMES * (place < 1 ? place : 1);
}

static void draw_text(double x, double y, const char *class, const char *text, FILE *out)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, text);
}

/* "16.2 MB, 100,000 commands not applied" */
static void name_point(const struct repair_point *point, char *out, size_t size)
{
    double mb = (double)point->database_bytes / 1e6;
    unsigned long long commands = point->commands;
    int at = snprintf(out, size, mb < 1000 ? "%.0f MB" : "%.2f GB", mb < 1000 ? mb : mb / 1000);
    if (at < 0 || (size_t)at >= size || commands == 0)
        return;
    if (commands >= 1000)
        snprintf(out + at, size - (size_t)at, ", %llu,%03llu commands behind", commands / 1000,
                 commands % 1000);
    else
        snprintf(out + at, size - (size_t)at, ", %llu commands behind", commands);
}

static void draw_axis(double bottom, FILE *out)
{
    static const char *const marks[] = {"10 ms", "100 ms", "1 s", "10 s", "100 s"};
    for (unsigned i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        double x = GAP + NAMES + TIMES * i / DECADES;
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %dV%.1f\"/>\n", x, HEAD - 12, bottom);
        draw_text(x, bottom + 18, "tick", marks[i], out);
    }
}

static void draw_point(const struct repair_point *point, double y, FILE *out)
{
    char text[96];
    double aim = repair_aim_ms(point);
    name_point(point, text, sizeof text);
    fprintf(out, "<g class=\"%s\">\n", repair_names[point->kind]);
    draw_text(GAP, y + 4, "kind", repair_names[point->kind], out);
    draw_text(GAP + NAMES - 14, y + 4, "name", text, out);
    fprintf(out,
            "<path class=\"range\" d=\"M%.1f %.1fH%.1f\"/><path class=\"worst\" d=\"M%.1f "
            "%.1fv10\"/><circle class=\"median\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n"
            "<path class=\"aim\" d=\"M%.1f %.1fv20\"/>\n",
            x_of(point->median_ms), y, x_of(point->worst_ms), x_of(point->worst_ms), y - 5,
            x_of(point->median_ms), y, x_of(aim), y - 10);
    snprintf(text, sizeof text, "%.2f / %.2f s", point->median_ms / 1e3, point->worst_ms / 1e3);
    draw_text(WIDTH - GAP, y + 4, point->median_ms <= aim ? "number" : "number missed", text, out);
    fputs("</g>\n", out);
}

static void draw_points(const struct repair_report *report, FILE *out)
{
    double y = HEAD + ROW / 2.0;
    for (unsigned kind = 0; kind < REPAIR_KINDS; kind++) {
        double begun = y;
        for (unsigned i = 0; i < report->count; i++) {
            if (report->points[i].kind != kind)
                continue;
            draw_point(&report->points[i], y, out);
            y += ROW;
        }
        y += y > begun ? APART : 0;
    }
}

static double height_of(const struct repair_report *report)
{
    bool has[REPAIR_KINDS] = {false};
    unsigned kinds = 0;
    for (unsigned i = 0; i < report->count; i++) {
        kinds += !has[report->points[i].kind];
        has[report->points[i].kind] = true;
    }
    return HEAD + report->count * ROW + kinds * APART;
}

static void draw_head(FILE *out)
{
    draw_text(GAP, 40, "head", "The primary is killed: when does the shop sell again?", out);
    fprintf(out,
            "<g class=\"warm\"><path class=\"range\" d=\"M%d 66H%d\"/><circle "
            "class=\"median\" cx=\"%d\" cy=\"66\" r=\"5\"/><path class=\"worst\" d=\"M%d "
            "61v10\"/></g>\n",
            GAP + 5, GAP + 45, GAP + 5, GAP + 45);
    draw_text(GAP + 56, 70, "legend", "median and worst round, of two servers and a witness", out);
    fprintf(out, "<path class=\"aim\" d=\"M%d 56v20\"/>\n", GAP + 400);
    draw_text(GAP + 410, 70, "legend", "the aim (docs/repair.md)", out);
}

int repair_picture(const struct repair_report *report, const char *file, struct failure *failure)
{
    double bottom = height_of(report);
    FILE *out = fopen(file, "we");
    if (!out)
        return fail_errno(failure, ERR_IO, "cannot write %s", file);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" "
            "font-family=\"system-ui,'Helvetica Neue',Arial,sans-serif\" font-size=\"13\" "
            "fill=\"#2b3440\">\n<style>\n"
            ".head{font-size:22px;font-weight:600}.legend{fill:#66717e;font-size:12px}\n"
            ".tick{fill:#8b95a1;font-size:11px;text-anchor:middle}.name,.number{text-anchor:end}\n"
            ".kind{font-weight:600}.missed{fill:#b3261e}.grid{stroke:#e4e8ed;fill:none}\n"
            ".range,.worst{stroke-width:2.5;fill:none}\n"
            ".aim{stroke:#d08700;stroke-width:1.8;stroke-dasharray:3 3;fill:none}\n"
            ".hot .kind,.hot .median{fill:#c2410c}.hot .range,.hot .worst{stroke:#c2410c}\n"
            ".warm .kind,.warm .median{fill:#00796b}.warm .range,.warm .worst{stroke:#00796b}\n"
            ".cold .kind,.cold .median{fill:#1d5fa8}.cold .range,.cold .worst{stroke:#1d5fa8}\n"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, bottom + AXIS);
    draw_head(out);
    draw_axis(bottom, out);
    draw_points(report, out);
    fputs("</svg>\n", out);
    bool lost = ferror(out);
    if (fclose(out) || lost)
        return fail_errno(failure, ERR_IO, "cannot write %s", file);
    return 0;
}
