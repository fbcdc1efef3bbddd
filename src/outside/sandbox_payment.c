#include "outside/sandbox_payment.h"

#include <inttypes.h>
#include <stdio.h>

const char *const payment_status_names[PAYMENT_STATUS_COUNT] = {
    [PAYMENT_REQUIRES_METHOD] = "requires_payment_method",
    [PAYMENT_REQUIRES_CONFIRMATION] = "requires_confirmation",
    [PAYMENT_REQUIRES_ACTION] = "requires_action",
    [PAYMENT_REQUIRES_CAPTURE] = "requires_capture",
    [PAYMENT_SUCCEEDED] = "succeeded",
    [PAYMENT_CANCELED] = "canceled",
};
const char *const payment_capture_names[3] = {"automatic", "automatic_async", "manual"};
const char *const refund_status_names[REFUND_STATUS_COUNT] = {"pending", "succeeded", "failed"};

static const char unexpected_state[] = "payment_intent_unexpected_state";

/* ---- Names ---- */

char *sandbox_id(const struct sandbox_account *account, const char *prefix, uint64_t number,
                 char out[static PAYMENT_ID])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    while (prefix[at]) {
        out[at] = prefix[at];
        at++;
    }
    out[at++] = '_';
    memcpy(out + at, account->letters, 8);
    at += 8;
    for (int shift = 60; shift >= 0; shift -= 4)
        out[at++] = digits[number >> shift & 15];
    out[at] = '\0';
    return out;
}

uint64_t sandbox_id_number(const struct sandbox_account *account, const char *prefix, struct str id)
{
    unsigned char bytes[8];
    uint64_t number = 0;
    size_t len = strlen(prefix);
    if (id.len != len + 1 + 8 + 16 || memcmp(id.at, prefix, len) != 0 || id.at[len] != '_' ||
        memcmp(id.at + len + 1, account->letters, 8) != 0 ||
        hex_decode(str_from(id, len + 9), bytes, sizeof bytes))
        return 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number <= INT64_MAX ? number : 0;
}

/* ---- Confirm ---- */

static int decline(struct payment *payment, enum sandbox_decline decline, struct str method,
                   struct sandbox_error *error)
{
    const struct sandbox_decline_words *words = sandbox_decline_words(decline);
    payment->status = PAYMENT_REQUIRES_METHOD;
    payment->decline = decline;
    payment->declined_method = method;
    payment->method = STR("");
    sandbox_refuse(error, 402, "card_error", words->code, "%s", words->message);
    error->decline_code = words->decline_code;
    return error->status;
}

static void make_charge(const struct payment *payment, const struct payment_attempt *attempt,
                        enum sandbox_decline decline, struct charge *charge)
{
    *charge = (struct charge){
        .payment = payment->number,
        .created = attempt->now_ms / 1000,
        .amount = payment->amount,
        .method = attempt->method,
        .decline = decline,
        .capture_before = (attempt->now_ms + attempt->lapse_ms) / 1000,
    };
    memcpy(charge->currency, payment->currency, sizeof charge->currency);
}

static bool may_confirm(enum payment_status status)
{
    return status == PAYMENT_REQUIRES_METHOD || status == PAYMENT_REQUIRES_CONFIRMATION ||
           status == PAYMENT_REQUIRES_ACTION;
}

int payment_confirm(struct payment *payment, const struct payment_attempt *attempt,
                    struct charge *charge, bool *charged, struct sandbox_error *error)
{
    *charged = false;
    if (!may_confirm(payment->status))
        return sandbox_invalid(error, unexpected_state, NULL,
                               "This PaymentIntent's payment cannot be confirmed because it has a "
                               "status of %s.",
                               payment_status_names[payment->status]);
    if (!attempt->card)
        return sandbox_invalid(error, unexpected_state, NULL,
                               "You cannot confirm this PaymentIntent because it's missing a "
                               "payment method.");
    bool asks = attempt->card->behaviour == CARD_ASKS;
    if (asks && attempt->no_action)
        return decline(payment, DECLINE_AUTHENTICATION, attempt->method, error);
    payment->method = attempt->method;
    if (asks) {
        payment->status = PAYMENT_REQUIRES_ACTION;
        return 0;
    }
    enum sandbox_decline why = attempt->refuse ? DECLINE_GENERIC : attempt->card->decline;
    make_charge(payment, attempt, why, charge);
    *charged = true;
    if (why)
        return decline(payment, why, attempt->method, error);
    payment->decline = DECLINE_NONE;
    payment->declined_method = STR("");
    if (payment->capture_method == CAPTURE_MANUAL) {
        payment->status = PAYMENT_REQUIRES_CAPTURE;
        payment->lapses_ms = attempt->now_ms + attempt->lapse_ms;
        return 0;
    }
    payment->status = PAYMENT_SUCCEEDED;
    payment->received = charge->captured = payment->amount;
    charge->is_captured = true;
    return 0;
}

/* ---- Capture ---- */

int payment_capture(struct payment *payment, struct charge *charge, int64_t amount,
                    struct sandbox_error *error)
{
    if (payment->status == PAYMENT_SUCCEEDED)
        return sandbox_invalid(error, unexpected_state, NULL,
                               "This PaymentIntent could not be captured because it has already "
                               "been captured.");
    if (payment->status != PAYMENT_REQUIRES_CAPTURE)
        return sandbox_invalid(error, unexpected_state, NULL,
                               "This PaymentIntent could not be captured because it has a status "
                               "of %s. Only a PaymentIntent with one of the following statuses may "
                               "be captured: requires_capture.",
                               payment_status_names[payment->status]);
    if (amount < 0 || amount > payment->amount)
        return sandbox_invalid(error, "amount_too_large", "amount_to_capture",
                               "The amount to capture, %" PRId64 ", is not between 1 and the "
                               "amount that can be captured, %" PRId64 ".",
                               amount, payment->amount);
    amount = amount ? amount : payment->amount;
    payment->status = PAYMENT_SUCCEEDED;
    payment->received = charge->captured = amount;
    payment->lapses_ms = 0;
    charge->is_captured = true;
    return 0;
}

/* ---- Cancel ---- */

int payment_cancel(struct payment *payment, struct charge *charge, struct str reason,
                   int64_t now_ms, struct refund *refund, bool *let_go, struct sandbox_error *error)
{
    *let_go = false;
    if (payment->status == PAYMENT_SUCCEEDED || payment->status == PAYMENT_CANCELED)
        return sandbox_invalid(
            error, unexpected_state, NULL,
            "You cannot cancel this PaymentIntent because it has a status of %s. Only a "
            "PaymentIntent with one of the following statuses may be canceled: "
            "requires_payment_method, requires_capture, requires_confirmation, requires_action.",
            payment_status_names[payment->status]);
    *let_go = payment->status == PAYMENT_REQUIRES_CAPTURE;
    if (*let_go) {
        *refund = (struct refund){
            .charge = charge->number,
            .payment = payment->number,
            .created = now_ms / 1000,
            .amount = charge->amount,
            .reversal = true,
            .status = REFUND_SUCCEEDED,
            .metadata = STR("{}"),
        };
        memcpy(refund->currency, charge->currency, sizeof refund->currency);
        charge->refunded = charge->amount;
    }
    payment->status = PAYMENT_CANCELED;
    payment->canceled_at = now_ms / 1000;
    payment->lapses_ms = 0;
    str_copy(payment->cancel_reason, sizeof payment->cancel_reason, reason);
    return 0;
}

/* ---- Refund ---- */

int payment_refund(const struct sandbox_account *account, const struct payment *payment,
                   struct charge *charge, int64_t amount, struct str reason, int64_t now_ms,
                   struct refund *refund, struct sandbox_error *error)
{
    char id[PAYMENT_ID];
    if (payment->status != PAYMENT_SUCCEEDED || !charge->is_captured)
        return sandbox_invalid(error, NULL, "payment_intent",
                               "This PaymentIntent (%s) does not have a successful charge to "
                               "refund.",
                               sandbox_id(account, "pi", payment->number, id));
    int64_t left = charge->captured - charge->refunded;
    if (left == 0)
        return sandbox_invalid(error, "charge_already_refunded", NULL,
                               "Charge %s has already been refunded.",
                               sandbox_id(account, "ch", charge->number, id));
    if (amount < 0 || amount > left)
        return sandbox_invalid(error, NULL, "amount",
                               "Refund amount (%" PRId64 ") is greater than unrefunded amount on "
                               "charge (%" PRId64 "), in the smallest unit of %s",
                               amount, left, charge->currency);
    const struct sandbox_card *card = sandbox_card_find(charge->method);
    enum sandbox_behaviour behaviour = card ? card->behaviour : CARD_PLAIN;
    *refund = (struct refund){
        .charge = charge->number,
        .payment = payment->number,
        .created = now_ms / 1000,
        .amount = amount ? amount : left,
        .status = behaviour == CARD_PENDING_REFUND ? REFUND_PENDING : REFUND_SUCCEEDED,
        .later = behaviour == CARD_REFUND_FAILS ? REFUND_FAILED : REFUND_SUCCEEDED,
        .later_ms = behaviour == CARD_PENDING_REFUND || behaviour == CARD_REFUND_FAILS
                        ? now_ms + REFUND_LATER_MS
                        : 0,
        .metadata = STR("{}"),
    };
    memcpy(refund->currency, charge->currency, sizeof refund->currency);
    str_copy(refund->reason, sizeof refund->reason, reason);
    charge->refunded += refund->amount;
    return 0;
}

void refund_settle(struct refund *refund, struct charge *charge)
{
    refund->status = refund->later;
    refund->later_ms = 0;
    if (refund->status == REFUND_FAILED)
        charge->refunded -= refund->amount;
}
