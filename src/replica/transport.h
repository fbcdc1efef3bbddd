/* Transport: how Raft's messages reach the other servers. Loop thread only.
 *
 * A server that is alone has no peers: nothing listens, and a connection is never
 * asked for.
 */
#ifndef STOA_REPLICA_TRANSPORT_H
#define STOA_REPLICA_TRANSPORT_H

#include <raft.h>
#include <raft/uv.h>

/* Makes TRANSPORT the one of a server without peers. Allocates nothing. */
void transport_alone(struct raft_uv_transport *transport);

#endif
