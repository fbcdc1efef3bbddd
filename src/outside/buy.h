/* Buying: what a home does between "Pay now" and the answer, as a saga of three steps
 * (Garcia-Molina and Salem, 1987): hold the goods, ask the bank, confirm or release.
 *
 * UCP's complete and the pages' pay button both call buy_start and are called back.
 * Nothing here blocks a caller: a purchase is moved on by one thread of its own, which
 * is told by the applier and by the bank. Each step may be done again by anybody: the
 * commands name the attempt they belong to, and the bank is asked under a key of that
 * attempt (checkout_payment_key).
 *
 *   state        what is awaited          arrow (taken by)                        to
 *   -----------  -----------------------  --------------------------------------  -----------
 *   HOLDING      the log applies HOLD     held (after_hold)                       PAYING
 *                                         nothing to pay (after_hold)             CONFIRMING
 *                                         refused: short, changed total, state,
 *                                         or an earlier result under the same
 *                                         Idempotency-Key (after_hold)            answered
 *                                         claimed by the primary (after_hold)     undecided
 *                                         busy, closing (after_hold)              answered
 *                                         unknown fate (again)                    HOLDING
 *   PAYING       the bank answers         authorised (after_bank)                 CONFIRMING
 *                                         refused (after_bank)                    RELEASING
 *                                         unreachable, up to BUY_TRIES and
 *                                         BUY_BANK_MS (again)                     PAYING
 *                                         unreachable for good (after_bank)       undecided
 *   CONFIRMING   the log applies CONFIRM  applied (after_end)                     answered
 *                                         refused: claimed (after_end)            undecided
 *                                         what another request under its key
 *                                         was told (after_end): without the key   CONFIRMING
 *                                         the attempt is over without an order
 *                                         of ours (after_end)                     TAKING_BACK
 *                                         busy or unknown fate (again)            CONFIRMING
 *                                         still so after BUY_TRIES, or closing    undecided
 *   RELEASING    the log applies RELEASE  as CONFIRMING, never TAKING_BACK
 *   TAKING_BACK  the bank lets it go      done, or impossible (after_taking_back) answered
 *                                         unreachable, up to BUY_TRIES (again)    TAKING_BACK
 *
 * Undecided: answered with ERR_TIMEOUT. Such a purchase, and one whose server died, is left held:
 * when the hold's deadline has passed, the primary claims it, asks the bank what became of it and
 * confirms or releases (outside/overdue.h). A caller that tries again before then goes on where the
 * first attempt stood: HOLD of what is held already succeeds, and the bank gives its first answer
 * again. All states, crash points and their tests: docs/buying.md.
 */
#ifndef STOA_OUTSIDE_BUY_H
#define STOA_OUTSIDE_BUY_H

#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "outside/bank.h"
#include "replica/order.h"
#include "shop/model.h"

#include <stdbool.h>

struct buying;

enum {
    BUY_TRIES = 4,           /* of each step, with 50, 200 and 800 ms between them */
    BUY_BANK_MS = 10 * 1000, /* after it the bank is not asked again; a call may take as long */
    BUY_OPEN_MAX = 16 * 1024 /* purchases on their way; above: ERR_BUSY */
};

struct buy_request {
    struct id checkout;
    struct payment payment; /* how; its reference and error are not looked at */
    struct str token;       /* the credential; wiped when the purchase ends */
    struct str currency;
    int64_t expected_total; /* what the shopper agreed to; -1: whatever the checkout says */
    bool keyed;             /* the client sent an Idempotency-Key (shop/command.h) */
    unsigned char idempotency_key[16], idempotency_body[16];

    /* Called exactly once, on buying's thread: must not block. RESULT is always a result
     * record (result_decode), lent for the call; its err says how the purchase ended.
     *   0                     with the checkout. COMPLETED: paid, and INDEX is the entry that
     *                         made the order. Else the bank refused: payment.error and the
     *                         message payment_failed say why, and the shopper may try again
     *   ERR_TIMEOUT           not known yet, and will be decided; ask again later
     *   ERR_BUSY, ERR_CLOSED, ERR_NOPRIMARY
     *                         nothing was paid; goods that may be held are let go by themselves
     *   others                the shop refused (ERR_SHORT, ERR_STATE, ERR_CONFLICT, …), with
     *                         the checkout where there is one
     * A result that the shop remembered under the Idempotency-Key comes as it was, with
     * `replayed` set. */
    void (*done)(void *context, uint64_t index, struct str result);
    void *context;
};

struct buying_config {
    struct ordering *order; /* lent, as all here, until buying_free returned */
    struct bank *bank;
    struct crash_plan *crash; /* may be NULL */
    const struct log *log;
};

int buying_new(const struct buying_config *config, struct buying **buying);
/* The server stops: whatever waits for the bank MS from now is left undecided then, so that its
 * shopper is answered (ERR_TIMEOUT) while there still is a connection. The rest goes on. Any
 * thread. */
void buying_hurry(struct buying *buying, uint32_t ms);
/* Takes nothing new, ends what is on its way without pauses between tries, stops. Before
 * replica_stop and before the bank is freed. After 5 s it gives up waiting for the bank
 * or the log; their late answers are still passed on. */
void buying_free(struct buying *buying);

/* Any thread. REQUEST and all it lends is copied. 0: DONE will be called, else ERR_BUSY,
 * ERR_CLOSED, ERR_FULL (its strings are too long), ERR_NOMEM, and it will not. */
int buy_start(struct buying *buying, const struct buy_request *request);

struct buy_report {
    uint64_t open;                             /* on their way now */
    uint64_t paid, refused, undecided, failed; /* since the start */
};
void buying_report(struct buying *buying, struct buy_report *report);

#endif
