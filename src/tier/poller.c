#include "tier/poller.h"

#include "base/check.h"
#include "base/clock.h"

enum { POLL_MS = 100 /* as long as no master has said it */ };

static void ended(struct poller *poller, bool empty)
{
    struct queue_polling polling;
    queue_polling(poller->queue, &polling);
    poll_rule_heed(&poller->rule, polling.actions);
    uint64_t length = queue_length(poller->queue) + !empty;
    enum poll_wish wish = POLL_WISH_NONE;
    if (polling.poll_ns > 0)
        wish = poll_rule_step(&poller->rule, length, polling.queue_long, empty);
    if (wish != POLL_WISH_NONE && !poller->stopped)
        queue_wish(poller->queue, poller->seat, wish == POLL_WISH_MORE);
    if (empty)
        queue_polled_empty(poller->queue, poller->seat);
}

/* Not all at the same moment: who began together would want to leave together. */
static uint64_t until(const struct poller *poller, uint64_t now_ns)
{
    struct queue_polling polling;
    queue_polling(poller->queue, &polling);
    uint64_t poll_ns = polling.poll_ns > 0 ? polling.poll_ns : POLL_MS * MS_NS;
    return now_ns + poll_ns - poll_ns / 10 * (poller->seat % 8) / 8;
}

static void timeout(struct timer *timer, uint64_t now_ns)
{
    struct poller *poller = CONTAINER_OF(timer, struct poller, timer);
    ended(poller, true);
    loop_timer_set(poller->loop, timer, until(poller, now_ns));
}

void poller_init(struct poller *poller, struct loop *loop, struct queue *queue, unsigned seat)
{
    *poller = (struct poller){.loop = loop, .queue = queue, .seat = seat};
    poller->timer.fire = timeout;
}

void poller_wait(struct poller *poller, uint64_t now_ns)
{
    if (poller->timer.slot == 0 && !poller->stopped)
        loop_timer_set(poller->loop, &poller->timer, until(poller, now_ns));
}

void poller_took(struct poller *poller)
{
    loop_timer_stop(poller->loop, &poller->timer);
    ended(poller, false);
}

void poller_stop(struct poller *poller)
{
    poller->stopped = true;
    loop_timer_stop(poller->loop, &poller->timer);
}
