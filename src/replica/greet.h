/* Greet: the connecting side's first words on a channel to another server (replica/hello.h): for a
 * link (door_dial.c), a copy, a join. The accepting side is door_guest.c.
 */
#ifndef STOA_REPLICA_GREET_H
#define STOA_REPLICA_GREET_H

#include "net/channel.h"
#include "replica/hello.h"

/* Sends HELLO and checks the ANSWER: same cluster, same generation (but for a join), and the server
 * that it says it is by its certificate. 0, and then the purpose's own frames may follow;
 *   ERR_DENIED: it refuses us, for the reason *REFUSAL, or (0) does not believe our certificate
 *   ERR_CONFLICT: it is not whom it should be
 *   ERR_UNSUPPORTED, ERR_INVALID: it speaks otherwise; ERR_TIMEOUT, ERR_CLOSED, ERR_IO
 * All with the reason in FAILURE. The caller closes the channel. */
int greet(struct channel *channel, const struct hello *hello, struct hello *answer,
          enum refusal *refusal, uint64_t deadline_ns, struct failure *failure);

#endif
