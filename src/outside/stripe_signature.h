/* Stripe signature: whether an event really comes from the bank, by the header Stripe-Signature:
 *
 *   t=1795361400,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>[,v1=… while a secret is rolled]
 *
 * https://docs.stripe.com/webhooks/signature. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_STRIPE_SIGNATURE_H
#define STOA_OUTSIDE_STRIPE_SIGNATURE_H

#include "base/str.h"

#include <stdint.h>

enum { STRIPE_TOLERANCE_S = 300, STRIPE_EVENT_MAX = 256 * 1024 };

/* 0, or ERR_INVALID: HEADER is none; ERR_DENIED: no signature in it is SECRET's; ERR_TIMEOUT: it is
 * older than the tolerance, maybe sent again by somebody who has listened. */
int stripe_signature_check(struct str header, struct str body, struct str secret, int64_t now_s);

#endif
