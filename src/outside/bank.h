/* Bank: the off-site payment provider. The shop's side of it, as a seam.
 *
 * Every call carries a key (checkout_payment_key: one attempt to pay one checkout): the
 * bank does a thing once per key and gives the first answer again, so that each call may
 * be repeated by whoever takes over. Calls are asynchronous: DONE comes exactly once, on
 * any thread, maybe before the call returns.
 */
#ifndef STOA_OUTSIDE_BANK_H
#define STOA_OUTSIDE_BANK_H

#include "base/id.h"
#include "base/str.h"

#include <stdint.h>

enum bank_outcome {
    BANK_AUTHORISED,
    BANK_REFUSED,     /* final: text says why, for the shopper */
    BANK_UNKNOWN_KEY, /* lookup: nothing was asked under this key, and from now on the bank
                         refuses it: an authorisation still on its way comes too late, so
                         that the goods may be released */
    BANK_UNREACHABLE, /* not known; ask again under the same key */
};

struct bank_call {
    struct id key;
    struct str token; /* the credential; never stored, never logged. Empty for lookup */
    int64_t amount;   /* minor units */
    struct str currency;
    /* The answer; lent for the call of DONE. */
    enum bank_outcome outcome;
    struct str reference, text;
    void (*done)(struct bank_call *call);
};

struct bank {
    const char *name;
    void *context;
    void (*authorise)(struct bank *bank, struct bank_call *call);
    /* What became of KEY? For settling a checkout whose server died. */
    void (*lookup)(struct bank *bank, struct bank_call *call);
};

/* The sandbox: `success_token` pays, `fail_token` is refused, any other token is
 * refused as unknown. Keeps its answers by key, in memory, for an hour at most. */
int bank_sandbox_new(struct bank **bank);
void bank_sandbox_free(struct bank *bank); /* answers what waits before */

/* How the sandbox misbehaves, for tests and for trying out; all 0 at first. */
struct bank_sandbox_faults {
    unsigned latency_ms;   /* 0: the answer comes inside the call, else from a thread */
    unsigned down_percent; /* of the calls: BANK_UNREACHABLE, and nothing was done */
    unsigned lost_percent; /* of the calls: done, but the answer is lost: BANK_UNREACHABLE */
};
void bank_sandbox_set(struct bank *bank, const struct bank_sandbox_faults *faults);

#endif
