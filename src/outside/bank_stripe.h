/* Bank by Stripe's PaymentIntents API (https://docs.stripe.com/api/payment_intents), or by whatever
 * speaks it, like `stoa bank`. What is asked and what answers mean: stripe_steps.h.
 *
 *   what                  request                            Idempotency-Key
 *   authorise             POST /v1/payment_intents           <attempt's key>:create, without card
 *                         POST …/{id}/confirm                <attempt's key>:confirm
 *   settle                the first of these, GET …/{id},
 *                         POST …/{id}/cancel                 <attempt's key>:cancel
 *   capture, cancel       POST …/{id}/capture, …/cancel      <effect>:capture, :cancel
 *   refund                POST /v1/refunds                   <effect>:refund
 *
 * Two requests for an authorisation, because the first holds nothing but what is in the log: any
 * server can send the same bytes again and so find the payment, or end it before it has begun. The
 * metadata has `checkout`, `attempt` and `shop`; a refund's `effect`. Keys live for 24 hours: what
 * may be older is looked for in the lists before it is asked for again.
 *
 * A 500 that a key has kept is asked for again under <…>:2, :3, … (stripe_steps.h).
 *
 * A request that was not answered is sent again under its key, as Stripe's own clients do, with
 * growing pauses; after PATIENCE in all the call ends as BANK_UNREACHABLE. Each call of capture,
 * cancel and refund bears its fence in the header Stoa-Fence, which Stripe passes over.
 *
 * Threads: one for the transfers, on which answers come; one for the pauses. Calls at once are
 * bounded by the transfers' queue; beyond, they are answered BANK_UNREACHABLE.
 */
#ifndef STOA_OUTSIDE_BANK_STRIPE_H
#define STOA_OUTSIDE_BANK_STRIPE_H

#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "outside/bank.h"

#include <stdint.h>

enum {
    BANK_STRIPE_PATIENCE_MS = 10 * 1000,
    BANK_STRIPE_TRY_MS = 4 * 1000, /* one request */
    BANK_STRIPE_SECRET_MAX = 255,
};

struct bank_stripe_config {
    const char *url;       /* "https://api.stripe.com"; http:// to loopback addresses alone */
    struct str secret;     /* "sk_live_…"; with "sk_test_…" the sandbox's tokens are those of
                              Stripe's test cards */
    const char *pin;       /* of its public key, "sha256//…", or NULL */
    const char *authority; /* PEM file, or NULL: the system's */
    /* Who this shop is; not 0: not known yet, ask again. On the pauses' thread. NULL: the metadata
     * has no `shop`. */
    int (*shop)(void *context, struct id *shop);
    void *context;
    struct crash_plan *crash;     /* may be NULL */
    const struct log *log;        /* lent, as all here, until it is freed */
    uint32_t patience_ms, try_ms; /* 0: as above */
};

/* ERR_INVALID: the address or the secret is none. Ended by bank->free. */
int bank_stripe_new(const struct bank_stripe_config *config, struct bank **bank,
                    struct failure *failure);

#endif
