/* Stripe steps: what is asked of a bank that speaks Stripe's PaymentIntents, one request after the
 * other, and what its answers mean. Pure: bank_stripe.c sends; this decides.
 *
 *   wish       step       answer (stripe_take)                                   next
 *   ---------  ---------  -----------------------------------------------------  ---------------
 *   AUTHORISE  CREATE     it exists                                              CONFIRM
 *                         refused: no payment can be under this key              REFUSED
 *                         a kept 500                                             CREATE, next key
 *              CONFIRM    requires_capture, succeeded                            AUTHORISED
 *                         402, or the card's token is not one                    REFUSED
 *                         another card was sent under the key, or the payment    READ
 *                         is in a state that does not allow it
 *                         a stuck 5xx                                            READ
 *              READ       requires_capture, succeeded                            AUTHORISED
 *                         canceled, or the last try was declined                 REFUSED
 *                         after a stuck 5xx: untouched                           CONFIRM, next key
 *                         else                                                   UNREACHABLE
 *   SETTLE     FIND       (only when keys may have been forgotten) in the list   READ, each
 *                         not in the list                                        CREATE
 *              CREATE     it exists, now or before                               READ
 *                         refused, as whoever began it was                       REFUSED
 *                         a kept 500                                             CREATE, next key
 *                         other parameters under the key, or a 500 under all     FIND
 *              READ       requires_capture, succeeded                            AUTHORISED
 *                         canceled: the next that was found; none is left        REFUSED
 *                         processing                                             UNREACHABLE
 *                         else                                                   CANCEL
 *              CANCEL     canceled: the next that was found; none is left        REFUSED
 *                         not in this state, or a stuck 5xx                      READ, twice
 *   CAPTURE    CAPTURE    succeeded                                              DONE
 *                         refused, or a stuck 5xx                                READ
 *              READ       succeeded                                              DONE
 *                         after a stuck 5xx: requires_capture                    CAPTURE, next key
 *                         else                                                   IMPOSSIBLE
 *   CANCEL     CANCEL     canceled                                               DONE
 *                         refused, or a stuck 5xx                                READ
 *              READ       canceled                                               DONE
 *                         after a stuck 5xx: not succeeded                       CANCEL, no key
 *                         else                                                   IMPOSSIBLE
 *   REFUND     FIND       (only when keys may have been forgotten) in the list   DONE
 *                         not in the list                                        REFUND
 *                         not in the list, and its key gave a kept 500           REFUND, next key
 *              REFUND     made                                                   DONE
 *                         a stuck 5xx                                            FIND
 *                         refused, or it has failed                              IMPOSSIBLE
 *
 * In each step: 409, 424, 429 and 5xx say nothing about what was done, and the same is asked again
 * (unless Stripe-Should-Retry forbids it); so does a request without an answer. A 4xx that was
 * given before execution says nothing about an earlier request whose answer was lost, which is why
 * READ decides wherever there may have been one. https://docs.stripe.com/error-low-level
 *
 * A 500 that came of executing a request is kept under its key, so that to ask again under it gives
 * the same for a day. A *kept* 5xx is one that says so itself (Idempotent-Replayed); a *stuck* one
 * is kept, or the second in a row, or Stripe-Should-Retry forbids to ask again. Reading tells what
 * became of it; if nothing did, it is done under the next key of the same kind: K:confirm,
 * K:confirm:2, … STRIPE_KEYS_MAX. For one payment any number of keys is safe, since its state takes
 * one confirmation and one capture.
 *
 * A second *payment* is safe for this reason: one without a card costs nothing and reserves
 * nothing, and of an attempt's payments one alone ever gets the card: that of the first key of
 * K:create, K:create:2, … whose kept answer has a payment. Everybody finds the same one, home and
 * primary alike, as the next key is tried only once the one before is known to say 500 for good;
 * a 5xx that may not be kept never leads on, as the key could make a payment later. What a 500
 * left behind has no card and gets none. When the keys are forgotten, or all say 500, SETTLE reads
 * the list to its end, and looks at and cancels ALL payments of the attempt.
 *
 * A refund that is asked for twice would be given twice, so the next key is tried only when the
 * one before is known to be kept, and after the list of refunds was read to its end.
 *
 * Thread: any, one at a time.
 */
#ifndef STOA_OUTSIDE_STRIPE_STEPS_H
#define STOA_OUTSIDE_STRIPE_STEPS_H

#include "base/str.h"
#include "outside/bank.h"

#include <stdbool.h>
#include <stdint.h>

enum stripe_wish {
    STRIPE_AUTHORISE,
    STRIPE_SETTLE,
    STRIPE_CAPTURE,
    STRIPE_CANCEL,
    STRIPE_REFUND,
};

enum stripe_step {
    STRIPE_DO_CREATE,
    STRIPE_DO_CONFIRM,
    STRIPE_DO_READ,
    STRIPE_DO_CANCEL,
    STRIPE_DO_CAPTURE,
    STRIPE_DO_REFUND,
    STRIPE_DO_FIND, /* a page of the list of payments, or of a payment's refunds */
};

enum stripe_turn {
    STRIPE_NEXT,  /* the step that is set now */
    STRIPE_AGAIN, /* the same request once more, after a pause */
    STRIPE_OVER,  /* the outcome is set */
};

enum {
    STRIPE_ID_SIZE = 72,
    STRIPE_TEXT_SIZE = 320,
    STRIPE_PAGES_MAX = 1000, /* of 100 payments */
    STRIPE_READS_MAX = 3,
    STRIPE_KEYS_MAX = 8,   /* K:create, K:create:2, … */
    STRIPE_FOUND_MAX = 12, /* payments of one attempt in the list */
};

/* One answer. Lent texts. */
struct stripe_answer {
    int status;
    int should_retry; /* Stripe-Should-Retry: 1 true, 0 false, -1 not said */
    bool replayed;    /* Idempotent-Replayed: what the key has kept */
    struct str body;
    struct str request_id; /* for the texts to the operator */
};

struct stripe_steps {
    enum stripe_wish wish;
    enum stripe_step step;
    char payment[STRIPE_ID_SIZE]; /* "pi_…"; empty: not known yet */
    char after[STRIPE_ID_SIZE];   /* FIND: the last one of the page before; empty: the first page */
    /* FIND: what the metadata has: `attempt`, or `effect` of a refund; hexadecimal */
    char mark[40];
    unsigned pages, reads;
    unsigned key;      /* of the step's keys: 0 the first, 1 that with ":2", … */
    unsigned failures; /* 5xx in a row to this step */
    bool stuck;        /* READ, FIND: to learn what became of a stuck 5xx */
    bool kept;         /* FIND: that 5xx is what its key says for good */
    bool exists;       /* FIND: it must be in the list */
    bool keyless;      /* CANCEL: without a key, as its first answer is out of date */
    /* SETTLE: of this attempt, still to be looked at; the oldest last. */
    char found[STRIPE_FOUND_MAX][STRIPE_ID_SIZE];
    unsigned found_count;
    bool listed;                 /* what is looked at was found in the list */
    char said[STRIPE_TEXT_SIZE]; /* why a request was refused, until READ decides */

    enum bank_outcome outcome;
    char reference[STRIPE_ID_SIZE], text[STRIPE_TEXT_SIZE];
};

/* The first step. REFERENCE: as authorise gave it, for CAPTURE, CANCEL and REFUND. AGED: the bank
 * may have forgotten the keys. */
void stripe_begin(struct stripe_steps *steps, enum stripe_wish wish, struct str reference,
                  struct id mark, bool aged);
enum stripe_turn stripe_take(struct stripe_steps *steps, const struct stripe_answer *answer);
/* No more tries: UNREACHABLE, WHY. */
void stripe_give_up(struct stripe_steps *steps, const char *why);

#endif
