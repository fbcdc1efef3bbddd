/* Payments of the sandbox bank: PaymentIntents with their charges and refunds, and what may become
 * of them. Pure: the rules change plain structs, others load and store them.
 *
 *                              confirm, with a card that asks
 *                        ┌────────────────────────────────▶ requires_action ────────────┐
 *   requires_payment_method ◀─┐ declined                                                │
 *      │ card given           │                                                         │
 *      ▼                      │                                                  cancel │
 *   requires_confirmation ────┤ confirm                                                 │
 *      │                      ├──────────── manual ──▶ requires_capture ──┐ capture     │
 *      │                      └──────────── automatic ────────────────────┴▶ succeeded  │
 *      │ cancel                                   │ cancel, lapse            (refunds)  │
 *      └──────────────────────────────────────────┴─────────▶ canceled ◀────────────────┘
 *
 * Functions: payment_confirm, payment_capture, payment_cancel (lapsing is a cancel, too),
 * payment_refund. Each gives 0 or an HTTP status with what is wrong, and then has changed nothing;
 * but a decline gives 402 and leaves a failed charge.
 */
#ifndef STOA_OUTSIDE_SANDBOX_PAYMENT_H
#define STOA_OUTSIDE_SANDBOX_PAYMENT_H

#include "outside/sandbox_card.h"
#include "outside/sandbox_error.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers are kept in the database: append only. */
enum payment_status {
    PAYMENT_REQUIRES_METHOD,
    PAYMENT_REQUIRES_CONFIRMATION,
    PAYMENT_REQUIRES_ACTION,
    PAYMENT_REQUIRES_CAPTURE,
    PAYMENT_SUCCEEDED,
    PAYMENT_CANCELED,
    PAYMENT_STATUS_COUNT
};
extern const char *const payment_status_names[PAYMENT_STATUS_COUNT];

enum payment_capture_method { CAPTURE_AUTOMATIC, CAPTURE_AUTOMATIC_ASYNC, CAPTURE_MANUAL };
extern const char *const payment_capture_names[3];

enum {
    PAYMENT_CURRENCY = 4,
    PAYMENT_AMOUNT_LEAST = 50,
    PAYMENT_AMOUNT_MOST = 99999999,
    PAYMENT_SECRET = 25,
    PAYMENT_REASON = 24,
    PAYMENT_ID = 32, /* "pi_" and 24 letters and digits, with its NUL */
};

/* Names of objects: a prefix ("pi"), the account's letters, and the object's number in hexadecimal:
 * so that no index of names is needed, and those of two sandboxes are never the same. */
struct sandbox_account {
    char letters[9];
};
char *sandbox_id(const struct sandbox_account *account, const char *prefix, uint64_t number,
                 char out[static PAYMENT_ID]);
/* The number in ID; 0: it is none of this account. */
uint64_t sandbox_id_number(const struct sandbox_account *account, const char *prefix,
                           struct str id);

/* A PaymentIntent. Strings are lent. */
struct payment {
    uint64_t number;
    int64_t created; /* seconds */
    int64_t amount, received;
    char currency[PAYMENT_CURRENCY];
    enum payment_capture_method capture_method;
    enum payment_status status;
    bool manual_confirmation;
    char secret[PAYMENT_SECRET];
    struct str method;                  /* id of its card; empty: none */
    uint64_t charge;                    /* its latest; 0: none */
    enum sandbox_decline decline;       /* of the latest attempt */
    struct str declined_method;         /* and its card */
    int64_t lapses_ms;                  /* requires_capture: when the authorisation does */
    int64_t canceled_at;                /* seconds */
    char cancel_reason[PAYMENT_REASON]; /* empty: none */
    struct str metadata, shipping;      /* JSON objects; an empty shipping is null */
    struct str description, receipt_email, suffix, customer;
};

struct charge {
    uint64_t number, payment;
    int64_t created, amount, captured;
    int64_t refunded; /* given back, or let go without being captured */
    bool is_captured;
    char currency[PAYMENT_CURRENCY];
    struct str method;
    enum sandbox_decline decline; /* DECLINE_NONE: it succeeded */
    int64_t capture_before;       /* seconds */
};

/* Numbers are kept in the database: append only. */
enum refund_status { REFUND_PENDING, REFUND_SUCCEEDED, REFUND_FAILED, REFUND_STATUS_COUNT };
extern const char *const refund_status_names[REFUND_STATUS_COUNT];

struct refund {
    uint64_t number, charge, payment;
    int64_t created, amount;
    char currency[PAYMENT_CURRENCY];
    char reason[28]; /* empty: none */
    bool reversal;   /* of an authorisation that was never captured */
    enum refund_status status, later;
    int64_t later_ms; /* when the status becomes `later`; 0: it stays */
    struct str metadata;
};

enum { AUTHORISED_MS = 7 * 24 * 3600 * 1000, REFUND_LATER_MS = 1000 };

/* The card to be tried. NO_ACTION: one that asks is declined (error_on_requires_action). REFUSE:
 * decline whatever the card is. Fills in *CHARGE when there is one (number 0, to be given by who
 * stores it). */
struct payment_attempt {
    const struct sandbox_card *card;
    struct str method; /* its id, lent as long as the payment */
    bool no_action, refuse;
    int64_t now_ms, lapse_ms;
};
int payment_confirm(struct payment *payment, const struct payment_attempt *attempt,
                    struct charge *charge, bool *charged, struct sandbox_error *error);
/* AMOUNT 0: all. CHARGE is its own. */
int payment_capture(struct payment *payment, struct charge *charge, int64_t amount,
                    struct sandbox_error *error);
/* REASON may be empty. CHARGE NULL: it has none. Fills in *REFUND when an authorisation is let go.
 */
int payment_cancel(struct payment *payment, struct charge *charge, struct str reason,
                   int64_t now_ms, struct refund *refund, bool *let_go,
                   struct sandbox_error *error);
/* AMOUNT 0: what is left. */
int payment_refund(const struct sandbox_account *account, const struct payment *payment,
                   struct charge *charge, int64_t amount, struct str reason, int64_t now_ms,
                   struct refund *refund, struct sandbox_error *error);
/* Its status becomes what it is to be later. */
void refund_settle(struct refund *refund, struct charge *charge);

#endif
