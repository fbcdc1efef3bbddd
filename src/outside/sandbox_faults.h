/* Faults of the sandbox bank: what goes wrong on purpose, how often, and the fate of one request.
 * Shares are thousandths. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_SANDBOX_FAULTS_H
#define STOA_OUTSIDE_SANDBOX_FAULTS_H

#include "base/buf.h"
#include "base/random.h"
#include "base/str.h"
#include "outside/sandbox_error.h"

#include <stdbool.h>
#include <stdint.h>

/* Name, kind (MS: milliseconds, SHARE: of requests, FLAG), and what it is. */
/* clang-format off */
#define SANDBOX_FAULT_LIST(X) \
    X(latency_ms, MS, "every request takes so much longer") \
    X(refuse, SHARE, "confirmations that are declined, whatever the card") \
    X(fail_refunds, SHARE, "refunds that look done, and fail a second later") \
    X(down, SHARE, "answered 500 or 503 before anything is done") \
    X(lost, SHARE, "done, but the connection is closed without an answer") \
    X(hang, SHARE, "done, but the answer is held until the client gives up") \
    X(error_after, SHARE, "done, but answered 500, which is kept under the idempotency key") \
    X(conflict, SHARE, "answered 409 lock_timeout before anything is done") \
    X(rate_limit, SHARE, "answered 429 before anything is done") \
    X(duplicate_hooks, SHARE, "webhooks that are sent twice") \
    X(hook_delay_ms, MS, "before a webhook is sent first") \
    X(hooks_out_of_order, FLAG, "webhooks are sent in another order than they happened in") \
    X(lapse_ms, MS, "how long an authorisation lasts that is made from now on")
/* clang-format on */

struct sandbox_faults {
#define X(name, kind, about) uint64_t name;
    SANDBOX_FAULT_LIST(X)
#undef X
};

enum { FAULTS_WHOLE = 1000, FAULTS_SPREAD_MS = 300 };

/* No faults; authorisations last 7 days. */
void faults_init(struct sandbox_faults *faults);

/* Sets what a form names ("lost=10%&latency_ms=50"); what it does not name stays. 0, or 400 with
 * ERROR, and nothing is set. */
int faults_set(struct sandbox_faults *faults, struct str form, struct sandbox_error *error);

/* One JSON object; shares in percent. */
void faults_put(struct buf *out, const struct sandbox_faults *faults);

enum fate_before { FATE_GOES_ON, FATE_RATE_LIMIT, FATE_CONFLICT, FATE_BROKEN, FATE_AWAY };
enum fate_after { FATE_ANSWERED, FATE_LOST, FATE_HANGS, FATE_ERROR };

struct sandbox_fate {
    enum fate_before before;
    enum fate_after after;
    bool refuse, fail_refund;
    uint64_t latency_ms;
};

/* Always the same number of draws, so that a seed gives the same fates whatever is switched on. */
struct sandbox_fate faults_draw(const struct sandbox_faults *faults, struct random *random);

#endif
