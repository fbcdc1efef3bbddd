/* What can be said of a call's parameters without looking into the ledger: such refusals come
 * before the idempotency key is looked at, and are not kept under it.
 */
#include "outside/sandbox_calls.h"

static int check_positive(const struct sandbox_form *form, enum sandbox_param param,
                          struct sandbox_error *error)
{
    if (!sandbox_form_has(form, param) || form->number[param] > 0)
        return 0;
    return sandbox_invalid(error, "parameter_invalid_integer", sandbox_param_name(param),
                           "Invalid positive integer");
}

/* The only thing that can be expanded. */
int check_payment(const struct sandbox_form *form, struct sandbox_error *error)
{
    for (unsigned i = 0; i < form->item_count; i++) {
        const struct sandbox_item *item = &form->items[i];
        struct str shown = str_clip_utf8(item->value, 60);
        if (item->param == SANDBOX_PARAM_EXPAND && !str_eq(item->value, STR("latest_charge")))
            return sandbox_invalid(error, NULL, "expand",
                                   "This property cannot be expanded (%.*s). Only latest_charge "
                                   "can be.",
                                   STR_FMT(shown));
    }
    return 0;
}

static int check_types(const struct sandbox_form *form, struct sandbox_error *error)
{
    for (unsigned i = 0; i < form->item_count; i++) {
        const struct sandbox_item *item = &form->items[i];
        struct str shown = str_clip_utf8(item->value, 60);
        if (item->param == SANDBOX_PARAM_PAYMENT_METHOD_TYPES && !str_eq(item->value, STR("card")))
            return sandbox_invalid(error, "payment_intent_invalid_parameter",
                                   "payment_method_types",
                                   "The payment method type \"%.*s\" is not known here: the "
                                   "sandbox takes cards.",
                                   STR_FMT(shown));
    }
    return 0;
}

static int check_money(const struct sandbox_form *form, struct sandbox_error *error)
{
    struct str currency = form->text[SANDBOX_PARAM_CURRENCY];
    int64_t amount = form->number[SANDBOX_PARAM_AMOUNT];
    bool good = currency.len == 3;
    for (size_t i = 0; good && i < 3; i++)
        good = currency.at[i] >= 'a' && currency.at[i] <= 'z';
    if (!good)
        return sandbox_invalid(error, NULL, "currency",
                               "Invalid currency: it must be three small letters, as in eur");
    if (amount < 1)
        return sandbox_invalid(error, "parameter_invalid_integer", "amount",
                               "Invalid positive integer");
    if (amount < PAYMENT_AMOUNT_LEAST)
        return sandbox_invalid(error, "amount_too_small", "amount",
                               "Amount must be at least %d in the smallest unit of %.*s",
                               PAYMENT_AMOUNT_LEAST, STR_FMT(currency));
    if (amount > PAYMENT_AMOUNT_MOST)
        return sandbox_invalid(error, "amount_too_large", "amount",
                               "Amount must be no more than %d in the smallest unit of %.*s",
                               PAYMENT_AMOUNT_MOST, STR_FMT(currency));
    return 0;
}

int check_payment_create(const struct sandbox_form *form, struct sandbox_error *error)
{
    int status = check_money(form, error);
    status = status ? status : check_types(form, error);
    status = status ? status : check_payment(form, error);
    if (!status && form->number[SANDBOX_PARAM_ERROR_ON_REQUIRES_ACTION] &&
        !form->number[SANDBOX_PARAM_CONFIRM])
        status = sandbox_invalid(error, NULL, "error_on_requires_action",
                                 "error_on_requires_action can only be given with confirm=true");
    return status;
}

int check_payment_capture(const struct sandbox_form *form, struct sandbox_error *error)
{
    int status = check_positive(form, SANDBOX_PARAM_AMOUNT_TO_CAPTURE, error);
    return status ? status : check_payment(form, error);
}

int check_refund_create(const struct sandbox_form *form, struct sandbox_error *error)
{
    bool payment = sandbox_form_has(form, SANDBOX_PARAM_PAYMENT_INTENT);
    if (payment == sandbox_form_has(form, SANDBOX_PARAM_CHARGE))
        return sandbox_invalid(error, "parameter_missing", "payment_intent",
                               "One of payment_intent and charge has to tell what to refund.");
    return check_positive(form, SANDBOX_PARAM_AMOUNT, error);
}
