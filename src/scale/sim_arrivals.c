#include "scale/sim_arrivals.h"

#include <math.h>

static const double NS = 1e9;

static double draw_exponential(struct random *random)
{
    return -log(1 - random_unit(random));
}

static double draw_normal(struct random *random)
{
    double radius = sqrt(2 * draw_exponential(random));
    return radius * cos(2 * M_PI * random_unit(random));
}

static uint64_t counted(const struct load_point *point)
{
    return (uint64_t)llround(point->rate * point->seconds);
}

void sim_arriving_init(struct sim_arriving *arriving, const struct sim_queue_config *config,
                       const struct scale_load *load)
{
    *arriving = (struct sim_arriving){.load = load,
                                      .arrivals = config->arrivals,
                                      .service = config->service,
                                      .service_ms = config->service_ms};
    random_seed(&arriving->moments, config->seed);
    random_seed(&arriving->works, config->seed + 1);
    if (load->as_counted && load->count)
        arriving->left = counted(&load->points[0]);
}

/* Any rate: time passes the faster, the more come, until one more has come (EXPECTED is 1 for those
 * who come evenly, exponential for a Poisson process). */
static bool next_by_rate(struct sim_arriving *arriving)
{
    const struct scale_load *load = arriving->load;
    double expected =
        arriving->arrivals == SIM_ARRIVALS_EVEN ? 1 : draw_exponential(&arriving->moments);
    for (; arriving->at < load->count; arriving->at++) {
        const struct load_point *point = &load->points[arriving->at];
        double from = arriving->now_s > point->at_s ? arriving->now_s : point->at_s;
        double left = point->at_s + point->seconds - from;
        if (left > 0 && point->rate * left >= expected) {
            arriving->now_s = from + expected / point->rate;
            return true;
        }
        if (left > 0)
            expected -= point->rate * left;
    }
    return false;
}

/* As many as there were, each at any moment of what is left of the interval: of N such moments the
 * first is at 1 − U^(1/N) of it. */
static bool next_of_counted(struct sim_arriving *arriving)
{
    const struct scale_load *load = arriving->load;
    while (arriving->at < load->count && arriving->left == 0) {
        arriving->at++;
        if (arriving->at < load->count) {
            arriving->left = counted(&load->points[arriving->at]);
            arriving->now_s = load->points[arriving->at].at_s;
        }
    }
    if (arriving->at >= load->count)
        return false;
    const struct load_point *point = &load->points[arriving->at];
    double left = point->at_s + point->seconds - arriving->now_s, n = (double)arriving->left;
    double part = arriving->arrivals == SIM_ARRIVALS_EVEN
                      ? 1 / (n + 1)
                      : 1 - pow(1 - random_unit(&arriving->moments), 1 / n);
    arriving->now_s += left > 0 ? left * part : 0;
    arriving->left--;
    return true;
}

static uint64_t draw_work(struct sim_arriving *arriving)
{
    const struct load_point *point = &arriving->load->points[arriving->at];
    double mean_ns = (point->service_ms > 0 ? point->service_ms : arriving->service_ms) * 1e6;
    double part = 1;
    if (arriving->service == SIM_SERVICE_EXPONENTIAL)
        part = draw_exponential(&arriving->works);
    else if (arriving->service == SIM_SERVICE_LOGNORMAL)
        part = exp(draw_normal(&arriving->works) - 0.5);
    return (uint64_t)(mean_ns * part) + 1;
}

bool sim_arriving_next(struct sim_arriving *arriving, uint64_t *at_ns, uint64_t *work_ns)
{
    bool comes = arriving->load->as_counted ? next_of_counted(arriving) : next_by_rate(arriving);
    if (!comes)
        return false;
    *at_ns = (uint64_t)(arriving->now_s * NS);
    *work_ns = draw_work(arriving);
    return true;
}
