#include "base/json_text.h"
#include "main/advise_report.h"
#include "main/advise_value.h"

#include <math.h>

struct json {
    const struct advise_report *report;
    const struct advise_input *input;
    FILE *out;
};

/* ,"KEY":VALUE or null where there is no such number. */
static void number(const struct json *json, const char *key, double value)
{
    if (isfinite(value))
        fprintf(json->out, ",\"%s\":%.10g", key, value);
    else
        fprintf(json->out, ",\"%s\":null", key);
}

static void text(const struct json *json, const char *key, const char *value)
{
    fprintf(json->out, ",\"%s\":", key);
    json_text_print(value, json->out);
}

/* ,"KEY":{…} or null where all limits are kept. */
static void put_broken(const struct json *json, const char *key, const struct advise_broken *broken)
{
    static const char *const names[] = {[ADVISE_NO_SERVER] = "no-server",
                                        [ADVISE_NO_MAJORITY] = "no-majority",
                                        [ADVISE_FULL] = "full",
                                        [ADVISE_WRITER_FULL] = "writer-full",
                                        [ADVISE_P50] = "p50",
                                        [ADVISE_P99] = "p99",
                                        [ADVISE_TOO_MANY] = "too-many",
                                        [ADVISE_FEWER] = "fewer-than-least"};
    char words[ADVISE_WORDS];
    if (broken->breach == ADVISE_KEPT) {
        fprintf(json->out, ",\"%s\":null", key);
        return;
    }
    bool of_region = broken->breach == ADVISE_P50 || broken->breach == ADVISE_P99;
    double by = of_region ? 1e3 : 1;
    fprintf(json->out, ",\"%s\":{\"limit\":\"%s\"", key, names[broken->breach]);
    if (of_region || broken->breach == ADVISE_NO_SERVER)
        text(json, "region", json->input->regions[broken->region].name);
    if (broken->breach == ADVISE_FULL || broken->breach == ADVISE_WRITER_FULL ||
        broken->breach == ADVISE_FEWER)
        text(json, "site", json->input->sites[broken->site].name);
    if (broken->when.gone)
        text(json, broken->when.gone == ADVISE_SITE_GONE ? "gone_site" : "gone_server_of",
             json->input->sites[broken->when.site].name);
    number(json, of_region ? "value_ms" : "value", broken->value * by);
    number(json, of_region ? "limit_ms" : "limit_value", broken->limit * by);
    text(json, "words", advise_words_broken(json->input, broken, words));
    fputc('}', json->out);
}

static void put_site(const struct json *json, const struct advise_view *view, unsigned s)
{
    const struct advise_site_state *state = &view->whole.sites[s];
    fprintf(json->out, "%s{\"name\":", s ? "," : "");
    json_text_print(json->input->sites[s].name, json->out);
    fprintf(json->out, ",\"servers\":%u,\"primary\":%s", view->plan.servers[s],
            view->plan.servers[s] && s == view->plan.primary ? "true" : "false");
    number(json, "cost", view->plan.servers[s] * json->input->sites[s].cost);
    number(json, "requests_per_s", state->rate);
    number(json, "utilisation", state->utilisation);
    number(json, "writer_utilisation", state->writer);
    number(json, "wait_ms", state->wait_s * 1e3);
    fputc('}', json->out);
}

static void put_region(const struct json *json, const struct advise_view *view, unsigned r)
{
    const struct advise_region_state *state = &view->whole.regions[r];
    const char *comma = "";
    fprintf(json->out, "%s{\"name\":", r ? "," : "");
    json_text_print(json->input->regions[r].name, json->out);
    fputs(",\"served_by\":{", json->out);
    for (unsigned s = 0; s < json->input->site_count; s++) {
        if (state->share[s] <= 0)
            continue;
        fputs(comma, json->out);
        json_text_print(json->input->sites[s].name, json->out);
        fprintf(json->out, ":%.10g", state->share[s]);
        comma = ",";
    }
    fputc('}', json->out);
    number(json, "p50_ms", state->p50_s * 1e3);
    number(json, "p99_ms", state->p99_s * 1e3);
    number(json, "change_p50_ms", state->write_p50_s * 1e3);
    number(json, "change_p99_ms", state->write_p99_s * 1e3);
    if (view->worst_p99_s[r] > 0) {
        number(json, "worst_p99_ms", view->worst_p99_s[r] * 1e3);
        text(json,
             view->worst_case[r].gone == ADVISE_SITE_GONE ? "worst_gone_site"
                                                          : "worst_gone_server_of",
             json->input->sites[view->worst_case[r].site].name);
    }
    fputc('}', json->out);
}

static void put_view(const struct json *json, const char *key, const struct advise_view *view)
{
    double days = advise_days(view->reach, json->input->growth_per_day);
    fprintf(json->out, ",\"%s\":{\"serves\":%s", key, view->whole.serves ? "true" : "false");
    number(json, "cost", view->cost);
    number(json, "mean_ms", view->whole.serves ? view->whole.mean_s * 1e3 : NAN);
    number(json, "commit_p50_ms", view->whole.serves ? view->whole.commit.p50_s * 1e3 : NAN);
    number(json, "reach", view->reach);
    number(json, "whole_reach", view->whole_reach);
    number(json, "reach_requests_per_s", view->reach * advise_peak_rate(json->input));
    if (view->reach >= 1 && isfinite(days) && days < 36500) {
        char day[16];
        advise_value_write_day(json->report->today + days, day);
        text(json, "reach_day", day);
    }
    put_broken(json, "broken", &view->broken);
    put_broken(json, "beyond_reach", &view->beyond);
    fputs(",\"sites\":[", json->out);
    for (unsigned s = 0; s < json->input->site_count; s++)
        put_site(json, view, s);
    fputs("],\"regions\":[", json->out);
    for (unsigned r = 0; view->whole.serves && r < json->input->region_count; r++)
        put_region(json, view, r);
    fputs("]}", json->out);
}

static void put_changes(const struct json *json, const char *key,
                        const struct advise_change *changes)
{
    const char *comma = "";
    fprintf(json->out, ",\"%s\":[", key);
    for (unsigned s = 0; s < json->input->site_count; s++) {
        const struct advise_change *change = &changes[s];
        if (!change->possible)
            continue;
        fprintf(json->out, "%s{\"site\":", comma);
        comma = ",";
        json_text_print(json->input->sites[s].name, json->out);
        number(json, "cost", change->cost);
        number(json, "mean_ms", change->mean_s * 1e3);
        if (!isnan(change->mean_s)) {
            text(json, "region", json->input->regions[change->region].name);
            number(json, "p99_ms", change->p99_s * 1e3);
        }
        put_broken(json, "broken", &change->broken);
        fputc('}', json->out);
    }
    fputc(']', json->out);
}

void advise_report_json(const struct advise_report *report, FILE *out)
{
    static const char *const outcomes[] = {[ADVISE_FOUND] = "found",
                                           [ADVISE_TOO_DEAR] = "too-dear",
                                           [ADVISE_IMPOSSIBLE] = "impossible"};
    const struct json json = {report, report->input, out};
    const struct advise_answer *answer = report->answer;
    struct str notes = report->notes, line;
    const char *comma = "";
    fprintf(out, "{\"outcome\":\"%s\",\"exact\":%s,\"judged\":%llu", outcomes[answer->outcome],
            answer->exact ? "true" : "false", (unsigned long long)answer->judged);
    number(&json, "requests_per_s", advise_peak_rate(report->input));
    number(&json, "budget", report->input->budget);
    number(&json, "growth_per_30_days", pow(1 + report->input->growth_per_day, 30) - 1);
    number(&json, "times_without_p99", report->alone);
    put_view(&json, "advised", &answer->view);
    if (answer->outcome == ADVISE_TOO_DEAR && answer->within.cost > 0)
        put_view(&json, "within_budget", &answer->within);
    if (answer->relaxed_by > 0) {
        number(&json, "relaxed_by", answer->relaxed_by);
        put_view(&json, "relaxed", &answer->relaxed);
    }
    if (answer->has_present) {
        put_view(&json, "now", &answer->present);
        put_changes(&json, "now_and_one_more", answer->present_more);
    }
    put_changes(&json, "one_fewer", answer->fewer);
    put_changes(&json, "one_more", answer->more);
    fputs(",\"witness_does\":[", out);
    for (unsigned s = 0; s < report->input->site_count; s++) {
        if (!answer->witness_does[s])
            continue;
        fputs(comma, out);
        json_text_print(report->input->sites[s].name, out);
        comma = ",";
    }
    fputc(']', out);
    comma = "";
    fputs(",\"measured\":[", out);
    while (str_cut(&notes, '\n', &line)) {
        char words[ADVISE_WORDS];
        if (!line.len)
            continue;
        fputs(comma, out);
        json_text_print(str_copy(words, sizeof words, line), out);
        comma = ",";
    }
    fputs("]}\n", out);
}
