/* Cards of the sandbox bank: Stripe's test payment methods and what becomes of them, and the ways
 * in which a card is declined. Pure tables; thread: any.
 */
#ifndef STOA_OUTSIDE_SANDBOX_CARD_H
#define STOA_OUTSIDE_SANDBOX_CARD_H

#include "base/str.h"

/* Numbers are kept in the database: append only. */
enum sandbox_decline {
    DECLINE_NONE,
    DECLINE_GENERIC,
    DECLINE_INSUFFICIENT_FUNDS,
    DECLINE_LOST_CARD,
    DECLINE_STOLEN_CARD,
    DECLINE_EXPIRED_CARD,
    DECLINE_INCORRECT_CVC,
    DECLINE_PROCESSING_ERROR,
    DECLINE_VELOCITY,
    DECLINE_AUTHENTICATION,
    DECLINE_COUNT
};

struct sandbox_decline_words {
    const char *code, *decline_code, *message;
};

/* Of one in 1 to DECLINE_COUNT - 1. */
const struct sandbox_decline_words *sandbox_decline_words(enum sandbox_decline decline);

enum sandbox_behaviour {
    CARD_PLAIN,
    CARD_ASKS,           /* the shopper has to authenticate */
    CARD_PENDING_REFUND, /* its refunds are pending first */
    CARD_REFUND_FAILS,   /* its refunds look done first */
};

struct sandbox_card {
    const char *id, *brand, *last4, *funding;
    enum sandbox_decline decline;
    enum sandbox_behaviour behaviour;
};

/* NULL: there is none of that id. */
const struct sandbox_card *sandbox_card_find(struct str id);

#endif
