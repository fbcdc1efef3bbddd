/* Await: those who wait until this server's copy has applied an entry.
 *
 * A reader with a session token of another server, and whoever has got an answer from the primary
 * and goes on with what it reads here, must not see a copy that is older. They wait by index, in a
 * heap that is made of their own objects (a pairing heap: Fredman, Sedgewick, Sleator and Tarjan,
 * 1986), so that nothing is allocated and no bound is needed here: each waiter is a request, and
 * those are bounded where they come in. The applier wakes all that a commit has reached; with
 * nobody waiting that costs it one load.
 *
 * Thread: each function says which.
 */
#ifndef STOA_REPLICA_AWAIT_H
#define STOA_REPLICA_AWAIT_H

#include "replica/order.h"

#include <pthread.h>
#include <stdatomic.h>

struct awaits {
    pthread_mutex_t mutex;
    struct awaiting *lowest;      /* the heap's root: the lowest index */
    atomic_uint_fast32_t count;   /* in it, or about to be */
    atomic_uint_fast64_t soonest; /* no deadline is before it */
    atomic_uint_fast64_t applied;
    bool closed;
};

void awaits_init(struct awaits *awaits);
/* Nobody waits any more. */
void awaits_destroy(struct awaits *awaits);

/* Any thread; see order_await. */
bool awaits_add(struct awaits *awaits, struct awaiting *awaiting);
/* The applier: the copy has applied all up to INDEX. */
void awaits_applied(struct awaits *awaits, uint64_t index);
/* The Raft thread, every few milliseconds: ends who is past its deadline. */
void awaits_expire(struct awaits *awaits, uint64_t now_ns);
/* Any thread: ends all of them with ERR_CLOSED, and who comes later. */
void awaits_close(struct awaits *awaits);

#endif
