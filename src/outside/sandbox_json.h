/* JSON of the sandbox bank: its objects in the shape of Stripe's, written straight into a buffer.
 * Members that are not set are null. Pure; thread: the buffer's.
 */
#ifndef STOA_OUTSIDE_SANDBOX_JSON_H
#define STOA_OUTSIDE_SANDBOX_JSON_H

#include "base/buf.h"
#include "outside/sandbox_form.h"
#include "outside/sandbox_payment.h"

#define SANDBOX_API_VERSION "2026-07-29.dahlia"

/* TEXT (UTF-8) in quotes, escaped (RFC 8259). */
void sandbox_put_text(struct buf *out, struct str text);

/* EXPANDED: its latest charge, to stand in place of the charge's id; or NULL. */
void sandbox_put_payment(struct buf *out, const struct sandbox_account *account,
                         const struct payment *payment, const struct charge *expanded);
void sandbox_put_charge(struct buf *out, const struct sandbox_account *account,
                        const struct charge *charge);
void sandbox_put_refund(struct buf *out, const struct sandbox_account *account,
                        const struct refund *refund);

/* {"error":{…}}. PAYMENT (may be NULL): shown whole in it. */
void sandbox_put_error(struct buf *out, const struct sandbox_account *account,
                       const struct sandbox_error *error, const struct payment *payment);

/* The object of members of FORM's map METADATA. */
void sandbox_put_metadata(struct buf *out, const struct sandbox_form *form);
/* The object of FORM's shipping; nothing when none was given. */
void sandbox_put_shipping(struct buf *out, const struct sandbox_form *form);

/* An event, whose object was written when it happened. */
struct sandbox_event {
    uint64_t number;
    int64_t created;
    struct str type, object, previous; /* PREVIOUS may be empty */
    struct str request, key;           /* may be empty */
    bool pending;                      /* its webhook has not been delivered */
};
void sandbox_put_event(struct buf *out, const struct sandbox_account *account,
                       const struct sandbox_event *event);

#endif
