/* Poll: the workers' own rule, as the shop has had it from the beginning. Each worker sees the
 * queue at its polls and says what it has seen several times in a row (tier/poll_rule.h); here is
 * decided what comes of it:
 *
 *   any number of wishes for more   → two more
 *   any number of wishes to leave   → one leaves, if nobody has within the lease
 *   both                            → two more
 *
 * All who ask in one interval have seen the same queue: were each to get two, the answer to one
 * long queue would be the larger the more workers there are already, and would come again in the
 * next interval, before the first of them has started. Two at a time, with the scaler's pause in
 * between, is additive increase, and its step is what the tier overshoots by at most. Likewise all
 * who are idle find that out at about the same moment, after the same number of empty polls:
 * without a lease that only one can have, they all would leave, and the next requests find nobody.
 */
#include "base/clock.h"
#include "scale/rule.h"

#include <stdbool.h>

enum { POLL_STEP = 2 };

struct memory {
    uint64_t leased_ns; /* for how long the last lease has been given; it ends at lease_ms */
    bool leased;
};

static void judge(void *memory, const struct scale_view *view, struct scale_wish *wish)
{
    struct memory *own = memory;
    const struct scale_sample *sample = view->sample;
    own->leased_ns += view->elapsed_ns;
    if (own->leased_ns >= view->settings->lease_ms * MS_NS)
        own->leased = false;
    if (sample->more > 0) {
        wish->workers += POLL_STEP;
        scale_say(wish, "the queue was too long at two polls in a row (%llu wishes): two more",
                  (unsigned long long)sample->more);
    } else if (sample->fewer > 0 && !own->leased && view->size > 0) {
        wish->workers--;
        scale_say(wish, "three empty polls in a row (%llu wishes): one leaves",
                  (unsigned long long)sample->fewer);
    }
}

static void acted(void *memory, const struct scale_view *view, unsigned wanted)
{
    struct memory *own = memory;
    own->leased = wanted < view->size;
    own->leased_ns = 0;
}

const struct scale_rule scale_rule_poll = {
    .name = "poll",
    .about = "workers ask: too long a queue twice, two more; three empty polls, one leaves",
    .memory = sizeof(struct memory),
    .judge = judge,
    .acted = acted,
};
