#include "engine/event.h"

/* Of what has come and is not wanted. Until the ring has heard that no more is to come, it may tell
 * as much again as it has buffers for. */
enum { HELD = 64 * 1024, HELD_MOST = HELD + RING_MOST };

static struct event_conn *conn_of(struct ring_socket *socket)
{
    return CONTAINER_OF(socket, struct event_conn, socket);
}

static uint64_t now_of(const struct event_conn *c)
{
    return loop_now(c->owner->loop);
}

/* struct connection's: what is small leaves with the batch. */
static bool submit(struct connection *connection, const void *at, size_t len)
{
    struct event_conn *c = CONTAINER_OF(connection, struct event_conn, connection);
    return !c->settles && len <= CONNECTION_READ &&
           ring_send(loop_ring(c->owner->loop), &c->socket, at, len);
}

void event_ring_look(struct event_conn *c)
{
    const struct connection *connection = &c->connection;
    if (!c->socket.receiving || connection->bulk || !connection->writable || c->held.len >= HELD)
        event_ring_leave(c);
}

/* ---- What has come ---- */

static void hold(struct event_conn *c, const char *at, ssize_t n)
{
    if (n > 0)
        buf_put(&c->held, at, (size_t)n);
    else
        c->held_end = n;
    if (c->held.failed) /* no memory: what follows would lack this */
        c->connection.broken = true;
    if (!c->connection.submitted)
        event_conn_after(c, !c->connection.broken);
}

static void received(struct ring_socket *socket, const char *at, ssize_t n)
{
    struct event_conn *c = conn_of(socket);
    struct connection *connection = &c->connection;
    if (c->closed)
        return;
    if (connection->submitted || event_ring_holds(c) || !connection_wants_input(connection)) {
        hold(c, at, n);
        return;
    }
    c->owner->dispatcher.waited_ns = loop_waited(c->owner->loop);
    connection_take(connection, at, n, n == RING_BUFFER, now_of(c));
    event_conn_after(c, connection_send(connection, now_of(c)));
}

/* A share of what is held, as of what is read from a socket. False: it is over. */
static bool take_held(struct event_conn *c)
{
    struct connection *connection = &c->connection;
    if (!event_ring_holds(c) || !connection_wants_input(connection))
        return true;
    if (c->held.len > 0) {
        size_t part = c->held.len < CONNECTION_READ ? c->held.len : CONNECTION_READ;
        connection_take(connection, c->held.at, (ssize_t)part, false, now_of(c));
        buf_drain(&c->held, part);
        if (c->held.len == 0)
            buf_close(&c->held); /* most never have any again */
    } else {
        connection_take(connection, NULL, c->held_end, false, now_of(c));
        c->held_end = 1;
    }
    bool good = connection_send(connection, now_of(c));
    connection->again |= event_ring_holds(c) && connection_wants_input(connection);
    return good;
}

bool event_ring_turn(struct event_conn *c)
{
    struct connection *connection = &c->connection;
    bool readable = connection->readable;
    connection->readable = false; /* what is held comes before what the socket has */
    bool good = connection_turn(connection, now_of(c)) && take_held(c);
    connection->readable |= readable;
    connection->again |= readable && !event_ring_holds(c);
    return good;
}

bool event_ring_drain(struct event_conn *c)
{
    if (!event_ring_turn(c))
        return false;
    if (c->connection.http)
        http_conn_drain(c->connection.http);
    return event_ring_turn(c);
}

/* ---- What was sent ---- */

static void sent(struct ring_socket *socket, ssize_t n)
{
    struct event_conn *c = conn_of(socket);
    if (c->closed)
        return;
    c->settles = true;
    connection_sent(&c->connection, n, now_of(c));
    bool good = connection_send(&c->connection, now_of(c)) && take_held(c);
    c->settles = false;
    event_conn_after(c, good);
}

/* ---- Coming and going ---- */

static void gone(struct ring_socket *socket)
{
    struct event_conn *c = conn_of(socket);
    struct event_loop *l = c->owner;
    c->rings = false;
    l->ringing--;
    if (c->closed) {
        event_conn_give_back(c);
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
    buf_init(&c->held, HELD_MOST);
    c->connection.submit = submit;
    c->rings = true;
    c->owner->ringing++;
    ring_join(loop_ring(c->owner->loop), &c->socket);
}

void event_ring_leave(struct event_conn *c)
{
    ring_leave(loop_ring(c->owner->loop), &c->socket);
}
