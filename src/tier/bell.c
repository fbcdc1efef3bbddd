#include "tier/bell.h"

#include "base/check.h"

#include <sys/epoll.h>

enum { ROUNDS = 4 };

static void look_at_news(struct bell *bell)
{
    uint64_t deaths = queue_deaths(bell->queue);
    for (unsigned slot = 0; (slot = queue_news(bell->queue, bell->seat, slot)) != QUEUE_NONE;
         slot++)
        bell->kind->look(bell, slot);
    if (deaths != bell->deaths)
        bell->kind->look_at_all(bell);
    bell->deaths = deaths;
}

static void look_and_park(struct bell *bell)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        look_at_news(bell);
        if (queue_park(bell->queue, bell->seat))
            return;
    }
    loop_soon(bell->loop, &bell->rest);
}

static void hear(struct bell *bell)
{
    look_and_park(bell);
    if (bell->kind->looked)
        bell->kind->looked(bell);
}

static void look_on(struct soon *soon)
{
    hear(CONTAINER_OF(soon, struct bell, rest));
}

static void rings(struct watch *watch, uint32_t events)
{
    struct bell *bell = CONTAINER_OF(watch, struct bell, watch);
    (void)events;
    queue_wake(bell->queue, bell->seat);
    hear(bell);
}

int bell_start(struct bell *bell, const struct bell_kind *kind, struct loop *loop,
               struct queue *queue, unsigned seat, struct failure *failure)
{
    *bell = (struct bell){.kind = kind, .loop = loop, .queue = queue, .seat = seat};
    list_init(&bell->rest.node);
    bell->rest.run = look_on;
    bell->watch = (struct watch){queue_bell(queue, seat), rings};
    bell->deaths = queue_deaths(queue);
    if (loop_watch(loop, &bell->watch, EPOLLIN) != 0)
        return fail_errno(failure, ERR_IO, "cannot watch the queue's bell");
    look_and_park(bell); /* of who had the seat before there may be news still */
    return 0;
}

void bell_stop(struct bell *bell)
{
    loop_soon_cancel(&bell->rest);
    loop_unwatch(bell->loop, &bell->watch);
}
