/* Share: which class of requests is next, and which may still come in. Pure.
 *
 * Each class gets its share of the workers' time, by weight, as long as it asks for so much; what
 * one leaves is the others'. This is stride scheduling (Waldspurger and Weihl, MIT TM-528, 1995):
 * a class's pass grows by what its request costs over its weight, and the least pass is next. A
 * class that asked for nothing does not save up: when it comes again its pass is raised to that of
 * the last one who was served.
 *
 * What may wait is bounded: so many in all. Each class may always have its reserve; beyond that
 * they come first who come first, but the reserves of the others stay free.
 *
 * Costs are times of work in ns, as they were measured lately for each class (share_measured).
 * Thread: any, one at a time. It may stand in memory that several processes share.
 */
#ifndef STOA_TIER_SHARE_H
#define STOA_TIER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of their names in share_names. */
enum share_class { SHARE_OPERATOR, SHARE_BUYS, SHARE_CARTS, SHARE_PAGES, SHARE_CLASSES };
extern const char *const share_names[SHARE_CLASSES];

enum { SHARE_WEIGHT_MAX = 1000 };

struct share {
    uint32_t limit;                  /* most requests in all */
    uint32_t weight[SHARE_CLASSES];  /* 1 to SHARE_WEIGHT_MAX */
    uint32_t reserve[SHARE_CLASSES]; /* together at most `limit` */
    uint32_t held[SHARE_CLASSES];    /* from coming in to being over */
    uint32_t waiting[SHARE_CLASSES]; /* of these */
    uint64_t pass[SHARE_CLASSES], virtual_pass;
    uint64_t cost_ns[SHARE_CLASSES]; /* mean time of work; 0: not known yet */
};

/* Weights as given; each class's reserve is an eighth of LIMIT. */
void share_init(struct share *share, uint32_t limit, const uint32_t weight[static SHARE_CLASSES]);

/* Whether one more of CLASS may come in; if so it is counted. */
bool share_enter(struct share *share, enum share_class class);
/* It is over. */
void share_leave(struct share *share, enum share_class class);

/* One of CLASS waits; it does no more (it was not taken, but went away). */
void share_wait(struct share *share, enum share_class class);
void share_unwait(struct share *share, enum share_class class);

/* The class whose turn it is, of those that wait: it does no more, and is charged. SHARE_CLASSES:
 * none waits. */
enum share_class share_next(struct share *share);

/* What a request of CLASS costs, in ns, as far as it is known. */
uint64_t share_cost(const struct share *share, enum share_class class);
/* A request of CLASS took WORK_NS. */
void share_measured(struct share *share, enum share_class class, uint64_t work_ns);

#endif
