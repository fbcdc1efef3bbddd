#include "engine/event.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* ---- Being made and going ---- */

static struct event_conn *conn_take(struct event_loop *l)
{
    struct event_conn *c = l->pool;
    if (!c)
        return malloc(sizeof *c);
    l->pool = (struct event_conn *)(void *)c->owner;
    l->pool_count--;
    return c;
}

void event_conn_give_back(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    buf_close(&c->held);
    if (l->pool_count >= EVENT_POOL) {
        free(c);
        return;
    }
    c->owner = (struct event_loop *)(void *)l->pool;
    l->pool = c;
    l->pool_count++;
}

void event_pool_free(struct event_loop *l)
{
    while (l->pool) {
        struct event_conn *c = l->pool;
        l->pool = (struct event_conn *)(void *)c->owner;
        free(c);
    }
}

void event_conn_close(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    if (c->socket.sending)
        ring_settle(loop_ring(l->loop));
    if (!c->rings)
        loop_unwatch(l->loop, &c->watch);
    loop_timer_stop(l->loop, &c->timer);
    loop_soon_cancel(&c->soon);
    list_remove(&c->touched);
    list_remove(&c->waiting);
    list_remove(&c->node);
    l->dispatcher.now_ns = loop_now(l->loop);
    connection_close(&c->connection);
    c->closed = true;
    if (c->rings)
        event_ring_leave(c);
    else
        event_conn_give_back(c);
    event_doors_resume(l);
    event_loop_check_end(l);
}

/* ---- Turns ---- */

/* A connection without a deadline is not kept: false. */
static bool set_deadline(struct event_conn *c)
{
    struct loop *loop = c->owner->loop;
    uint64_t due_ns = connection_deadline(&c->connection);
    if (c->connection.state == c->timed)
        return !loop_timer_put_off(loop, &c->timer, due_ns);
    c->timed = c->connection.state;
    loop_timer_stop(loop, &c->timer);
    return !loop_timer_put_off(loop, &c->timer, due_ns);
}

void event_conn_after(struct event_conn *c, bool goes_on)
{
    /* What follows from it is settled when the ring has sent. */
    if (goes_on && c->connection.submitted)
        return;
    if (!goes_on || !set_deadline(c)) {
        event_conn_close(c);
    } else {
        if (c->connection.again)
            loop_soon(c->owner->loop, &c->soon);
        if (c->rings)
            event_ring_look(c);
    }
}

/* The exchange that runs keeps it from its turn. */
static void wait_for_turn(struct event_conn *c)
{
    if (list_empty(&c->waiting))
        list_append(&c->owner->waiting, &c->waiting);
}

void event_conn_drain(struct event_conn *c)
{
    c->drains = event_is_taken(c->owner);
    if (c->drains)
        wait_for_turn(c);
    else if (event_ring_holds(c))
        event_conn_after(c, event_ring_drain(c));
    else
        event_conn_after(c, connection_drain(&c->connection, loop_now(c->owner->loop)));
}

void event_conn_turn(struct event_conn *c)
{
    struct event_loop *l = c->owner;
    if (event_is_taken(l)) {
        wait_for_turn(c);
        return;
    }
    l->dispatcher.waited_ns = loop_waited(l->loop);
    if (c->drains)
        event_conn_drain(c);
    else if (event_ring_holds(c))
        event_conn_after(c, event_ring_turn(c));
    else
        event_conn_after(c, connection_turn(&c->connection, loop_now(l->loop)));
}

static void conn_ready(struct watch *watch, uint32_t events)
{
    struct event_conn *c = CONTAINER_OF(watch, struct event_conn, watch);
    if (!connection_ready(&c->connection, events))
        event_conn_close(c);
    /* Large transfers wait until the small requests of this batch have been answered. */
    else if (c->connection.bulk || c->connection.sending)
        loop_soon(c->owner->loop, &c->soon);
    else
        event_conn_turn(c);
}

static void conn_soon(struct soon *soon)
{
    event_conn_turn(CONTAINER_OF(soon, struct event_conn, soon));
}

static void conn_deadline(struct timer *timer, uint64_t now_ns)
{
    struct event_conn *c = CONTAINER_OF(timer, struct event_conn, timer);
    if (event_is_taken(c->owner) && !list_empty(&c->waiting))
        return; /* it has not been heard, and may have spoken in time */
    event_conn_after(c, connection_expire(&c->connection, now_ns));
}

void event_conn_watch(struct event_conn *c)
{
    if (loop_watch(c->owner->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != ERR_OK)
        event_conn_close(c);
}

void event_conn_open(struct event_loop *l, const struct engine_listen *listen, int fd,
                     const struct endpoint *peer)
{
    struct event_conn *c = conn_take(l);
    if (!c) {
        close(fd);
        return;
    }
    *c = (struct event_conn){.owner = l,
                             .watch = {fd, conn_ready},
                             .timer.fire = conn_deadline,
                             .soon.run = conn_soon,
                             .held_end = 1};
    list_init(&c->soon.node);
    list_init(&c->touched);
    list_init(&c->waiting);
    list_append(&l->conns, &c->node);
    bool good = connection_open(&c->connection, &l->dispatcher, &l->buffers, listen, fd, peer,
                                loop_now(l->loop));
    c->timed = c->connection.state;
    if (!good || !set_deadline(c))
        event_conn_close(c);
    else if (loop_ring(l->loop) && !listen->tls && !listen->proxy)
        event_ring_join(c);
    else
        event_conn_watch(c);
}
