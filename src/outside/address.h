/* Address: which addresses of the network are whose, for requests to where strangers point us
 * (server-side request forgery, CWE-918). Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_ADDRESS_H
#define STOA_OUTSIDE_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Somewhere on the Internet: none of the special-purpose addresses (RFC 6890 and the registries it
 * began): private, loopback, link-local, multicast, documentation, …, nor an IPv6 address that
 * has an IPv4 one of these within it. */
bool address_is_public(const struct sockaddr *address);
bool address_is_loopback(const struct sockaddr *address);

#endif
