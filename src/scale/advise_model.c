#include "scale/advise_model.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

/* ---- Cases ---- */

static bool visit_site(const struct advise_input *input, const unsigned *servers, unsigned site,
                       bool (*visit)(void *context, struct advise_case when), void *context)
{
    bool witness = input->sites[site].witness;
    bool alone = servers[site] == 1; /* its server's end is the site's, but for the witness */
    if (servers[site] > 0 && !(alone && !witness && input->tolerate == ADVISE_TOLERATE_SITE) &&
        !visit(context, (struct advise_case){ADVISE_SERVER_GONE, site}))
        return false;
    if (input->tolerate != ADVISE_TOLERATE_SITE || (servers[site] == 0 && !witness))
        return true;
    return visit(context, (struct advise_case){ADVISE_SITE_GONE, site});
}

void advise_each_case(const struct advise_input *input, const unsigned *servers,
                      bool (*visit)(void *context, struct advise_case when), void *context)
{
    bool on = visit(context, (struct advise_case){ADVISE_WHOLE, 0});
    if (input->tolerate == ADVISE_TOLERATE_NONE)
        return;
    for (unsigned s = 0; on && s < input->site_count; s++)
        on = visit_site(input, servers, s, visit, context);
}

static void leave(const struct advise_input *input, const unsigned *servers,
                  struct advise_case when, struct advise_left *left)
{
    left->votes = 0;
    for (unsigned s = 0; s < input->site_count; s++) {
        left->servers[s] = servers[s];
        left->witness[s] = input->sites[s].witness;
        left->votes += servers[s] + left->witness[s];
    }
    if (when.gone == ADVISE_SERVER_GONE && left->servers[when.site] > 0)
        left->servers[when.site]--;
    if (when.gone == ADVISE_SITE_GONE) {
        left->servers[when.site] = 0;
        left->witness[when.site] = false;
    }
}

/* ---- Who serves whom ---- */

double advise_peak_rate(const struct advise_input *input)
{
    double sum = 0;
    for (unsigned r = 0; r < input->region_count; r++)
        for (unsigned k = 0; k < ADVISE_KINDS; k++)
            sum += input->regions[r].rate[k] * input->regions[r].peak;
    return sum;
}

static double region_rate(const struct advise_region *region)
{
    double sum = 0;
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        sum += region->rate[k];
    return sum * region->peak;
}

/* Processor time that all of REGION takes at SITE, by second. */
static double region_work(const struct advise_region *region, const struct advise_site *site)
{
    double sum = 0;
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        sum += region->rate[k] * region->peak * site->work_s[k];
    return sum;
}

/* How far SITE is from REGION: the way, and what a request takes there. INFINITY: not known. */
static double distance(const struct advise_region *region, const struct advise_site *site,
                       unsigned s)
{
    double way = region->to[s].p50_s, rate = region_rate(region);
    if (isnan(way))
        return INFINITY;
    return way + (rate > 0 ? region_work(region, site) / rate : 0);
}

/* A region's sites with servers, the nearest first. */
struct choice {
    unsigned count, sites[ADVISE_SITES_MAX];
    double away[ADVISE_SITES_MAX]; /* by place in `sites` */
};

static void choose(const struct advise_input *input, const struct advise_left *left,
                   unsigned region, struct choice *choice)
{
    choice->count = 0;
    for (unsigned s = 0; s < input->site_count; s++) {
        double away = distance(&input->regions[region], &input->sites[s], s);
        if (!left->servers[s] || isinf(away))
            continue;
        unsigned at = choice->count++;
        for (; at > 0 && choice->away[at - 1] > away; at--) {
            choice->away[at] = choice->away[at - 1];
            choice->sites[at] = choice->sites[at - 1];
        }
        choice->away[at] = away;
        choice->sites[at] = s;
    }
}

/* What a region would lose by its second nearest site. */
static double regret(const struct choice *choice)
{
    return choice->count > 1 ? choice->away[1] - choice->away[0] : INFINITY;
}

/* Puts all of REGION somewhere; what finds no room overloads the nearest. */
static void settle(const struct advise_input *input, unsigned region, const struct choice *choice,
                   double *room, struct advise_load *load)
{
    double rest = 1;
    for (unsigned i = 0; i < choice->count && rest > 0; i++) {
        unsigned s = choice->sites[i];
        double work = region_work(&input->regions[region], &input->sites[s]);
        double takes = work * rest <= room[s] ? rest : room[s] > 0 ? room[s] / work : 0;
        load->share[region][s] += takes;
        room[s] -= takes * work;
        rest -= takes;
    }
    if (rest > 0 && choice->count > 0)
        load->share[region][choice->sites[0]] += rest;
}

static void assign(const struct advise_input *input, struct advise_load *load)
{
    double room[ADVISE_SITES_MAX];
    struct choice choices[ADVISE_REGIONS_MAX];
    bool settled[ADVISE_REGIONS_MAX] = {false};
    for (unsigned s = 0; s < input->site_count; s++) {
        const struct advise_site *site = &input->sites[s];
        room[s] = load->left.servers[s] *
                  (input->utilisation * site->processors - load->write_rate * site->write_s);
    }
    for (unsigned r = 0; r < input->region_count; r++)
        choose(input, &load->left, r, &choices[r]);
    for (unsigned turn = 0; turn < input->region_count; turn++) {
        unsigned next = input->region_count;
        for (unsigned r = 0; r < input->region_count; r++)
            if (!settled[r] &&
                (next == input->region_count || regret(&choices[r]) > regret(&choices[next])))
                next = r;
        settled[next] = true;
        settle(input, next, &choices[next], room, load);
    }
}

/* ---- How busy that makes the sites ---- */

static void fill_queue(const struct advise_input *input, unsigned s, struct advise_load *load)
{
    const struct advise_site *site = &input->sites[s];
    double servers = load->left.servers[s], rate = load->write_rate;
    double work = rate * site->write_s, square = 2 * rate * site->write_s * site->write_s;
    load->writer[s] = queueing_of(1, rate, site->write_s, 2 * site->write_s * site->write_s);
    for (unsigned r = 0; r < input->region_count; r++) {
        const struct advise_region *region = &input->regions[r];
        for (unsigned k = 0; load->share[r][s] > 0 && k < ADVISE_KINDS; k++) {
            double part = region->rate[k] * region->peak * load->share[r][s] / servers;
            rate += part;
            work += part * site->work_s[k];
            square += 2 * part * site->work_s[k] * site->work_s[k];
        }
    }
    if (work > 0)
        load->queue[s] = queueing_of(site->processors, rate, work / rate, square / rate);
}

void advise_load(const struct advise_input *input, const unsigned *servers, struct advise_case when,
                 struct advise_load *load)
{
    memset(load, 0, sizeof *load);
    leave(input, servers, when, &load->left);
    for (unsigned r = 0; r < input->region_count; r++)
        load->write_rate += input->regions[r].rate[ADVISE_WRITE] * input->regions[r].peak;
    assign(input, load);
    for (unsigned s = 0; s < input->site_count; s++)
        if (load->left.servers[s])
            fill_queue(input, s, load);
}

/* ---- How long an answer takes ---- */

/* What WAYS has at its middle or far end. */
static double at(const struct advise_time *time, bool p99)
{
    return p99 ? time->p99_s : time->p50_s;
}

/* Until the last of the first COUNT of TIMES, sorted here. */
static double time_of_nth(double *times, unsigned total, unsigned count)
{
    for (unsigned i = 1; i < total; i++)
        for (unsigned k = i; k > 0 && times[k - 1] > times[k]; k--) {
            double later = times[k - 1];
            times[k - 1] = times[k];
            times[k] = later;
        }
    return count <= total ? times[count - 1] : NAN;
}

/* From the log of a primary at SITE to a majority's. */
static double commit(const struct advise_input *input, const struct advise_left *left,
                     unsigned site, bool p99)
{
    double others[ADVISE_VOTES_MAX + ADVISE_SITES_MAX];
    unsigned count = 0, needed = left->votes / 2;
    double own = at(&input->sites[site].durable, p99);
    for (unsigned s = 0; s < input->site_count; s++) {
        unsigned votes = left->servers[s] + left->witness[s] - (s == site);
        double way = at(&input->sites[site].to[s], p99) + at(&input->sites[s].durable, p99);
        for (unsigned i = 0; i < votes && count < COUNT_OF(others); i++)
            others[count++] = way;
    }
    return needed == 0 ? own : fmax(own, time_of_nth(others, count, needed));
}

/* What PERCENT of the changes are written after, once they are in the log: of a queue with one
 * thread, wait and work together are exponential. */
static double written(const struct advise_site *site, const struct queueing *writer, double percent)
{
    if (site->write_s <= 0)
        return 0;
    if (writer->utilisation >= 1)
        return INFINITY;
    return -log(1 - percent / 100) * site->write_s / (1 - writer->utilisation);
}

struct advise_primary advise_primary_at(const struct advise_input *input,
                                        const struct advise_load *load, unsigned site)
{
    struct advise_primary primary = {.site = site, .commit = {NAN, NAN}, .done = {NAN, NAN}};
    unsigned alive = 0;
    for (unsigned s = 0; s < input->site_count; s++)
        alive += load->left.servers[s] + load->left.witness[s];
    if (load->left.servers[site] == 0 || alive < load->left.votes / 2 + 1)
        return primary;
    const struct advise_site *where = &input->sites[site];
    primary.commit.p50_s = commit(input, &load->left, site, false);
    primary.commit.p99_s = commit(input, &load->left, site, true);
    primary.done.p50_s = primary.commit.p50_s + written(where, &load->writer[site], 50);
    primary.done.p99_s = primary.commit.p99_s + written(where, &load->writer[site], 99);
    return primary;
}

/* All but the queue and the work at SITE, of a request of KIND. */
static double fixed(const struct advise_input *input, const struct advise_primary *primary,
                    const struct advise_region *region, unsigned site, unsigned kind, bool p99)
{
    double way = at(&region->to[site], p99);
    return kind == ADVISE_WRITE
               ? way + at(&input->sites[site].to[primary->site], p99) + at(&primary->done, p99)
               : way;
}

double advise_late(const struct advise_input *input, const struct advise_load *load,
                   const struct advise_primary *primary, unsigned region, unsigned kinds, bool p99,
                   double limit_s)
{
    const struct advise_region *from = &input->regions[region];
    double all = 0, late = 0;
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        all += kinds & 1u << k ? from->rate[k] : 0;
    for (unsigned s = 0; all > 0 && s < input->site_count; s++) {
        for (unsigned k = 0; load->share[region][s] > 0 && k < ADVISE_KINDS; k++) {
            double part = load->share[region][s] * from->rate[k] / all;
            if (part > 0 && kinds & 1u << k)
                late += part * queueing_tail(&load->queue[s], input->sites[s].work_s[k],
                                             limit_s - fixed(input, primary, from, s, k, p99));
        }
    }
    return late;
}

double advise_mean_s(const struct advise_input *input, const struct advise_load *load,
                     const struct advise_primary *primary)
{
    double sum = 0, all = advise_peak_rate(input);
    for (unsigned r = 0; r < input->region_count; r++) {
        const struct advise_region *from = &input->regions[r];
        for (unsigned s = 0; s < input->site_count; s++)
            for (unsigned k = 0; load->share[r][s] > 0 && k < ADVISE_KINDS; k++)
                if (from->rate[k] > 0)
                    sum += load->share[r][s] * from->rate[k] * from->peak *
                           (fixed(input, primary, from, s, k, false) + input->sites[s].work_s[k] +
                            queueing_wait_s(&load->queue[s]));
    }
    return all > 0 ? sum / all : 0;
}
