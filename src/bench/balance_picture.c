/* The picture of a balance report: a panel for each scenario, a row for each policy. On the left
 * its latency, from p50 over p99 to p99.9, on a logarithmic axis; on the right how uneven the load
 * is at a moment, and how unevenly the servers are used over all. */
#include "base/check.h"
#include "bench/balance_report.h"

#include <math.h>
#include <string.h>

enum {
    COLUMNS = 2,
    PANEL = 620, /* wide */
    GAP = 24,
    HEAD = 96,  /* of the picture */
    TITLE = 56, /* of a panel */
    ROW = 22,
    AXIS = 34,
    NAMES = 134, /* wide */
    LATENCY = 300,
    P99_AT = NAMES + LATENCY + 62, /* right end of the number */
    SPREAD_AT = P99_AT + 22,
    SPREAD = PANEL - SPREAD_AT - 46,
    ROWS_SHOWN = 10,
    PANEL_HEIGHT = TITLE + ROWS_SHOWN * ROW + AXIS,
    WIDTH = COLUMNS * PANEL + (COLUMNS + 1) * GAP,
};

static const double LOWEST_MS = 1, DECADES = 4, SPREAD_MAX = 1.5;

static double x_of(double ms)
{
    double place = log10(ms > LOWEST_MS ? ms / LOWEST_MS : 1) / DECADES;
    return NAMES + LATENCY * (place < 1 ? place : 1);
}

static void put_text(const char *text, FILE *out)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        default:
            putc(*text, out);
        }
    }
}

static void draw_label(double x, double y, const char *class, const char *text, FILE *out)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    put_text(text, out);
    fputs("</text>\n", out);
}

/* Lines of at most so many characters; two at most. */
static void draw_about(const char *text, FILE *out)
{
    enum { LINE_MAX_CHARS = 104 };
    char line[2][LINE_MAX_CHARS + 1];
    size_t len = strlen(text), cut = len;
    if (len > LINE_MAX_CHARS)
        for (cut = LINE_MAX_CHARS; cut > 0 && text[cut] != ' '; cut--) {
        }
    snprintf(line[0], sizeof line[0], "%.*s", (int)cut, text);
    snprintf(line[1], sizeof line[1], "%s", cut < len ? text + cut + 1 : "");
    draw_label(0, 32, "about", line[0], out);
    if (line[1][0])
        draw_label(0, 46, "about", line[1], out);
}

static void draw_axes(unsigned rows, FILE *out)
{
    static const char *const names[] = {"1 ms", "10 ms", "100 ms", "1 s", "10 s"};
    double top = TITLE, bottom = TITLE + rows * ROW;
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        double x = NAMES + LATENCY * i / DECADES;
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, top, bottom + 4);
        draw_label(x, bottom + 18, "tick", names[i], out);
    }
    draw_label(P99_AT, bottom + 18, "tick end", "p99 ms", out);
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        double x = SPREAD_AT + SPREAD * i / 3.0;
        snprintf(name, sizeof name, "%g", SPREAD_MAX * i / 3);
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, top, bottom + 4);
        draw_label(x, bottom + 18, "tick", name, out);
    }
}

static double bar(double spread)
{
    return SPREAD * (spread < SPREAD_MAX ? spread : SPREAD_MAX) / SPREAD_MAX;
}

static void draw_row(const struct balance_figures *figures, const struct policy *policy, double y,
                     FILE *out)
{
    const char *class = policy == policies[0] ? "row chosen" : policy->pick ? "row" : "row ideal";
    double middle = y + ROW / 2.0, shed = 100.0 * (double)figures->shed / (double)figures->requests;
    char note[32];
    fprintf(out, "<g class=\"%s\">\n", class);
    if (policy == policies[0])
        fprintf(out, "<rect class=\"band\" x=\"-6\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>\n", y,
                PANEL + 12, ROW);
    draw_label(NAMES - 10, middle + 4, "name", policy->name, out);
    fprintf(out,
            "<path class=\"range\" d=\"M%.1f %.1fH%.1f\"/>"
            "<circle class=\"p50\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>"
            "<path class=\"p999\" d=\"M%.1f %.1fv10\"/>"
            "<circle class=\"p99\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n",
            x_of(figures->p50_ms), middle, x_of(figures->p999_ms), x_of(figures->p50_ms), middle,
            x_of(figures->p999_ms), middle - 5, x_of(figures->p99_ms), middle);
    if (shed >= 0.1) {
        snprintf(note, sizeof note, "%.1f %% shed", shed);
        draw_label(x_of(figures->p999_ms) + 6, middle + 4, "note", note, out);
    }
    fprintf(out,
            "<rect class=\"load\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"7\"/>"
            "<rect class=\"use\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"4\"/>\n",
            SPREAD_AT, middle - 7, bar(figures->load_spread), SPREAD_AT, middle + 2,
            bar(figures->utilisation_spread));
    snprintf(note, sizeof note, figures->p99_ms < 100 ? "%.1f" : "%.0f", figures->p99_ms);
    draw_label(P99_AT, middle + 4, "number", note, out);
    snprintf(note, sizeof note, "%.2f", figures->load_spread);
    draw_label(SPREAD_AT + bar(figures->load_spread) + 5, middle + 1, "value", note, out);
    fputs("</g>\n", out);
}

static void draw_panel(const struct balance_report *report, unsigned at, FILE *out)
{
    unsigned shown = 0;
    for (unsigned row = 0; row < report->row_count; row++)
        shown += balance_report_has(report, at, row);
    fprintf(out, "<g transform=\"translate(%d %d)\">\n", GAP + (int)(at % COLUMNS) * (PANEL + GAP),
            HEAD + (int)(at / COLUMNS) * (PANEL_HEIGHT + GAP));
    draw_label(0, 14, "title", balance_scenarios[at].title, out);
    draw_about(balance_scenarios[at].about, out);
    draw_axes(shown, out);
    double y = TITLE, ideal = x_of(report->figures[at][0].p99_ms);
    for (unsigned row = 0; row < report->row_count; row++) {
        if (!balance_report_has(report, at, row))
            continue;
        draw_row(&report->figures[at][row], report->rows[row], y, out);
        y += ROW;
    }
    fprintf(out, "<path class=\"measure\" d=\"M%.1f %dV%.1f\"/>\n</g>\n", ideal, TITLE - 4, y + 4);
}

static void draw_head(FILE *out)
{
    draw_label(GAP, 38, "head", "Where does the next request go?", out);
    fprintf(out, "<g transform=\"translate(%d 66)\">\n", GAP);
    fprintf(out, "<path class=\"range\" d=\"M4 0H74\"/><circle class=\"p50\" cx=\"4\" cy=\"0\" "
                 "r=\"3.5\"/><circle class=\"p99\" cx=\"52\" cy=\"0\" r=\"5\"/>"
                 "<path class=\"p999\" d=\"M74 -5v10\"/>\n");
    draw_label(84, 4, "legend", "latency: p50, p99, p99.9 (logarithmic)", out);
    fprintf(out, "<path class=\"measure\" d=\"M340 -8v16\"/>\n");
    draw_label(350, 4, "legend", "p99 of the ideal split, which nobody can have", out);
    fprintf(out, "<rect class=\"load\" x=\"660\" y=\"-8\" width=\"34\" height=\"7\"/>"
                 "<rect class=\"use\" x=\"660\" y=\"1\" width=\"20\" height=\"4\"/>\n");
    draw_label(702, 4, "legend",
               "coefficient of variation over the servers: of the load at a moment, of the use "
               "over all",
               out);
    fputs("</g>\n", out);
}

int balance_report_picture(const struct balance_report *report, const char *file,
                           struct failure *failure)
{
    FILE *out = fopen(file, "we");
    int rows = (int)(report->scenario_count + COLUMNS - 1) / COLUMNS;
    int height = HEAD + rows * (PANEL_HEIGHT + GAP);
    if (!out)
        return fail_errno(failure, ERR_IO, "cannot write %s", file);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui,'Helvetica Neue',Arial,sans-serif\" font-size=\"12\" "
            "fill=\"#2b3440\">\n<style>\n"
            ".head{font-size:24px;font-weight:600}.title{font-size:15px;font-weight:600}\n"
            ".about,.legend{fill:#66717e;font-size:11.5px}\n"
            ".tick{fill:#8b95a1;font-size:10.5px;text-anchor:middle}.name{text-anchor:end}"
            ".number{text-anchor:end;font-size:11px}.end{text-anchor:end}\n"
            ".note{font-size:10.5px;fill:#b3261e}.value{font-size:10px;fill:#66717e}\n"
            ".grid{stroke:#e4e8ed;fill:none}.measure{stroke:#d08700;stroke-dasharray:3 3;"
            "fill:none;stroke-width:1.5}\n"
            ".range{stroke:#9aa7b5;stroke-width:2;fill:none}.p999{stroke:#5d6b7a;"
            "stroke-width:2;fill:none}\n"
            ".p50{fill:#fff;stroke:#5d6b7a;stroke-width:1.8}.p99{fill:#5d6b7a}\n"
            ".load{fill:#9aa7b5}.use{fill:#cfd7df}\n"
            ".chosen .name{font-weight:600;fill:#00695c}.chosen .range{stroke:#4db6a5}\n"
            ".chosen .p50,.chosen .p999{stroke:#00796b}.chosen .p99{fill:#00796b}\n"
            ".chosen .load{fill:#00796b}.chosen .use{fill:#80cbc0}.band{fill:#e9f6f3}\n"
            ".ideal .name{fill:#9a6400;font-style:italic}.ideal .range{stroke:#e6b65c}\n"
            ".ideal .p50,.ideal .p999{stroke:#b97900}.ideal .p99{fill:#d08700}\n"
            ".ideal .load{fill:#e6b65c}.ideal .use{fill:#f3dcae}\n"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, height);
    draw_head(out);
    for (unsigned at = 0; at < report->scenario_count; at++)
        draw_panel(report, at, out);
    fputs("</svg>\n", out);
    bool lost = ferror(out);
    if (fclose(out) || lost)
        return fail_errno(failure, ERR_IO, "cannot write %s", file);
    return 0;
}
