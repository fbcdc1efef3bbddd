#include "web/basket.h"
#include "web/call.h"
#include "web/country.h"
#include "web/form.h"
#include "web/pages.h"
#include "web/submit.h"
#include "web/visit.h"

enum { LINE_BYTES = 200 };

static const struct form_field contact_fields[] = {
    {"email", "E-mail address", "email", "email", "Enter your e-mail address", 254, form_is_email,
     "Enter an e-mail address in the form name@example.com"},
    {"first_name", "First name", "text", "given-name", NULL, LINE_BYTES, NULL, NULL},
    {"last_name", "Last name", "text", "family-name", "Enter your last name", LINE_BYTES, NULL,
     NULL},
    {"country", "Country", "text", "country", "Choose a country", 2, form_is_country,
     "Choose a country from the list"},
    {"street", "Street and house number", "text", "address-line1",
     "Enter a street and house number", LINE_BYTES, NULL, NULL},
    {"extended", "Apartment, floor, company", "text", "address-line2", NULL, LINE_BYTES, NULL,
     NULL},
    {"postal_code", "Postal code", "text", "postal-code", "Enter a postal code", 20, NULL, NULL},
    {"locality", "Town or city", "text", "address-level2", "Enter a town or city", LINE_BYTES, NULL,
     NULL},
    {"region", "State or region", "text", "address-level1", NULL, LINE_BYTES, NULL, NULL},
    {"phone", "Phone, for the carrier", "tel", "tel", NULL, 40, form_is_phone,
     "Enter a phone number with digits, like +44 20 7946 0000"},
};
enum {
    ALL_FIELDS = sizeof contact_fields / sizeof *contact_fields,
    PERSON_FIELDS = 3, /* the first ones: all that is asked when nothing is sent */
};

static unsigned field_count(const struct checkout *checkout)
{
    return checkout->needs_shipping ? ALL_FIELDS : PERSON_FIELDS;
}

/* ---- Contact and address ---- */

/* Countries to choose from: those that a shipping rate names, or all when one is for
 * everywhere else. */
static int show_countries(struct page *page, struct str chosen)
{
    struct shipping_rate *rates;
    unsigned count = 0;
    int err = reader_shipping_rates(page->reader, &page->x->arena, &rates, &count);
    bool everywhere = false;
    for (unsigned i = 0; !err && i < count; i++)
        everywhere |= rates[i].enabled && str_eq(rates[i].country, STR("default"));
    struct value *list = value_list(page->root, "countries");
    for (unsigned i = 0; !err && i < country_count; i++) {
        struct str code = str_of(countries[i].code);
        bool sent_to = everywhere;
        for (unsigned j = 0; j < count && !sent_to; j++)
            sent_to = rates[j].enabled && str_eq(rates[j].country, code);
        if (!sent_to)
            continue;
        struct value *map = value_add_map(list);
        value_text(map, "code", code);
        value_text(map, "name", str_of(countries[i].name));
        value_bool(map, "chosen", str_eq(code, chosen));
    }
    return err;
}

static enum app_verdict show_address(const struct visit *visit, const struct form *form, int status)
{
    struct page page;
    int err = visit_page(visit, VISIT_ADDRESS, &page);
    if (err)
        return call_fail_err(visit->x, err);
    struct str country = STR("");
    if (visit->checkout.needs_shipping)
        country = form_value(form, "country");
    if (!country.len)
        country = page.settings.country;
    err = show_countries(&page, country);
    if (err) {
        page_abandon(&page);
        return call_fail_err(visit->x, err);
    }
    if (form->bad)
        page_title(&page, STR("Error: Contact and address"), STR(""));
    form_show(form, page.root);
    return page_reply(&page, status);
}

/* What the checkout knows already. */
static void fill_address(struct form *form, const struct checkout *checkout)
{
    const struct buyer *buyer = &checkout->basket.buyer;
    form_begin(form, contact_fields, field_count(checkout));
    form_set(form, "email", buyer->email);
    form_set(form, "first_name", buyer->first_name);
    form_set(form, "last_name", buyer->last_name);
    if (!checkout->needs_shipping)
        return;
    form_set(form, "phone", buyer->phone);
    if (checkout->selected_destination < 0)
        return;
    const struct address *to = &checkout->destinations[checkout->selected_destination];
    form_set(form, "country", to->country);
    form_set(form, "street", to->street);
    form_set(form, "extended", to->extended);
    form_set(form, "postal_code", to->postal_code);
    form_set(form, "locality", to->locality);
    form_set(form, "region", to->region);
}

enum app_verdict page_checkout(struct exchange *x)
{
    struct visit visit;
    enum app_verdict verdict;
    if (!visit_begin(x, &visit, &verdict))
        return verdict;
    struct form form;
    fill_address(&form, &visit.checkout);
    return show_address(&visit, &form, 200);
}

static void take_buyer(const struct form *form, const struct checkout *checkout,
                       struct buyer *buyer)
{
    buyer->email = form_value(form, "email");
    buyer->first_name = form_value(form, "first_name");
    buyer->last_name = form_value(form, "last_name");
    if (checkout->needs_shipping)
        buyer->phone = form_value(form, "phone");
}

static void take_destination(const struct form *form, struct checkout_input *input)
{
    input->has_fulfillment = true;
    input->destination_count = 1;
    input->destinations[0] = (struct address){
        .first_name = form_value(form, "first_name"),
        .last_name = form_value(form, "last_name"),
        .phone = form_value(form, "phone"),
        .street = form_value(form, "street"),
        .extended = form_value(form, "extended"),
        .locality = form_value(form, "locality"),
        .region = form_value(form, "region"),
        .postal_code = form_value(form, "postal_code"),
        .country = form_value(form, "country"),
    };
}

/* The answer to a change that the shop refused. */
static enum app_verdict refused(struct exchange *x, const struct visit *visit,
                                const struct result *result)
{
    if (result->err == ERR_STATE) /* paid or being paid in another tab: its page says so */
        return visit_go(visit, VISIT_ADDRESS);
    return result->err == ERR_INVALID ? call_fail(x, 422, result->text)
                                      : call_fail_err(x, result->err);
}

static enum app_verdict address_taken(struct exchange *x, struct outcome *outcome)
{
    struct visit *visit = call_of(x)->own;
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    const struct result *result = &outcome->result;
    if (result->err)
        return refused(x, visit, result);
    visit->checkout = result->checkout;
    if (!visit->checkout.needs_shipping)
        return visit_go(visit, VISIT_PAYMENT);
    if (visit->checkout.rate_count > 0)
        return visit_go(visit, VISIT_DELIVERY);
    struct form form;
    form_read(&form, x, contact_fields, ALL_FIELDS);
    form_error(&form, "country", "We do not send to this country. Choose another one");
    return show_address(visit, &form, 422);
}

enum app_verdict checkout_address(struct exchange *x)
{
    struct visit *visit = ARENA_NEW(&x->arena, struct visit);
    struct command *command = ARENA_NEW(&x->arena, struct command);
    enum app_verdict verdict;
    if (!visit || !command)
        return call_fail_err(x, ERR_NOMEM);
    if (!visit_take(x, visit, &verdict))
        return verdict;
    call_of(x)->own = visit;
    struct form form;
    form_read(&form, x, contact_fields, field_count(&visit->checkout));
    if (form.bad)
        return show_address(visit, &form, 422);
    command->type = COMMAND_CHECKOUT_UPDATE;
    struct checkout_input *input = &command->checkout;
    input->id = visit->id;
    input->has_basket = true;
    if (basket_input_of(&x->arena, &visit->checkout.basket, &input->basket))
        return call_fail_err(x, ERR_NOMEM);
    take_buyer(&form, &visit->checkout, &input->basket.buyer);
    if (visit->checkout.needs_shipping) {
        take_destination(&form, input);
        input->selected_rate = visit->checkout.selected_rate;
    }
    return submit_command(x, command, address_taken);
}

/* ---- Delivery ---- */

static enum app_verdict show_delivery(const struct visit *visit, int status, const char *error)
{
    struct page page;
    int err = visit_page(visit, VISIT_DELIVERY, &page);
    if (err)
        return call_fail_err(visit->x, err);
    const struct checkout *checkout = &visit->checkout;
    value_text(page.root, "error", str_of(error));
    visit_address(value_list(page.root, "destination"),
                  &checkout->destinations[checkout->selected_destination]);
    struct value *list = value_list(page.root, "rates");
    for (unsigned i = 0; i < checkout->rate_count; i++) {
        const struct shipping_rate *rate = &checkout->rates[i];
        struct value *map = value_add_map(list);
        value_text(map, "key", rate->key);
        value_text(map, "title", rate->title);
        value_text(map, "description", rate->description);
        value_int(map, "number", i + 1);
        value_bool(map, "chosen", str_eq(rate->key, checkout->selected_rate));
        if (rate->price)
            page_money(&page, map, "price", rate->price);
    }
    return page_reply(&page, status);
}

enum app_verdict page_delivery(struct exchange *x)
{
    struct visit visit;
    enum app_verdict verdict;
    if (!visit_begin(x, &visit, &verdict))
        return verdict;
    if (!visit.checkout.needs_shipping || visit_step_of(&visit.checkout) < VISIT_DELIVERY)
        return visit_go(&visit, visit_step_of(&visit.checkout));
    return show_delivery(&visit, 200, NULL);
}

static enum app_verdict delivery_taken(struct exchange *x, struct outcome *outcome)
{
    struct visit *visit = call_of(x)->own;
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    if (outcome->result.err)
        return refused(x, visit, &outcome->result);
    return visit_go(visit, VISIT_PAYMENT);
}

static bool offers(const struct checkout *checkout, struct str key)
{
    for (unsigned i = 0; i < checkout->rate_count; i++)
        if (str_eq(checkout->rates[i].key, key))
            return true;
    return false;
}

enum app_verdict checkout_delivery(struct exchange *x)
{
    struct visit *visit = ARENA_NEW(&x->arena, struct visit);
    struct command *command = ARENA_NEW(&x->arena, struct command);
    enum app_verdict verdict;
    if (!visit || !command)
        return call_fail_err(x, ERR_NOMEM);
    if (!visit_take(x, visit, &verdict))
        return verdict;
    call_of(x)->own = visit;
    const struct checkout *checkout = &visit->checkout;
    if (!checkout->needs_shipping || visit_step_of(checkout) < VISIT_DELIVERY)
        return visit_go(visit, visit_step_of(checkout));
    struct str rate = exchange_form(x, STR("rate"));
    if (!rate.at || !offers(checkout, rate))
        return show_delivery(visit, 422, "Choose how it shall be sent");
    command->type = COMMAND_CHECKOUT_UPDATE;
    struct checkout_input *input = &command->checkout;
    input->id = visit->id;
    input->has_fulfillment = true;
    input->destination_count = checkout->destination_count;
    memcpy(input->destinations, checkout->destinations, sizeof input->destinations);
    input->selected_destination = checkout->destinations[checkout->selected_destination].id;
    input->selected_rate = rate;
    return submit_command(x, command, delivery_taken);
}
