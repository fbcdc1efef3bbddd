#include "scale/measure.h"

#include "tier/front.h"

enum { WHOLE = 1000 };

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint64_t sum_grown(const uint64_t *now, const uint64_t *before)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        sum += grown(now[i], before[i]);
    return sum;
}

/* ---- Waiting ---- */

uint64_t scale_wait_quantile(const struct queue_stats *now, const struct queue_stats *before,
                             uint64_t share)
{
    uint64_t all = 0, seen = 0;
    for (unsigned b = 0; b < QUEUE_WAIT_BUCKETS; b++)
        all += grown(now->waits[b], before->waits[b]);
    for (unsigned b = 0; all > 0 && b < QUEUE_WAIT_BUCKETS; b++) {
        seen += grown(now->waits[b], before->waits[b]);
        if (seen * WHOLE >= all * share)
            return queue_wait_bound(b);
    }
    return 0;
}

/* ---- Work ---- */

static const struct queue_seat_view *seat_before(const struct scale_look *before,
                                                 const struct queue_seat_view *seat)
{
    for (unsigned i = 0; i < before->seat_count; i++)
        if (before->seats[i].seat == seat->seat &&
            queue_is_same(queue_process_of(&before->seats[i]), queue_process_of(seat)) &&
            before->seats[i].report.beat_ns <= seat->report.beat_ns)
            return &before->seats[i];
    return NULL;
}

/* Of the time between its two reports. */
uint64_t scale_seat_busy(const struct scale_look *before, const struct queue_seat_view *seat)
{
    const struct queue_seat_view *was = seat_before(before, seat);
    if (!was || seat->report.beat_ns == was->report.beat_ns)
        return 0;
    uint64_t time_ns = seat->report.beat_ns - was->report.beat_ns;
    uint64_t loop = grown(seat->report.loop_ns, was->report.loop_ns) * WHOLE / time_ns;
    uint64_t helpers = seat->report.helpers ? grown(seat->report.helper_ns, was->report.helper_ns) *
                                                  WHOLE / time_ns / seat->report.helpers
                                            : 0;
    uint64_t share = loop > helpers ? loop : helpers;
    return share < WHOLE ? share : WHOLE;
}

bool scale_is_first_seat(const struct scale_look *look, unsigned place)
{
    for (unsigned i = 0; i < place; i++)
        if (look->seats[i].role == look->seats[place].role &&
            queue_is_same(queue_process_of(&look->seats[i]), queue_process_of(&look->seats[place])))
            return false;
    return true;
}

static unsigned threads_of(const struct scale_look *look, const struct queue_seat_view *seat)
{
    unsigned count = 0;
    for (unsigned i = 0; i < look->seat_count; i++)
        count += look->seats[i].role == seat->role &&
                 queue_is_same(queue_process_of(&look->seats[i]), queue_process_of(seat));
    return count;
}

static void count_seat(const struct scale_look *look, unsigned place, struct scale_tier *tier)
{
    if (!scale_is_first_seat(look, place))
        return;
    if (look->seats[place].report.draining)
        tier->draining++;
    else
        tier->ready++;
}

/* One of its threads, at PLACE. */
static void add_front(const struct scale_look *look, unsigned place, uint64_t busy,
                      struct scale_sample *sample)
{
    struct front_stats stats;
    sample->fronts_busy += busy / threads_of(look, &look->seats[place]);
    front_look_from(&look->seats[place].report, &stats);
    if (scale_is_first_seat(look, place))
        sample->connections += stats.connections;
}

static void measure_tiers(const struct scale_measure *measure, const struct scale_look *look,
                          struct scale_sample *sample)
{
    for (unsigned i = 0; i < look->seat_count; i++) {
        const struct queue_seat_view *seat = &look->seats[i];
        uint64_t busy = measure->begun ? scale_seat_busy(&measure->before, seat) : 0;
        bool works = seat->role == QUEUE_WORKER;
        count_seat(look, i, works ? &sample->workers : &sample->fronts);
        if (works)
            sample->busy += busy;
        else
            add_front(look, i, busy, sample);
    }
}

/* Those who were asked for and have not come to the queue yet. */
static void add_starting(const struct fleet_sizes *sizes, struct scale_tier *tier)
{
    tier->starting = sizes->starting + sizes->crashed;
}

void scale_measure(struct scale_measure *measure, const struct scale_look *look,
                   struct scale_sample *sample)
{
    const struct queue_stats *now = &look->stats;
    const struct queue_stats *before = measure->begun ? &measure->before.stats : now;
    *sample = (struct scale_sample){
        .now_ns = look->now_ns,
        .interval_ns = measure->begun ? grown(look->now_ns, measure->before.now_ns) : 0,
        .oldest_ns = now->oldest_wait_ns,
        .wait_p50_ns = scale_wait_quantile(now, before, 500),
        .wait_p90_ns = scale_wait_quantile(now, before, 900),
        .wait_p99_ns = scale_wait_quantile(now, before, 990),
        .arrived = sum_grown(now->entered, before->entered),
        .taken = sum_grown(now->taken, before->taken),
        .answered = sum_grown(now->done, before->done),
        .dropped = sum_grown(now->dropped, before->dropped),
        .refused = sum_grown(now->refused, before->refused),
        .more = grown(now->more, before->more),
        .fewer = grown(now->fewer, before->fewer),
    };
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        sample->queued += now->waiting[i];
    if (sample->answered > 0)
        sample->service_ns = sum_grown(now->work_ns, before->work_ns) / sample->answered;
    measure_tiers(measure, look, sample);
    add_starting(&look->workers, &sample->workers);
    add_starting(&look->fronts, &sample->fronts);
    measure->before = *look;
    measure->begun = true;
}
