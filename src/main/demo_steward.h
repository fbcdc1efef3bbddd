/* Demo steward: watches a demo's cluster on a thread of its own, says in plain lines what changes,
 * tells the shop of the demo's warehouse, and brings the cluster to the wanted number of servers,
 * one by one.
 *
 *   a primary is there: the shop is furnished (demo_services.h); then main is to start the
 * warehouse fewer than wanted: a token, a join into DIR/joining, which becomes DIR/server-ID; then
 * main is to start it more than wanted:  the last one is removed from the cluster; then main is to
 * drop it not a member (any more, because somebody had it leave): main is to drop it
 *
 * Processes are started and ended by main's thread alone, which is told by WAKE.
 */
#ifndef STOA_MAIN_DEMO_STEWARD_H
#define STOA_MAIN_DEMO_STEWARD_H

#include "main/demo_services.h"

#include <stdbool.h>
#include <stdint.h>

struct steward;

enum errand_kind { ERRAND_NONE, ERRAND_START, ERRAND_DROP, ERRAND_FURNISHED };
struct errand {
    enum errand_kind kind;
    uint64_t id;
    bool remove_data; /* DROP: we had it removed */
    bool alien;       /* FURNISHED: the warehouses are others, ours is not to be started */
};

/* Runs until the process ends. WAKE: an eventfd, written to when there is an errand. FURNISHING
 * and its DIR are lent. */
int steward_start(const struct furnishing *furnishing, unsigned wanted, int wake,
                  struct steward **steward, struct failure *failure);
/* A server answers: the steward looks at once. */
void steward_hurry(struct steward *steward);

/* The shop sells: from here on servers may be added and removed. */
void steward_shop_ready(struct steward *steward);
/* The next thing for main to do; ERRAND_NONE: nothing. The steward waits with its next one until
 * main says that this one is done. */
struct errand steward_take(struct steward *steward);
void steward_done(struct steward *steward);

#endif
