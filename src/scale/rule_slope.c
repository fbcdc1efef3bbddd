/* Slope: as many workers as the load will need when those started now are ready.
 *
 *   load    = arrivals a second, foreseen for now + start-up time, × time that one takes  (Little)
 *   wanted  = ⌈load + β√load + queue × time that one takes / time to drain it in⌉
 *
 * The foresight is a line through the arrivals of late (trend.h); β√load is the room that a queue
 * needs to stay short (scale_staff, rule.h). A line would take seconds to believe a step, so the
 * rate of the last 0.3 s is watched beside it: when they differ by more than chance would make them
 * (four standard deviations of a Poisson process), the line begins anew from there. That also
 * bounds what a burst can do to the line. Whoever wants fewer waits until the largest wish of a
 * window allows it.
 *
 * It needs no queue to see a load coming, and is the rule that overshoots least; it trusts that
 * work is divided: where more workers only share one processor, the time that one takes grows with
 * them. So workers-max should not be more than there are processors. */
#include "base/clock.h"
#include "scale/peak.h"
#include "scale/rule.h"
#include "scale/trend.h"

#include <math.h>

static const double QUICK_S = 0.3, SETTLED_S = 1, SURE = 4, RATE_MAX = 1e9, SERVICE_LEAST = 128;

struct memory {
    struct trend arrivals;
    double age_s;            /* of the line */
    double quick;            /* arrivals a second, of the last QUICK_S */
    double answered, work_s; /* requests that were answered, and what they took, fading */
    struct peak wishes;
};

/* The mean of those of late, but never of fewer than SERVICE_LEAST while there were more: one
 * request differs much from the next. */
static void learn_service(struct memory *own, const struct scale_view *view)
{
    const struct scale_sample *sample = view->sample;
    double memory_s = (double)view->settings->memory_ms / 1000;
    double fade = exp(-(double)view->elapsed_ns / (double)SEC_NS / memory_s);
    if (own->answered * fade < SERVICE_LEAST)
        fade = own->answered > SERVICE_LEAST ? SERVICE_LEAST / own->answered : 1;
    own->answered *= fade;
    own->work_s *= fade;
    if (sample->service_ns == 0 || sample->answered == 0)
        return;
    own->answered += (double)sample->answered;
    own->work_s += (double)sample->answered * (double)sample->service_ns / (double)SEC_NS;
}

static void learn_arrivals(struct memory *own, const struct scale_view *view)
{
    const struct scale_sample *sample = view->sample;
    double seconds = (double)view->elapsed_ns / (double)SEC_NS;
    if (!(seconds > 0))
        return;
    double rate = ((double)sample->arrived + (double)sample->refused) / seconds;
    rate = rate < RATE_MAX ? rate : RATE_MAX;
    double tau = (double)view->settings->memory_ms / 2000;
    own->quick += (1 - exp(-seconds / QUICK_S)) * (rate - own->quick);
    trend_add(&own->arrivals, rate, seconds, tau);
    own->age_s += seconds;
    double level = trend_level(&own->arrivals), larger = fmax(own->quick, level);
    if (own->age_s < SETTLED_S || fabs(own->quick - level) <= SURE * sqrt(larger / (2 * QUICK_S)))
        return;
    trend_restart(&own->arrivals, own->quick, QUICK_S);
    own->age_s = 0;
}

/* Arrivals a second to be expected when those who are started now are ready. */
static double foresee(const struct memory *own, const struct scale_view *view)
{
    return own->age_s < SETTLED_S
               ? own->quick
               : trend_ahead(&own->arrivals, (double)view->settings->start_up_ms / 1000);
}

/* Nobody knows yet how long a request takes: one more when there is not one worker for each. */
static unsigned wanted_blindly(const struct scale_view *view)
{
    unsigned carried = scale_whole(scale_staff(view->load, view->settings->margin));
    unsigned more = view->size + (view->sample->queued > view->size);
    return carried > more ? carried : more;
}

static void judge(void *memory, const struct scale_view *view, struct scale_wish *wish)
{
    struct memory *own = memory;
    learn_service(own, view);
    learn_arrivals(own, view);
    double service_s = own->answered > 0 ? own->work_s / own->answered : 0;
    double rate = foresee(own, view), load = rate * service_s;
    double backlog =
        (double)view->sample->queued * service_s / ((double)view->settings->drain_ms / 1000);
    unsigned wanted = service_s > 0
                          ? scale_whole(scale_staff(load, view->settings->margin) + backlog)
                          : wanted_blindly(view);
    wish->workers =
        peak_add(&own->wishes, wanted, view->elapsed_ns, view->settings->window_ms * MS_NS);
    if (wish->workers > view->size)
        wish->workers = wanted > view->size ? wanted : view->size;
    scale_say(wish, "%.1f/s to come x %.2f ms = %.2f workers, queue %llu = %.2f: %u wanted", rate,
              service_s * 1e3, load, (unsigned long long)view->sample->queued, backlog, wanted);
}

const struct scale_rule scale_rule_slope = {
    .name = "slope",
    .about = "foresees the load by the slope of arrivals, with room by the square-root rule",
    .memory = sizeof(struct memory),
    .judge = judge,
};
