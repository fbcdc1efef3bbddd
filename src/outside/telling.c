#include "outside/telling.h"

#include "outside/retry_schedule.h"

#include <stdatomic.h>

/* What a receiver asks for beyond that is not believed. */
#define WAIT_MOST_MS ((int64_t)24 * 3600 * 1000)

void telling_begin(struct outbox_send *first, const _Atomic bool *ready,
                   void (*begin_one)(void *context, struct outbox_send *send), void *context)
{
    static const struct outbox_said unready = {.sent = OUTBOX_SENT_AWAY,
                                               .text = {"this server does not serve yet", 30}};
    while (first) {
        struct outbox_send *next = first->next; /* FIRST is the outbox's again once done */
        if (ready && !atomic_load(ready))
            first->done(first, &unready);
        else
            begin_one(context, first);
        first = next;
    }
}

const struct order_event *telling_event(const struct order *order, uint32_t number)
{
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].number == number)
            return &order->events[i];
    return NULL;
}

struct outbox_said telling_failed(const struct outbox_row *row, int64_t now_ms, int64_t least_ms,
                                  const char *why, struct failure *whole)
{
    int64_t wait_ms = retry_schedule_wait_ms(now_ms - row->time_ms);
    if (!wait_ms) {
        fail(whole, ERR_TIMEOUT, "given up after three days; at last: %.400s", why);
        return (struct outbox_said){.sent = OUTBOX_SENT_NEVER, .text = str_of(whole->text)};
    }
    if (wait_ms < least_ms)
        wait_ms = least_ms;
    if (wait_ms > WAIT_MOST_MS)
        wait_ms = WAIT_MOST_MS;
    return (struct outbox_said){
        .sent = OUTBOX_SENT_LATER, .text = str_of(why), .wait_ms = (uint32_t)wait_ms};
}
