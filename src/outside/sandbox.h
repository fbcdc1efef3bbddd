/* Sandbox bank: an off-site payment provider for trying out and for tests, as an app. It speaks the
 * part of Stripe's PaymentIntents API that the shop uses (docs/bank.md) and keeps everything in a
 * database of its own, which is the judge in tests: what was charged, once, and for what. Faults
 * can be switched on while it runs.
 *
 *   loop: route, key, parameters, its fate ──▶ writer: fence, idempotency key, call, answer kept
 *                                                 │ committed
 *   loop: the answer, or its loss  ◀──────────────┘        └──▶ hooks: webhooks, signed, retried
 *
 * Reads are answered on the loop, each with a connection of its own.
 *
 * `stoa bank` puts it on an engine (main/bank.c). Thread: main opens and closes.
 */
#ifndef STOA_OUTSIDE_SANDBOX_H
#define STOA_OUTSIDE_SANDBOX_H

#include "base/crash.h"
#include "base/log.h"
#include "engine/app.h"
#include "outside/sandbox_calls.h"
#include "outside/sandbox_faults.h"
#include "outside/transfer.h"

/* Lent until sandbox_close. */
struct sandbox_config {
    const char *file; /* the database */
    const char *key;  /* the secret key that clients show: "sk_test_…" */
    struct sandbox_faults faults;
    uint64_t seed;           /* of the faults */
    const char *hook_url;    /* where webhooks go; NULL: nowhere */
    const char *hook_secret; /* "whsec_…" */
    struct transfer_trust hook_trust;
    struct sandbox_hook_terms hook_terms; /* which */
    struct crash_plan *crash;             /* NULL: none */
    const struct log *log;
};

struct sandbox;

int sandbox_open(const struct sandbox_config *config, struct sandbox **sandbox,
                 struct failure *failure);
struct app *sandbox_app(struct sandbox *sandbox);
/* After its engine has stopped. NULL is fine. */
void sandbox_close(struct sandbox *sandbox);

#endif
