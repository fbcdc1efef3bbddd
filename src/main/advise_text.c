#include "main/advise_report.h"
#include "main/advise_value.h"

#include <math.h>
#include <string.h>

enum { SERVED_TEXT = 96, SERVED_WIDTH = 16 };
static const double REACH_SHOWN = 1000;

struct text {
    const struct advise_report *report;
    const struct advise_input *input;
    FILE *out;
};

static unsigned servers_of(const struct text *text, const struct advise_plan *plan)
{
    unsigned sum = 0;
    for (unsigned s = 0; s < text->input->site_count; s++)
        sum += plan->servers[s];
    return sum;
}

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

/* ---- The heading ---- */

static void print_verdict(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    const struct advise_view *view = &answer->view;
    char why[ADVISE_WORDS];
    unsigned count = servers_of(text, &view->plan);
    switch (answer->outcome) {
    case ADVISE_FOUND:
        fprintf(text->out, "%u server%s for %.2f an hour keep%s all limits.\n", count,
                plural(count), view->cost, count == 1 ? "s" : "");
        return;
    case ADVISE_TOO_DEAR:
        fprintf(text->out,
                "The budget of %.2f an hour is too small: the cheapest that keeps all limits are "
                "%u server%s for %.2f.\n",
                text->input->budget, count, plural(count), view->cost);
        return;
    case ADVISE_IMPOSSIBLE:
        fprintf(text->out,
                "%s keeps all limits. Nearest come %u server%s for %.2f an hour, but %s.\n",
                answer->exact ? "Nothing" : "Nothing that was found", count, plural(count),
                view->cost, advise_words_broken(text->input, &view->broken, why));
        return;
    }
}

static void print_load(const struct text *text)
{
    static const char *const gone[] = {"nothing may go", "any one server may go",
                                       "any one server or site may go"};
    const struct advise_input *input = text->input;
    double mean = 0;
    for (unsigned r = 0; r < input->region_count; r++)
        for (unsigned k = 0; k < ADVISE_KINDS; k++)
            mean += input->regions[r].rate[k];
    fprintf(text->out,
            "For %.0f requests/s at the peak (%.0f in the mean) from %u region%s; %s; processors "
            "at most %.0f%% busy.\n",
            advise_peak_rate(input), mean, input->region_count, plural(input->region_count),
            gone[input->tolerate], input->utilisation * 100);
}

/* ---- Tables ---- */

static void print_sites(const struct text *text, const struct advise_view *view)
{
    const struct advise_input *input = text->input;
    fprintf(text->out, "\n%-16s %7s %5s %8s %10s %6s %8s\n", "site", "servers", "now", "cost/h",
            "requests/s", "busy", "queue");
    for (unsigned s = 0; s < input->site_count; s++) {
        const struct advise_site *site = &input->sites[s];
        const struct advise_site_state *state = &view->whole.sites[s];
        char name[ADVISE_NAME + 16], wait[32];
        if (!view->plan.servers[s] && !site->now && !site->witness)
            continue;
        snprintf(name, sizeof name, "%s%s", site->name,
                 view->plan.servers[s] && s == view->plan.primary ? " (primary)"
                 : site->witness                                  ? " (witness)"
                                                                  : "");
        fprintf(text->out, "%-16s %7u %5u %8.2f %10.0f %5.0f%% %8s\n", name, view->plan.servers[s],
                site->now, view->plan.servers[s] * site->cost, state->rate,
                state->utilisation * 100,
                state->rate > 0 ? advise_words_time(state->wait_s, wait) : "-");
    }
    double writer = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        writer = fmax(writer, view->whole.sites[s].writer);
    char commit[32];
    if (view->whole.serves)
        fprintf(text->out, "A change is with a majority after %s",
                advise_words_time(view->whole.commit.p50_s, commit));
    if (view->whole.serves && writer > 0)
        fprintf(text->out, "; the thread that writes it is %.1f%% busy on each server",
                writer * 100);
    if (view->whole.serves)
        fputs(".\n", text->out);
}

static void name_sites(const struct text *text, const struct advise_region_state *state,
                       char out[SERVED_TEXT])
{
    size_t at = 0;
    out[0] = 0;
    for (unsigned s = 0; s < text->input->site_count && at < SERVED_TEXT; s++) {
        const char *name = text->input->sites[s].name;
        if (state->share[s] > 0.9995)
            at += (size_t)snprintf(out + at, SERVED_TEXT - at, "%s", name);
        else if (state->share[s] > 0.0005)
            at += (size_t)snprintf(out + at, SERVED_TEXT - at, "%s%s %.0f%%", at ? ", " : "", name,
                                   state->share[s] * 100);
    }
}

static void print_region(const struct text *text, const struct advise_view *view, unsigned r,
                         int width)
{
    const struct advise_region *region = &text->input->regions[r];
    const struct advise_region_state *state = &view->whole.regions[r];
    char served[SERVED_TEXT], times[5][32], when[ADVISE_CASE_WORDS];
    if (!advise_region_has_load(region))
        return;
    name_sites(text, state, served);
    fprintf(text->out, "%-16s %-*s %9s %9s %9s %9s", region->name, width, served,
            advise_words_time(state->p50_s, times[0]), advise_words_time(state->p99_s, times[1]),
            isinf(region->p99_s) ? "-" : advise_words_time(region->p99_s, times[2]),
            advise_words_time(state->write_p50_s, times[3]));
    if (view->worst_p99_s[r] > 0)
        fprintf(text->out, "  %s%s", advise_words_time(view->worst_p99_s[r], times[4]),
                advise_words_case(text->input, view->worst_case[r], when));
    fputc('\n', text->out);
}

static void print_regions(const struct text *text, const struct advise_view *view)
{
    const unsigned count = text->input->region_count;
    int width = SERVED_WIDTH;
    if (!view->whole.serves)
        return;
    for (unsigned r = 0; r < count; r++) {
        char served[SERVED_TEXT];
        name_sites(text, &view->whole.regions[r], served);
        width = (int)strlen(served) > width ? (int)strlen(served) : width;
    }
    fprintf(text->out, "\n%-16s %-*s %9s %9s %9s %9s%s\n", "region", width, "served by", "p50",
            "p99", "limit", "change", text->input->tolerate ? "  worst p99 after a death" : "");
    for (unsigned r = 0; r < count; r++)
        print_region(text, view, r, width);
}

/* ---- Compared with now ---- */

/* What is shown first is advised only if it keeps the limits. */
static const char *name_of_view(const struct advise_answer *answer)
{
    return answer->outcome == ADVISE_IMPOSSIBLE ? "nearest" : "advised";
}

static void print_present_regions(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    for (unsigned r = 0; r < text->input->region_count; r++) {
        char before[32], after[32];
        if (advise_region_has_load(&text->input->regions[r]))
            fprintf(text->out, "  p99 of %s: %s, %s %s\n", text->input->regions[r].name,
                    advise_words_time(answer->present.whole.regions[r].p99_s, before),
                    name_of_view(answer),
                    advise_words_time(answer->view.whole.regions[r].p99_s, after));
    }
}

/* The site where one server more gains most for what it costs; the count of sites: none. */
static unsigned best_addition(const struct text *text)
{
    const struct advise_change *changes = text->report->answer->present_more;
    unsigned best = text->input->site_count;
    double most = 0, little_s = 1e-2 * text->report->answer->present.whole.mean_s;
    for (unsigned s = 0; s < text->input->site_count; s++) {
        double gain = -changes[s].mean_s / fmax(changes[s].cost, 1e-9);
        if (changes[s].possible && -changes[s].mean_s > little_s && gain > most) {
            most = gain;
            best = s;
        }
    }
    return best;
}

static void print_present(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    const struct advise_view *now = &answer->present, *then = &answer->view;
    char why[ADVISE_WORDS], before[32], after[32];
    if (!answer->has_present)
        return;
    unsigned count = servers_of(text, &now->plan);
    fprintf(text->out, "\nNow: %u server%s for %.2f an hour; %s.\n", count, plural(count),
            now->cost, advise_words_broken(text->input, &now->broken, why));
    if (!now->whole.serves)
        return;
    fprintf(text->out, "What is %s: %+.2f an hour, mean latency %s instead of %s.\n",
            name_of_view(answer), then->cost - now->cost,
            advise_words_time(then->whole.mean_s, after),
            advise_words_time(now->whole.mean_s, before));
    print_present_regions(text);
    unsigned s = best_addition(text);
    if (s == text->input->site_count)
        return;
    const struct advise_change *change = &answer->present_more[s];
    fprintf(text->out,
            "Of single servers, one in %s gains most for its cost: %+.1f ms of mean latency for "
            "%+.2f an hour",
            text->input->sites[s].name, change->mean_s * 1e3, change->cost);
    if (change->cost > 0)
        fprintf(text->out, ", %.1f ms for each 1.00", -change->mean_s * 1e3 / change->cost);
    fputs(".\n", text->out);
}

/* ---- How far it reaches ---- */

static void print_reach(const struct text *text, const char *whose, const struct advise_view *view)
{
    const struct advise_input *input = text->input;
    double peak = advise_peak_rate(input), days = advise_days(view->reach, input->growth_per_day);
    char day[16], why[ADVISE_WORDS];
    if (view->reach <= 0) {
        fprintf(text->out, "  %s: at no load, as it is; ", whose);
        if (view->whole_reach > 0)
            fprintf(text->out, "while nothing is gone, to %.2f times this load (%.0f requests/s)\n",
                    view->whole_reach, view->whole_reach * peak);
        else
            fputs("not even while nothing is gone\n", text->out);
        return;
    }
    if (view->reach > REACH_SHOWN) {
        fprintf(text->out, "  %s: more than %.0f times this load\n", whose, REACH_SHOWN);
        return;
    }
    advise_value_write_day(text->report->today + fmin(days, 1e6), day);
    fprintf(text->out, "  %s: to %.2f times this load (%.0f requests/s at the peak)", whose,
            view->reach, view->reach * peak);
    if (view->reach < 1)
        fputs(", which is passed", text->out);
    else if (isfinite(days) && days < 36500)
        fprintf(text->out, ", which at %.1f%% in 30 days is on %s",
                (pow(1 + input->growth_per_day, 30) - 1) * 100, day);
    fprintf(text->out, "; then %s\n", advise_words_broken(input, &view->beyond, why));
}

static void print_reaches(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    fputs("\nHow far it reaches, if every region grows alike:\n", text->out);
    print_reach(text, "advised", &answer->view);
    if (answer->has_present)
        print_reach(text, "now", &answer->present);
}

/* ---- Why so many ---- */

static void print_fewer(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    char why[ADVISE_WORDS];
    bool any = false;
    for (unsigned s = 0; s < text->input->site_count; s++) {
        const struct advise_change *change = &answer->fewer[s];
        if (!change->possible)
            continue;
        if (!any)
            fputs("\nWhy not one fewer:\n", text->out);
        any = true;
        fprintf(text->out, "  %s: %s\n", text->input->sites[s].name,
                advise_words_broken(text->input, &change->broken, why));
    }
}

static void print_witnesses(const struct text *text)
{
    for (unsigned s = 0; s < text->input->site_count; s++)
        if (text->report->answer->witness_does[s])
            fprintf(text->out,
                    "  %s: a witness in place of its server would keep all limits, too\n",
                    text->input->sites[s].name);
}

static void print_more(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    bool any = false;
    for (unsigned s = 0; s < text->input->site_count; s++) {
        const struct advise_change *change = &answer->more[s];
        char before[32], after[32], why[ADVISE_WORDS];
        if (!change->possible)
            continue;
        if (!any)
            fputs("\nWhy not one more:\n", text->out);
        any = true;
        fprintf(text->out, "  %s: %+.2f an hour", text->input->sites[s].name, change->cost);
        double p99_s = answer->view.whole.regions[change->region].p99_s;
        if (!isnan(change->mean_s) && fabs(change->p99_s) >= fmax(1e-4, 5e-3 * p99_s))
            fprintf(text->out, ", p99 of %s %s instead of %s",
                    text->input->regions[change->region].name,
                    advise_words_time(p99_s + change->p99_s, after),
                    advise_words_time(p99_s, before));
        else
            fputs(", no p99 changes by as much as 0.5%", text->out);
        if (change->broken.breach != ADVISE_KEPT)
            fprintf(text->out, "; but then %s",
                    advise_words_broken(text->input, &change->broken, why));
        fputc('\n', text->out);
    }
}

/* ---- How sure it is ---- */

static void print_sure(const struct text *text)
{
    const struct advise_report *report = text->report;
    const struct advise_answer *answer = report->answer;
    struct str notes = report->notes, line;
    fprintf(text->out, "\n%llu plans judged; ", (unsigned long long)answer->judged);
    if (answer->exact)
        fputs(answer->outcome == ADVISE_IMPOSSIBLE ? "none was left out.\n"
                                                   : "nothing that keeps the limits is cheaper.\n",
              text->out);
    else
        fprintf(text->out, "not all could be: a cheaper one may exist%s.\n",
                answer->outcome == ADVISE_IMPOSSIBLE ? ", or one that keeps the limits" : "");
    if (!answer->exact && answer->bound > 0 && isfinite(answer->bound))
        fprintf(text->out, "It would cost at least %.2f an hour.\n", answer->bound);
    if (report->alone)
        fprintf(text->out,
                "%u time%s had no 99th percentile: the median stands for it, so that p99 is too "
                "low.\n",
                report->alone, plural(report->alone));
    while (str_cut(&notes, '\n', &line))
        if (line.len)
            fprintf(text->out, "Measured: %.*s\n", STR_FMT(line));
}

/* REPORT's input has the limits that are wanted; those that could be kept are higher. */
static void print_relaxed(const struct text *text)
{
    const struct advise_answer *answer = text->report->answer;
    unsigned count = servers_of(text, &answer->relaxed.plan);
    fprintf(
        text->out,
        "\nIf all limits of latency were %.2f times as high, %u server%s for %.2f an hour would "
        "keep them:\n",
        answer->relaxed_by, count, plural(count), answer->relaxed.cost);
    print_sites(text, &answer->relaxed);
    print_regions(text, &answer->relaxed);
}

void advise_report_text(const struct advise_report *report, FILE *out)
{
    const struct text text = {report, report->input, out};
    const struct advise_answer *answer = report->answer;
    char why[ADVISE_WORDS];
    print_verdict(&text);
    print_load(&text);
    print_sites(&text, &answer->view);
    print_regions(&text, &answer->view);
    if (answer->outcome == ADVISE_TOO_DEAR && answer->within.cost > 0) {
        unsigned count = servers_of(&text, &answer->within.plan);
        fprintf(out,
                "\nWithin the budget come nearest %u server%s for %.2f an hour (searched locally), "
                "but %s.\n",
                count, plural(count), answer->within.cost,
                advise_words_broken(report->input, &answer->within.broken, why));
        print_sites(&text, &answer->within);
        print_regions(&text, &answer->within);
    }
    if (answer->relaxed_by > 0)
        print_relaxed(&text);
    print_present(&text);
    if (answer->outcome != ADVISE_IMPOSSIBLE) {
        print_reaches(&text);
        print_fewer(&text);
        print_witnesses(&text);
        print_more(&text);
    }
    print_sure(&text);
}
