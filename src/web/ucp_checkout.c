#include "web/once.h"
#include "web/ucp.h"

/* ---- Rendering ---- */

static void put_payment(struct json *json, const struct payment *payment)
{
    yyjson_mut_val *object = json_put_object(json, json->root, "payment");
    yyjson_mut_val *list = json_put_list(json, object, "instruments");
    if (!payment->instrument_id.len)
        return;
    yyjson_mut_val *one = json_add_object(json, list);
    json_put_text(json, one, "id", payment->instrument_id);
    json_put_text(json, one, "handler_id", payment->handler_id);
    json_put_text(json, one, "type", payment->type.len ? payment->type : STR("card"));
    json_put_bool(json, one, "selected", true);
    yyjson_mut_val *display = json_put_object(json, one, "display");
    json_put_some(json, display, "brand", payment->brand);
    json_put_some(json, display, "last_digits", payment->last_digits);
}

static void put_order(struct ucp_view *view, const struct checkout *checkout)
{
    struct json *json = &view->json;
    struct str id = ucp_id(json->arena, checkout->id);
    yyjson_mut_val *order = json_put_object(json, json->root, "order");
    json_put_text(json, order, "id", id);
    json_put_text(json, order, "label",
                  arena_printf(json->arena, "#%llu", (unsigned long long)checkout->order_number));
    json_put_text(json, order, "permalink_url",
                  ARENA_JOIN(json->arena, view->base, STR("/order/"), id));
}

void ucp_put_checkout(struct ucp_view *view, const struct checkout *checkout)
{
    struct json *json = &view->json;
    struct str id = ucp_id(json->arena, checkout->id);
    bool over = checkout->status == CHECKOUT_COMPLETED || checkout->status == CHECKOUT_CANCELED;
    json_put_text(json, json->root, "id", id);
    json_put_text(json, json->root, "status", str_of(checkout_status_name(checkout->status)));
    ucp_put_basket(view, json->root, &checkout->basket);
    ucp_put_fulfillment(view, json->root, checkout);
    put_payment(json, &checkout->payment);
    ucp_put_links(view, json->root);
    json_put_text(json, json->root, "expires_at", ucp_time(json->arena, checkout->expires_ms));
    if (!over)
        json_put_text(json, json->root, "continue_url",
                      ARENA_JOIN(json->arena, view->base, STR("/checkout/"), id));
    if (checkout->order_number)
        put_order(view, checkout);
}

enum app_verdict ucp_show_checkout(struct exchange *x, int status, const struct checkout *checkout)
{
    struct ucp_view view;
    int err = ucp_answer(x, &view, UCP_CHECKOUT);
    if (err)
        return call_fail_err(x, err);
    ucp_put_checkout(&view, checkout);
    return ucp_send(&view, status);
}

/* ---- What became of a command ---- */

/* The checkout's row is gone and only its order is left. */
static struct checkout of_order(const struct order *order)
{
    return (struct checkout){
        .id = order->id,
        .status = CHECKOUT_COMPLETED,
        .expires_ms = order->placed_ms,
        .basket = order->basket,
        .selected_destination = -1,
        .payment = order->payment,
        .order_number = order->number,
    };
}

static bool is_open(const struct checkout *checkout)
{
    return checkout->status == CHECKOUT_INCOMPLETE || checkout->status == CHECKOUT_READY ||
           checkout->status == CHECKOUT_ESCALATION;
}

enum app_verdict ucp_checkout_outcome(struct exchange *x, int status, struct outcome *outcome)
{
    struct result *result = &outcome->result;
    bool shown = !outcome->err && result->kind == RESULT_CHECKOUT;
    if (!outcome->err && !result->err && result->kind == RESULT_ORDER) {
        struct checkout checkout = of_order(&result->order);
        return ucp_show_checkout(x, status, &checkout);
    }
    if (shown && !result->err)
        return ucp_show_checkout(x, status, &result->checkout);
    /* Refused for what the shopper can mend: the checkout says it in its messages. */
    if (shown && is_open(&result->checkout) &&
        (result->err == ERR_STATE || result->err == ERR_SHORT || result->err == ERR_DENIED))
        return ucp_show_checkout(x, 200, &result->checkout);
    /* Not decided yet: the platform may look again. */
    if (shown && result->err == ERR_TIMEOUT)
        return ucp_show_checkout(x, 200, &result->checkout);
    return ucp_failed(x, UCP_CHECKOUT, "Checkout", outcome);
}

/* ---- Handlers ---- */

static enum app_verdict created(struct exchange *x, struct outcome *outcome)
{
    return ucp_checkout_outcome(x, 201, outcome);
}

static enum app_verdict changed(struct exchange *x, struct outcome *outcome)
{
    return ucp_checkout_outcome(x, 200, outcome);
}

enum app_verdict ucp_checkout_create(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    if (!ucp)
        return APP_DONE;
    struct command command = {.type = COMMAND_CHECKOUT_CREATE};
    struct checkout_input *input = &command.checkout;
    struct str cart = json_text_of(&ucp->in, &ucp->body, "cart_id", SHOP_KEY_MAX);
    input->id = once_id(x, STR("checkout"));
    input->platform = ucp->profile;
    input->has_basket = true;
    ucp_read_basket(&ucp->in, &ucp->body, !cart.len, &input->basket);
    ucp_read_fulfillment(&ucp->in, &ucp->body, NULL, input);
    if (ucp_malformed(ucp))
        return APP_DONE;
    if (cart.len && (id_parse(cart, &input->cart_id) || id_is_zero(input->cart_id)))
        return ucp_not_found(x, UCP_CHECKOUT, "Cart");
    ucp_key(ucp, &command);
    return submit_command(x, &command, created);
}

enum app_verdict ucp_checkout_get(struct exchange *x)
{
    struct id id;
    struct checkout *checkout = ARENA_NEW(&x->arena, struct checkout);
    if (!ucp_begin(x))
        return APP_DONE;
    if (!checkout)
        return call_fail_err(x, ERR_NOMEM);
    int err = call_param_id(x, 0, &id) ? ERR_NOTFOUND
                                       : reader_checkout(call_reader(x), &x->arena, id, checkout);
    if (err == ERR_NOTFOUND)
        return ucp_not_found(x, UCP_CHECKOUT, "Checkout");
    return err ? call_fail_err(x, err) : ucp_show_checkout(x, 200, checkout);
}

enum app_verdict ucp_checkout_update(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    if (!ucp)
        return APP_DONE;
    struct command command = {.type = COMMAND_CHECKOUT_UPDATE};
    struct checkout_input *input = &command.checkout;
    struct checkout *before = ARENA_NEW(&x->arena, struct checkout);
    if (!before)
        return call_fail_err(x, ERR_NOMEM);
    if (call_param_id(x, 0, &input->id))
        return ucp_not_found(x, UCP_CHECKOUT, "Checkout");
    /* Only for its destinations, which a platform may select from without repeating them. */
    int err = reader_checkout(call_reader(x), &x->arena, input->id, before);
    input->platform = ucp->profile;
    input->has_basket = true;
    ucp_read_basket(&ucp->in, &ucp->body, true, &input->basket);
    ucp_read_fulfillment(&ucp->in, &ucp->body, err ? NULL : before, input);
    if (ucp_malformed(ucp))
        return APP_DONE;
    ucp_key(ucp, &command);
    return submit_command(x, &command, changed);
}

enum app_verdict ucp_checkout_cancel(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct command command = {.type = COMMAND_CHECKOUT_CANCEL};
    if (!ucp)
        return APP_DONE;
    if (call_param_id(x, 0, &command.id))
        return ucp_not_found(x, UCP_CHECKOUT, "Checkout");
    ucp_key(ucp, &command);
    return submit_command(x, &command, changed);
}
