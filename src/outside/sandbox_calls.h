/* Calls of the sandbox bank: what each of them does to the ledger, without HTTP, keys and faults.
 *
 * A call gives its HTTP status and writes its body. Those that change run on the writer's thread in
 * a transaction, which stands whatever status they give: a decline leaves a failed charge. Those
 * that read run on the request's own thread.
 */
#ifndef STOA_OUTSIDE_SANDBOX_CALLS_H
#define STOA_OUTSIDE_SANDBOX_CALLS_H

#include "outside/sandbox_ledger.h"

enum { SANDBOX_HOOK_TYPES = 64 };

/* Which events have webhooks, and when they are due. */
struct sandbox_hook_terms {
    bool any;                              /* there is somebody to send them to */
    const char *types[SANDBOX_HOOK_TYPES]; /* none: all */
    unsigned type_count;
};

struct sandbox_work {
    struct db *db;
    struct arena *arena;
    struct buf *out;     /* the body */
    struct buf *scratch; /* for the objects of events */
    const struct sandbox_account *account;
    const struct sandbox_hook_terms *hooks;
    const struct sandbox_form *form;
    struct str id; /* of the address */
    int64_t now_ms;
    int64_t lapse_ms;       /* how long an authorisation lasts */
    int64_t hook_delay_ms;  /* before a webhook is sent first */
    int64_t hook_spread_ms; /* and up to so much more: they overtake each other */
    bool refuse;            /* a fault: the card is declined whatever it is */
    bool fail_refund;       /* a fault: a refund looks done, and fails later */
    struct str request, key;
};

typedef int sandbox_call(struct sandbox_work *work);

/* That change. */
sandbox_call call_payment_create, call_payment_confirm, call_payment_capture, call_payment_cancel,
    call_refund_create;
/* That read. */
sandbox_call call_payment_get, call_payment_list, call_refund_get, call_refund_list, call_event_get,
    call_event_list, call_charge_get;

/* What is wrong with the parameters whatever the ledger says: 0, or 400. */
typedef int sandbox_check(const struct sandbox_form *form, struct sandbox_error *error);
sandbox_check check_payment, check_payment_create, check_payment_capture, check_refund_create;

/* What time does: authorisations that lapse, refunds whose fate shows later, old rows. Bounded;
 * gives how much it did. */
unsigned sandbox_tick(struct sandbox_work *work);

/* Notes that TYPE happened to the object in WORK's scratch buffer. PREVIOUS may be empty. */
void sandbox_note(struct sandbox_work *work, const char *type, struct str previous);

/* Writes an error and gives its status. PAYMENT may be NULL. */
int sandbox_answer_error(struct sandbox_work *work, const struct sandbox_error *error,
                         const struct payment *payment);
/* 404 (of an address) or 400 (of PARAM): there is no such thing. WHAT: "payment_intent". */
int sandbox_answer_missing(struct sandbox_work *work, int status, const char *what, struct str id,
                           const char *param);

#endif
