#include "engine/event.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* When there is no room: look again after this, besides at each closed connection. */
#define RETRY_NS (50 * 1000000ull)

static bool there_is_room(struct event_engine *engine)
{
    return atomic_load_explicit(&engine->open, memory_order_relaxed) <
           engine->config.connections_max;
}

/* New connections wait in the kernel's queue. */
static void pause_doors(struct event_loop *l)
{
    for (unsigned i = 0; !l->doors_paused && i < l->door_count; i++)
        loop_rewatch(l->loop, &l->doors[i].watch, 0);
    l->doors_paused = true;
    loop_timer_set(l->loop, &l->doors_retry, loop_now(l->loop) + RETRY_NS);
}

void event_doors_resume(struct event_loop *l)
{
    if (!l->doors_paused || l->stopping || !there_is_room(l->engine))
        return;
    l->doors_paused = false;
    loop_timer_stop(l->loop, &l->doors_retry);
    for (unsigned i = 0; i < l->door_count; i++)
        loop_rewatch(l->loop, &l->doors[i].watch, EPOLLIN);
}

static void retry(struct timer *timer, uint64_t now_ns)
{
    struct event_loop *l = CONTAINER_OF(timer, struct event_loop, doors_retry);
    event_doors_resume(l);
    if (l->doors_paused && !l->stopping)
        loop_timer_set(l->loop, timer, now_ns + RETRY_NS);
}

/* The process has no descriptors left: one client is told so by a reset, instead of
 * the loop finding the queue non-empty for ever. */
static void refuse_one(struct event_loop *l, int door_fd)
{
    if (l->spare_fd >= 0)
        close(l->spare_fd);
    int fd = accept4(door_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        socket_reset_on_close(fd);
        close(fd);
        event_count(&l->counters.refused, 1);
    }
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* True when there may be more in the queue. */
static bool accept_one(struct event_door *door)
{
    struct event_loop *l = door->owner;
    struct endpoint peer = {.len = sizeof peer.at};
    int fd = accept4(door->watch.fd, (struct sockaddr *)&peer.at, &peer.len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        event_conn_open(door, fd, &peer);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE) {
        refuse_one(l, door->watch.fd);
        pause_doors(l);
    } else if (errno == ENOBUFS || errno == ENOMEM) {
        pause_doors(l);
    }
    /* What else there is (ECONNABORTED, EPROTO ...) concerns that one client only. */
    return errno != EAGAIN && errno != EWOULDBLOCK && !l->doors_paused;
}

static void door_ready(struct watch *watch, uint32_t events)
{
    struct event_door *door = CONTAINER_OF(watch, struct event_door, watch);
    (void)events;
    for (int i = 0; i < EVENT_ACCEPTS; i++) {
        if (!there_is_room(door->owner->engine)) {
            pause_doors(door->owner);
            return;
        }
        if (!accept_one(door))
            return;
    }
}

int event_doors_open(struct event_loop *l)
{
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    l->doors_retry.fire = retry;
    for (unsigned i = 0; i < l->door_count; i++) {
        l->doors[i].owner = l;
        l->doors[i].watch.ready = door_ready;
        int err = loop_watch(l->loop, &l->doors[i].watch, EPOLLIN);
        if (err)
            return err;
    }
    return ERR_OK;
}

static void close_door(struct event_loop *l, struct event_door *door)
{
    if (door->watch.fd < 0)
        return;
    loop_unwatch(l->loop, &door->watch);
    close(door->watch.fd);
    door->watch.fd = -1;
}

void event_doors_drain(struct event_loop *l)
{
    for (unsigned i = 0; i < l->door_count; i++) {
        l->doors_paused = false;
        while (there_is_room(l->engine) && accept_one(&l->doors[i]))
            ;
        /* At once: what comes in between is lost with the queue. */
        close_door(l, &l->doors[i]);
    }
}

void event_doors_close(struct event_loop *l)
{
    for (unsigned i = 0; i < l->door_count; i++)
        close_door(l, &l->doors[i]);
    if (l->spare_fd >= 0)
        close(l->spare_fd);
    l->spare_fd = -1;
    loop_timer_stop(l->loop, &l->doors_retry);
}
