/* Buying: hold, then pay, then confirm or release. The states are drawn in shop/checkout.h.
 *
 * Between hold and confirm the bank is asked, by whoever; nothing here waits for it. */
#include "shop/cart.h"
#include "shop/checkout.h"
#include "shop/holds.h"
#include "shop/message.h"
#include "shop/order.h"
#include "shop/stock.h"

/* How long a completed checkout can still be looked at; its order stays for good. */
static const int64_t COMPLETED_TTL_MS = 30ll * 24 * 3600 * 1000;

static int load(struct apply *apply, struct checkout *checkout)
{
    return checkout_find(apply, apply->command->complete.id, checkout);
}

/* ---- CHECKOUT_HOLD ---- */

/* Holds all the goods of CHECKOUT, each variant by what all its lines ask for together. */
static int hold_goods(struct apply *apply, const struct basket_view *view,
                      const struct checkout *checkout)
{
    struct basket_need needs[SHOP_LINES_MAX];
    unsigned count;
    basket_needs(view, &checkout->basket, needs, &count);
    if (holds_begin(shop_holds(apply->shop), checkout->id, needs, count))
        return apply_failed(apply);
    for (unsigned i = 0; i < count; i++)
        stock_hold(apply, needs[i].item, needs[i].quantity);
    return ERR_OK;
}

/* The checkout as it is now, kept, and the reason why its goods are not held. */
static int keep_and_refuse(struct apply *apply, struct checkout *checkout, int err,
                           const char *sentence)
{
    int failed = checkout_store(apply, checkout, checkout->expires_ms);
    return failed ? failed : checkout_refuse(apply, checkout, err, sentence);
}

static int refuse_incomplete(struct apply *apply, struct checkout *checkout)
{
    if (message_has(&checkout->basket, STR("out_of_stock")))
        return keep_and_refuse(apply, checkout, ERR_SHORT,
                               "There is not enough in stock; see what is left of each item.");
    return keep_and_refuse(apply, checkout, ERR_STATE,
                           "The checkout is not complete; see what is missing.");
}

static int refuse_changed_price(struct apply *apply, struct checkout *checkout, int64_t agreed,
                                int64_t total)
{
    message_warning(&checkout->basket, apply->arena, STR("price_changed"), STR("$.totals"),
                    "The total has gone %s since it was shown. Look at it before you pay.",
                    total > agreed ? "up" : "down");
    return keep_and_refuse(apply, checkout, ERR_STATE,
                           "The total has changed; look at it before you pay.");
}

/* Settings of an earlier version may say more than is safe. */
static int64_t hold_ms(const struct basket_view *view)
{
    int64_t hold_ms = view->terms->settings.hold_ms;
    return hold_ms < SHOP_HOLD_MAX_MS ? hold_ms : SHOP_HOLD_MAX_MS;
}

static int begin_paying(struct apply *apply, const struct basket_view *view,
                        struct checkout *checkout)
{
    int err = hold_goods(apply, view, checkout);
    if (err)
        return err;
    checkout->status = CHECKOUT_PAYING;
    checkout->hold_until_ms = apply->now + hold_ms(view);
    checkout->payment = apply->command->complete.payment;
    checkout->attempt++;
    checkout->claimed = false;
    return checkout_store(apply, checkout, checkout->expires_ms);
}

static int hold_open(struct apply *apply, struct checkout *checkout)
{
    struct basket_view view;
    int err = cart_view(apply, &view);
    if (err)
        return err;
    int64_t agreed = apply->command->complete.expected_total;
    if (agreed < 0)
        agreed = basket_total(&checkout->basket, TOTAL_TOTAL);
    err = checkout_decide(&view, checkout);
    if (err)
        return err;
    int64_t total = basket_total(&checkout->basket, TOTAL_TOTAL);
    if (checkout->status != CHECKOUT_READY)
        return refuse_incomplete(apply, checkout);
    if (total != agreed)
        return refuse_changed_price(apply, checkout, agreed, total);
    return begin_paying(apply, &view, checkout);
}

/* Refused to all but the primary, which has claimed CHECKOUT; how it ends is not known yet. */
static int refuse_claimed(struct apply *apply, struct checkout *checkout)
{
    apply->passing = true;
    return checkout_refuse(apply, checkout, ERR_STATE,
                           "The payment is being settled; look again in a minute.");
}

int apply_checkout_hold(struct apply *apply)
{
    struct checkout checkout;
    int err = load(apply, &checkout);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such checkout. It may have expired.");
    if (err)
        return err;
    switch (checkout.status) {
    case CHECKOUT_PAYING: /* asked again, or from another tab: the same hold, the same payment */
        if (checkout.claimed)
            return refuse_claimed(apply, &checkout);
        return checkout_show(apply, &checkout);
    case CHECKOUT_COMPLETED:
        return checkout_refuse(apply, &checkout, ERR_STATE,
                               "The checkout is completed; its order was placed.");
    case CHECKOUT_CANCELED:
        return checkout_refuse(apply, &checkout, ERR_STATE,
                               "The checkout was canceled. Begin a new one.");
    case CHECKOUT_INCOMPLETE:
    case CHECKOUT_ESCALATION:
    case CHECKOUT_READY:
        return hold_open(apply, &checkout);
    }
    return ERR_DAMAGED;
}

/* ---- The end of a hold ---- */

/* Ends the hold of CHECKOUT: END gets each variant and how much of it was held. */
static int end_hold(struct apply *apply, const struct checkout *checkout,
                    void (*end)(struct apply *apply, struct item *item, int64_t quantity))
{
    struct basket_view view = {.arena = apply->arena, .items = apply->items, .now_ms = apply->now};
    struct basket_need needs[SHOP_LINES_MAX];
    unsigned count;
    basket_needs(&view, &checkout->basket, needs, &count);
    if (db_failure(apply->db)->err)
        return apply_failed(apply);
    for (unsigned i = 0; i < count; i++)
        end(apply, needs[i].item, needs[i].quantity);
    return holds_end(shop_holds(apply->shop), checkout->id) ? apply_failed(apply) : ERR_OK;
}

static bool is_late(const struct apply *apply, const struct checkout *checkout)
{
    uint32_t attempt = apply->command->complete.attempt;
    return attempt != 0 && attempt != checkout->attempt;
}

/* Whether CHECKOUT is not being paid by the attempt that the command is of: it is over. When
 * another one pays, how the request ends is not known yet, and its key is not to say "being paid"
 * for good. */
static bool is_over(struct apply *apply, const struct checkout *checkout)
{
    if (checkout->status != CHECKOUT_PAYING)
        return true;
    apply->passing = is_late(apply, checkout);
    return apply->passing;
}

/* ---- CHECKOUT_CLAIM ---- */

/* From here on nobody but the primary, which says that it has claimed it, can end the hold of this
 * attempt: the bank is asked to give up the payment, and a home that was slow must not make an
 * order of it meanwhile. */
int apply_checkout_claim(struct apply *apply)
{
    struct checkout checkout;
    int err = load(apply, &checkout);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such checkout.");
    if (err)
        return err;
    if (checkout.status != CHECKOUT_PAYING || is_late(apply, &checkout))
        return checkout_refuse(apply, &checkout, ERR_STATE,
                               "Nothing is held for this payment any more.");
    if (checkout.claimed)
        return checkout_show(apply, &checkout);
    if (checkout.hold_until_ms > apply->now)
        return checkout_refuse(apply, &checkout, ERR_STATE,
                               "The payment is not overdue yet; its server may still end it.");
    checkout.claimed = true;
    return checkout_store(apply, &checkout, checkout.expires_ms);
}

/* Another one than the primary, which has claimed CHECKOUT. */
static bool is_barred(const struct apply *apply, const struct checkout *checkout)
{
    return checkout->claimed && !apply->command->complete.claimed;
}

/* ---- CHECKOUT_CONFIRM ---- */

static int confirm_paying(struct apply *apply, struct checkout *checkout)
{
    const struct terms *terms = apply_terms(apply);
    if (!terms)
        return apply_failed(apply);
    int err = end_hold(apply, checkout, stock_sell);
    if (err)
        return err;
    checkout->status = CHECKOUT_COMPLETED;
    checkout->hold_until_ms = 0;
    checkout->claimed = false;
    int64_t old_expires_ms = checkout->expires_ms;
    checkout->expires_ms = apply->now + COMPLETED_TTL_MS;
    checkout->payment.reference = apply->command->complete.payment.reference;
    checkout->payment.error = STR("");
    checkout->basket.message_count = 0;
    err = order_place(apply, terms, checkout);
    if (!err && !id_is_zero(checkout->cart_id))
        err = cart_take_out_bought(apply, checkout->cart_id, &checkout->basket);
    return err ? err : checkout_store(apply, checkout, old_expires_ms);
}

/* The checkout may have been removed since; its order never is. */
static int confirm_without_checkout(struct apply *apply)
{
    struct order order;
    int err = order_load(apply->db, apply->arena, apply->command->complete.id, &order);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such checkout.");
    if (err)
        return err;
    apply->result->kind = RESULT_ORDER;
    apply->result->order = order;
    return ERR_OK;
}

int apply_checkout_confirm(struct apply *apply)
{
    struct checkout checkout;
    int err = load(apply, &checkout);
    if (err == ERR_NOTFOUND)
        return confirm_without_checkout(apply);
    if (err)
        return err;
    if (checkout.status == CHECKOUT_COMPLETED)
        return checkout_show(apply, &checkout);
    if (is_over(apply, &checkout))
        return checkout_refuse(apply, &checkout, ERR_STATE,
                               "Nothing is held for this payment any more; take it back.");
    if (is_barred(apply, &checkout))
        return refuse_claimed(apply, &checkout);
    return confirm_paying(apply, &checkout);
}

/* ---- CHECKOUT_RELEASE ---- */

static int release_paying(struct apply *apply, struct checkout *checkout)
{
    struct basket_view view;
    int err = cart_view(apply, &view);
    if (!err)
        err = end_hold(apply, checkout, stock_unhold);
    if (err)
        return err;
    struct str error = apply->command->complete.payment.error;
    checkout->hold_until_ms = 0;
    checkout->claimed = false;
    checkout->payment.error = error;
    int64_t expires = apply->now + view.terms->settings.checkout_ttl_ms;
    int64_t old_expires_ms = checkout->expires_ms;
    if (checkout->expires_ms < expires)
        checkout->expires_ms = expires;
    err = checkout_decide(&view, checkout);
    if (err)
        return err;
    /* Said after the status was decided: it can be paid in another way at once. */
    message_error(&checkout->basket, apply->arena, STR("payment_failed"), STR("$.payment"),
                  "The payment failed: %.*s.",
                  STR_FMT(error.len > 0 ? error : STR("the bank refused it")));
    return checkout_store(apply, checkout, old_expires_ms);
}

int apply_checkout_release(struct apply *apply)
{
    struct checkout checkout;
    int err = load(apply, &checkout);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such checkout. It may have expired.");
    if (err)
        return err;
    if (checkout.status == CHECKOUT_COMPLETED)
        return checkout_refuse(apply, &checkout, ERR_STATE,
                               "The checkout is completed; its order was placed.");
    if (is_over(apply, &checkout))
        return checkout_show(apply, &checkout);
    if (is_barred(apply, &checkout))
        return refuse_claimed(apply, &checkout);
    return release_paying(apply, &checkout);
}
