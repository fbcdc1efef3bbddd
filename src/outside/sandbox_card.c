#include "outside/sandbox_card.h"

#include "base/check.h"

static const struct sandbox_decline_words declines[DECLINE_COUNT] = {
    [DECLINE_GENERIC] = {"card_declined", "generic_decline", "Your card was declined."},
    [DECLINE_INSUFFICIENT_FUNDS] = {"card_declined", "insufficient_funds",
                                    "Your card has insufficient funds."},
    [DECLINE_LOST_CARD] = {"card_declined", "lost_card", "Your card was declined."},
    [DECLINE_STOLEN_CARD] = {"card_declined", "stolen_card", "Your card was declined."},
    [DECLINE_EXPIRED_CARD] = {"expired_card", "expired_card", "Your card has expired."},
    [DECLINE_INCORRECT_CVC] = {"incorrect_cvc", "incorrect_cvc",
                               "Your card's security code is incorrect."},
    [DECLINE_PROCESSING_ERROR] = {"processing_error", "processing_error",
                                  "An error occurred while processing your card. Try again in a "
                                  "little bit."},
    [DECLINE_VELOCITY] = {"card_declined", "card_velocity_exceeded",
                          "Your card was declined for making repeated attempts too frequently."},
    [DECLINE_AUTHENTICATION] = {"authentication_required", "authentication_required",
                                "Your card was declined. This transaction requires "
                                "authentication."},
};

const struct sandbox_decline_words *sandbox_decline_words(enum sandbox_decline decline)
{
    CHECK(decline > DECLINE_NONE && decline < DECLINE_COUNT);
    return &declines[decline];
}

#define VISA   "visa"
#define CREDIT "credit"

static const struct sandbox_card cards[] = {
    {"pm_card_visa", VISA, "4242", CREDIT, DECLINE_NONE, CARD_PLAIN},
    {"pm_card_visa_debit", VISA, "5556", "debit", DECLINE_NONE, CARD_PLAIN},
    {"pm_card_mastercard", "mastercard", "4444", CREDIT, DECLINE_NONE, CARD_PLAIN},
    {"pm_card_amex", "amex", "8431", CREDIT, DECLINE_NONE, CARD_PLAIN},
    {"pm_card_discover", "discover", "9424", CREDIT, DECLINE_NONE, CARD_PLAIN},
    {"pm_card_createDispute", VISA, "0259", CREDIT, DECLINE_NONE, CARD_PLAIN},
    {"pm_card_pendingRefund", VISA, "7726", CREDIT, DECLINE_NONE, CARD_PENDING_REFUND},
    {"pm_card_refundFail", VISA, "5126", CREDIT, DECLINE_NONE, CARD_REFUND_FAILS},
    {"pm_card_authenticationRequired", VISA, "3184", CREDIT, DECLINE_NONE, CARD_ASKS},
    {"pm_card_threeDSecure2Required", VISA, "3220", CREDIT, DECLINE_NONE, CARD_ASKS},
    {"pm_card_chargeDeclined", VISA, "0002", CREDIT, DECLINE_GENERIC, CARD_PLAIN},
    {"pm_card_visa_chargeDeclined", VISA, "0002", CREDIT, DECLINE_GENERIC, CARD_PLAIN},
    {"pm_card_chargeDeclinedInsufficientFunds", VISA, "9995", CREDIT, DECLINE_INSUFFICIENT_FUNDS,
     CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedInsufficientFunds", VISA, "9995", CREDIT,
     DECLINE_INSUFFICIENT_FUNDS, CARD_PLAIN},
    {"pm_card_chargeDeclinedLostCard", VISA, "9987", CREDIT, DECLINE_LOST_CARD, CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedLostCard", VISA, "9987", CREDIT, DECLINE_LOST_CARD, CARD_PLAIN},
    {"pm_card_chargeDeclinedStolenCard", VISA, "9979", CREDIT, DECLINE_STOLEN_CARD, CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedStolenCard", VISA, "9979", CREDIT, DECLINE_STOLEN_CARD,
     CARD_PLAIN},
    {"pm_card_chargeDeclinedExpiredCard", VISA, "0069", CREDIT, DECLINE_EXPIRED_CARD, CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedExpiredCard", VISA, "0069", CREDIT, DECLINE_EXPIRED_CARD,
     CARD_PLAIN},
    {"pm_card_chargeDeclinedIncorrectCvc", VISA, "0127", CREDIT, DECLINE_INCORRECT_CVC, CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedIncorrectCvc", VISA, "0127", CREDIT, DECLINE_INCORRECT_CVC,
     CARD_PLAIN},
    {"pm_card_chargeDeclinedProcessingError", VISA, "0119", CREDIT, DECLINE_PROCESSING_ERROR,
     CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedProcessingError", VISA, "0119", CREDIT, DECLINE_PROCESSING_ERROR,
     CARD_PLAIN},
    {"pm_card_chargeDeclinedVelocityLimitExceeded", VISA, "6975", CREDIT, DECLINE_VELOCITY,
     CARD_PLAIN},
    {"pm_card_visa_chargeDeclinedVelocityLimitExceeded", VISA, "6975", CREDIT, DECLINE_VELOCITY,
     CARD_PLAIN},
};

const struct sandbox_card *sandbox_card_find(struct str id)
{
    for (unsigned i = 0; i < COUNT_OF(cards); i++)
        if (str_eq(id, str_of(cards[i].id)))
            return &cards[i];
    return NULL;
}
