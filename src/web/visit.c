#include "web/visit.h"

#include "web/call.h"
#include "web/country.h"
#include "web/csrf.h"

static const struct {
    const char *template, *title, *ending;
} steps[] = {
    [VISIT_ADDRESS] = {"checkout", "Contact and address", ""},
    [VISIT_DELIVERY] = {"delivery", "Delivery", "/delivery"},
    [VISIT_PAYMENT] = {"payment", "Payment", "/payment"},
};
enum { STEPS = sizeof steps / sizeof *steps };

static struct str step_address(struct arena *arena, struct id id, enum visit_step step)
{
    char text[ID_TEXT];
    return arena_printf(arena, "/checkout/%s%s", id_text(id, text), steps[step].ending);
}

enum app_verdict visit_go(const struct visit *visit, enum visit_step step)
{
    return call_redirect(visit->x, step_address(&visit->x->arena, visit->id, step));
}

static enum app_verdict to_order(const struct visit *visit)
{
    char text[ID_TEXT];
    return call_redirect(visit->x,
                         arena_printf(&visit->x->arena, "/order/%s", id_text(visit->id, text)));
}

/* The bank is being asked: a page that looks again by itself. */
static enum app_verdict wait_page(struct exchange *x)
{
    struct page page;
    int err = page_begin(x, &page, "waiting");
    if (err)
        return call_fail_err(x, err);
    page_title(&page, STR("Your payment is on its way"), STR(""));
    exchange_add_header(x, STR("Refresh"), STR("2"));
    return page_reply(&page, 200);
}

bool visit_begin(struct exchange *x, struct visit *visit, enum app_verdict *verdict)
{
    const struct str over =
        STR("This checkout is over, or it has expired. What was in it may still be in your cart.");
    visit->x = x;
    int err = call_param_id(x, 0, &visit->id) ? ERR_NOTFOUND : 0;
    if (!err)
        err = reader_checkout(call_reader(x), &x->arena, visit->id, &visit->checkout);
    if (err) {
        *verdict = err == ERR_NOTFOUND ? call_fail(x, 410, over) : call_fail_err(x, err);
        return false;
    }
    switch (visit->checkout.status) {
    case CHECKOUT_PAYING:
        *verdict = wait_page(x);
        return false;
    case CHECKOUT_COMPLETED:
        *verdict = to_order(visit);
        return false;
    case CHECKOUT_CANCELED:
        *verdict = call_fail(x, 410, over);
        return false;
    case CHECKOUT_INCOMPLETE:
    case CHECKOUT_ESCALATION:
    case CHECKOUT_READY:
        break;
    }
    return true;
}

bool visit_take(struct exchange *x, struct visit *visit, enum app_verdict *verdict)
{
    const struct web_settings *settings = &call_web(x)->settings;
    struct id id;
    if (call_param_id(x, 0, &id) == 0 && !csrf_token_fits(settings->secret, sizeof settings->secret,
                                                          id, exchange_form(x, STR("token")))) {
        *verdict = call_fail(x, 403, STR(""));
        return false;
    }
    return visit_begin(x, visit, verdict);
}

enum visit_step visit_step_of(const struct checkout *checkout)
{
    if (!checkout->basket.buyer.email.len)
        return VISIT_ADDRESS;
    if (!checkout->needs_shipping)
        return VISIT_PAYMENT;
    if (checkout->selected_destination < 0 || checkout->rate_count == 0)
        return VISIT_ADDRESS;
    return checkout->selected_rate.len ? VISIT_PAYMENT : VISIT_DELIVERY;
}

static void show_steps(struct page *page, const struct visit *visit, enum visit_step now)
{
    struct value *list = value_list(page->root, "steps");
    for (unsigned i = 0; i < STEPS; i++) {
        if (i == VISIT_DELIVERY && !visit->checkout.needs_shipping)
            continue;
        struct value *map = value_add_map(list);
        value_text(map, "title", str_of(steps[i].title));
        value_bool(map, "now", i == now);
        if (i < now)
            value_text(map, "address", step_address(&page->x->arena, visit->id, i));
    }
}

int visit_page(const struct visit *visit, enum visit_step step, struct page *page)
{
    struct exchange *x = visit->x;
    const struct web_settings *settings = &call_web(x)->settings;
    int err = page_begin(x, page, steps[step].template);
    if (err)
        return err;
    page_title(page, str_of(steps[step].title), STR(""));
    char token[CSRF_TOKEN_TEXT];
    csrf_token(settings->secret, sizeof settings->secret, visit->id, token);
    value_text(page->root, "token", arena_str(&x->arena, str_of(token)));
    value_text(page->root, "action", step_address(&x->arena, visit->id, step));
    value_text(page->root, "address_step", step_address(&x->arena, visit->id, VISIT_ADDRESS));
    value_text(page->root, "delivery_step", step_address(&x->arena, visit->id, VISIT_DELIVERY));
    value_bool(page->root, "needs_shipping", visit->checkout.needs_shipping);
    show_steps(page, visit, step);
    page_basket(page, value_map(page->root, "basket"), &visit->checkout.basket);
    return 0;
}

static void add_joined(struct value *list, struct str first, struct str second)
{
    if (!first.len && !second.len)
        return;
    struct value *map = value_add_map(list);
    value_text(map, "first", first.len ? first : second);
    value_text(map, "second", first.len ? second : STR(""));
}

/* Where the post wants the town before the postal code. */
static bool town_comes_first(struct str country)
{
    static const char *const codes[] = {"US", "CA", "AU", "NZ", "GB", "IE", "IN", "SG", "ZA"};
    for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++)
        if (str_eq(country, str_of(codes[i])))
            return true;
    return false;
}

void visit_address(struct value *list, const struct address *address)
{
    struct str country = country_name(address->country);
    add_joined(list, address->first_name, address->last_name);
    add_joined(list, address->street, STR(""));
    add_joined(list, address->extended, STR(""));
    if (town_comes_first(address->country)) {
        add_joined(list, address->locality, STR(""));
        add_joined(list, address->region, address->postal_code);
    } else {
        add_joined(list, address->postal_code, address->locality);
        add_joined(list, address->region, STR(""));
    }
    add_joined(list, country.at ? country : address->country, STR(""));
}
