/* Search: the cheapest servers that keep all limits.
 *
 * With at most ADVISE_SITES_EXACT sites by best-first branch and bound over the numbers of servers
 * (Land and Doig 1960): the cheapest that is not judged yet is judged next, what it costs being
 * counted with the least that the missing capacity can cost; the first that keeps the limits is the
 * cheapest. With more sites, or when that has judged SEARCH_JUDGED_MAX plans, by local search:
 * servers are added where they help most for their cost (the greedy "add" of Kuehn and Hamburger
 * 1963), then taken away, moved and swapped as long as that is cheaper (Arya et al. 2004).
 *
 * Of plans that cost the same, the one with the least mean latency is taken, then the first by the
 * sites' order. Called by advise.c. Pure but for memory; without memory the local search alone is
 * made. Thread: any.
 */
#ifndef STOA_SCALE_ADVISE_SEARCH_H
#define STOA_SCALE_ADVISE_SEARCH_H

#include "scale/advise.h"

enum { SEARCH_JUDGED_MAX = 100000 };

struct advise_search {
    bool found; /* PLAN keeps all limits; else it is the nearest to that */
    bool exact;
    uint64_t judged;
    double bound; /* not exact: nothing that keeps the limits costs less */
    struct advise_plan plan;
};

/* Judges JUDGED_MAX plans at most before it goes on locally. */
void advise_search(const struct advise_input *input, uint64_t judged_max,
                   struct advise_search *search);

/* The best servers for at most BUDGET, beginning with those of START: greedy and local, as above.
 * False: no server is as cheap. */
bool advise_search_within(const struct advise_input *input, double budget,
                          const struct advise_plan *start, struct advise_plan *plan,
                          uint64_t *judged);

#endif
