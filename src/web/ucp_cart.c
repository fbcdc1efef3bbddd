#include "web/once.h"
#include "web/ucp.h"

static enum app_verdict show(struct exchange *x, int status, const struct cart *cart)
{
    struct ucp_view view;
    int err = ucp_answer(x, &view, UCP_CART);
    if (err)
        return call_fail_err(x, err);
    struct json *json = &view.json;
    json_put_text(json, json->root, "id", ucp_id(json->arena, cart->id));
    ucp_put_basket(&view, json->root, &cart->basket);
    ucp_put_links(&view, json->root);
    json_put_text(json, json->root, "expires_at", ucp_time(json->arena, cart->expires_ms));
    if (!cart->canceled)
        json_put_text(json, json->root, "continue_url",
                      ARENA_JOIN(json->arena, view.base, STR("/carts/"),
                                 ucp_id(json->arena, cart->id), STR("/open")));
    return ucp_send(&view, status);
}

static enum app_verdict answer(struct exchange *x, int status, struct outcome *outcome)
{
    const struct result *result = &outcome->result;
    if (outcome->err || result->err || result->kind != RESULT_CART)
        return ucp_failed(x, UCP_CART, "Cart", outcome);
    return show(x, status, &result->cart);
}

static enum app_verdict created(struct exchange *x, struct outcome *outcome)
{
    return answer(x, 201, outcome);
}

static enum app_verdict changed(struct exchange *x, struct outcome *outcome)
{
    return answer(x, 200, outcome);
}

static enum app_verdict put(struct exchange *x, struct ucp *ucp, struct command *command,
                            submit_then *then)
{
    ucp_read_basket(&ucp->in, &ucp->body, true, &command->cart_put.basket);
    if (ucp_malformed(ucp))
        return APP_DONE;
    ucp_key(ucp, command);
    return submit_command(x, command, then);
}

enum app_verdict ucp_cart_create(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct command command = {.type = COMMAND_CART_PUT};
    if (!ucp)
        return APP_DONE;
    command.cart_put.id = once_id(x, STR("cart"));
    return put(x, ucp, &command, created);
}

enum app_verdict ucp_cart_update(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct command command = {.type = COMMAND_CART_PUT};
    if (!ucp)
        return APP_DONE;
    if (call_param_id(x, 0, &command.cart_put.id))
        return ucp_not_found(x, UCP_CART, "Cart");
    command.cart_put.must_exist = true;
    return put(x, ucp, &command, changed);
}

enum app_verdict ucp_cart_get(struct exchange *x)
{
    struct id id;
    struct cart *cart = ARENA_NEW(&x->arena, struct cart);
    if (!ucp_begin(x))
        return APP_DONE;
    if (!cart)
        return call_fail_err(x, ERR_NOMEM);
    int err =
        call_param_id(x, 0, &id) ? ERR_NOTFOUND : reader_cart(call_reader(x), &x->arena, id, cart);
    if (err == ERR_NOTFOUND || (!err && cart->canceled))
        return ucp_not_found(x, UCP_CART, "Cart");
    return err ? call_fail_err(x, err) : show(x, 200, cart);
}

enum app_verdict ucp_cart_cancel(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct command command = {.type = COMMAND_CART_CANCEL};
    if (!ucp)
        return APP_DONE;
    if (call_param_id(x, 0, &command.id))
        return ucp_not_found(x, UCP_CART, "Cart");
    ucp_key(ucp, &command);
    return submit_command(x, &command, changed);
}
