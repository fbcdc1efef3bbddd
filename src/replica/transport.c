#include "replica/transport.h"

#include <string.h>

static int alone_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
    (void)transport;
    (void)id;
    (void)address;
    return 0;
}

static int alone_listen(struct raft_uv_transport *transport, raft_uv_accept_cb accept)
{
    (void)transport;
    (void)accept;
    return 0;
}

static int alone_connect(struct raft_uv_transport *transport, struct raft_uv_connect *request,
                         raft_id id, const char *address, raft_uv_connect_cb connected)
{
    (void)transport;
    (void)request;
    (void)id;
    (void)address;
    (void)connected;
    return RAFT_NOCONNECTION;
}

static void alone_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb closed)
{
    closed(transport);
}

void transport_alone(struct raft_uv_transport *transport)
{
    memset(transport, 0, sizeof *transport);
    transport->version = 1;
    transport->init = alone_init;
    transport->listen = alone_listen;
    transport->connect = alone_connect;
    transport->close = alone_close;
}
