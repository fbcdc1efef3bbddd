#include "web/gate.h"
#include "web/once.h"
#include "web/ucp.h"

enum { TOKEN_MAX = 4096, INSTRUMENTS_MAX = 16 };

/* The selected instrument, or the first. */
static struct json_spot selected(struct json_in *in, const struct json_spot *list)
{
    unsigned count = json_count(in, list, INSTRUMENTS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct json_spot one = json_element(list, i);
        if (json_is_object(in, &one) && json_flag_of(in, &one, "selected", false))
            return one;
    }
    return json_element(list, 0);
}

static void read_instrument(struct json_in *in, const struct json_spot *instrument,
                            struct buy_request *request)
{
    struct payment *payment = &request->payment;
    payment->instrument_id = json_need_text(in, instrument, "id", SHOP_KEY_MAX);
    payment->handler_id = json_need_text(in, instrument, "handler_id", SHOP_KEY_MAX);
    payment->type = json_need_text(in, instrument, "type", SHOP_KEY_MAX);
    struct json_spot display = json_member(instrument, "display");
    json_is_object(in, &display);
    payment->brand = json_text_of(in, &display, "brand", SHOP_KEY_MAX);
    payment->last_digits = json_text_of(in, &display, "last_digits", 8);
    struct json_spot credential = json_member(instrument, "credential");
    json_require(in, &credential);
    json_is_object(in, &credential);
    request->token = json_need_text(in, &credential, "token", TOKEN_MAX);
}

static void read_payment(struct json_in *in, const struct json_spot *body,
                         struct buy_request *request)
{
    struct json_spot payment = json_member(body, "payment");
    json_require(in, &payment);
    json_is_object(in, &payment);
    struct json_spot list = json_member(&payment, "instruments");
    json_require(in, &list);
    if (!json_bad(in) && yyjson_arr_size(list.value) == 0)
        json_wrong(in, &list, "is empty; name the instrument to pay with");
    struct json_spot instrument = selected(in, &list);
    json_require(in, &instrument);
    if (json_is_object(in, &instrument))
        read_instrument(in, &instrument, request);
}

static enum app_verdict bought(struct exchange *x, struct outcome *outcome)
{
    return ucp_checkout_outcome(x, 200, outcome);
}

/* A handler that the shop did not offer: the checkout stays as it is. */
static enum app_verdict unknown_handler(struct exchange *x)
{
    struct str handler = ucp_of(x)->handler;
    struct id id;
    struct checkout *checkout = ARENA_NEW(&x->arena, struct checkout);
    int err = !checkout                  ? ERR_NOMEM
              : call_param_id(x, 0, &id) ? ERR_NOTFOUND
                                         : reader_checkout(call_reader(x), &x->arena, id, checkout);
    if (err == ERR_NOTFOUND)
        return ucp_not_found(x, UCP_CHECKOUT, "Checkout");
    if (err)
        return call_fail_err(x, err);
    struct basket *basket = &checkout->basket;
    if (basket->message_count < SHOP_MESSAGES_MAX)
        basket->messages[basket->message_count++] = (struct message){
            .type = MESSAGE_ERROR,
            .severity = SEVERITY_RECOVERABLE,
            .code = STR("payment_failed"),
            .path = STR("$.payment.instruments"),
            .content = arena_printf(&x->arena,
                                    "This shop takes no payments by \"%.*s\"; it offers \"%s\".",
                                    STR_FMT(handler), UCP_HANDLER_ID),
        };
    return ucp_show_checkout(x, 200, checkout);
}

enum app_verdict ucp_checkout_complete(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct buy_request request = {.expected_total = -1};
    struct shop_settings settings;
    if (!ucp)
        return APP_DONE;
    if (call_param_id(x, 0, &request.checkout))
        return ucp_not_found(x, UCP_CHECKOUT, "Checkout");
    read_payment(&ucp->in, &ucp->body, &request);
    if (ucp_malformed(ucp))
        return APP_DONE;
    ucp->handler = request.payment.handler_id;
    if (!str_eq(ucp->handler, STR(UCP_HANDLER_ID)))
        return gate_read(x, unknown_handler);
    int err = call_settings(x, &settings);
    if (err)
        return call_fail_err(x, err);
    request.currency = settings.currency;
    request.keyed = ucp->keyed || once_key(x, ucp->key, ucp->hash);
    memcpy(request.idempotency_key, ucp->key, sizeof request.idempotency_key);
    memcpy(request.idempotency_body, ucp->hash, sizeof request.idempotency_body);
    return submit_purchase(x, &request, bought);
}
