/* Bank: the off-site payment provider. The shop's side of it, as a seam.
 *
 * A purchase pays under a key (checkout_payment_key: one attempt to pay one checkout). Whatever is
 * asked may be asked again by whoever takes over, with the same arguments: the bank does a thing
 * once and gives the first answer again. All arguments but the token are in the log, so that any
 * server can repeat a call; the token is in the home's memory alone, so only `authorise` has it.
 *
 *   authorise   home, once the goods are held       reserve the money with this card
 *   settle      primary, after it claimed an        what became of the key? Whatever is not
 *               overdue attempt in the log          authorised by now never will be
 *   capture     primary, from the outbox            take (part of) what was authorised
 *   cancel      primary, from the outbox            let go what was authorised
 *   refund      primary, from the outbox            give back (part of) what was taken
 *
 * The claim comes before `settle`, since ending an authorisation is possible: were the home still
 * alive, it could make an order of a payment which `settle` is about to end (shop/command.h,
 * CHECKOUT_CLAIM).
 *
 * Asynchronous: DONE comes exactly once, on any thread, maybe before the call returns.
 */
#ifndef STOA_OUTSIDE_BANK_H
#define STOA_OUTSIDE_BANK_H

#include "base/id.h"
#include "base/str.h"
#include "replica/fence.h"

#include <stdint.h>

enum bank_outcome {
    BANK_AUTHORISED,  /* authorise, settle: the money is reserved (or taken, when the account
                         captures at once); `reference` names it */
    BANK_REFUSED,     /* authorise: final, `text` says why, for the shopper. settle: nothing is
                         reserved, and nothing will be under this key */
    BANK_DONE,        /* capture, cancel, refund: done, now or earlier */
    BANK_IMPOSSIBLE,  /* capture, cancel, refund: final, it cannot be done (what was authorised
                         has lapsed, is captured already, …); `text` says why, for the operator */
    BANK_DEPOSED,     /* capture, cancel, refund: the bank has seen a newer primary; nothing was
                         done, nor will be for this one */
    BANK_UNREACHABLE, /* not known; ask again with the same arguments. `text` says why */
};

struct bank_call {
    struct id key;        /* of the attempt: checkout_payment_key */
    struct id order;      /* the checkout's id, which becomes the order's */
    struct id effect;     /* capture, cancel, refund: of the outbox row; the same at each repeat */
    struct str reference; /* capture, cancel, refund: as `authorise` gave it */
    struct str token;     /* authorise: the credential; never stored, never logged */
    int64_t amount;       /* minor units; capture and refund: how much of it */
    struct str currency;  /* ISO 4217 */
    int64_t since_ms;     /* log time when it began, within hours; 0: just now.
                             Banks forget keys after a day */
    const struct fence *fence; /* of the primary that asks; NULL: a home */
    /* The answer; lent for the call of DONE. */
    enum bank_outcome outcome;
    struct str answer_reference, text;
    void (*done)(struct bank_call *call);
};

enum { BANK_OUTCOMES = BANK_UNREACHABLE + 1, BANK_CALLS = 5 };

/* In the order of struct bank's calls: authorise, settle, capture, cancel, refund. */
struct bank_report {
    uint64_t open;              /* calls on their way now */
    uint64_t requests, retries; /* sent since the start; of these, the same once more */
    struct {
        uint64_t outcomes[BANK_OUTCOMES]; /* how they ended */
        uint64_t ns;                      /* how long they took, in all */
    } calls[BANK_CALLS];
};

struct bank {
    const char *name;
    void *context;
    void (*authorise)(struct bank *bank, struct bank_call *call);
    void (*settle)(struct bank *bank, struct bank_call *call);
    void (*capture)(struct bank *bank, struct bank_call *call);
    void (*cancel)(struct bank *bank, struct bank_call *call);
    void (*refund)(struct bank *bank, struct bank_call *call);
    void (*free)(struct bank *bank); /* answers what waits before */
    /* The server stops: whatever is not answered MS from now ends as BANK_UNREACHABLE then, and
     * what is asked later at once. Any thread. NULL: its answers never take long. */
    void (*hurry)(struct bank *bank, uint32_t ms);
    void (*report)(struct bank *bank,
                   struct bank_report *report); /* any thread. NULL: no figures */
};

/* The sandbox within the process: `success_token` pays, `fail_token` is refused, any other token
 * is refused as unknown. Keeps its answers by key, in memory, for an hour at most; of an older
 * payment it believes what it is told. For one server, for tests and for trying out: several
 * servers share one `stoa bank`. */
int bank_sandbox_new(struct bank **bank);
#define BANK_SANDBOX_REFERENCE "sbx_"      /* what its references begin with; no other bank's do */
void bank_sandbox_free(struct bank *bank); /* answers what waits before */

/* How the sandbox misbehaves, for tests and for trying out; all 0 at first. */
struct bank_sandbox_faults {
    unsigned latency_ms;   /* 0: the answer comes inside the call, else from a thread */
    unsigned down_percent; /* of the calls: BANK_UNREACHABLE, and nothing was done */
    unsigned lost_percent; /* of the calls: done, but the answer is lost: BANK_UNREACHABLE */
};
void bank_sandbox_set(struct bank *bank, const struct bank_sandbox_faults *faults);

#endif
