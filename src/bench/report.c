#include "bench/report.h"

#include "base/check.h"
#include "base/json_text.h"
#include "base/str.h"

#include <math.h>

static const struct {
    const char *name;
    double share;
} quantiles[] = {{"p50", 0.5},  {"p75", 0.75},    {"p90", 0.9},
                 {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double per_second(const struct bench_report *r, uint64_t count)
{
    return r->seconds > 0 ? (double)count / r->seconds : 0;
}

bool report_generator_is_limit(const struct bench_report *r)
{
    bool late = r->open_loop && r->late_ns_p99 > histogram_quantile(&r->latency, 0.99) / 4;
    return r->generator_busy + r->generator_waited > 0.9 || (late && r->late_ns_p99 > 1000000);
}

static void warn(const struct bench_report *r, FILE *out)
{
    if (report_generator_is_limit(r))
        fprintf(
            out,
            "note: the generator itself is the limit: its busiest thread computed %.0f %% of the "
            "time and waited for a core %.0f %% (give it --threads, cores of its own, or less "
            "to do)\n",
            100 * r->generator_busy, 100 * r->generator_waited);
    if (r->unanswered && r->unanswered_ns > r->latency.max)
        fprintf(out,
                "note: %llu operations had no answer when time was up, the oldest after %.0f ms: "
                "the latencies are of the others\n",
                (unsigned long long)r->unanswered, ms(r->unanswered_ns));
    if (r->open_loop && r->missed)
        fprintf(out,
                "note: %llu operations were due and not begun: the server is below this rate\n",
                (unsigned long long)r->missed);
}

void report_text(const struct bench_report *r, FILE *out)
{
    fprintf(out, "%s: %s at %s\n", r->name, r->operation, r->target);
    if (r->connections)
        fprintf(out, "%u connections, HTTP/%s, %u generator threads, ", r->connections,
                r->http2 ? "2" : "1.1", r->threads);
    if (r->connections && r->open_loop)
        fprintf(out, "open loop at %.0f operations/s, timed from the intended start\n",
                r->rate_wanted);
    else if (r->connections)
        fprintf(out, "closed loop\n");
    fprintf(out, "%.1f s: %llu operations = %.0f/s, %llu requests = %.0f/s, %.1f MB/s in\n",
            r->seconds, (unsigned long long)r->operations, per_second(r, r->operations),
            (unsigned long long)r->requests, per_second(r, r->requests),
            per_second(r, r->bytes_in) / 1e6);
    fprintf(out, "%llu failed, %llu refused for load (503)\n", (unsigned long long)r->failed,
            (unsigned long long)r->refused);
    fprintf(out, "latency ms: mean %.3f", histogram_mean(&r->latency) / 1e6);
    for (unsigned i = 0; i < COUNT_OF(quantiles); i++)
        fprintf(out, "  %s %.3f", quantiles[i].name,
                ms(histogram_quantile(&r->latency, quantiles[i].share)));
    fprintf(out, "  max %.3f\n", ms(r->latency.max));
    if (r->fsyncs_per_s > 0)
        fprintf(out, "disk: %.0f durable 4 KiB writes/s, one after the other\n", r->fsyncs_per_s);
    warn(r, out);
}

void report_json(const struct bench_report *r, FILE *out)
{
    fputs("{\"bench\":", out);
    json_text_print(r->name, out);
    fputs(",\"operation\":", out);
    json_text_print(r->operation, out);
    fputs(",\"target\":", out);
    json_text_print(r->target, out);
    fprintf(out,
            ",\"connections\":%u,\"threads\":%u,\"http\":\"%s\","
            "\"loop\":\"%s\",\"rate_wanted\":%.1f,\"seconds\":%.3f,\"operations\":%llu,"
            "\"operations_per_s\":%.1f,\"requests\":%llu,\"requests_per_s\":%.1f,\"failed\":%llu,"
            "\"refused\":%llu,\"missed\":%llu,\"bytes_in\":%llu,\"latency_ms\":{\"mean\":%.4f",
            r->connections, r->threads, r->http2 ? "2" : "1.1", r->open_loop ? "open" : "closed",
            r->rate_wanted, r->seconds, (unsigned long long)r->operations,
            per_second(r, r->operations), (unsigned long long)r->requests,
            per_second(r, r->requests), (unsigned long long)r->failed,
            (unsigned long long)r->refused, (unsigned long long)r->missed,
            (unsigned long long)r->bytes_in, histogram_mean(&r->latency) / 1e6);
    for (unsigned i = 0; i < COUNT_OF(quantiles); i++)
        fprintf(out, ",\"%s\":%.4f", quantiles[i].name,
                ms(histogram_quantile(&r->latency, quantiles[i].share)));
    fprintf(out,
            ",\"max\":%.4f},\"unanswered\":%llu,\"unanswered_oldest_ms\":%.4f,"
            "\"generator_busy\":%.3f,\"generator_waited\":%.3f,\"generator_is_limit\":%s,"
            "\"fsyncs_per_s\":%.1f}\n",
            ms(r->latency.max), (unsigned long long)r->unanswered, ms(r->unanswered_ns),
            r->generator_busy, r->generator_waited, report_generator_is_limit(r) ? "true" : "false",
            r->fsyncs_per_s);
}

static int finish(FILE *out, const char *file, struct failure *failure)
{
    bool failed = fflush(out) || ferror(out);
    int err = failed ? fail_errno(failure, ERR_IO, "cannot write %s", file) : 0;
    if (fclose(out) && !err)
        err = fail_errno(failure, ERR_IO, "cannot write %s", file);
    return err;
}

int report_cdf_csv(const struct bench_report *r, const char *file, struct failure *failure)
{
    FILE *out = fopen(file, "we");
    unsigned cell = 0;
    uint64_t value, at_most = 0;
    if (!out)
        return fail_errno(failure, ERR_IO, "cannot write %s", file);
    fprintf(out, "milliseconds,share\n");
    while (histogram_walk(&r->latency, &cell, &value, &at_most))
        fprintf(out, "%.6f,%.8f\n", ms(value), (double)at_most / (double)r->latency.count);
    return finish(out, file, failure);
}

/* ---- The picture ---- */

enum { WIDTH = 720, HEIGHT = 420, LEFT = 64, RIGHT = 24, TOP = 44, BOTTOM = 52 };

struct axes {
    double low, high; /* decades of milliseconds */
};

/* Nines on the x axis: 0.9 is 1, 0.99 is 2 … up to 0.99999. */
static double x_of(double share)
{
    double nines = share >= 1 ? 5 : -log10(1 - share);
    if (nines > 5)
        nines = 5;
    return LEFT + nines / 5 * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct axes *axes, double milliseconds)
{
    double place = (log10(milliseconds) - axes->low) / (axes->high - axes->low);
    return HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
}

static void draw_grid(const struct axes *axes, FILE *out)
{
    static const struct {
        const char *name;
        double share;
    } ticks[] = {{"min", 0},     {"50 %", 0.5},     {"90 %", 0.9},
                 {"99 %", 0.99}, {"99.9 %", 0.999}, {"99.99 %", 0.9999}};
    for (unsigned i = 0; i < COUNT_OF(ticks); i++) {
        double x = x_of(ticks[i].share);
        fprintf(out,
                "<path class=\"g\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%s</text>\n",
                x, TOP, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 18, ticks[i].name);
    }
    for (int decade = (int)axes->low; decade <= (int)axes->high; decade++) {
        double y = y_of(axes, pow(10, decade));
        fprintf(out,
                "<path class=\"g\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%g</text>\n",
                LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, pow(10, decade));
    }
}

static void draw_curve(const struct bench_report *r, const struct axes *axes, FILE *out)
{
    unsigned cell = 0;
    uint64_t value, at_most = 0;
    char move = 'M';
    fprintf(out, "<path class=\"c\" d=\"");
    while (histogram_walk(&r->latency, &cell, &value, &at_most)) {
        double share = (double)at_most / (double)r->latency.count;
        fprintf(out, "%c%.1f %.1f", move, x_of(share), y_of(axes, ms(value ? value : 1)));
        move = 'L';
    }
    fprintf(out, "\"/>\n");
}

int report_cdf_svg(const struct bench_report *r, const char *file, struct failure *failure)
{
    if (r->latency.count == 0)
        return fail(failure, ERR_STATE, "there is nothing to draw: no operation succeeded");
    FILE *out = fopen(file, "we");
    if (!out)
        return fail_errno(failure, ERR_IO, "cannot write %s", file);
    struct axes axes = {floor(log10(ms(r->latency.min ? r->latency.min : 1))),
                        ceil(log10(ms(r->latency.max)))};
    if (axes.high <= axes.low)
        axes.high = axes.low + 1;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui,sans-serif\" font-size=\"12\">\n"
            "<style>.g{stroke:#ccc;fill:none}.c{stroke:#0a6;stroke-width:2;fill:none}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"%d\" y=\"24\" font-size=\"15\">%s: latency in ms by share of operations "
            "(%.0f/s, %u connections)</text>\n",
            WIDTH, HEIGHT, LEFT, r->name, per_second(r, r->operations), r->connections);
    draw_grid(&axes, out);
    draw_curve(r, &axes, out);
    fprintf(out, "</svg>\n");
    return finish(out, file, failure);
}
