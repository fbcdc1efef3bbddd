#include "engine/event.h"

enum { HELD = 64 * 1024 }; /* of what came and is not wanted */

static struct event_conn *of_socket(struct ring_socket *socket)
{
    return CONTAINER_OF(socket, struct event_conn, socket);
}

static bool submit(struct connection *connection, const void *at, size_t len)
{
    struct event_conn *c = CONTAINER_OF(connection, struct event_conn, connection);
    return !c->settles && len <= CONNECTION_READ &&
           ring_send(loop_ring(c->owner->loop), &c->socket, at, len);
}

/* Large bodies, either way, and clients that take nothing are left to epoll. */
static bool fits_ring(const struct event_conn *c)
{
    const struct connection *connection = &c->connection;
    return c->socket.receiving && !connection->bulk && connection->writable && c->held.len < HELD;
}

void event_ring_look(struct event_conn *c)
{
    if (!fits_ring(c))
        event_ring_leave(c);
}

static void hold(struct event_conn *c, const char *at, ssize_t n)
{
    if (n > 0)
        buf_put(&c->held, at, (size_t)n);
    else
        c->held_end = n;
}

static void received(struct ring_socket *socket, const char *at, ssize_t n)
{
    struct event_conn *c = of_socket(socket);
    if (c->closed)
        return;
    if (c->connection.submitted || event_ring_holds(c) || !connection_wants_input(&c->connection)) {
        hold(c, at, n);
        return;
    }
    uint64_t now_ns = loop_now(c->owner->loop);
    connection_take(&c->connection, at, n, n == RING_BUFFER, now_ns);
    c->owner->dispatcher.waited_ns = loop_waited(c->owner->loop);
    event_conn_went(c, connection_send(&c->connection, now_ns));
}

static bool take_held(struct event_conn *c)
{
    uint64_t now_ns = loop_now(c->owner->loop);
    if (c->held.len > 0) {
        connection_take(&c->connection, c->held.at, (ssize_t)c->held.len, false, now_ns);
        buf_clear(&c->held);
        if (!connection_send(&c->connection, now_ns))
            return false;
    }
    if (c->held_end <= 0 && connection_wants_input(&c->connection)) {
        connection_take(&c->connection, NULL, c->held_end, false, now_ns);
        c->held_end = 1;
        return connection_send(&c->connection, now_ns);
    }
    return true;
}

bool event_ring_turn(struct event_conn *c)
{
    struct connection *connection = &c->connection;
    bool readable = connection->readable;
    connection->readable = false; /* what is held comes before what the socket has */
    bool settles = c->settles;
    c->settles = true;
    bool good = connection_turn(connection, loop_now(c->owner->loop));
    if (good && connection_wants_input(connection))
        good = take_held(c);
    c->settles = settles;
    connection->readable |= readable;
    connection->again |= readable && !event_ring_holds(c);
    return good;
}

static void sent(struct ring_socket *socket, ssize_t n)
{
    struct event_conn *c = of_socket(socket);
    if (c->closed)
        return;
    uint64_t now_ns = loop_now(c->owner->loop);
    c->settles = true;
    connection_sent(&c->connection, n, now_ns);
    bool good = connection_send(&c->connection, now_ns);
    if (good && event_ring_holds(c) && connection_wants_input(&c->connection))
        good = take_held(c);
    c->settles = false;
    event_conn_went(c, good);
}

static void gone(struct ring_socket *socket)
{
    struct event_conn *c = of_socket(socket);
    struct event_loop *l = c->owner;
    c->rings = false;
    l->ringing--;
    if (c->closed) {
        event_conn_drop(c);
        event_loop_check_end(l);
    } else {
        c->connection.submit = NULL;
        event_conn_watch(c);
    }
}

void event_ring_join(struct event_conn *c)
{
    c->socket = (struct ring_socket){
        .fd = c->connection.fd, .received = received, .sent = sent, .gone = gone};
    buf_init(&c->held, 4 * HELD);
    c->connection.submit = submit;
    c->rings = true;
    c->owner->ringing++;
    ring_join(loop_ring(c->owner->loop), &c->socket);
}

void event_ring_leave(struct event_conn *c)
{
    ring_leave(loop_ring(c->owner->loop), &c->socket);
}
