#include "base/clock.h"
#include "web/session.h"
#include "web/ucp.h"

/* A platform's cart, opened in somebody's browser: the cart's continue_url.
 *
 * The browser gets its goods, not the cart itself: whoever knows a cart's id may convert it
 * and would see the address that the other one types at the checkout. Into a cart that the
 * browser has already, each item comes at least as often as in the shared one, so that
 * opening the link again changes nothing. */

static struct command_line *line_of(struct basket_input *input, struct str item_key)
{
    for (unsigned i = 0; i < input->line_count; i++)
        if (str_eq(input->lines[i].item_key, item_key))
            return &input->lines[i];
    return NULL;
}

static void add_lines(struct basket_input *input, const struct basket *basket)
{
    for (unsigned i = 0; i < basket->line_count; i++) {
        const struct line *line = &basket->lines[i];
        struct command_line *have = line_of(input, line->item_key);
        if (have && have->quantity < line->quantity)
            have->quantity = line->quantity;
        else if (!have && input->line_count < SHOP_LINES_MAX)
            input->lines[input->line_count++] =
                (struct command_line){line->item_key, line->quantity, 0};
    }
}

static void add_codes(struct basket_input *input, const struct basket *basket)
{
    for (unsigned i = 0; i < basket->code_count; i++) {
        bool have = false;
        for (unsigned j = 0; j < input->code_count; j++)
            have |= str_eq_nocase(input->codes[j], basket->codes[i]);
        if (!have && input->code_count < SHOP_CODES_MAX)
            input->codes[input->code_count++] = basket->codes[i];
    }
}

static enum app_verdict opened(struct exchange *x, struct outcome *outcome)
{
    const struct result *result = &outcome->result;
    if (outcome->err || result->err || result->kind != RESULT_CART)
        return call_fail_err(x, outcome->err ? outcome->err : result->err);
    session_keep(x, &result->cart);
    return call_redirect(x, STR("/cart"));
}

enum app_verdict ucp_cart_open(struct exchange *x)
{
    struct id id;
    struct cart *shared = ARENA_NEW(&x->arena, struct cart);
    struct cart *own = ARENA_NEW(&x->arena, struct cart);
    struct command command = {.type = COMMAND_CART_PUT};
    struct basket_input *input = &command.cart_put.basket;
    input->lines = ARENA_ARRAY(&x->arena, struct command_line, SHOP_LINES_MAX);
    if (!shared || !own || !input->lines)
        return call_fail_err(x, ERR_NOMEM);
    int err = call_param_id(x, 0, &id) ? ERR_NOTFOUND
                                       : reader_cart(call_reader(x), &x->arena, id, shared);
    if (err || shared->canceled)
        return call_fail_err(x, err ? err : ERR_NOTFOUND);
    bool has_own = session_cart(x, own);
    command.cart_put.id = has_own ? own->id : id_new(clock_wall_ms());
    if (has_own) {
        add_lines(input, &own->basket);
        add_codes(input, &own->basket);
        input->buyer = own->basket.buyer;
    }
    add_lines(input, &shared->basket);
    add_codes(input, &shared->basket);
    return submit_command(x, &command, opened);
}
