/* Network: a range of addresses, as "10.0.0.0/8" or "2001:db8::/32", and who is in it.
 *
 * Used where somebody is believed because of where he is: PROXY protocol, X-Forwarded-For and
 * -Proto; the PROXY protocol's header is written with it, too.
 * IPv4 addresses are what IPv6 makes of them (::ffff:a.b.c.d), so that a client is the same on
 * either kind of socket. Pure.
 */
#ifndef STOA_NET_NETWORK_H
#define STOA_NET_NETWORK_H

#include "net/socket.h"

enum { NETWORK_BYTES = 16 };

struct network {
    unsigned char address[NETWORK_BYTES];
    unsigned bits; /* of the address that count: 0 … 128 */
};

/* "ADDRESS/BITS", or an address alone. ERR_INVALID with what is wrong about it. */
int network_parse(struct str text, struct network *network, struct failure *failure);

/* ADDRESS as one of IPv6; false: it is of another family than IP. */
bool network_address(const struct endpoint *address, unsigned char out[static NETWORK_BYTES]);
/* Whether such an address is what IPv6 makes of one of IPv4, which is its last four bytes. */
bool network_is_v4(const unsigned char address[static NETWORK_BYTES]);

/* Whether ADDRESS is in one of the COUNT networks. Not one of another family than IP. */
bool network_has(const struct network *networks, unsigned count, const struct endpoint *address);
/* The same for an address as text, without a port; what is none is in no network. */
bool network_has_text(const struct network *networks, unsigned count, struct str address);

#endif
