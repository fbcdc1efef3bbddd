#include "web/bank_events.h"

#include "base/clock.h"
#include "outside/stripe_signature.h"
#include "web/call.h"
#include "web/json.h"
#include "web/submit.h"

static enum app_verdict answer(struct exchange *x, int status, struct str text)
{
    exchange_reply(x, status, STR("text/plain"), text);
    return APP_DONE;
}

static enum app_verdict thank(struct exchange *x)
{
    return answer(x, 200, STR("Thank you.\n"));
}

/* ---- Refunds that failed ---- */

/* What of the event is of use here; false: nothing. */
static bool read_failed_refund(struct exchange *x, struct order_change *change)
{
    struct json_in in;
    struct json_spot root, data, object, metadata;
    json_read(&in, &x->arena, x->body, &root);
    data = json_member(&root, "data");
    object = json_member(&data, "object");
    metadata = json_member(&object, "metadata");
    struct str status = json_text_of(&in, &object, "status", SHOP_KEY_MAX);
    struct str kind = json_text_of(&in, &object, "object", SHOP_KEY_MAX);
    struct str order = json_text_of(&in, &metadata, "checkout", SHOP_KEY_MAX);
    struct str effect = json_text_of(&in, &metadata, "effect", SHOP_KEY_MAX);
    change->reference = json_text_of(&in, &object, "id", SHOP_KEY_MAX);
    change->text = json_text_of(&in, &object, "failure_reason", SHOP_TEXT_MAX);
    return !json_bad(&in) && str_eq(kind, STR("refund")) && effect.len > 0 &&
           change->reference.len > 0 && id_parse(order, &change->id) == 0 &&
           (str_eq(status, STR("failed")) || str_eq(status, STR("canceled")));
}

static enum app_verdict noted(struct exchange *x, struct outcome *outcome)
{
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    const struct result *result = &outcome->result;
    if (result->err == ERR_STATE) /* its own answer is still to come into the log */
        return answer(x, 503, STR("The refund is not known here yet; tell it again.\n"));
    /* It never will be (the shop was restored from an older copy, say); the bank would go on for
     * days and then think that nobody is there. */
    if (result->err == ERR_CONFLICT)
        log_line(call_web(x)->settings.log, LOG_ERROR, "bank", "a refund has failed: %.*s",
                 STR_FMT(result->text));
    if (result->err == 0)
        log_line(call_web(x)->settings.log, LOG_WARN, "bank",
                 "order %llu: a refund that was made has failed at the bank",
                 (unsigned long long)result->order.number);
    return thank(x); /* it is known now, or is none of this shop's */
}

/* ---- All events ---- */

enum app_verdict bank_events(struct exchange *x)
{
    const struct web_bank *bank = &call_web(x)->settings.bank;
    struct command command = {.type = COMMAND_ORDER_REFUND_FAILED};
    if (bank->secret.len == 0)
        return answer(
            x, 404, STR("This shop listens to no bank (stoa serve --bank-webhook-secret-file).\n"));
    int err = stripe_signature_check(exchange_header(x, STR("stripe-signature")), x->body,
                                     bank->secret, clock_wall_ms() / 1000);
    if (err)
        return answer(x, 400,
                      err == ERR_TIMEOUT ? STR("The signature is too old.\n")
                                         : STR("The signature is not the bank's.\n"));
    bank->told(bank->context);
    if (read_failed_refund(x, &command.order))
        return submit_command(x, &command, noted);
    return thank(x);
}
