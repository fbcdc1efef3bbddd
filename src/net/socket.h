/* Sockets: addresses as people write them, listening, connecting.
 *
 * Used by the engines, the load manager and the clients. All sockets are
 * non-blocking, close-on-exec and, for TCP, without Nagle's delay. Thread: any;
 * endpoint_resolve may ask DNS and wait for it.
 */
#ifndef STOA_NET_SOCKET_H
#define STOA_NET_SOCKET_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT = 64 }; /* "[IPv6]:port" with its NUL */

struct endpoint {
    struct sockaddr_storage at;
    socklen_t len;
};

/* Splits "HOST:PORT", "[IPV6]:PORT" or ":PORT" (HOST is then empty: every
 * address). Pure. ERR_INVALID with what is wrong about it. */
int endpoint_split(struct str text, struct str *host, uint16_t *port, struct failure *failure);

/* The address of TEXT ("HOST:PORT"); a name is looked up, which may wait. An empty
 * host gives the wildcard for PASSIVE and the loopback address otherwise. */
int endpoint_resolve(struct str text, bool passive, struct endpoint *address,
                     struct failure *failure);

/* All addresses of TEXT, in the order in which they should be tried: MAX at the most. */
int endpoint_resolve_all(struct str text, bool passive, struct endpoint *addresses, unsigned max,
                         unsigned *count, struct failure *failure);

/* "127.0.0.1:8080", "[::1]:8080"; without the port: "127.0.0.1", "::1". */
void endpoint_text(const struct endpoint *address, bool with_port, char *out, size_t size);

uint16_t endpoint_port(const struct endpoint *address);
void endpoint_set_port(struct endpoint *address, uint16_t port);

/* Whether somebody else listens at TEXT already: 0, or ERR_EXISTS. Asked before
 * sockets that share a port are made, because sharing would join in silently. */
int socket_listen_check(const struct endpoint *address, const char *text, struct failure *failure);

/* A listening socket at ADDRESS (port 0: any free one; *ADDRESS then has it). SHARED:
 * several sockets of this process have the same port and the kernel spreads what
 * comes (SO_REUSEPORT). TEXT is what the person wrote, for the message. */
int socket_listen(struct endpoint *address, const char *text, bool shared, int *fd,
                  struct failure *failure);

/* A socket that is connecting to ADDRESS: writable when it is, or has failed; then
 * ask socket_error. */
int socket_connect(const struct endpoint *address, int *fd, struct failure *failure);
int socket_error(int fd);

/* Between servers: keepalive after 1 s, and TCP_USER_TIMEOUT (RFC 5482): what was sent and is not
 * acknowledged for MS closes the connection. */
void socket_set_patience(int fd, unsigned ms);

/* What polls for input is told when BYTES have come that were not read, or the end. 1: as usual. */
void socket_set_low_water(int fd, size_t bytes);

/* close() will drop what was not sent, and reset the connection. */
void socket_reset_on_close(int fd);

/* Raises RLIMIT_NOFILE to the hard limit; returns how many descriptors there may be. */
unsigned socket_limit_raise(void);

#endif
