#include "bench/drop_report.h"

#include "base/clock.h"
#include "base/json_text.h"

/* Around the kill: an election, and what waited for it. */
static const uint64_t around_kill_ns = 3 * SEC_NS;

static unsigned long long count(uint64_t number)
{
    return number;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double sold_out_ms(const struct drop_report *report)
{
    return report->sold_out_ns ? ms(report->sold_out_ns - report->first_ns) : 0;
}

static double gap_ms(const struct drop_report *report, const struct drop_books *books)
{
    uint64_t end = books->killed_ns + around_kill_ns;
    if (!books->killed_ns)
        return 0;
    return ms(
        drop_longest_gap_ns(report, books->killed_ns, end < report->end_ns ? end : report->end_ns));
}

bool drop_report_good(const struct drop_report *report, const struct drop_config *config,
                      const struct drop_books *books)
{
    uint64_t sold = config->units < config->buyers ? config->units : config->buyers;
    return report->sold == sold && report->sold_out == config->buyers - sold &&
           report->strange == 0 && report->unanswered == 0 && books->orders == sold &&
           (!books->outside || (books->charges == sold && books->parcels == sold)) &&
           books->differences == 0 && !books->found[0];
}

/* ---- Text ---- */

static void text_latency(const char *name, const struct histogram *of, FILE *out)
{
    if (of->count)
        fprintf(out, "  %-9s p50 %.1f ms, p99 %.1f, longest %.1f\n", name,
                ms(histogram_quantile(of, 0.5)), ms(histogram_quantile(of, 0.99)), ms(of->max));
}

void drop_report_text(const struct drop_report *report, const struct drop_config *config,
                      const struct drop_books *books, FILE *out)
{
    fprintf(out, "drop: %u units, %u buyers over %.1f s; %u servers, %u load managers%s\n",
            config->units, config->buyers, config->seconds, books->servers, books->managers,
            books->outside ? ", a bank and a warehouse" : "");
    fprintf(out, "  %llu sold, %llu told \"sold out\", %llu answered strangely, %llu unanswered\n",
            count(report->sold), count(report->sold_out), count(report->strange),
            count(report->unanswered));
    if (report->sold_out_ns)
        fprintf(out, "  sold out %.0f ms after the first buyer was due\n", sold_out_ms(report));
    if (books->killed_ns)
        fprintf(out,
                "  the primary was killed %.0f ms after the first; then the longest time without "
                "anybody's last answer was %.0f ms\n",
                ms(books->killed_ns - report->first_ns), gap_ms(report, books));
    text_latency("sold:", &report->of_sold, out);
    text_latency("sold out:", &report->of_sold_out, out);
    fprintf(out, "  %llu requests; sent again:", count(report->requests));
    for (unsigned i = 0; i < DROP_WHYS; i++)
        fprintf(out, "%s %s %llu", i ? "," : "", drop_why_text((enum drop_why)i),
                count(report->again[i]));
    fprintf(out, "; buyers late by %.1f ms (p99)\n  the books: %llu orders",
            ms(report->late_p99_ns), count(books->orders));
    if (books->outside)
        fprintf(out, ", %llu charges, %llu parcels", count(books->charges), count(books->parcels));
    fprintf(out, ", %llu differences%s%s\n", count(books->differences), books->found[0] ? ": " : "",
            books->found);
    fprintf(out, "%.*s", STR_FMT(buf_text(&report->notes)));
}

/* ---- JSON ---- */

static void json_latency(const char *name, const struct histogram *of, FILE *out)
{
    fprintf(out, ",\"%s_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name,
            ms(histogram_quantile(of, 0.5)), ms(histogram_quantile(of, 0.99)),
            ms(of->count ? of->max : 0));
}

void drop_report_json(const struct drop_report *report, const struct drop_config *config,
                      const struct drop_books *books, FILE *out)
{
    static const char *const whys[DROP_WHYS] = {"refused", "broken", "told_later", "called_off"};
    fprintf(out,
            "{\"bench\":\"drop\",\"units\":%u,\"buyers\":%u,\"seconds\":%.3f,\"managers\":%u,"
            "\"outside\":%s,\"sold\":%llu,\"sold_out\":%llu,\"strange\":%llu,\"unanswered\":%llu,"
            "\"sold_out_after_ms\":%.3f,\"killed_after_ms\":%.3f,\"longest_gap_ms\":%.3f",
            config->units, config->buyers, config->seconds, books->managers,
            books->outside ? "true" : "false", count(report->sold), count(report->sold_out),
            count(report->strange), count(report->unanswered), sold_out_ms(report),
            books->killed_ns ? ms(books->killed_ns - report->first_ns) : 0, gap_ms(report, books));
    json_latency("sold", &report->of_sold, out);
    json_latency("told_sold_out", &report->of_sold_out, out);
    fprintf(out, ",\"requests\":%llu,\"again\":{", count(report->requests));
    for (unsigned i = 0; i < DROP_WHYS; i++)
        fprintf(out, "%s\"%s\":%llu", i ? "," : "", whys[i], count(report->again[i]));
    fprintf(out,
            "},\"late_p99_ms\":%.3f,\"orders\":%llu,\"charges\":%llu,\"parcels\":%llu,"
            "\"differences\":%llu,\"found\":",
            ms(report->late_p99_ns), count(books->orders), count(books->charges),
            count(books->parcels), count(books->differences));
    json_text_print(books->found, out);
    fprintf(out, ",\"notes\":");
    char notes[4100];
    snprintf(notes, sizeof notes, "%.*s", STR_FMT(buf_text(&report->notes)));
    json_text_print(notes, out);
    fprintf(out, "}\n");
}
