/* Model: what happens to requests when servers stand where a plan says, and whether that keeps the
 * limits. What is assumed:
 *
 * - a load manager spreads a site's requests evenly over its servers, each of which is a queue with
 *   its processors (queueing.h); that it sees who is busy is left as a reserve;
 * - each request's processor time is exponential about its kind's mean; a change's also takes
 *   write_s of every server, where one thread writes;
 * - a region goes to the nearest site by the median time there and back and the work there; the
 *   region that would lose most by its second nearest chooses first; what finds no room goes on to
 *   the next nearest. A site's room is what its servers take at the highest utilisation;
 * - a change takes the way to the site, work there, the way to the primary, the log on the
 * primary's disk and on those of the nearest half of the others, and the writer's queue; where
 * several parts vary, their 99th percentiles are added, which is more than that of the sum;
 * - after the primary's site has gone, the best of those that are left is primary (`stoa prefer`).
 *
 * Called by advise.c and advise_search.c. Pure. Thread: any.
 */
#ifndef STOA_SCALE_ADVISE_MODEL_H
#define STOA_SCALE_ADVISE_MODEL_H

#include "scale/advise.h"
#include "scale/queueing.h"

/* What is left of a plan in a case. */
struct advise_left {
    unsigned servers[ADVISE_SITES_MAX];
    bool witness[ADVISE_SITES_MAX];
    unsigned votes; /* of all, those that are gone too */
};

/* A case, before anybody is primary. */
struct advise_load {
    struct advise_left left;
    double share[ADVISE_REGIONS_MAX][ADVISE_SITES_MAX];
    struct queueing queue[ADVISE_SITES_MAX];  /* of one of its servers */
    struct queueing writer[ADVISE_SITES_MAX]; /* of the log's writer */
    double write_rate;                        /* of all regions */
    double processors_s[ADVISE_SITES_MAX];    /* work that comes in, by second */
};

/* Calls VISIT for each case that PLAN has to bear, the whole first; ends early when it says false.
 */
void advise_each_case(const struct advise_input *input, const unsigned *servers,
                      bool (*visit)(void *context, struct advise_case when), void *context);

void advise_load(const struct advise_input *input, const unsigned *servers, struct advise_case when,
                 struct advise_load *load);

/* A primary at SITE, and how long a change that has come to it takes until it is done there: logged
 * by a majority (NAN: there is none), and written. */
struct advise_primary {
    unsigned site;
    struct advise_time commit, done;
};
struct advise_primary advise_primary_at(const struct advise_input *input,
                                        const struct advise_load *load, unsigned site);

enum { ADVISE_ALL_KINDS = (1 << ADVISE_KINDS) - 1 };

/* Of the answers to REGION that are of KINDS (bits by enum advise_kind), the share that takes
 * longer than LIMIT_S, ways and disks being as at their 99th percentile (P99) or their median. */
double advise_late(const struct advise_input *input, const struct advise_load *load,
                   const struct advise_primary *primary, unsigned region, unsigned kinds, bool p99,
                   double limit_s);

/* The mean latency of all requests, ways and disks being as at their median. */
double advise_mean_s(const struct advise_input *input, const struct advise_load *load,
                     const struct advise_primary *primary);

/* How far SERVERS are from keeping all limits, and with which primary they come nearest. */
struct advise_verdict {
    double penalty; /* 0: all are kept; the smaller, the nearer */
    unsigned primary;
    double mean_s; /* as long as nothing is gone; where the penalty is 0 */
};

/* With HURRY it is enough to know that the penalty is not 0. WANTED: the primary's site, or
 * ADVISE_SITES_MAX for the best one. */
struct advise_verdict advise_judge(const struct advise_input *input, const unsigned *servers,
                                   unsigned wanted, bool hurry);

/* What would be passed by most; PLAN's primary is kept. */
struct advise_broken advise_worst(const struct advise_input *input, const struct advise_plan *plan);

/* Everything about PLAN in one case. */
void advise_look(const struct advise_input *input, const struct advise_plan *plan,
                 struct advise_case when, struct advise_state *state);

#endif
