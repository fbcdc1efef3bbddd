/* Drop judge: what an answer means to a buyer in a drop (drop.h), who makes a checkout (step 0) and
 * completes it (step 1). Pure.
 */
#ifndef STOA_BENCH_DROP_JUDGE_H
#define STOA_BENCH_DROP_JUDGE_H

#include "base/str.h"

enum drop_verdict {
    DROP_GO_ON,     /* the checkout is there: on to the next step */
    DROP_SOLD,      /* the order is placed */
    DROP_SOLD_OUT,  /* the shop says so */
    DROP_UNDECIDED, /* nothing is known yet, or the shop has too much to do: the same once more */
    DROP_OVER,      /* this attempt to pay has ended without an order: another one, anew */
    DROP_STRANGE,   /* nothing that a buyer should be told */
};

/* STATUS and BODY of the answer to STEP. */
enum drop_verdict drop_judge(unsigned step, int status, struct str body);

#endif
