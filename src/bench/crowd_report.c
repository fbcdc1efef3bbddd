#include "bench/crowd_report.h"

#include "base/clock.h"
#include "base/json_text.h"

#include <math.h>
#include <stdlib.h>

enum { AFTER_MS = 500 /* all three have caught up, and shoppers go back to it */ };

/* ---- Waits ---- */

struct span {
    uint64_t begin_ns, end_ns;
};

static bool overlaps(const struct crowd_record *record, struct span span)
{
    return record->due_ns < span.end_ns &&
           record->due_ns + record->took_us * UINT64_C(1000) > span.begin_ns;
}

static bool lies_in(const struct crowd_record *record, struct span span)
{
    return record->due_ns >= span.begin_ns &&
           record->due_ns + record->took_us * UINT64_C(1000) <= span.end_ns;
}

static double worst_ms(const struct crowd_report *report, struct span span,
                       bool (*counts)(const struct crowd_record *record, struct span span))
{
    uint32_t worst = 0;
    for (uint64_t i = 0; i < report->record_count; i++)
        if (report->records[i].took_us > worst && counts(&report->records[i], span))
            worst = report->records[i].took_us;
    return worst / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Until when a fault is the fault, and not yet the way back. */
static uint64_t end_of(const struct crowd_plan *plan, const struct crowd_fault *fault)
{
    if (plan->kind == CROWD_KILL)
        return fault->at_ns + plan->down_ms * MS_NS;
    return plan->kind == CROWD_RESTART ? fault->whole_ns : fault->back_ns;
}

static double bigger(double a, double b)
{
    return a > b ? a : b;
}

void crowd_report_waits(const struct crowd_report *report, const struct crowd_plan *plan,
                        bool primary, struct crowd_waits *waits)
{
    double *added = calloc(report->faults.count + 1, sizeof *added);
    *waits = (struct crowd_waits){0};
    for (unsigned i = 0; added && i < report->faults.count; i++) {
        const struct crowd_fault *fault = &report->faults.at[i];
        if (fault->primary != primary || !fault->whole_ns)
            continue;
        uint64_t end = end_of(plan, fault), calm = plan->calm_ms * MS_NS;
        double with = worst_ms(report, (struct span){fault->at_ns, end}, overlaps);
        double before = worst_ms(report, (struct span){fault->at_ns - calm, fault->at_ns}, lies_in);
        double back =
            worst_ms(report, (struct span){end, fault->whole_ns + AFTER_MS * MS_NS}, overlaps);
        added[waits->rounds++] = bigger(0, with - before);
        waits->worst = bigger(waits->worst, with);
        waits->calm_worst = bigger(waits->calm_worst, before);
        waits->back_worst = bigger(waits->back_worst, back);
        waits->echo_worst =
            bigger(waits->echo_worst,
                   (double)echo_worst_ns(&report->echo, fault->at_ns - calm, end) / 1e6);
    }
    if (waits->rounds) {
        qsort(added, waits->rounds, sizeof *added, compare);
        waits->added_median = added[waits->rounds / 2];
        waits->added_p90 = added[(waits->rounds * 9 + 9) / 10 - 1];
        waits->added_worst = added[waits->rounds - 1];
    }
    free(added);
}

/* ---- Spread ---- */

double crowd_report_variation(const double *of_each, unsigned count)
{
    double mean = 0, square = 0;
    for (unsigned i = 0; i < count; i++)
        mean += of_each[i] / count;
    for (unsigned i = 0; i < count; i++)
        square += (of_each[i] - mean) * (of_each[i] - mean) / count;
    return mean > 0 ? sqrt(square) / mean : 0;
}

void crowd_report_spread(const struct crowd_report *report, double *requests, double *processor)
{
    double asked[HEALTHY_SERVERS], used[HEALTHY_SERVERS];
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++) {
        asked[i] = (double)report->by_server[i + 1];
        used[i] = (double)report->processor_ns[i];
    }
    *requests = crowd_report_variation(asked, HEALTHY_SERVERS);
    *processor = crowd_report_variation(used, HEALTHY_SERVERS);
}

/* ---- Text ---- */

static double ms_of(const struct histogram *histogram, double share)
{
    return (double)histogram_quantile(histogram, share) / 1e6;
}

static unsigned long long count_of(uint64_t number)
{
    return number;
}

static void text_waits(const struct crowd_report *report, const struct crowd_plan *plan,
                       bool primary, FILE *out)
{
    struct crowd_waits w;
    crowd_report_waits(report, plan, primary, &w);
    if (w.rounds)
        fprintf(out,
                "  %s %s %u times: longest wait added: median %.0f ms, p90 %.0f, worst %.0f "
                "(longest %.0f, before it %.0f, while it came back %.0f; an echo %.0f)\n",
                primary ? "the primary  " : "a secondary  ", crowd_fault_what(plan->kind), w.rounds,
                w.added_median, w.added_p90, w.added_worst, w.worst, w.calm_worst, w.back_worst,
                w.echo_worst);
}

/* A process that was started again knows nothing of what it used before. */
static bool knows_processor(enum crowd_fault_kind kind)
{
    return kind != CROWD_KILL && kind != CROWD_RESTART;
}

static void text_spread(const struct crowd_report *report, enum crowd_fault_kind kind, FILE *out)
{
    double requests, processor;
    crowd_report_spread(report, &requests, &processor);
    fputs("  by server:", out);
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++)
        fprintf(out, "%s %llu", i ? "," : "", count_of(report->by_server[i + 1]));
    fprintf(out, " requests (%llu did not say): variation %.3f", count_of(report->by_server[0]),
            requests);
    if (knows_processor(kind))
        fprintf(out, "; %.1f, %.1f, %.1f s of processor: variation %.3f",
                (double)report->processor_ns[0] / 1e9, (double)report->processor_ns[1] / 1e9,
                (double)report->processor_ns[2] / 1e9, processor);
    fputs("\n", out);
}

void crowd_report_text(const struct crowd_report *report, const struct crowd_config *config,
                       const char *copies, FILE *out)
{
    double seconds = (double)(report->end_ns - report->begin_ns) / 1e9;
    fprintf(
        out,
        "%u shoppers, %.0f clicks/s wanted, %.0f s, fault: %s\n"
        "  %llu clicks, %llu requests: %llu failed, %llu sent again on a new connection\n"
        "  carts seen: %llu as promised, %llu lost something, %llu had more, %llu went back\n"
        "  p50 %.1f ms   p99 %.1f   p99.9 %.1f   max %.1f   (the generator was late by %.1f at "
        "p99)\n"
        "  the machine itself: a byte to a thread that does nothing, and back: p50 %.1f ms   p99 "
        "%.1f   max %.1f\n",
        config->shoppers, config->rate, seconds, crowd_fault_name(config->plan.kind),
        count_of(report->clicks), count_of(report->requests), count_of(report->failed),
        count_of(report->reopened), count_of(report->findings[CROWD_AS_PROMISED]),
        count_of(report->findings[CROWD_LOST]), count_of(report->findings[CROWD_DOUBLED]),
        count_of(report->findings[CROWD_WENT_BACK]), ms_of(&report->latency, 0.5),
        ms_of(&report->latency, 0.99), ms_of(&report->latency, 0.999), ms_of(&report->latency, 1),
        (double)report->late_p99_ns / 1e6, ms_of(&report->echo.latency, 0.5),
        ms_of(&report->echo.latency, 0.99), ms_of(&report->echo.latency, 1));
    text_waits(report, &config->plan, true, out);
    text_waits(report, &config->plan, false, out);
    text_spread(report, config->plan.kind, out);
    fprintf(out,
            "  at the end: %llu carts read from each server, %llu not as promised, %llu not read; "
            "copies: %s\n",
            count_of(report->read / HEALTHY_SERVERS), count_of(report->wrong),
            count_of(report->unread), copies);
    if (report->notes.len)
        fprintf(out, "what went wrong first:\n%.*s", STR_FMT(buf_text(&report->notes)));
}

/* ---- JSON ---- */

static void json_waits(const char *name, const struct crowd_report *report,
                       const struct crowd_plan *plan, bool primary, FILE *out)
{
    struct crowd_waits w;
    crowd_report_waits(report, plan, primary, &w);
    fprintf(out,
            ",\"%s\":{\"rounds\":%u,\"added_ms\":{\"median\":%.1f,\"p90\":%.1f,\"worst\":%.1f},"
            "\"worst_ms\":%.1f,\"calm_worst_ms\":%.1f,\"back_worst_ms\":%.1f,"
            "\"echo_worst_ms\":%.1f}",
            name, w.rounds, w.added_median, w.added_p90, w.added_worst, w.worst, w.calm_worst,
            w.back_worst, w.echo_worst);
}

static void json_spread(const struct crowd_report *report, FILE *out)
{
    double requests, processor;
    crowd_report_spread(report, &requests, &processor);
    fprintf(out, ",\"variation\":{\"requests\":%.4f,\"processor\":%.4f},\"servers\":[", requests,
            processor);
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++)
        fprintf(out, "%s{\"requests\":%llu,\"processor_s\":%.3f}", i ? "," : "",
                count_of(report->by_server[i + 1]), (double)report->processor_ns[i] / 1e9);
    fputs("]", out);
}

static void json_notes(const struct crowd_report *report, FILE *out)
{
    struct str rest = buf_text(&report->notes), line;
    char text[1024];
    unsigned count = 0;
    fputs(",\"notes\":[", out);
    while (rest.len && str_cut(&rest, '\n', &line)) {
        fputs(count++ ? "," : "", out);
        json_text_print(str_copy(text, sizeof text, str_clip_utf8(line, sizeof text - 1)), out);
    }
    fputs("]", out);
}

void crowd_report_json(const struct crowd_report *report, const struct crowd_config *config,
                       const char *copies, FILE *out)
{
    fprintf(out,
            "{\"bench\":\"crowd\",\"shoppers\":%u,\"rate_wanted\":%.0f,\"seconds\":%.3f,"
            "\"fault\":\"%s\",\"clicks\":%llu,\"requests\":%llu,\"failed\":%llu,\"reopened\":%llu,"
            "\"carts_seen\":%llu,\"lost\":%llu,\"doubled\":%llu,\"went_back\":%llu",
            config->shoppers, config->rate, (double)(report->end_ns - report->begin_ns) / 1e9,
            crowd_fault_name(config->plan.kind), count_of(report->clicks),
            count_of(report->requests), count_of(report->failed), count_of(report->reopened),
            count_of(report->findings[CROWD_AS_PROMISED]), count_of(report->findings[CROWD_LOST]),
            count_of(report->findings[CROWD_DOUBLED]), count_of(report->findings[CROWD_WENT_BACK]));
    fprintf(out,
            ",\"latency_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f},"
            "\"generator_late_p99_ms\":%.3f,"
            "\"echo_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
            ms_of(&report->latency, 0.5), ms_of(&report->latency, 0.99),
            ms_of(&report->latency, 0.999), ms_of(&report->latency, 1),
            (double)report->late_p99_ns / 1e6, ms_of(&report->echo.latency, 0.5),
            ms_of(&report->echo.latency, 0.99), ms_of(&report->echo.latency, 1));
    json_waits("primary", report, &config->plan, true, out);
    json_waits("secondary", report, &config->plan, false, out);
    json_spread(report, out);
    fprintf(out, ",\"carts_read\":%llu,\"carts_wrong\":%llu,\"carts_unread\":%llu,\"copies\":",
            count_of(report->read), count_of(report->wrong), count_of(report->unread));
    json_text_print(copies, out);
    json_notes(report, out);
    fputs("}\n", out);
}

/* ---- The report itself ---- */

void crowd_report_close(struct crowd_report *report)
{
    free(report->records);
    crowd_faults_close(&report->faults);
    echo_close(&report->echo);
    buf_close(&report->notes);
}

bool crowd_report_good(const struct crowd_report *report)
{
    uint64_t broken = 0;
    for (unsigned i = CROWD_LOST; i <= CROWD_WENT_BACK; i++)
        broken += report->findings[i];
    return report->requests > 0 && report->failed == 0 && broken == 0 && report->read > 0 &&
           report->unread == 0 && report->wrong == 0;
}
