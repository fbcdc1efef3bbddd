/* Place: what the policies (policy.h) share: who may be picked, how much each counts for, and how a
 * policy's memory of its servers moves along when their places change. Pure.
 *
 * Slow start. `share` reaches the policies in three ways, after what each decides by:
 *   by turns or by chance   weight × share in place of the weight     (place_weight)
 *   by load or time         a warming server is looked at only for share × its fair part of the
 *                           requests (places_warm): being idle and fresh it would win each time,
 *                           and be flooded; and being looked at without a handicap it does win
 *                           that part, so that it is not starved
 *   by a key                it gets share of its keys: the same ones everywhere
 */
#ifndef STOA_BALANCE_POLICY_PLACE_H
#define STOA_BALANCE_POLICY_PLACE_H

#include "balance/policy.h"

enum { PLACE_SHARE_FULL = 1000, PLACE_ROW_MAX = 64, PLACE_CHANCE_NS = 1000000 };

/* The usable servers with a weight, as bits by place, without those that were TRIED unless there
 * are no others. 0: nobody. */
uint64_t places_candidates(const struct policy_view *view, uint64_t tried);

/* Those of PLACES that are looked at this time; never none of some. */
uint64_t places_warm(const struct policy_view *view, uint64_t places, struct random *random);

/* One of PLACES (not 0) by chance, in proportion to place_weight. */
unsigned places_draw(const struct policy_view *view, uint64_t places, struct random *random);

/* Its weight as it counts now, times 1000; at least 1. */
static inline uint64_t place_weight(const struct policy_server *server)
{
    uint32_t share = server->share < PLACE_SHARE_FULL ? server->share : PLACE_SHARE_FULL;
    uint64_t weight = (uint64_t)server->weight * share;
    return weight ? weight : 1;
}

/* Which of two has less to do: the one with fewer requests in flight, by weight. For homes, among
 * equals, the one where fewer shoppers live. Below 0: A; 0: they are equal. */
int place_compare(const struct policy_view *view, unsigned a, unsigned b);

/* For homes: how much SERVER, whose answers take TIME_NS and which has IN_FLIGHT requests, would be
 * asked by one more shopper. In a quiet moment it is the time by the shoppers who live there, so
 * that equal servers get as many each, and one at half speed half as many; in a busy one what is
 * in flight counts at once. A millisecond is added to the time: what is quicker than that is
 * chance, the more so while a cache is cold. */
double place_home_load(const struct policy_server *server, double time_ns, uint32_t in_flight);

/* Where the server ID is; -1: nowhere. */
static inline int place_find(const struct policy_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].id == id)
            return (int)i;
    return -1;
}

static inline bool places_have(uint64_t places, int place)
{
    return places >> place & 1;
}

/* Takes the lowest place out of *PLACES (not 0). */
static inline unsigned places_next(uint64_t *places)
{
    unsigned at = (unsigned)__builtin_ctzll(*places);
    *places &= *places - 1;
    return at;
}

/* Who sat where when the memory was last in order. */
struct place_ids {
    unsigned count;
    uint64_t ids[POLICY_SERVERS_MAX];
};

/* ROWS, one of ROW_SIZE (at most PLACE_ROW_MAX) bytes for each place: each server's row goes where
 * the server is now; a newcomer's is zeroed. */
void places_follow(struct place_ids *ids, const struct policy_view *view, void *rows,
                   size_t row_size);

#endif
