#include "balance/events.h"
#include "balance/forward.h"
#include "base/check.h"
#include "base/hash.h"

/* ---- Refused ---- */

static void shed(struct forward *f, const char *sentence)
{
    lane_count(&f->lane->figures.shed, 1);
    events_add(f->lane->events, EVENT_SHEDDING, 0, NULL, "A request was answered 503: %s",
               sentence);
    forward_fail(f, 503, sentence);
}

static const char *const too_many = "More requests are waiting than can be answered in time.";
static const char *const too_long = "No server had room for the request in time.";

/* False: it has waited for as long as anybody may, in one go or in several. */
static bool may_wait(struct forward *f)
{
    uint64_t now_ns = lane_now(f->lane);
    if (f->waits_ns == 0)
        f->waits_ns = now_ns;
    return now_ns - f->waits_ns < f->lane->config->queue_ns;
}

/* ---- In the queue ---- */

static uint64_t client_key(const struct lane *lane, const struct exchange *x)
{
    static const struct hash_key key = {0x6661697220717565, 0x7565206f6620636c};
    return hash_fast(key, hop_client(x, lane_trusts(lane, x->peer)));
}

static struct forward *queued_at(struct fair_item *item)
{
    return CONTAINER_OF(item, struct forward, queued);
}

static void queue_it(struct forward *f)
{
    struct lane *lane = f->lane;
    f->state = FORWARD_QUEUED;
    if (!f->was_queued)
        lane_count(&lane->figures.queued, 1);
    f->was_queued = true;
    struct fair_item *shed_item =
        admission_wait(&lane->admission, &f->queued, client_key(lane, f->x), lane_now(lane));
    if (shed_item)
        shed(queued_at(shed_item), too_many);
}

void forward_admit(struct lane *lane)
{
    /* Ends: each of them goes, or pauses, or nobody has room any more. */
    while (admission_waiting(&lane->admission) > 0) {
        lane_look(lane);
        struct fair_item *item =
            admission_next(&lane->admission, &lane->view, lane->places, lane_now(lane));
        if (!item)
            return;
        struct forward *f = queued_at(item);
        f->deadline_ns += lane_now(lane) - item->since_ns; /* no server had that time */
        forward_place(f);
    }
}

void forward_shed_late(struct lane *lane)
{
    struct fair_item *item;
    while ((item = admission_late(&lane->admission, lane_now(lane))))
        shed(queued_at(item), too_long);
}

/* ---- For a moment ---- */

static void pause_over(struct timer *timer, uint64_t now_ns)
{
    struct forward *f = CONTAINER_OF(timer, struct forward, timer);
    (void)now_ns;
    forward_wait_ends(f);
    forward_go(f);
}

static void pause_it(struct forward *f)
{
    struct lane *lane = f->lane;
    uint64_t pause_ns = retry_pause_ns(&lane->router.random, f->pauses++);
    if (!admission_pause(&lane->admission)) {
        shed(f, too_many);
        return;
    }
    f->state = FORWARD_PAUSED;
    f->timer.fire = pause_over;
    if (loop_timer_set(lane->loop, &f->timer, lane_now(lane) + pause_ns)) {
        forward_wait_ends(f);
        forward_fail(f, 503, "The load manager is out of memory.");
    }
}

void forward_pause(struct forward *f)
{
    f->tried_count = 0;
    f->has_plan = false;
    pause_it(f);
}

/* ---- Which of it ---- */

void forward_go(struct forward *f)
{
    struct lane *lane = f->lane;
    struct admission_look look = lane_look(lane);
    if (lane->view.count == 0 || !admission_must_wait(&lane->admission, &lane->view, look.full))
        forward_place(f);
    else if (may_wait(f))
        queue_it(f);
    else
        shed(f, too_long);
}

void forward_wait(struct forward *f)
{
    struct lane *lane = f->lane;
    if (!may_wait(f))
        shed(f, too_long);
    else if (admission_has_room(&lane->view, lane_look(lane).full))
        pause_it(f); /* in the queue it would be its turn at once, and for nothing */
    else
        queue_it(f);
}

void forward_wait_ends(struct forward *f)
{
    struct lane *lane = f->lane;
    loop_timer_stop(lane->loop, &f->timer);
    admission_leave(&lane->admission, &f->queued);
    if (f->state == FORWARD_PAUSED) {
        admission_resume(&lane->admission);
        f->state = FORWARD_PLACING;
    }
}
