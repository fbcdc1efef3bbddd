/* Target: keeps the queue's time near a target. The formula and the tolerance are those of the
 * Horizontal Pod Autoscaler of Kubernetes (its documentation, "Algorithm details"):
 *
 *   wanted = ⌈ready × time / target⌉, ignored when time is within ±10 % of the target;
 *   at most double or four more at once; going down takes the largest wish of a window.
 *
 * The time is what nine of ten of those just taken have waited, or what the first in the queue has
 * waited already if that is longer: when nobody takes any more, nothing else would tell. A queue's
 * time grows without bound near full load and is almost nothing below it, so it is a good sign of
 * too few workers and hardly one of too many. That is why this rule's wishes downwards lean on the
 * scaler's room (scaler.h), and why a time above the target never lowers their number, though the
 * formula does while many more start than are ready. */
#include "base/clock.h"
#include "scale/peak.h"
#include "scale/rule.h"

struct memory {
    struct peak wishes;
};

enum { TARGET_MORE = 4 };

static unsigned bounded_growth(unsigned wanted, unsigned size)
{
    unsigned most = 2 * size > size + TARGET_MORE ? 2 * size : size + TARGET_MORE;
    return wanted < most ? wanted : most;
}

static unsigned wanted_for(const struct scale_view *view, double time_ns)
{
    double target_ns = (double)view->settings->target_ms * (double)MS_NS;
    double tolerance = (double)view->settings->tolerance / 1000;
    double ratio = time_ns / target_ns;
    if (ratio >= 1 - tolerance && ratio <= 1 + tolerance)
        return view->size;
    double ready = view->sample->workers.ready > 0 ? (double)view->sample->workers.ready : 1;
    unsigned wanted = scale_whole(ready * ratio);
    if (ratio > 1 && wanted < view->size)
        return view->size;
    return bounded_growth(wanted, view->size);
}

static void judge(void *memory, const struct scale_view *view, struct scale_wish *wish)
{
    struct memory *own = memory;
    const struct scale_sample *sample = view->sample;
    uint64_t time_ns =
        sample->oldest_ns > sample->wait_p90_ns ? sample->oldest_ns : sample->wait_p90_ns;
    unsigned wanted = wanted_for(view, (double)time_ns);
    unsigned largest =
        peak_add(&own->wishes, wanted, view->elapsed_ns, view->settings->window_ms * MS_NS);
    if (wanted < view->size && largest < view->size)
        wish->workers = largest;
    else if (wanted > view->size)
        wish->workers = wanted;
    scale_say(wish, "queue time %.1f ms, target %llu ms: %u workers, at most %u lately",
              (double)time_ns / (double)MS_NS, (unsigned long long)view->settings->target_ms,
              wanted, largest);
}

const struct scale_rule scale_rule_target = {
    .name = "target",
    .about = "keeps the time in the queue near a target, as Kubernetes does with any metric",
    .memory = sizeof(struct memory),
    .judge = judge,
};
