/* Form of the sandbox bank: parameters as Stripe's clients send them, with nested names:
 *
 *   amount=1999&currency=eur&metadata[order]=17&payment_method_types[0]=card
 *   created[gte]=1795361400&expand[]=latest_charge
 *
 * Brackets may be percent-encoded. Lists take [] and [0]. Each call names the parameters that it
 * knows and those it cannot do without; everything else is refused, so that a mistake of a client
 * shows at once.
 *
 * Pure; thread: any. Strings are lent from the arena or the form.
 */
#ifndef STOA_OUTSIDE_SANDBOX_FORM_H
#define STOA_OUTSIDE_SANDBOX_FORM_H

#include "base/arena.h"
#include "outside/sandbox_error.h"

#include <stdbool.h>
#include <stdint.h>

enum sandbox_kind { SANDBOX_TEXT, SANDBOX_INTEGER, SANDBOX_BOOLEAN, SANDBOX_LIST, SANDBOX_MAP };

/* Constant, name on the wire, kind, and of a text the words that it may be (NULL: any). */
/* clang-format off */
#define SANDBOX_PARAM_LIST(X) \
    X(AMOUNT, "amount", INTEGER, NULL) \
    X(AMOUNT_TO_CAPTURE, "amount_to_capture", INTEGER, NULL) \
    X(CANCELLATION_REASON, "cancellation_reason", TEXT, \
      "duplicate fraudulent requested_by_customer abandoned") \
    X(CAPTURE_METHOD, "capture_method", TEXT, "automatic automatic_async manual") \
    X(CHARGE, "charge", TEXT, NULL) \
    X(CONFIRM, "confirm", BOOLEAN, NULL) \
    X(CONFIRMATION_METHOD, "confirmation_method", TEXT, "automatic manual") \
    X(CREATED, "created", INTEGER, NULL) \
    X(CREATED_GT, "created[gt]", INTEGER, NULL) \
    X(CREATED_GTE, "created[gte]", INTEGER, NULL) \
    X(CREATED_LT, "created[lt]", INTEGER, NULL) \
    X(CREATED_LTE, "created[lte]", INTEGER, NULL) \
    X(CURRENCY, "currency", TEXT, NULL) \
    X(CUSTOMER, "customer", TEXT, NULL) \
    X(DESCRIPTION, "description", TEXT, NULL) \
    X(ENDING_BEFORE, "ending_before", TEXT, NULL) \
    X(ERROR_ON_REQUIRES_ACTION, "error_on_requires_action", BOOLEAN, NULL) \
    X(EXPAND, "expand", LIST, NULL) \
    X(FINAL_CAPTURE, "final_capture", BOOLEAN, NULL) \
    X(LIMIT, "limit", INTEGER, NULL) \
    X(METADATA, "metadata", MAP, NULL) \
    X(OFF_SESSION, "off_session", BOOLEAN, NULL) \
    X(PAYMENT_INTENT, "payment_intent", TEXT, NULL) \
    X(PAYMENT_METHOD, "payment_method", TEXT, NULL) \
    X(PAYMENT_METHOD_TYPES, "payment_method_types", LIST, NULL) \
    X(REASON, "reason", TEXT, "duplicate fraudulent requested_by_customer") \
    X(RECEIPT_EMAIL, "receipt_email", TEXT, NULL) \
    X(RETURN_URL, "return_url", TEXT, NULL) \
    X(SHIPPING_CITY, "shipping[address][city]", TEXT, NULL) \
    X(SHIPPING_COUNTRY, "shipping[address][country]", TEXT, NULL) \
    X(SHIPPING_LINE1, "shipping[address][line1]", TEXT, NULL) \
    X(SHIPPING_LINE2, "shipping[address][line2]", TEXT, NULL) \
    X(SHIPPING_POSTAL_CODE, "shipping[address][postal_code]", TEXT, NULL) \
    X(SHIPPING_STATE, "shipping[address][state]", TEXT, NULL) \
    X(SHIPPING_NAME, "shipping[name]", TEXT, NULL) \
    X(SHIPPING_PHONE, "shipping[phone]", TEXT, NULL) \
    X(STARTING_AFTER, "starting_after", TEXT, NULL) \
    X(STATEMENT_SUFFIX, "statement_descriptor_suffix", TEXT, NULL) \
    X(TYPE, "type", TEXT, NULL)
/* clang-format on */

enum sandbox_param {
#define X(id, name, kind, words) SANDBOX_PARAM_##id,
    SANDBOX_PARAM_LIST(X)
#undef X
        SANDBOX_PARAM_COUNT
};
_Static_assert(SANDBOX_PARAM_COUNT <= 64, "sets of parameters are bits of 64");

/* For sets: SANDBOX_SET(AMOUNT) | SANDBOX_SET(CURRENCY). */
#define SANDBOX_SET(id) (1ull << SANDBOX_PARAM_##id)

enum {
    SANDBOX_METADATA_MAX = 50,
    SANDBOX_METADATA_KEY = 40,
    SANDBOX_METADATA_VALUE = 500,
    SANDBOX_ITEMS_MAX = 64, /* of all lists and maps together */
    SANDBOX_TEXT_MAX = 1000,
};

/* A member of a map (KEY), or of a list (KEY is empty). */
struct sandbox_item {
    enum sandbox_param param;
    struct str key, value;
};

struct sandbox_form {
    uint64_t given;                       /* set of those that were sent with a value */
    struct str text[SANDBOX_PARAM_COUNT]; /* of texts; at NULL: not given */
    int64_t number[SANDBOX_PARAM_COUNT];  /* of integers, and 0 or 1 of booleans */
    struct sandbox_item items[SANDBOX_ITEMS_MAX];
    unsigned item_count;
};

/* Reads TEXT into FORM. 0; or the HTTP status, 400, with what is wrong in ERROR; 500: no memory. */
int sandbox_form_read(struct sandbox_form *form, struct arena *arena, struct str text,
                      uint64_t known, uint64_t needed, struct sandbox_error *error);

static inline bool sandbox_form_has(const struct sandbox_form *form, enum sandbox_param param)
{
    return form->given >> param & 1;
}

const char *sandbox_param_name(enum sandbox_param param);

enum { SANDBOX_DIGEST = 32 };
/* SHA-256 of the decoded parameters: the same whatever their order and their encoding were.
 * Of maps the members' order does not count either. */
int sandbox_form_digest(const struct sandbox_form *form,
                        unsigned char digest[static SANDBOX_DIGEST]);

#endif
