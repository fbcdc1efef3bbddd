/* Resolver: addresses of hosts by name, without a loop that waits for DNS.
 *
 * An address in numbers is known at once. A name is looked up on a thread of its own, one at a
 * time, and again each 30 s; while that fails, what was known stays. Bounded: the names that have
 * not been asked for longest are forgotten.
 *
 * Thread: that of its loop.
 */
#ifndef STOA_NET_RESOLVER_H
#define STOA_NET_RESOLVER_H

#include "net/loop.h"
#include "net/socket.h"

struct resolver;

/* CHANGED is called when an address that was asked for has become known, or is another. NULL
 * without memory. */
struct resolver *resolver_new(struct loop *loop, void (*changed)(void *user), void *user);
/* After its loop has ended; a look-up that is under way is left to itself. NULL is fine. */
void resolver_free(struct resolver *resolver);

/* The address of HOST ("HOST:PORT") into *ADDRESS; false: not known yet. */
bool resolver_find(struct resolver *resolver, const char *host, struct endpoint *address);

#endif
