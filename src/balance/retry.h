/* Retry: whether a request that came to nothing is sent again. Pure.
 *
 * Two questions. May it be sent twice? Yes when nothing of it was sent, when its method says so
 * (RFC 9110 §9.2.2), when the client named it (Idempotency-Key), or when it is stamped (stamp.h)
 * and goes to a server of ours. And does it help? At most so many times, while there is time, and
 * within a budget (budget.h), but for what costs the servers nothing: a connection that was not
 * made, and one that had gone stale while it was idle.
 *
 * A server that says `Stoa-Try: elsewhere` cannot serve now what another one can, as while a
 * primary is elected. Nobody else may be able to for some tenths of a second either, so that this
 * one is asked for again, after a pause, for up to RETRY_PATIENCE_NS.
 *
 * One that says `Stoa-Try: once` has more to do than it can, and has not looked at the request: by
 * its word nothing was done, so that any may be sent again. But the others may be as busy: so one
 * other is asked, once, within the budget, and if it is, the answer stands.
 */
#ifndef STOA_BALANCE_RETRY_H
#define STOA_BALANCE_RETRY_H

#include "base/clock.h"
#include "base/random.h"
#include "http/exchange.h"

enum retry_reason {
    RETRY_REFUSED,   /* no connection */
    RETRY_UNHEARD,   /* no connection in time */
    RETRY_STALE,     /* a kept connection broke before anything of the answer came */
    RETRY_RESET,     /* a new one did, or one on which the answer had begun */
    RETRY_RUBBISH,   /* what came is no answer */
    RETRY_SILENT,    /* the server hangs */
    RETRY_ELSEWHERE, /* it says that another one can */
    RETRY_BUSY,      /* it says that it has not looked, and one other may be asked */
};

/* Attempts of one request that may cost a server something. */
enum { RETRY_MOST = 4 };
/* Kept connections that break under it before it is thought to be its own fault: who closes them
 * at each request of some kind, or dies of it, is not asked for ever. */
enum { RETRY_STALE_MOST = 2 };
#define RETRY_PATIENCE_NS (3 * SEC_NS)

/* What has happened. */
struct retry_case {
    enum retry_reason reason;
    bool repeatable; /* doing it twice is doing it once */
    bool sent;       /* something of it has left */
    bool kept;       /* its body is all there still */
    bool shop;       /* servers of ours, of which one will be there again soon */
    bool others;     /* there is a server that has not been tried in this round */
    bool was_busy;   /* it has been sent on for RETRY_BUSY */
    unsigned costly; /* attempts so far that may have cost something */
    uint64_t now_ns, began_ns, deadline_ns;
};

enum retry_verdict { RETRY_GIVE_UP, RETRY_AT_ONCE, RETRY_LATER };

/* Whether it takes from the budget, which is asked when retry_decide has said yes. */
bool retry_costs(enum retry_reason reason);
enum retry_verdict retry_decide(const struct retry_case *is);
/* How long to wait for RETRY_LATER; ROUNDS: how often it has been waited for. */
uint64_t retry_pause_ns(struct random *random, unsigned rounds);

/* Whether doing X twice is doing it once, by its method or its Idempotency-Key. */
bool retry_is_repeatable(const struct exchange *x);
const char *retry_name(enum retry_reason reason);

#endif
