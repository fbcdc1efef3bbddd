#include "base/clock.h"
#include "base/json_text.h"
#include "main/replay_scale.h"

static double ms_at(const struct scale_replayed *result, double share)
{
    return (double)scale_waits_quantile(&result->totals.waits, share) / (double)MS_NS;
}

static double lost_share(const struct scale_replayed *result)
{
    uint64_t lost = result->totals.dropped + result->totals.refused;
    uint64_t all = result->totals.arrived + result->totals.refused;
    return all ? (double)lost / (double)all : 0;
}

static double reversals_a_minute(const struct scale_replayed *result)
{
    return result->seconds > 0 ? result->reversals * 60 / result->seconds : 0;
}

/* ---- For people ---- */

static void print_load(const struct replay_report *report, FILE *out)
{
    const struct scale_load *load = report->load;
    double most = 0;
    for (unsigned i = 0; i < load->count; i++)
        most = load->points[i].rate > most ? load->points[i].rate : most;
    double sum = scale_load_between(load, 0, load->seconds);
    fprintf(out, "%s: %.1f s, about %.0f requests, %.1f/s on average, %.1f/s at most, seed %llu\n",
            report->file, load->seconds, sum, load->seconds > 0 ? sum / load->seconds : 0, most,
            (unsigned long long)report->seed);
}

static void print_check(const struct replay_report *report, FILE *out)
{
    const struct scale_checked *checked = &report->checked;
    if (!report->is_log)
        return;
    if (report->check_err)
        fprintf(out, "The log's own rule was not tried: %s\n", report->check_text);
    else if (checked->others == 0)
        fprintf(out,
                "The log's own rule and settings decide the same again: %llu samples, %llu "
                "changes.\n",
                (unsigned long long)checked->samples, (unsigned long long)checked->decisions);
    else
        fprintf(out,
                "The log's own rule and settings decide otherwise at %llu of %llu samples, first "
                "in line %llu: another version wrote it, or the samples are not all there.\n",
                (unsigned long long)checked->others, (unsigned long long)checked->samples,
                (unsigned long long)checked->first_line);
}

static void print_changes(const struct replay_entry *entry, FILE *out)
{
    fprintf(out, "\n%10s  %-10s %-8s %7s  %s\n", "seconds", "workers", "fronts", "queue", "why");
    for (uint64_t i = 0; i < entry->change_count; i++) {
        const struct replay_change *change = &entry->changes[i];
        const struct scale_decision *decision = &change->decision;
        char workers[32], fronts[32];
        snprintf(workers, sizeof workers, "%u > %u", decision->workers_before, decision->workers);
        snprintf(fronts, sizeof fronts, "%u > %u", decision->fronts_before, decision->fronts);
        fprintf(out, "%10.2f  %-10s %-8s %7llu  %s\n", change->at_s, workers, fronts,
                (unsigned long long)change->queued, decision->reason);
    }
}

static void print_entry(const struct replay_entry *entry, FILE *out)
{
    const struct scale_replayed *result = &entry->result;
    char back[32] = "no step";
    if (result->stepped && result->came_back)
        snprintf(back, sizeof back, "%.1f s", result->back_s);
    else if (result->stepped)
        snprintf(back, sizeof back, "never");
    fprintf(out, "%-10s %5u %5u %5u %9.2f %7u %9.1f %9.1f %8.2f%% %9.0f  %s\n", entry->name,
            result->most, result->ups, result->downs, reversals_a_minute(result),
            result->reversals_in_minute, ms_at(result, 0.5), ms_at(result, 0.99),
            100 * lost_share(result), result->totals.worker_s, back);
}

void replay_report_print(const struct replay_report *report, FILE *out)
{
    print_load(report, out);
    print_check(report, out);
    if (report->count == 1)
        print_changes(&report->entries[0], out);
    fprintf(out, "\n%-10s %5s %5s %5s %9s %7s %9s %9s %9s %9s  %s\n", "rule", "most", "up", "down",
            "reversals", "in one", "wait p50", "wait p99", "lost", "worker-s", "p99 back under");
    fprintf(out, "%-10s %5s %5s %5s %9s %7s %9s %9s %9s %9s  %llu ms after\n", "", "", "", "",
            "a minute", "minute", "ms", "ms", "", "", (unsigned long long)report->limit_ms);
    for (unsigned i = 0; i < report->count; i++)
        print_entry(&report->entries[i], out);
    if (report->count && report->entries[0].result.stepped)
        fprintf(out, "\nThe step is at %.1f s.\n", report->entries[0].result.step_s);
}

/* ---- For programs ---- */

static void json_change(const struct replay_change *change, FILE *out)
{
    const struct scale_decision *decision = &change->decision;
    fprintf(out,
            "{\"seconds\":%.3f,\"workers\":[%u,%u],\"fronts\":[%u,%u],\"wish\":%u,"
            "\"held\":\"%s\",\"queued\":%llu,\"reason\":",
            change->at_s, decision->workers_before, decision->workers, decision->fronts_before,
            decision->fronts, decision->wish, scale_held_word(decision->held),
            (unsigned long long)change->queued);
    json_text_print(decision->reason, out);
    fputc('}', out);
}

static void json_entry(const struct replay_entry *entry, FILE *out)
{
    const struct scale_replayed *result = &entry->result;
    const struct sim_queue_totals *totals = &result->totals;
    fprintf(out, "{\"rule\":\"%s\",\"workers_most\":%u,\"workers_last\":%u,\"up\":%u,\"down\":%u",
            entry->name, result->most, result->last, result->ups, result->downs);
    fprintf(out, ",\"reversals\":%u,\"reversals_per_minute\":%.4f,\"reversals_in_one_minute\":%u",
            result->reversals, reversals_a_minute(result), result->reversals_in_minute);
    fprintf(out, ",\"wait_p50_ms\":%.3f,\"wait_p99_ms\":%.3f", ms_at(result, 0.5),
            ms_at(result, 0.99));
    fprintf(out, ",\"arrived\":%llu,\"answered\":%llu,\"dropped\":%llu,\"refused\":%llu",
            (unsigned long long)totals->arrived, (unsigned long long)totals->answered,
            (unsigned long long)totals->dropped, (unsigned long long)totals->refused);
    fprintf(out, ",\"lost_share\":%.6f,\"worker_seconds\":%.3f", lost_share(result),
            totals->worker_s);
    if (result->stepped)
        fprintf(out, ",\"step_at_s\":%.3f", result->step_s);
    if (result->came_back)
        fprintf(out, ",\"back_under_limit_s\":%.3f", result->back_s);
    fputs(",\"decisions\":[", out);
    for (uint64_t i = 0; i < entry->change_count; i++) {
        fputs(i ? "," : "", out);
        json_change(&entry->changes[i], out);
    }
    fputs("]}", out);
}

void replay_report_json(const struct replay_report *report, FILE *out)
{
    const struct scale_checked *checked = &report->checked;
    fputs("{\"file\":", out);
    json_text_print(report->file, out);
    fprintf(out, ",\"seconds\":%.3f,\"seed\":%llu,\"limit_ms\":%llu", report->load->seconds,
            (unsigned long long)report->seed, (unsigned long long)report->limit_ms);
    if (report->is_log && !report->check_err)
        fprintf(out, ",\"log\":{\"samples\":%llu,\"changes\":%llu,\"decided_otherwise\":%llu}",
                (unsigned long long)checked->samples, (unsigned long long)checked->decisions,
                (unsigned long long)checked->others);
    fputs(",\"rules\":[", out);
    for (unsigned i = 0; i < report->count; i++) {
        fputs(i ? ",\n" : "\n", out);
        json_entry(&report->entries[i], out);
    }
    fputs("]}\n", out);
}
