/* Missing: what a server that is not ready waits for, in words for whoever runs the shop. Pure.
 *
 * Without a primary nothing can be changed. Why nobody becomes one is not always that too few are
 * there: with two servers neither may guess that the other is dead, and entries that nobody who is
 * up can give must not be forgotten.
 */
#ifndef STOA_REPLICA_MISSING_H
#define STOA_REPLICA_MISSING_H

#include "replica/replica.h"

/* A sentence or two of what STATUS, as its own server sees it, lacks. Fails with ERR_TIMEOUT. */
int missing_say(const struct cluster_status *status, struct failure *failure);

/* Whether SERVER is not up and need not be: it is cold. */
bool missing_sleeps(const struct server_status *server);

/* How many of UP of VOTERS may be lost until nothing can be changed any more. One that sleeps
 * counts as up: it is woken then. */
unsigned missing_to_spare(unsigned voters, unsigned up);

#endif
