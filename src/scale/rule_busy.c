/* Busy: keeps the workers' utilisation between two limits, with a penalty for having been wrong. It
 * follows uWSGI's cheaper subsystem with the algorithm "busyness" (its documentation):
 *
 *   each cycle:  busy above the upper limit                  → more
 *                below the lower one, that many cycles long  → one leaves
 *   more are needed sooner after one has left than it took to let it leave → it was wrong to:
 *                next time it takes one cycle longer; in time, as many as set
 *   at any time: the queue backs up → half as many more at once (emergency)
 *
 * Unlike there, as many are added as bring the utilisation down to the upper limit, double at most,
 * and in an emergency more than one: a tier of one with three times its load would take too many
 * cycles otherwise. Those who start
 * count as capacity: an emergency ends when they could carry the queue. Limits with a factor of two
 * between them keep one worker from being too many when two are too few. */
#include "base/clock.h"
#include "scale/rule.h"

#include <stdbool.h>

enum { BUSY_CYCLES_MAX = 4096 };

struct memory {
    uint64_t passed_ns; /* of the cycle */
    double work, room;  /* of the cycle: worker-nanoseconds that were busy; that there were */
    unsigned low;       /* cycles below the lower limit, in a row */
    unsigned penalty;   /* cycles more than are set */
    uint64_t since_left_ns;
    bool left;
};

static uint64_t wait_cycles(const struct memory *own, const struct scale_view *view)
{
    return view->settings->busy_cycles + own->penalty;
}

static void end_cycle(struct memory *own)
{
    own->passed_ns = 0;
    own->work = own->room = 0;
}

/* More are needed: whether it was wrong to let the last one go. */
static void blame(struct memory *own, const struct scale_view *view)
{
    uint64_t wait_ns = wait_cycles(own, view) * view->settings->busy_cycle_ms * MS_NS;
    if (own->left && own->since_left_ns < wait_ns && own->penalty < BUSY_CYCLES_MAX)
        own->penalty++;
    else if (own->left)
        own->penalty = 0;
    own->left = false;
}

static void judge_cycle(struct memory *own, const struct scale_view *view, struct scale_wish *wish)
{
    double busy = own->room > 0 ? own->work / own->room : 0, percent = 100 * busy;
    double high = (double)view->settings->busy_high / 1000;
    double low = (double)view->settings->busy_low / 1000;
    own->low = busy < low ? own->low + 1 : 0;
    if (busy > high) {
        double ready = (double)view->sample->workers.ready;
        unsigned wanted = scale_whole(busy * ready / high), most = 2 * view->size;
        wanted = wanted < most ? wanted : most;
        if (wanted > wish->workers)
            wish->workers = wanted;
        scale_say(wish, "workers are %.0f %% busy, above %.0f %%: %u would not be", percent,
                  100 * high, wanted);
    } else if (own->low >= wait_cycles(own, view) && view->size > 0) {
        wish->workers--;
        scale_say(wish, "workers are %.0f %% busy, below %.0f %% for %u looks: one leaves", percent,
                  100 * low, own->low);
    } else {
        scale_say(wish, "workers are %.0f %% busy; %u of %llu looks below %.0f %%", percent,
                  own->low, (unsigned long long)wait_cycles(own, view), 100 * low);
    }
    end_cycle(own);
}

static void judge(void *memory, const struct scale_view *view, struct scale_wish *wish)
{
    struct memory *own = memory;
    const struct scale_sample *sample = view->sample;
    double elapsed = (double)view->elapsed_ns;
    own->passed_ns += view->elapsed_ns;
    own->since_left_ns += view->elapsed_ns;
    own->work += elapsed * (double)sample->busy / 1000;
    own->room += elapsed * (double)sample->workers.ready;
    unsigned size = view->size > 0 ? view->size : 1;
    if (sample->queued / size > view->settings->queue_long) {
        wish->workers += (size + 1) / 2;
        own->low = 0;
        scale_say(wish, "emergency: %llu wait, more than %llu for each of %u workers",
                  (unsigned long long)sample->queued,
                  (unsigned long long)view->settings->queue_long, view->size);
    } else if (own->passed_ns >= view->settings->busy_cycle_ms * MS_NS) {
        judge_cycle(own, view, wish);
    }
}

static void acted(void *memory, const struct scale_view *view, unsigned wanted)
{
    struct memory *own = memory;
    end_cycle(own);
    own->low = 0;
    if (wanted > view->size) {
        blame(own, view);
        return;
    }
    own->left = true;
    own->since_left_ns = 0;
}

const struct scale_rule scale_rule_busy = {
    .name = "busy",
    .about = "keeps the workers' utilisation between two limits, as uWSGI does",
    .memory = sizeof(struct memory),
    .judge = judge,
    .acted = acted,
};
