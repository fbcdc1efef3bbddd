/* The PROXY protocol's header, with which a proxy tells at the beginning of a connection whose
 * it is: version 2, and version 1 (text), after "The PROXY protocol", versions 1 & 2, by
 * haproxy.org. Pure.
 *
 * Read by an engine's door that expects it (engine/event_proxy.c), written by the load manager
 * on connections to its servers.
 */
#ifndef STOA_NET_PROXY_HEADER_H
#define STOA_NET_PROXY_HEADER_H

#include "net/socket.h"

enum {
    PROXY_HEADER_MAX = 4096, /* longer ones are refused: there is no use for so much of it */
    PROXY_HEADER_WRITTEN = 52,
};

struct proxy_header {
    size_t len;                   /* bytes of it, with what follows the addresses */
    bool local;                   /* it names nobody: the connection is its sender's own */
    struct endpoint client, here; /* else: from where to where the client had connected */
};

/* 0: it stands at the beginning of BYTES. ERR_SHORT: it may, but more of it is needed;
 * ERR_INVALID: it does not, and the reason in *WHY. */
int proxy_header_parse(struct str bytes, struct proxy_header *header, const char **why);

/* Version 2, into OUT; returns its length. CLIENT NULL, or an address that is not of IP: LOCAL,
 * the connection is our own (a check). */
size_t proxy_header_write(const struct endpoint *client, const struct endpoint *here,
                          unsigned char out[static PROXY_HEADER_WRITTEN]);

#endif
