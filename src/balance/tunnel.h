/* Tunnel: a connection that speaks another protocol from now on (WebSocket and the like): the
 * server has answered 101 to a client that asked for it (RFC 9110 §7.8). Bytes go through as they
 * are, both ways, each way no faster than it is taken; each side may close its half first.
 *
 * What comes from the server goes through the same window as an answer (forward_answer.c).
 * Called by forward_answer.c. Thread: the lane's.
 */
#ifndef STOA_BALANCE_TUNNEL_H
#define STOA_BALANCE_TUNNEL_H

#include "http/exchange.h"

struct forward;

/* The server has switched: the client's side follows, its bytes from SOURCE. */
void tunnel_begin(struct forward *f, const struct body_source *source);
/* It is over, however. */
void tunnel_end(struct forward *f);

#endif
