#include "web/basket.h"
#include "web/call.h"
#include "web/choice.h"
#include "web/csrf.h"
#include "web/gate.h"
#include "web/json.h"
#include "web/once.h"
#include "web/page.h"
#include "web/pages.h"
#include "web/session.h"
#include "web/submit.h"

/* ---- Showing ---- */

static void show_token(struct page *page, struct id object)
{
    const struct web_settings *settings = &call_web(page->x)->settings;
    char token[CSRF_TOKEN_TEXT];
    csrf_token(settings->secret, sizeof settings->secret, object, token);
    value_text(page->root, "token", arena_str(&page->x->arena, str_of(token)));
}

/* The cart's page; ERROR (may be empty) says what could not be done just now. */
static enum app_verdict show_cart(struct exchange *x, int status, struct str error)
{
    struct page page;
    int err = page_begin(x, &page, "cart");
    if (err)
        return call_fail_err(x, err);
    page_title(&page, STR("Your cart"), STR(""));
    value_text(page.root, "error", error);
    struct cart cart;
    struct id id;
    if (session_cart(x, &cart)) {
        struct value *map = cart.basket.line_count ? value_map(page.root, "cart") : NULL;
        if (map)
            page_basket(&page, map, &cart.basket);
        show_token(&page, cart.id);
        session_keep(x, &cart);
    } else if (session_cart_id(x, &id)) {
        session_forget(x);
    }
    return page_reply(&page, status);
}

enum app_verdict page_cart(struct exchange *x)
{
    return show_cart(x, 200, STR(""));
}

/* ---- Changing ---- */

static bool wants_json(const struct exchange *x)
{
    return str_starts(x->known[HTTP_FIELD_ACCEPT], STR("application/json"));
}

static int http_status(int err)
{
    return err == ERR_NOTFOUND ? 404 : err == ERR_STATE || err == ERR_SHORT ? 409 : 422;
}

/* What the script shows after an item was added. */
static enum app_verdict reply_units(struct exchange *x, const struct cart *cart)
{
    struct json json;
    json_begin(&json, &x->arena);
    json_put_int(&json, json.root, "units", basket_units(&cart->basket));
    return call_json(x, 200, json_end(&json));
}

/* The cart as it is now, with why it was not changed. */
static enum app_verdict show_refusal(struct exchange *x)
{
    const struct result *result = call_of(x)->own;
    return show_cart(x, http_status(result->err), result->text);
}

static enum app_verdict refused(struct exchange *x, struct outcome *outcome)
{
    call_of(x)->own = &outcome->result;
    return gate_after(x, outcome->index, show_refusal, NULL);
}

static enum app_verdict changed(struct exchange *x, struct outcome *outcome)
{
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    const struct result *result = &outcome->result;
    if (result->err && wants_json(x))
        return call_fail(x, http_status(result->err), result->text);
    if (result->err)
        return refused(x, outcome);
    session_keep(x, &result->cart);
    return wants_json(x) ? reply_units(x, &result->cart) : call_redirect(x, STR("/cart"));
}

static struct str form_text(struct exchange *x, const char *name)
{
    struct str text = exchange_form(x, str_of(name));
    return text.at ? str_trim(text) : STR("");
}

/* The quantity typed; 0 to SHOP_QUANTITY_MAX, else false. */
static bool read_quantity(struct exchange *x, uint32_t *quantity)
{
    uint64_t number = 1;
    struct str text = form_text(x, "quantity");
    if (text.len && (str_to_u64(text, &number) || number > SHOP_QUANTITY_MAX))
        return false;
    *quantity = (uint32_t)number;
    return true;
}

/* The product's page, which says that there is no such variant, or that it is sold out. Handles
 * and variant keys need no encoding (shop/model.h). */
static enum app_verdict back_to_product(struct exchange *x, const struct product *product,
                                        int chosen)
{
    struct str handle = product->handle, address;
    if (chosen < 0)
        address = arena_printf(&x->arena, "/product/%.*s?option1=", STR_FMT(handle));
    else
        address = arena_printf(&x->arena, "/product/%.*s?variant=%.*s&out=1", STR_FMT(handle),
                               STR_FMT(product->variants[chosen].key));
    return call_redirect(x, address);
}

/* The key of the item that the form is about: "item", or the options chosen of "handle".
 * at == NULL: there is none, and *VERDICT is the answer. */
static struct str asked_item(struct exchange *x, enum app_verdict *verdict)
{
    static const char *const names[] = {"option1", "option2", "option3"};
    struct str options[SHOP_OPTIONS_MAX];
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++)
        options[i] = exchange_form(x, str_of(names[i]));
    struct str item = form_text(x, "item");
    if (item.len && !options[0].at)
        return item;
    struct product product;
    int err = reader_product(call_reader(x), &x->arena, form_text(x, "handle"), false, &product);
    if (err) {
        *verdict = call_fail_err(x, err);
        return STR_NONE;
    }
    int chosen = choice_by_options(&product, options);
    if (chosen >= 0 && variant_sells(&product.variants[chosen]))
        return product.variants[chosen].key;
    *verdict = back_to_product(x, &product, chosen);
    return STR_NONE;
}

enum app_verdict cart_add(struct exchange *x)
{
    enum app_verdict verdict = APP_DONE;
    struct command command = {.type = COMMAND_CART_ADD};
    uint32_t quantity;
    if (!read_quantity(x, &quantity) || quantity == 0)
        return show_cart(x, 422, STR("Choose a quantity from 1 to 10000."));
    command.cart_item.quantity = quantity;
    command.cart_item.item_key = asked_item(x, &verdict);
    if (!command.cart_item.item_key.at)
        return verdict;
    struct cart cart;
    command.cart_item.id = session_cart(x, &cart) ? cart.id : once_id(x, STR("cart"));
    return submit_command(x, &command, changed);
}

/* The cart of the cookie, when the form's token is its own. */
static bool own_cart(struct exchange *x, struct cart *cart, enum app_verdict *verdict)
{
    const struct web_settings *settings = &call_web(x)->settings;
    if (!session_cart(x, cart)) {
        *verdict = call_redirect(x, STR("/cart"));
        return false;
    }
    if (csrf_token_fits(settings->secret, sizeof settings->secret, cart->id, form_text(x, "token")))
        return true;
    *verdict = call_fail(x, 403, STR(""));
    return false;
}

enum app_verdict cart_set(struct exchange *x)
{
    enum app_verdict verdict;
    struct cart cart;
    if (!own_cart(x, &cart, &verdict))
        return verdict;
    struct command command = {.type = COMMAND_CART_SET};
    uint32_t quantity = 0;
    if (!exchange_form(x, STR("remove")).at && !read_quantity(x, &quantity))
        return show_cart(x, 422, STR("Choose a quantity from 0 to 10000."));
    command.cart_item.id = cart.id;
    command.cart_item.item_key = form_text(x, "item");
    command.cart_item.quantity = quantity;
    return submit_command(x, &command, changed);
}

/* Codes of CART with ADD and without DROP, into INPUT. */
static void edit_codes(const struct cart *cart, struct str add, struct str drop,
                       struct basket_input *input)
{
    for (unsigned i = 0; i < cart->basket.code_count; i++) {
        struct str code = cart->basket.codes[i];
        if (!str_eq(code, drop) && !str_eq_nocase(code, add))
            input->codes[input->code_count++] = code;
    }
    if (add.len && input->code_count < SHOP_CODES_MAX)
        input->codes[input->code_count++] = add;
}

enum app_verdict cart_codes(struct exchange *x)
{
    enum app_verdict verdict;
    struct cart cart;
    if (!own_cart(x, &cart, &verdict))
        return verdict;
    struct command command = {.type = COMMAND_CART_PUT};
    command.cart_put.id = cart.id;
    command.cart_put.must_exist = true;
    struct basket_input *input = &command.cart_put.basket;
    if (basket_input_of(&x->arena, &cart.basket, input))
        return call_fail_err(x, ERR_NOMEM);
    input->code_count = 0;
    edit_codes(&cart, form_text(x, "code"), form_text(x, "drop"), input);
    return submit_command(x, &command, changed);
}

/* ---- To the checkout ---- */

static enum app_verdict began(struct exchange *x, struct outcome *outcome)
{
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    const struct result *result = &outcome->result;
    if (result->kind != RESULT_CHECKOUT)
        return refused(x, outcome);
    char text[ID_TEXT];
    return call_redirect(
        x, arena_printf(&x->arena, "/checkout/%s", id_text(result->checkout.id, text)));
}

/* The address alone, typed or loaded again. */
enum app_verdict checkout_none(struct exchange *x)
{
    return call_redirect(x, STR("/cart"));
}

enum app_verdict checkout_begin(struct exchange *x)
{
    enum app_verdict verdict;
    struct cart cart;
    if (!own_cart(x, &cart, &verdict))
        return verdict;
    struct command command = {.type = COMMAND_CHECKOUT_CREATE};
    command.checkout.id = once_id(x, STR("checkout"));
    command.checkout.cart_id = cart.id;
    return submit_command(x, &command, began);
}
