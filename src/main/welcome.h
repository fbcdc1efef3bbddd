/* Welcome: a member's side of a join (main/join.h), and the tokens that it needs.
 *
 * Thread: any that may block for half a minute (the door's, a helper's).
 */
#ifndef STOA_MAIN_WELCOME_H
#define STOA_MAIN_WELCOME_H

#include "base/log.h"
#include "main/cluster.h"
#include "net/channel.h"
#include "replica/replica.h"

struct welcome {
    const struct cluster *cluster;
    const struct datadir *dir;
    struct replica *replica;
    const struct log *log;
};

/* Appends a token for one new server, or WITNESS, that holds for LIFETIME_S seconds. On any server.
 */
int welcome_token(const struct welcome *welcome, uint64_t lifetime_s, bool witness,
                  struct buf *text, struct failure *failure);

/* One newcomer's whole visit. The caller closes the channel. */
void welcome_newcomer(const struct welcome *welcome, struct channel *channel);

#endif
