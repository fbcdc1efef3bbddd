/* Webhooks of the sandbox bank, and what time does in its ledger: one thread that sends what is
 * due, signed, and again with growing waits until it was taken; and that has authorisations lapse.
 *
 *   row in `hook`, due ──▶ sent ──┬─ 2xx ──▶ row removed
 *        ▲                        └─ else ─▶ due later: 0.5 s, 1 s, 2 s, … 10 min; after 3 days
 * never └────────────────────────────────────┘
 *
 * Delivered at least once; in no promised order. Thread: main opens and closes, any wakes.
 */
#ifndef STOA_OUTSIDE_SANDBOX_HOOKS_H
#define STOA_OUTSIDE_SANDBOX_HOOKS_H

#include "outside/sandbox.h"
#include "outside/writer.h"

struct sandbox_hooks;

/* "t=…,v1=…" of Stripe-Signature for BODY at SECONDS. */
enum { SANDBOX_SIGNATURE = 112 };
void sandbox_hook_sign(const char *secret, int64_t seconds, struct str body,
                       char out[static SANDBOX_SIGNATURE]);
/* How long to wait after TRIES attempts that failed, in milliseconds. */
int64_t sandbox_hook_wait(unsigned tries);

int sandbox_hooks_open(struct sandbox *sandbox, struct sandbox_hooks **hooks,
                       struct failure *failure);
/* Stops sending and what time does; to be followed by the writer's end, then _close. NULL is
 * fine. */
void sandbox_hooks_stop(struct sandbox_hooks *hooks);
void sandbox_hooks_close(struct sandbox_hooks *hooks);
/* There may be something to send. */
void sandbox_hooks_wake(struct sandbox_hooks *hooks);

#endif
