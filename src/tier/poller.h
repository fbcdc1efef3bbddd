/* Poller: a worker's seat at the central queue, as the rule "poll" of the scaler sees it: when it
 * took a request, and when it waited in vain for the time that the master has set (poll_rule.h).
 * What follows from that it asks of the master.
 *
 * Whoever pulls for the seat tells it: the worker, or of one on another machine the bridge.
 *
 * Memory: the caller's. Thread: its loop's.
 */
#ifndef STOA_TIER_POLLER_H
#define STOA_TIER_POLLER_H

#include "net/loop.h"
#include "tier/poll_rule.h"
#include "tier/queue.h"

struct poller {
    struct loop *loop; /* lent, as the queue */
    struct queue *queue;
    unsigned seat;
    bool stopped;
    struct timer timer;
    struct poll_rule rule;
};

void poller_init(struct poller *poller, struct loop *loop, struct queue *queue, unsigned seat);
/* There is nothing to be pulled: it waits, if it does not already. */
void poller_wait(struct poller *poller, uint64_t now_ns);
/* One was pulled. */
void poller_took(struct poller *poller);
/* It wants none any more, and asks for nothing. Before its loop is freed. */
void poller_stop(struct poller *poller);

#endif
