#include "web/call.h"
#include "web/csrf.h"
#include "web/form.h"
#include "web/gate.h"
#include "web/once.h"
#include "web/pages.h"
#include "web/session.h"
#include "web/submit.h"
#include "web/visit.h"

#include <inttypes.h>

/* The sandbox's cards: what the token does is said on the page. */
static const struct card {
    const char *token, *title, *about, *digits;
} cards[] = {
    {"success_token", "Test card that pays", "Ends in 4242. The bank says yes.", "4242"},
    {"fail_token", "Test card that is refused", "Ends in 0002. The bank says no.", "0002"},
};
enum { CARDS = sizeof cards / sizeof *cards };

static const struct card *card_of(struct str token)
{
    for (unsigned i = 0; i < CARDS; i++)
        if (str_eq(token, str_of(cards[i].token)))
            return &cards[i];
    return NULL;
}

static void show_cards(struct page *page, struct str chosen)
{
    struct value *list = value_list(page->root, "cards");
    for (unsigned i = 0; i < CARDS; i++) {
        struct value *map = value_add_map(list);
        value_text(map, "token", str_of(cards[i].token));
        value_text(map, "title", str_of(cards[i].title));
        value_text(map, "about", str_of(cards[i].about));
        value_int(map, "number", i + 1);
        value_bool(map, "chosen", str_eq(chosen, str_of(cards[i].token)));
    }
}

static const char *rate_title(const struct checkout *checkout, struct arena *arena)
{
    for (unsigned i = 0; i < checkout->rate_count; i++)
        if (str_eq(checkout->rates[i].key, checkout->selected_rate)) {
            struct str title = arena_str(arena, checkout->rates[i].title);
            return title.at ? title.at : "";
        }
    return "";
}

/* ERROR (NULL: none) is about paying; CARD: at the choice of the card. */
static enum app_verdict show_payment(const struct visit *visit, int status, struct str error,
                                     bool at_card)
{
    struct exchange *x = visit->x;
    struct page page;
    int err = visit_page(visit, VISIT_PAYMENT, &page);
    if (err)
        return call_fail_err(x, err);
    const struct checkout *checkout = &visit->checkout;
    int64_t total = basket_total(&checkout->basket, TOTAL_TOTAL);
    value_text(page.root, "error", error);
    value_bool(page.root, "error_at_card", at_card);
    value_text(page.root, "email", checkout->basket.buyer.email);
    value_text(page.root, "rate", str_of(rate_title(checkout, &x->arena)));
    value_printf(page.root, "agreed", "%" PRId64, total);
    value_bool(page.root, "to_pay", total > 0);
    if (checkout->needs_shipping)
        visit_address(value_list(page.root, "destination"),
                      &checkout->destinations[checkout->selected_destination]);
    struct str chosen = x->method == HTTP_POST ? exchange_form(x, STR("card")) : STR("");
    show_cards(&page, chosen.at ? chosen : STR(""));
    if (error.len)
        page_title(&page, STR("Error: Payment"), STR(""));
    return page_reply(&page, status);
}

enum app_verdict page_payment(struct exchange *x)
{
    struct visit visit;
    enum app_verdict verdict;
    if (!visit_begin(x, &visit, &verdict))
        return verdict;
    enum visit_step step = visit_step_of(&visit.checkout);
    if (step != VISIT_PAYMENT)
        return visit_go(&visit, step);
    return show_payment(&visit, 200, STR(""), false);
}

/* ---- Paying ---- */

/* How a purchase ended, for the step that shows it. */
struct ending {
    struct id checkout;
    struct str refusal;
    bool at_card;
};

static enum app_verdict to_order(struct exchange *x)
{
    const struct ending *ending = call_of(x)->own;
    char text[ID_TEXT];
    return call_redirect(x, arena_printf(&x->arena, "/order/%s", id_text(ending->checkout, text)));
}

static enum app_verdict show_paid(struct exchange *x)
{
    struct cart cart;
    /* What was put into the cart while this was being paid for stays in it. */
    if (session_cart(x, &cart) && cart.basket.line_count)
        session_keep(x, &cart);
    else
        session_forget(x);
    return to_order(x);
}

/* Shows the checkout as it is now, with what kept it from being paid. */
static enum app_verdict show_refusal(struct exchange *x)
{
    const struct ending *ending = call_of(x)->own;
    struct visit visit;
    enum app_verdict verdict;
    if (!visit_begin(x, &visit, &verdict))
        return verdict;
    if (visit_step_of(&visit.checkout) != VISIT_PAYMENT)
        return visit_go(&visit, visit_step_of(&visit.checkout));
    struct str text = ending->refusal;
    if (ending->at_card)
        text = arena_printf(&x->arena, "The bank refused this payment: %.*s. Choose another card",
                            STR_FMT(text));
    return show_payment(&visit, ending->at_card ? 422 : 409, text, ending->at_card);
}

/* TEXT is of the bank or of the shop. */
static enum app_verdict refused(struct exchange *x, const struct outcome *outcome, struct str text,
                                bool at_card)
{
    struct ending *ending = call_of(x)->own;
    ending->refusal = text;
    ending->at_card = at_card;
    return gate_after(x, outcome->index, show_refusal, NULL);
}

static enum app_verdict pay_ended(struct exchange *x, struct outcome *outcome)
{
    const struct visit *visit = call_of(x)->own;
    struct ending *ending = ARENA_NEW(&x->arena, struct ending);
    if (outcome->err || !ending)
        return call_fail_err(x, outcome->err ? outcome->err : ERR_NOMEM);
    ending->checkout = visit->id;
    call_of(x)->own = ending;
    const struct result *result = &outcome->result;
    bool is_checkout = result->kind == RESULT_CHECKOUT;
    struct str refusal = is_checkout ? result->checkout.payment.error : STR("");
    switch (result->err) {
    case ERR_OK:
        /* A release that the shop applied is no payment. */
        if (is_checkout && result->checkout.status != CHECKOUT_COMPLETED)
            return refused(x, outcome, refusal, true);
        /* Without a fresh copy the cookies stay as they are; the cart's page sees to them. */
        return gate_after(x, outcome->index, show_paid, to_order);
    case ERR_TIMEOUT: /* not known yet: the waiting page */
        return visit_go(visit, VISIT_PAYMENT);
    case ERR_DENIED:
        return refused(x, outcome, refusal.len ? refusal : result->text, true);
    case ERR_SHORT:
    case ERR_STATE:
        return refused(x, outcome, result->text, false);
    default:
        return call_fail_err(x, result->err);
    }
}

static enum app_verdict start_paying(struct exchange *x, const struct visit *visit,
                                     const struct card *card, int64_t agreed)
{
    struct shop_settings settings;
    int err = reader_settings(call_reader(x), &x->arena, &settings);
    if (err)
        return call_fail_err(x, err);
    struct buy_request request = {
        .checkout = visit->id,
        .currency = settings.currency,
        .expected_total = agreed,
    };
    request.keyed = once_key(x, request.idempotency_key, request.idempotency_body);
    if (card) {
        request.token = str_of(card->token);
        request.payment = (struct payment){
            .handler_id = STR("sandbox"),
            .instrument_id = STR("page"),
            .type = STR("card"),
            .brand = STR("Test card"),
            .last_digits = str_of(card->digits),
        };
    }
    return submit_purchase(x, &request, pay_ended);
}

/* Whether X has a stamp and what it needs to pay for the checkout, which is read. A stamped request
 * may have come twice: the first may be paying still, or have paid. Then this one goes on where
 * that stands, to the same end. */
static bool may_go_on(struct exchange *x, struct visit *visit)
{
    const struct web_settings *settings = &call_web(x)->settings;
    visit->x = x;
    return once_is_stamped(x) && !call_param_id(x, 0, &visit->id) &&
           csrf_token_fits(settings->secret, sizeof settings->secret, visit->id,
                           exchange_form(x, STR("token"))) &&
           !reader_checkout(call_reader(x), &x->arena, visit->id, &visit->checkout);
}

/* It has been paid for: what is to be shown needs no command. */
static enum app_verdict show_paid_already(struct exchange *x, const struct visit *visit)
{
    struct ending *ending = ARENA_NEW(&x->arena, struct ending);
    if (!ending)
        return call_fail_err(x, ERR_NOMEM);
    ending->checkout = visit->id;
    call_of(x)->own = ending;
    return show_paid(x);
}

static bool read_agreed(struct exchange *x, int64_t *agreed)
{
    struct str shown = exchange_form(x, STR("agreed"));
    return shown.at && str_to_i64(shown, agreed) == 0 && *agreed >= 0;
}

enum app_verdict checkout_pay(struct exchange *x)
{
    struct visit *visit = ARENA_NEW(&x->arena, struct visit);
    enum app_verdict verdict;
    if (!visit)
        return call_fail_err(x, ERR_NOMEM);
    call_of(x)->own = visit;
    const struct card *card = card_of(exchange_form(x, STR("card")));
    int64_t agreed = -1, total;
    if (may_go_on(x, visit)) {
        if (visit->checkout.status == CHECKOUT_COMPLETED)
            return show_paid_already(x, visit);
        if (visit->checkout.status == CHECKOUT_PAYING && read_agreed(x, &agreed))
            return start_paying(x, visit, card, agreed);
    }
    if (!visit_take(x, visit, &verdict))
        return verdict;
    enum visit_step step = visit_step_of(&visit->checkout);
    if (step != VISIT_PAYMENT)
        return visit_go(visit, step);
    total = basket_total(&visit->checkout.basket, TOTAL_TOTAL);
    if (!read_agreed(x, &agreed))
        return call_fail(x, 400, STR(""));
    if (!card && total > 0)
        return show_payment(visit, 422, STR("Choose a card"), true);
    return start_paying(x, visit, card, agreed);
}
