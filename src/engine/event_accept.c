#include "base/clock.h"
#include "engine/event.h"

#include <sys/epoll.h>

/* When there is no room: look again after this, besides at each closed connection. */
#define RETRY_NS (50 * MS_NS)

static void rewatch_all(struct event_loop *l, uint32_t events)
{
    for (unsigned i = 0; i < l->engine->base.config.listen_count; i++)
        loop_rewatch(l->loop, &l->door_watches[i].watch, events);
}

/* New connections wait in the kernel's queue. */
static void pause_doors(struct event_loop *l)
{
    if (!l->doors_paused)
        rewatch_all(l, 0);
    l->doors_paused = true;
    loop_timer_set(l->loop, &l->doors_retry, loop_now(l->loop) + RETRY_NS);
}

void event_doors_resume(struct event_loop *l)
{
    if (!l->doors_paused || l->stopping || !engine_has_room(&l->engine->base))
        return;
    l->doors_paused = false;
    loop_timer_stop(l->loop, &l->doors_retry);
    rewatch_all(l, EPOLLIN);
}

static void retry(struct timer *timer, uint64_t now_ns)
{
    struct event_loop *l = CONTAINER_OF(timer, struct event_loop, doors_retry);
    event_doors_resume(l);
    if (l->doors_paused && !l->stopping)
        loop_timer_set(l->loop, timer, now_ns + RETRY_NS);
}

/* One of those that wait at address INDEX. */
static enum doors_verdict accept_one(struct event_loop *l, unsigned index)
{
    struct endpoint peer;
    int fd;
    enum doors_verdict verdict = doors_accept(&l->doors, index, &fd, &peer);
    if (verdict == DOORS_TAKEN)
        event_conn_open(l, &l->engine->base.config.listen[index], fd, &peer);
    return verdict;
}

static void door_ready(struct watch *watch, uint32_t events)
{
    struct event_door *door = CONTAINER_OF(watch, struct event_door, watch);
    (void)events;
    for (int i = 0; i < EVENT_ACCEPTS; i++) {
        enum doors_verdict verdict = accept_one(door->owner, door->index);
        if (verdict == DOORS_FULL)
            pause_doors(door->owner);
        if (verdict == DOORS_FULL || verdict == DOORS_EMPTY)
            return;
    }
}

int event_doors_open(struct event_loop *l)
{
    l->doors_retry.fire = retry;
    for (unsigned i = 0; i < l->engine->base.config.listen_count; i++) {
        struct event_door *door = &l->door_watches[i];
        *door = (struct event_door){{doors_fd(&l->doors, i), door_ready}, l, i};
        int err = loop_watch(l->loop, &door->watch, EPOLLIN);
        if (err)
            return err;
    }
    return ERR_OK;
}

static void close_door(struct event_loop *l, unsigned index)
{
    if (doors_fd(&l->doors, index) < 0)
        return;
    loop_unwatch(l->loop, &l->door_watches[index].watch);
    doors_close_one(&l->doors, index);
}

void event_doors_drain(struct event_loop *l)
{
    for (unsigned i = 0; i < l->engine->base.config.listen_count; i++) {
        enum doors_verdict verdict;
        do {
            verdict = accept_one(l, i);
        } while (verdict == DOORS_TAKEN || verdict == DOORS_AGAIN);
        /* At once: what comes in between is lost with the queue. */
        close_door(l, i);
    }
}

void event_doors_close(struct event_loop *l)
{
    for (unsigned i = 0; i < l->engine->base.config.listen_count; i++)
        close_door(l, i);
    doors_close(&l->doors);
    loop_timer_stop(l->loop, &l->doors_retry);
}
