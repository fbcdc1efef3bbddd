#include "scale/advise_local.h"

#include "scale/advise_model.h"
#include "scale/advise_search.h"

#include <math.h>
#include <string.h>

/* Servers, and how good they are: the limits first, then the cost, then the latency. */
struct place {
    unsigned servers[ADVISE_SITES_MAX];
    struct advise_verdict verdict;
    double cost;
};

struct local {
    const struct advise_input *input;
    double budget; /* INFINITY: none */
    uint64_t judged, judged_max;
    struct place best;
};

static unsigned votes_of(const struct advise_input *input, const unsigned *servers)
{
    unsigned votes = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        votes += servers[s] + input->sites[s].witness;
    return votes;
}

static void judge(struct local *local, struct place *place)
{
    const struct advise_input *input = local->input;
    place->verdict = advise_judge(input, place->servers, ADVISE_SITES_MAX, false);
    place->cost = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        place->cost += place->servers[s] * input->sites[s].cost;
    local->judged++;
}

static bool is_better(const struct place *a, const struct place *b)
{
    const double little = 1e-9;
    if (fabs(a->verdict.penalty - b->verdict.penalty) > little)
        return a->verdict.penalty < b->verdict.penalty;
    if (fabs(a->cost - b->cost) > little * b->cost)
        return a->cost < b->cost;
    return a->verdict.mean_s < b->verdict.mean_s * (1 - little);
}

static void keep(struct local *local, const struct place *place)
{
    if (place->cost <= local->budget * (1 + 1e-9) && is_better(place, &local->best))
        local->best = *place;
}

static bool is_over(const struct local *local)
{
    return local->judged >= local->judged_max;
}

/* ---- Adding ---- */

/* What one server more at SITE gains for its cost. */
static double gain(const struct place *before, const struct place *after, double cost)
{
    double less = before->verdict.penalty - after->verdict.penalty;
    return less > 0 ? less / fmax(cost, 1e-9) : less;
}

/* Adds servers where they help most, until nothing more is wanted or there is no room. */
static void climb(struct local *local, struct place *place)
{
    const struct advise_input *input = local->input;
    while (place->verdict.penalty > 0 && votes_of(input, place->servers) < ADVISE_VOTES_MAX) {
        struct place best = {.cost = NAN};
        double most = -INFINITY;
        for (unsigned s = 0; s < input->site_count && !is_over(local); s++) {
            struct place next = *place;
            if (place->servers[s] >= input->sites[s].most)
                continue;
            next.servers[s]++;
            judge(local, &next);
            double gained = gain(place, &next, input->sites[s].cost);
            if (gained > most) {
                most = gained;
                best = next;
            }
        }
        if (isnan(best.cost))
            return;
        *place = best;
        keep(local, place);
    }
}

/* ---- Taking away, moving, swapping ---- */

/* FROM gives up LESS servers and TO gets MORE; TO may be FROM. False: not possible, or no better.
 */
static bool try(struct local *local, unsigned from, unsigned less, unsigned to, unsigned more)
{
    const struct advise_input *input = local->input;
    struct place next = local->best;
    if (is_over(local) || next.servers[from] < less + input->sites[from].least)
        return false;
    next.servers[from] -= less;
    if (next.servers[to] + more > input->sites[to].most)
        return false;
    next.servers[to] += more;
    if (votes_of(input, next.servers) > ADVISE_VOTES_MAX)
        return false;
    judge(local, &next);
    struct place before = local->best;
    keep(local, &next);
    return is_better(&local->best, &before);
}

static bool improve_at(struct local *local, unsigned from)
{
    bool better = try(local, from, 1, from, 0);
    for (unsigned to = 0; to < local->input->site_count; to++) {
        if (to == from)
            continue;
        better |= try(local, from, 1, to, 1);
        unsigned all = local->best.servers[from];
        for (unsigned more = 0; all > 1 && more <= all && all == local->best.servers[from]; more++)
            better |= try(local, from, all, to, more);
    }
    return better;
}

static void improve(struct local *local)
{
    bool better = true;
    while (better && !is_over(local)) {
        better = false;
        for (unsigned s = 0; s < local->input->site_count; s++)
            better |= improve_at(local, s);
        for (unsigned s = 0; s < local->input->site_count && local->best.verdict.penalty > 0; s++)
            better |= try(local, s, 0, s, 1);
    }
}

/* ---- From several beginnings ---- */

/* With ONE, a server at each site, as far as there is room; else the least that there may be. */
static void begin(struct local *local, bool one, struct place *place)
{
    const struct advise_input *input = local->input;
    *place = (struct place){0};
    for (unsigned s = 0; s < input->site_count; s++)
        place->servers[s] = input->sites[s].least;
    for (unsigned s = 0; one && s < input->site_count; s++)
        if (place->servers[s] == 0 && input->sites[s].most > 0 &&
            votes_of(input, place->servers) < ADVISE_VOTES_MAX)
            place->servers[s] = 1;
    judge(local, place);
}

static void take(const struct local *local, struct advise_plan *plan)
{
    memcpy(plan->servers, local->best.servers, sizeof plan->servers);
    plan->primary = local->best.verdict.primary;
}

bool advise_local(const struct advise_input *input, struct advise_plan *plan, uint64_t *judged)
{
    struct local local = {.input = input, .budget = INFINITY};
    struct place best = {.verdict.penalty = INFINITY};
    for (unsigned turn = 0; turn < 2; turn++) {
        struct place place;
        local.judged_max += LOCAL_JUDGED_MAX / 2;
        begin(&local, turn == 1, &place);
        local.best = place;
        climb(&local, &place);
        improve(&local);
        if (turn == 0 || is_better(&local.best, &best))
            best = local.best;
    }
    local.best = best;
    take(&local, plan);
    *judged += local.judged;
    return best.verdict.penalty <= 0;
}

/* ---- Within a budget ---- */

/* Takes away what is missed least for what it costs, until the rest is cheap enough. */
static void descend(struct local *local, struct place *place)
{
    const struct advise_input *input = local->input;
    while (place->cost > local->budget * (1 + 1e-9)) {
        struct place best = {.cost = NAN};
        double least = INFINITY;
        for (unsigned s = 0; s < input->site_count; s++) {
            struct place next = *place;
            if (place->servers[s] == 0 || input->sites[s].cost <= 0)
                continue;
            next.servers[s]--;
            judge(local, &next);
            double missed = (next.verdict.penalty - place->verdict.penalty) / input->sites[s].cost;
            if (missed < least) {
                least = missed;
                best = next;
            }
        }
        if (isnan(best.cost))
            return;
        *place = best;
    }
}

bool advise_search_within(const struct advise_input *input, double budget,
                          const struct advise_plan *start, struct advise_plan *plan,
                          uint64_t *judged)
{
    struct local local = {.input = input, .budget = budget, .judged_max = LOCAL_JUDGED_MAX};
    struct place place = {0};
    memcpy(place.servers, start->servers, sizeof place.servers);
    judge(&local, &place);
    local.best = place;
    descend(&local, &place);
    local.best = place;
    improve(&local);
    take(&local, plan);
    *judged += local.judged;
    unsigned servers = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        servers += plan->servers[s];
    return servers > 0 && advise_cost(input, plan) <= budget * (1 + 1e-9);
}

/* ---- Hopeless ---- */

/* The share of answers to REGION that are late at an idle SITE, as if it were the primary's and
 * nobody else had to confirm. */
static double late_when_idle(const struct advise_region *region, const struct advise_site *site,
                             unsigned s, double limit_s)
{
    struct queueing idle = {0};
    double all = 0, late = 0;
    for (unsigned k = 0; k < ADVISE_KINDS; k++) {
        all += region->rate[k];
        late +=
            region->rate[k] * queueing_tail(&idle, site->work_s[k], limit_s - region->to[s].p99_s);
    }
    return all > 0 ? late / all : 0;
}

bool advise_hopeless(const struct advise_input *input)
{
    for (unsigned r = 0; r < input->region_count; r++) {
        const struct advise_region *region = &input->regions[r];
        double least = isinf(region->p99_s) ? 0 : 1;
        for (unsigned s = 0; s < input->site_count && least > 0.01; s++)
            if (input->sites[s].most > 0 && !isnan(region->to[s].p50_s))
                least = fmin(least, late_when_idle(region, &input->sites[s], s, region->p99_s));
        if (least > 0.01)
            return true;
    }
    return false;
}
