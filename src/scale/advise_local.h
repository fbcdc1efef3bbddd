/* Local search, for inputs that are too big to be searched wholly, and for what comes nearest where
 * nothing keeps the limits. Called by advise_search.c, whose header names the papers. Pure.
 * Thread: any.
 */
#ifndef STOA_SCALE_ADVISE_LOCAL_H
#define STOA_SCALE_ADVISE_LOCAL_H

#include "scale/advise.h"

enum { LOCAL_JUDGED_MAX = 20000 };

/* True: PLAN keeps all limits; else it is the nearest to that which was found. JUDGED counts on. */
bool advise_local(const struct advise_input *input, struct advise_plan *plan, uint64_t *judged);

/* No number of servers keeps the limits, as a region is too far from all of them even when they
 * are idle. */
bool advise_hopeless(const struct advise_input *input);

#endif
