/* Stripe request: a step (stripe_steps.h) as the bytes of an HTTP request: path, form and key.
 * Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_STRIPE_REQUEST_H
#define STOA_OUTSIDE_STRIPE_REQUEST_H

#include "base/buf.h"
#include "outside/stripe_steps.h"

enum { STRIPE_KEY_SIZE = 48 };

struct stripe_request {
    struct str method;         /* a literal */
    struct buf url;            /* the base, then path and query */
    struct buf form;           /* may hold the card's token: to be wiped. Empty: none */
    char key[STRIPE_KEY_SIZE]; /* Idempotency-Key; empty: none */
};

/* Room for the longest URL, and for a form with TOKEN_LEN bytes of a token so that its memory does
 * not move, which would leave a copy behind. */
void stripe_request_init(struct stripe_request *request);
/* Wipes, keeps the memory. */
void stripe_request_clear(struct stripe_request *request);
void stripe_request_close(struct stripe_request *request);

/* The request of STEPS' present step for CALL. BASE: "https://api.stripe.com". SHOP: NULL: not in
 * the metadata. TEST: the shop's own test tokens become those of Stripe's test cards. ERR_INVALID:
 * the reference is no payment's; ERR_NOMEM. */
int stripe_request_make(struct stripe_request *request, const struct stripe_steps *steps,
                        const struct bank_call *call, struct str base, const struct id *shop,
                        bool test);

#endif
