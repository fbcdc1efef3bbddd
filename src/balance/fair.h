/* Fair: a bounded queue that is fair between clients.
 *
 * Each client has a queue of its own, and they take turns (deficit round robin, Shreedhar and
 * Varghese, 1995): who waits for one thing gets it when each of the others has had one turn,
 * however many things they wait for. An item costs 1, or more where the work is known to be more;
 * a client's turn is worth 1, and what it has not used it keeps while it waits.
 *
 * Bounded in total and for each client. A client may always have its own bound waiting, and more
 * for as long as that is no more than is left free (dynamic thresholds, Choudhury and Hahne, 1998):
 * one client alone gets half of the queue. When the queue is full, the newest item of the client
 * with the longest queue is shed, rather than a newcomer of a modest client.
 *
 * Some of its room can be reserved for those who wait elsewhere, so that one bound holds for all.
 *
 * Everybody waits equally long at most, so those whose time is over are the oldest.
 *
 * All steps take constant time (fair_next: on average), and memory is taken only at the beginning;
 * items live inside their owners. Pure. Not thread-safe.
 */
#ifndef STOA_BALANCE_FAIR_H
#define STOA_BALANCE_FAIR_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAIR_COST_MAX = 16, FAIR_TOTAL_MAX = 1 << 20 };

struct fair_client;

/* Zeroed before its first use. */
struct fair_item {
    struct fair_client *client; /* NULL: it does not wait */
    struct list turn, age;
    uint64_t since_ns;
    uint32_t cost;
};

struct fair_limits {
    uint32_t total;      /* items that wait, at most; 1 … FAIR_TOTAL_MAX */
    uint32_t per_client; /* that a client may have waiting in any case; above total: as total */
    uint64_t wait_ns;    /* the longest wait */
};

struct fair;

/* NULL without memory. SEED keeps outsiders from choosing keys that meet in the table. */
struct fair *fair_new(const struct fair_limits *limits, uint64_t seed);
/* Items that still wait are forgotten. NULL is fine. */
void fair_free(struct fair *fair);

/* ITEM of the client KEY waits from now on. Returns who has to go for that: NULL: nobody; ITEM: it
 * was not taken; or another one, which does not wait any more. COST: 1 … FAIR_COST_MAX, clipped.
 * NOW_NS never goes back. */
struct fair_item *fair_add(struct fair *fair, struct fair_item *item, uint64_t key, uint32_t cost,
                           uint64_t now_ns);
/* Whose turn it is; it does not wait any more. NULL: nobody waits. */
struct fair_item *fair_next(struct fair *fair);
/* One whose time is over; it does not wait any more. NULL: there is none. */
struct fair_item *fair_expired(struct fair *fair, uint64_t now_ns);
/* When the next one's time is over; UINT64_MAX: nobody waits. */
uint64_t fair_due(const struct fair *fair);
/* Harmless for one that does not wait. */
void fair_remove(struct fair *fair, struct fair_item *item);

/* Room for one that waits elsewhere. False: there is none. */
bool fair_reserve(struct fair *fair);
void fair_release(struct fair *fair);

unsigned fair_count(const struct fair *fair);

#endif
