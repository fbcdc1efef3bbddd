#include "scale/advise_model.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* Penalties: what cannot be repaired by degrees weighs more than any latency, which counts by the
 * logarithm of how many more answers are late than may be. */
static const double NOBODY = 1000, NO_MAJORITY = 50, NO_SERVER = 20, WRONG_COUNT = 10;
static const double ALMOST = 1 + 1e-9; /* a limit is kept that is passed by rounding alone */
static const double LATE_P50 = 0.5, LATE_P99 = 0.01;
enum { QUANTILE_STEPS = 60 };
/* What is told first of several broken limits: the cause, of which the others follow. */
static const double TELL_COUNTS = 4e6, TELL_MAJORITY = 3e6, TELL_SERVER = 2e6, TELL_FULL = 1e6;
static const double TELL_LATENCY_MAX = 1e5;

static double p99_limit(const struct advise_region *region, struct advise_case when)
{
    return when.gone == ADVISE_WHOLE ? region->p99_s : region->degraded_p99_s;
}

static bool has_load(const struct advise_region *region)
{
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        if (region->rate[k] > 0)
            return true;
    return false;
}

static bool is_served(const struct advise_input *input, const struct advise_load *load, unsigned r)
{
    for (unsigned s = 0; s < input->site_count; s++)
        if (load->share[r][s] > 0)
            return true;
    return false;
}

static double above(double value, double limit)
{
    return value > limit * ALMOST ? value / limit - 1 : 0;
}

/* ---- One case ---- */

/* What is the same whoever is primary. */
static double penalty_of_load(const struct advise_input *input, const struct advise_load *load)
{
    double penalty = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        if (load->left.servers[s])
            penalty += above(load->queue[s].utilisation, input->utilisation) +
                       above(load->writer[s].utilisation, input->utilisation);
    for (unsigned r = 0; r < input->region_count; r++)
        if (has_load(&input->regions[r]) && !is_served(input, load, r))
            penalty += NO_SERVER;
    return penalty;
}

/* So many answers may be late, and LATE are. */
static double penalty_of_late(double late, double may_be)
{
    return late > may_be * ALMOST ? log(late / may_be) : 0;
}

static double penalty_of_latency(const struct advise_input *input, const struct advise_load *load,
                                 struct advise_case when, const struct advise_primary *primary)
{
    double penalty = 0;
    if (isnan(primary->commit.p50_s))
        return NO_MAJORITY;
    for (unsigned r = 0; r < input->region_count; r++) {
        const struct advise_region *region = &input->regions[r];
        double p99_s = p99_limit(region, when);
        if (!isinf(p99_s))
            penalty += penalty_of_late(
                advise_late(input, load, primary, r, ADVISE_ALL_KINDS, true, p99_s), LATE_P99);
        if (when.gone == ADVISE_WHOLE && !isinf(region->p50_s))
            penalty += penalty_of_late(
                advise_late(input, load, primary, r, ADVISE_ALL_KINDS, false, region->p50_s),
                LATE_P50);
    }
    return penalty;
}

/* ---- All cases ---- */

struct judging {
    const struct advise_input *input;
    const unsigned *servers;
    unsigned wanted;
    bool hurry;
    double shared;                    /* penalty whoever is primary */
    double penalty[ADVISE_SITES_MAX]; /* besides, with this site as primary's */
    double mean_s[ADVISE_SITES_MAX];
    struct advise_load load;
};

static bool may_be_primary(const struct judging *judging, unsigned site)
{
    return judging->servers[site] > 0 &&
           (judging->wanted == ADVISE_SITES_MAX || judging->wanted == site);
}

static unsigned nearest_to_good(const struct judging *judging)
{
    unsigned best = ADVISE_SITES_MAX;
    for (unsigned s = 0; s < judging->input->site_count; s++)
        if (may_be_primary(judging, s) &&
            (best == ADVISE_SITES_MAX || judging->penalty[s] < judging->penalty[best] ||
             (judging->penalty[s] <= judging->penalty[best] &&
              judging->mean_s[s] < judging->mean_s[best])))
            best = s;
    return best;
}

static bool judge_case(void *context, struct advise_case when)
{
    struct judging *judging = context;
    const struct advise_input *input = judging->input;
    double of_case[ADVISE_SITES_MAX], least = NO_MAJORITY;
    advise_load(input, judging->servers, when, &judging->load);
    judging->shared += penalty_of_load(input, &judging->load);
    if (judging->hurry && judging->shared > 0)
        return false;
    for (unsigned s = 0; s < input->site_count; s++) {
        if (judging->load.left.servers[s] == 0)
            continue;
        struct advise_primary primary = advise_primary_at(input, &judging->load, s);
        of_case[s] = penalty_of_latency(input, &judging->load, when, &primary);
        least = fmin(least, of_case[s]);
        if (when.gone == ADVISE_WHOLE)
            judging->mean_s[s] = advise_mean_s(input, &judging->load, &primary);
    }
    for (unsigned s = 0; s < input->site_count; s++)
        if (judging->servers[s])
            judging->penalty[s] += judging->load.left.servers[s] ? of_case[s] : least;
    return !judging->hurry || judging->penalty[nearest_to_good(judging)] <= 0;
}

/* Of how many servers there are. */
static double penalty_of_counts(const struct advise_input *input, const unsigned *servers)
{
    double penalty = 0;
    unsigned votes = 0;
    for (unsigned s = 0; s < input->site_count; s++) {
        votes += servers[s] + input->sites[s].witness;
        if (servers[s] < input->sites[s].least)
            penalty += WRONG_COUNT * (input->sites[s].least - servers[s]);
    }
    return votes > ADVISE_VOTES_MAX ? penalty + WRONG_COUNT * (votes - ADVISE_VOTES_MAX) : penalty;
}

struct advise_verdict advise_judge(const struct advise_input *input, const unsigned *servers,
                                   unsigned wanted, bool hurry)
{
    struct judging judging = {.input = input, .servers = servers, .wanted = wanted, .hurry = hurry};
    unsigned primary = nearest_to_good(&judging);
    judging.shared = penalty_of_counts(input, servers);
    if (primary == ADVISE_SITES_MAX)
        return (struct advise_verdict){NOBODY + judging.shared, 0, NAN};
    if (!hurry || judging.shared <= 0)
        advise_each_case(input, servers, judge_case, &judging);
    primary = nearest_to_good(&judging);
    return (struct advise_verdict){judging.shared + judging.penalty[primary], primary,
                                   judging.mean_s[primary]};
}

/* ---- What is to be told ---- */

/* LATE of the answers take longer than this. */
static double quantile(const struct advise_input *input, const struct advise_load *load,
                       const struct advise_primary *primary, unsigned region, unsigned kinds,
                       bool p99)
{
    double may_be = p99 ? LATE_P99 : LATE_P50, low = 0, high = 1e-3;
    while (advise_late(input, load, primary, region, kinds, p99, high) > may_be) {
        low = high;
        high *= 2;
        if (high > 1e6)
            return INFINITY;
    }
    for (unsigned i = 0; i < QUANTILE_STEPS; i++) {
        double middle = (low + high) / 2;
        if (advise_late(input, load, primary, region, kinds, p99, middle) > may_be)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* PLAN's primary, or, where that has gone, the best of those that are left. */
static struct advise_primary primary_in(const struct advise_input *input,
                                        const struct advise_plan *plan, struct advise_case when,
                                        const struct advise_load *load)
{
    struct advise_primary best = {.site = plan->primary, .commit = {NAN, NAN}};
    double best_penalty = INFINITY, best_mean_s = INFINITY;
    for (unsigned s = 0; s < input->site_count; s++) {
        bool wanted = load->left.servers[plan->primary] ? s == plan->primary : true;
        if (!wanted || !load->left.servers[s])
            continue;
        struct advise_primary primary = advise_primary_at(input, load, s);
        double penalty = penalty_of_latency(input, load, when, &primary);
        double mean_s = advise_mean_s(input, load, &primary);
        if (penalty < best_penalty || (penalty <= best_penalty && mean_s < best_mean_s)) {
            best = primary;
            best_penalty = penalty;
            best_mean_s = mean_s;
        }
    }
    return best;
}

struct worst {
    const struct advise_input *input;
    const struct advise_plan *plan;
    struct advise_broken broken;
    double excess;
    struct advise_load load;
};

static void note(struct worst *worst, double excess, struct advise_broken broken)
{
    if (excess <= worst->excess)
        return;
    worst->excess = excess;
    worst->broken = broken;
}

static double told_full(double value, double limit)
{
    double excess = above(value, limit);
    return excess > 0 ? TELL_FULL + excess : 0;
}

static void note_load(struct worst *worst, struct advise_case when)
{
    const struct advise_input *input = worst->input;
    const struct advise_load *load = &worst->load;
    double limit = input->utilisation;
    for (unsigned s = 0; s < input->site_count; s++) {
        if (!load->left.servers[s])
            continue;
        double full = load->queue[s].utilisation, writer = load->writer[s].utilisation;
        note(worst, told_full(full, limit),
             (struct advise_broken){ADVISE_FULL, when, 0, s, full, limit});
        note(worst, told_full(writer, limit),
             (struct advise_broken){ADVISE_WRITER_FULL, when, 0, s, writer, limit});
    }
}

static void note_region(struct worst *worst, struct advise_case when,
                        const struct advise_primary *primary, unsigned r)
{
    const struct advise_input *input = worst->input;
    const struct advise_region *region = &input->regions[r];
    double p99_limit_s = p99_limit(region, when);
    if (!has_load(region))
        return;
    if (!is_served(input, &worst->load, r)) {
        note(worst, TELL_SERVER, (struct advise_broken){ADVISE_NO_SERVER, when, r, 0, 0, 1});
        return;
    }
    if (!isinf(p99_limit_s)) {
        double p99_s = quantile(input, &worst->load, primary, r, ADVISE_ALL_KINDS, true);
        note(worst, fmin(above(p99_s, p99_limit_s), TELL_LATENCY_MAX),
             (struct advise_broken){ADVISE_P99, when, r, 0, p99_s, p99_limit_s});
    }
    if (when.gone == ADVISE_WHOLE && !isinf(region->p50_s)) {
        double p50_s = quantile(input, &worst->load, primary, r, ADVISE_ALL_KINDS, false);
        note(worst, fmin(above(p50_s, region->p50_s), TELL_LATENCY_MAX),
             (struct advise_broken){ADVISE_P50, when, r, 0, p50_s, region->p50_s});
    }
}

static unsigned votes_left(const struct advise_input *input, const struct advise_left *left)
{
    unsigned votes = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        votes += left->servers[s] + left->witness[s];
    return votes;
}

static bool note_case(void *context, struct advise_case when)
{
    struct worst *worst = context;
    const struct advise_input *input = worst->input;
    advise_load(input, worst->plan->servers, when, &worst->load);
    struct advise_primary primary = primary_in(input, worst->plan, when, &worst->load);
    note_load(worst, when);
    if (isnan(primary.commit.p50_s)) {
        unsigned majority = worst->load.left.votes / 2 + 1;
        note(worst, TELL_MAJORITY,
             (struct advise_broken){ADVISE_NO_MAJORITY, when, 0, when.site,
                                    votes_left(input, &worst->load.left), majority});
        return true;
    }
    for (unsigned r = 0; r < input->region_count; r++)
        note_region(worst, when, &primary, r);
    return true;
}

struct advise_broken advise_worst(const struct advise_input *input, const struct advise_plan *plan)
{
    struct worst worst = {.input = input, .plan = plan};
    unsigned votes = 0;
    for (unsigned s = 0; s < input->site_count; s++) {
        votes += plan->servers[s] + input->sites[s].witness;
        if (plan->servers[s] < input->sites[s].least)
            note(&worst, TELL_COUNTS,
                 (struct advise_broken){.breach = ADVISE_FEWER,
                                        .site = s,
                                        .value = plan->servers[s],
                                        .limit = input->sites[s].least});
    }
    if (votes > ADVISE_VOTES_MAX)
        note(&worst, TELL_COUNTS,
             (struct advise_broken){
                 .breach = ADVISE_TOO_MANY, .value = votes, .limit = ADVISE_VOTES_MAX});
    advise_each_case(input, plan->servers, note_case, &worst);
    return worst.broken;
}

static void look_at_site(const struct advise_input *input, const struct advise_load *load,
                         unsigned s, struct advise_site_state *state)
{
    state->servers = load->left.servers[s];
    for (unsigned r = 0; r < input->region_count; r++)
        for (unsigned k = 0; k < ADVISE_KINDS; k++)
            state->rate += load->share[r][s] * input->regions[r].rate[k] * input->regions[r].peak;
    state->utilisation = load->queue[s].utilisation;
    state->writer = load->writer[s].utilisation;
    state->wait_s = queueing_wait_s(&load->queue[s]);
}

static void look_at_region(const struct advise_input *input, const struct advise_load *load,
                           const struct advise_primary *primary, unsigned r,
                           struct advise_region_state *state)
{
    const unsigned write = 1u << ADVISE_WRITE;
    memcpy(state->share, load->share[r], sizeof state->share);
    if (!has_load(&input->regions[r]) || !is_served(input, load, r)) {
        state->p50_s = state->p99_s = state->write_p50_s = state->write_p99_s = NAN;
        return;
    }
    state->p50_s = quantile(input, load, primary, r, ADVISE_ALL_KINDS, false);
    state->p99_s = quantile(input, load, primary, r, ADVISE_ALL_KINDS, true);
    bool writes = input->regions[r].rate[ADVISE_WRITE] > 0;
    state->write_p50_s = writes ? quantile(input, load, primary, r, write, false) : NAN;
    state->write_p99_s = writes ? quantile(input, load, primary, r, write, true) : NAN;
}

void advise_look(const struct advise_input *input, const struct advise_plan *plan,
                 struct advise_case when, struct advise_state *state)
{
    struct advise_load load;
    *state = (struct advise_state){.primary = plan->primary};
    advise_load(input, plan->servers, when, &load);
    struct advise_primary primary = primary_in(input, plan, when, &load);
    for (unsigned s = 0; s < input->site_count; s++)
        if (load.left.servers[s])
            look_at_site(input, &load, s, &state->sites[s]);
    if (isnan(primary.commit.p50_s))
        return;
    state->serves = true;
    state->primary = primary.site;
    state->commit = primary.commit;
    state->mean_s = advise_mean_s(input, &load, &primary);
    for (unsigned r = 0; r < input->region_count; r++)
        look_at_region(input, &load, &primary, r, &state->regions[r]);
}
