#include "scale/advise.h"

#include "scale/advise_model.h"
#include "scale/advise_search.h"

#include <math.h>
#include <string.h>

/* How much higher limits of latency are tried, and how finely. */
static const double RELAX_MAX = 64, RELAX_STEP = 1.05;
enum { RELAX_JUDGED_MAX = 10000 };
/* The load beyond which a plan's reach is not looked for, and how finely it is. */
static const double REACH_MAX = 1 << 20, REACH_MIN = 1.0 / (1 << 10), BEYOND = 1.01;
enum { REACH_STEPS = 24 };

double advise_cost(const struct advise_input *input, const struct advise_plan *plan)
{
    double cost = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        cost += plan->servers[s] * input->sites[s].cost;
    return cost;
}

double advise_days(double factor, double per_day)
{
    if (factor <= 1)
        return 0;
    return per_day > 0 ? log(factor) / log1p(per_day) : INFINITY;
}

bool advise_growth(const double *days, const double *rates, unsigned count, double *per_day)
{
    double day = 0, rate = 0, both = 0, square = 0;
    for (unsigned i = 0; i < count; i++) {
        day += days[i] / count;
        rate += log(rates[i]) / count;
    }
    for (unsigned i = 0; i < count; i++) {
        both += (days[i] - day) * (log(rates[i]) - rate);
        square += (days[i] - day) * (days[i] - day);
    }
    if (square <= 0)
        return false;
    *per_day = expm1(both / square);
    return true;
}

/* ---- How far a plan reaches ---- */

static void scale(const struct advise_input *input, double factor, struct advise_input *scaled)
{
    *scaled = *input;
    for (unsigned r = 0; r < scaled->region_count; r++)
        for (unsigned k = 0; k < ADVISE_KINDS; k++)
            scaled->regions[r].rate[k] *= factor;
}

static bool holds_at(const struct advise_input *input, const struct advise_plan *plan,
                     double factor)
{
    struct advise_input scaled;
    scale(input, factor, &scaled);
    return advise_judge(&scaled, plan->servers, plan->primary, true).penalty <= 0;
}

static double find_reach(const struct advise_input *input, const struct advise_plan *plan)
{
    double low = 1, high = 1;
    if (advise_peak_rate(input) <= 0)
        return REACH_MAX;
    while (high < REACH_MAX && holds_at(input, plan, high))
        high *= 2;
    while (high >= REACH_MAX || !holds_at(input, plan, low)) {
        if (high >= REACH_MAX || low < REACH_MIN)
            return high >= REACH_MAX ? REACH_MAX : 0;
        low /= 2;
    }
    high = low < 1 ? 2 * low : high;
    for (unsigned i = 0; i < REACH_STEPS; i++) {
        double middle = (low + high) / 2;
        if (holds_at(input, plan, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- All about a plan ---- */

struct viewing {
    const struct advise_input *input;
    struct advise_view *view;
};

static bool view_case(void *context, struct advise_case when)
{
    struct viewing *viewing = context;
    struct advise_view *view = viewing->view;
    struct advise_state state;
    advise_look(viewing->input, &view->plan, when, when.gone ? &state : &view->whole);
    for (unsigned r = 0; when.gone && state.serves && r < viewing->input->region_count; r++)
        if (state.regions[r].p99_s > view->worst_p99_s[r]) {
            view->worst_p99_s[r] = state.regions[r].p99_s;
            view->worst_case[r] = when;
        }
    return true;
}

static void make_view(const struct advise_input *input, const struct advise_plan *plan,
                      struct advise_view *view)
{
    struct viewing viewing = {input, view};
    struct advise_input scaled;
    *view = (struct advise_view){.plan = *plan, .cost = advise_cost(input, plan)};
    advise_each_case(input, plan->servers, view_case, &viewing);
    view->broken = advise_worst(input, plan);
    view->reach = find_reach(input, plan);
    scaled = *input;
    scaled.tolerate = ADVISE_TOLERATE_NONE;
    view->whole_reach = find_reach(&scaled, plan);
    scale(input, view->reach * BEYOND, &scaled);
    if (view->reach > 0)
        view->beyond = advise_worst(&scaled, plan);
}

/* ---- One server more, or fewer ---- */

/* CHANGE: what is different with OTHER in place of what VIEW shows. */
static void compare(const struct advise_input *input, const struct advise_view *view,
                    const struct advise_plan *other, struct advise_change *change)
{
    struct advise_state state;
    double most = 0;
    change->cost = advise_cost(input, other) - view->cost;
    change->broken = advise_worst(input, other);
    change->mean_s = NAN;
    advise_look(input, other, (struct advise_case){ADVISE_WHOLE, 0}, &state);
    if (!state.serves || !view->whole.serves)
        return;
    change->mean_s = state.mean_s - view->whole.mean_s;
    for (unsigned r = 0; r < input->region_count; r++) {
        double by = state.regions[r].p99_s - view->whole.regions[r].p99_s;
        if (!isnan(by) && fabs(by) >= most) {
            most = fabs(by);
            change->p99_s = by;
            change->region = r;
        }
    }
}

static void change_at(const struct advise_input *input, const struct advise_view *view,
                      unsigned site, int by, struct advise_change *change)
{
    struct advise_plan other = view->plan;
    *change = (struct advise_change){0};
    if (by < 0 ? other.servers[site] == 0 : other.servers[site] >= input->sites[site].most)
        return;
    other.servers[site] = by < 0 ? other.servers[site] - 1 : other.servers[site] + 1;
    unsigned left = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        left += other.servers[s];
    if (left == 0)
        return;
    change->possible = true;
    other.primary = advise_judge(input, other.servers, ADVISE_SITES_MAX, false).primary;
    compare(input, view, &other, change);
}

/* Whether PLAN's only server at SITE is needed for its vote alone. */
static bool witness_does(const struct advise_input *input, const struct advise_plan *plan,
                         unsigned site)
{
    struct advise_input other = *input;
    struct advise_plan without = *plan;
    if (plan->servers[site] != 1 || input->sites[site].witness)
        return false;
    other.sites[site].witness = true;
    other.sites[site].least = 0;
    without.servers[site] = 0;
    return advise_judge(&other, without.servers, ADVISE_SITES_MAX, true).penalty <= 0;
}

/* ---- Limits that could be kept ---- */

static bool holds_relaxed(const struct advise_input *input, double factor,
                          struct advise_input *relaxed, struct advise_search *search)
{
    *relaxed = *input;
    for (unsigned r = 0; r < relaxed->region_count; r++) {
        relaxed->regions[r].p50_s *= factor;
        relaxed->regions[r].p99_s *= factor;
        relaxed->regions[r].degraded_p99_s *= factor;
    }
    advise_search(relaxed, RELAX_JUDGED_MAX, search);
    return search->found;
}

static void relax(const struct advise_input *input, struct advise_answer *answer)
{
    struct advise_input relaxed;
    struct advise_search search, best;
    double low = 1, high = RELAX_MAX;
    if (!holds_relaxed(input, high, &relaxed, &best))
        return;
    while (high > low * RELAX_STEP) {
        double middle = sqrt(low * high);
        if (holds_relaxed(input, middle, &relaxed, &search)) {
            high = middle;
            best = search;
        } else {
            low = middle;
        }
        answer->judged += search.judged;
    }
    holds_relaxed(input, high, &relaxed, &best);
    answer->relaxed_by = high;
    make_view(&relaxed, &best.plan, &answer->relaxed);
}

/* ---- The answer ---- */

static void make_present(const struct advise_input *input, struct advise_answer *answer)
{
    struct advise_plan now = {0};
    for (unsigned s = 0; s < input->site_count; s++) {
        now.servers[s] = input->sites[s].now;
        answer->has_present |= now.servers[s] > 0;
    }
    if (!answer->has_present)
        return;
    now.primary = advise_judge(input, now.servers, ADVISE_SITES_MAX, false).primary;
    make_view(input, &now, &answer->present);
    for (unsigned s = 0; s < input->site_count; s++)
        change_at(input, &answer->present, s, 1, &answer->present_more[s]);
}

void advise_make(const struct advise_input *input, struct advise_answer *answer)
{
    struct advise_search search;
    struct advise_plan within;
    memset(answer, 0, sizeof *answer);
    advise_search(input, SEARCH_JUDGED_MAX, &search);
    answer->outcome = search.found ? ADVISE_FOUND : ADVISE_IMPOSSIBLE;
    answer->exact = search.exact;
    answer->judged = search.judged;
    answer->bound = search.bound;
    make_view(input, &search.plan, &answer->view);
    for (unsigned s = 0; s < input->site_count; s++) {
        change_at(input, &answer->view, s, -1, &answer->fewer[s]);
        change_at(input, &answer->view, s, 1, &answer->more[s]);
        answer->witness_does[s] = search.found && witness_does(input, &search.plan, s);
    }
    if (search.found && answer->view.cost > input->budget * (1 + 1e-9)) {
        answer->outcome = ADVISE_TOO_DEAR;
        if (advise_search_within(input, input->budget, &search.plan, &within, &answer->judged))
            make_view(input, &within, &answer->within);
    }
    if (!search.found)
        relax(input, answer);
    make_present(input, answer);
}
