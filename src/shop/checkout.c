#include "shop/checkout.h"

#include "base/check.h"
#include "shop/cart.h"
#include "shop/message.h"
#include "shop/order.h"
#include "shop/record.h"

/* Ends are rounded up to it, so that most changes leave the index on them alone. */
enum { EXPIRY_STEP_MS = 60 * 1000 };

/* ---- Rows and results ---- */

/* RECORD: a copy in ARENA. */
static int read_checkout(struct str record, struct arena *arena, int64_t now_ms,
                         struct checkout *checkout)
{
    int err = record.at ? record_read_checkout(record, arena, checkout) : ERR_NOMEM;
    if (!err && checkout->status != CHECKOUT_PAYING && checkout->expires_ms <= now_ms)
        return ERR_NOTFOUND;
    return err;
}

int checkout_load(struct db *db, struct arena *arena, struct id id, int64_t now_ms,
                  struct checkout *checkout)
{
    struct stmt *stmt = db_stmt(db, "SELECT record FROM checkout WHERE id = ?");
    stmt_bind_id(stmt, 1, id);
    int err = stmt_next(stmt);
    if (err)
        return err;
    struct str record = arena_str(arena, stmt_blob(stmt, 0));
    stmt_done(stmt);
    return read_checkout(record, arena, now_ms, checkout);
}

int checkout_find(struct apply *apply, struct id id, struct checkout *checkout)
{
    struct str record = row_cache_find(shop_checkouts(apply->shop), id);
    if (record.len == 0)
        return checkout_load(apply->db, apply->arena, id, apply->now, checkout);
    return read_checkout(arena_str(apply->arena, record), apply->arena, apply->now, checkout);
}

int checkout_show(struct apply *apply, const struct checkout *checkout)
{
    apply->result->kind = RESULT_CHECKOUT;
    apply->result->checkout = *checkout;
    return ERR_OK;
}

int checkout_refuse(struct apply *apply, const struct checkout *checkout, int err,
                    const char *sentence)
{
    apply_refuse(apply, err, "%s", sentence);
    checkout_show(apply, checkout);
    return err;
}

/* An update that names a column writes its index anew, even for the same value. */
static struct stmt *store_statement(struct db *db, bool exists, bool expiry_moved)
{
    if (!exists)
        return db_stmt(db, "INSERT OR REPLACE INTO checkout (id, cart_id, status, hold_until_ms,"
                           " record, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    if (!expiry_moved)
        return db_stmt(db, "UPDATE checkout SET cart_id = ?2, status = ?3, hold_until_ms = ?4,"
                           " record = ?5 WHERE id = ?1");
    return db_stmt(db, "UPDATE checkout SET cart_id = ?2, status = ?3, hold_until_ms = ?4,"
                       " record = ?5, expires_ms = ?6 WHERE id = ?1");
}

int checkout_write_row(struct db *db, const struct row *row)
{
    struct stmt *stmt = store_statement(db, !row->fresh, row->moved);
    stmt_bind_id(stmt, 1, row->id);
    stmt_bind_id(stmt, 2, row->cart_id);
    stmt_bind_i64(stmt, 3, row->status);
    stmt_bind_i64(stmt, 4, row->hold_until_ms);
    stmt_bind_blob(stmt, 5, row->record);
    if (row->fresh || row->moved)
        stmt_bind_i64(stmt, 6, row->expires_ms);
    return stmt_run(stmt);
}

int checkout_store(struct apply *apply, struct checkout *checkout, int64_t old_expires_ms)
{
    checkout->version++;
    checkout->updated_ms = apply->now;
    buf_clear(apply->scratch);
    record_put_checkout(apply->scratch, checkout);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct row row = {.id = checkout->id,
                      .record = buf_text(apply->scratch),
                      .expires_ms = checkout->expires_ms,
                      .fresh = old_expires_ms == 0,
                      .moved = checkout->expires_ms != old_expires_ms,
                      .cart_id = checkout->cart_id,
                      .status = checkout->status,
                      .hold_until_ms = checkout->hold_until_ms};
    if (row_cache_put(shop_checkouts(apply->shop), &row))
        return apply_failed(apply);
    apply->object = buf_text(apply->scratch); /* in place of a copy of *CHECKOUT */
    apply->result->kind = RESULT_CHECKOUT;
    return ERR_OK;
}

/* ---- What a face sent about shipping ---- */

static bool is_bounded(const struct address *address)
{
    const struct str *fields[] = {&address->id,         &address->first_name, &address->last_name,
                                  &address->phone,      &address->street,     &address->extended,
                                  &address->locality,   &address->region,     &address->country,
                                  &address->postal_code};
    for (unsigned i = 0; i < COUNT_OF(fields); i++)
        if (fields[i]->len > SHOP_TEXT_MAX)
            return false;
    return true;
}

static int take_fulfillment(struct apply *apply, const struct checkout_input *input,
                            struct checkout *checkout)
{
    for (unsigned i = 0; i < input->destination_count; i++)
        if (!is_bounded(&input->destinations[i]))
            return apply_refuse(apply, ERR_INVALID,
                                "A field of an address is longer than %d bytes.", SHOP_TEXT_MAX);
    checkout->destination_count = input->destination_count;
    checkout->selected_destination = -1;
    checkout->selected_rate = input->selected_rate;
    for (unsigned i = 0; i < input->destination_count; i++) {
        struct address *address = &checkout->destinations[i];
        *address = input->destinations[i];
        if (address->id.len == 0)
            address->id = arena_printf(apply->arena, "dest_%u", i + 1);
        if (!address->id.at)
            return ERR_NOMEM;
        if (str_eq(address->id, input->selected_destination))
            checkout->selected_destination = (int)i;
    }
    if (input->selected_destination.len == 0 && input->destination_count == 1)
        checkout->selected_destination = 0;
    return ERR_OK;
}

/* ---- Deciding ---- */

static const struct address *destination_of(const struct checkout *checkout)
{
    return checkout->selected_destination >= 0
               ? &checkout->destinations[checkout->selected_destination]
               : NULL;
}

static int price(const struct basket_view *view, struct checkout *checkout)
{
    struct basket *basket = &checkout->basket;
    const struct address *to = checkout->needs_shipping ? destination_of(checkout) : NULL;
    struct pricing_shipping shipping = {
        .asked = checkout->selected_rate, .rates = checkout->rates, .chosen = -1};
    struct basket_place place = {
        .country = basket->context_country.len > 0 ? basket->context_country
                                                   : view->terms->settings.country,
        .region = basket->context_region,
    };
    if (to && to->country.len > 0)
        place = (struct basket_place){to->country, to->region, &shipping};
    int err = basket_price(view, &place, basket);
    checkout->rate_count = shipping.rate_count;
    if (shipping.chosen >= 0)
        checkout->selected_rate = checkout->rates[shipping.chosen].key;
    return err;
}

static void say_missing_fulfillment(const struct basket_view *view, struct checkout *checkout)
{
    struct basket *basket = &checkout->basket;
    const struct address *to = destination_of(checkout);
    if (!to)
        message_error(basket, view->arena, STR("missing"),
                      STR("$.fulfillment.methods[0].selected_destination_id"),
                      "Where shall it be sent? Give an address.");
    else if (to->country.len == 0)
        message_error(basket, view->arena, STR("missing"),
                      arena_printf(view->arena,
                                   "$.fulfillment.methods[0].destinations[%d].address_country",
                                   checkout->selected_destination),
                      "The address needs a country.");
    else if (checkout->rate_count == 0)
        message_error(basket, view->arena, STR("address_undeliverable"),
                      arena_printf(view->arena, "$.fulfillment.methods[0].destinations[%d]",
                                   checkout->selected_destination),
                      "The shop does not send to this address. Choose another one.");
}

static void say_missing(const struct basket_view *view, struct checkout *checkout)
{
    struct basket *basket = &checkout->basket;
    if (basket->line_count == 0)
        message_error(basket, view->arena, STR("missing"), STR("$.line_items"),
                      "There is nothing in here. Put something in.");
    /* Not an error: a platform may buy for somebody whom it does not name. Our own pages ask. */
    if (basket->buyer.email.len == 0)
        message_warning(basket, view->arena, STR("missing"), STR("$.buyer.email"),
                        "Without an e-mail address nobody is told how the order gets on.");
    else if (!basket_is_email(basket->buyer.email))
        message_error(basket, view->arena, STR("invalid"), STR("$.buyer.email"),
                      "This is not an e-mail address. Write it like name@example.com.");
    if (checkout->needs_shipping)
        say_missing_fulfillment(view, checkout);
}

int checkout_decide(const struct basket_view *view, struct checkout *checkout)
{
    int err = basket_resolve(view, true, &checkout->basket);
    if (err)
        return err;
    checkout->needs_shipping = basket_needs_shipping(&checkout->basket);
    err = price(view, checkout);
    if (err)
        return err;
    say_missing(view, checkout);
    checkout->status = message_any_error(&checkout->basket) ? CHECKOUT_INCOMPLETE : CHECKOUT_READY;
    return ERR_OK;
}

static int decide_anew(struct apply *apply, struct basket_view *view, struct checkout *checkout)
{
    int64_t expires = apply->now + view->terms->settings.checkout_ttl_ms;
    checkout->expires_ms = (expires / EXPIRY_STEP_MS + 1) * EXPIRY_STEP_MS;
    return checkout_decide(view, checkout);
}

/* Decides and writes. */
static int settle(struct apply *apply, struct basket_view *view, struct checkout *checkout)
{
    int64_t old_expires_ms = checkout->expires_ms;
    int err = decide_anew(apply, view, checkout);
    return err ? err : checkout_store(apply, checkout, old_expires_ms);
}

/* ---- CHECKOUT_CREATE ---- */

/* The cart's goods, codes and context; its buyer where it has one. */
static int take_cart(struct apply *apply, const struct cart *cart, struct checkout *checkout)
{
    struct buyer buyer = checkout->basket.buyer;
    int err = basket_copy(apply->arena, &cart->basket, &checkout->basket);
    if (err)
        return err;
    if (cart->basket.buyer.email.len == 0)
        checkout->basket.buyer = buyer;
    checkout->cart_id = cart->id;
    checkout->cart_version = cart->version;
    return ERR_OK;
}

static int take_input(struct apply *apply, const struct checkout_input *input,
                      struct checkout *checkout)
{
    struct str why;
    int err = ERR_OK;
    if (input->platform.len > SHOP_TEXT_MAX || !str_is_utf8(input->platform))
        return apply_refuse(apply, ERR_INVALID,
                            "The address of the platform's profile is longer than %d bytes.",
                            SHOP_TEXT_MAX);
    if (checkout->platform.len == 0)
        checkout->platform = input->platform;
    if (input->has_basket)
        err = basket_take(apply->arena, &input->basket, &checkout->basket, &why);
    if (err == ERR_INVALID)
        return apply_refuse(apply, err, "The checkout cannot be changed so: %.*s.", STR_FMT(why));
    if (!err && input->has_fulfillment)
        err = take_fulfillment(apply, input, checkout);
    return err;
}

/* The checkout of CART there is already. Taken again from the cart when that has changed
 * since: a second "to the checkout" after a look around shows what is in the cart now. */
static int reuse(struct apply *apply, struct basket_view *view, const struct cart *cart,
                 struct checkout *checkout)
{
    bool open = checkout->status == CHECKOUT_INCOMPLETE || checkout->status == CHECKOUT_READY;
    if (!open || cart->version == checkout->cart_version)
        return checkout_show(apply, checkout);
    int err = take_cart(apply, cart, checkout);
    return err ? err : settle(apply, view, checkout);
}

/* Remembers in the cart which checkout it became. */
static int link_cart(struct apply *apply, struct cart *cart, const struct checkout *checkout)
{
    cart->checkout_id = checkout->id;
    return cart_store(apply, cart, true, cart->expires_ms);
}

/* What a cart is converted into: its checkout of before, or NEW. */
static int convert(struct apply *apply, struct basket_view *view, struct cart *cart,
                   struct checkout *new)
{
    struct checkout before;
    int err = ERR_NOTFOUND;
    if (!id_is_zero(cart->checkout_id))
        err = checkout_find(apply, cart->checkout_id, &before);
    if (err && err != ERR_NOTFOUND)
        return err;
    bool done = !err && before.status == CHECKOUT_COMPLETED;
    if (!err && before.status != CHECKOUT_CANCELED && (!done || cart->canceled))
        return reuse(apply, view, cart, &before);
    if (cart->canceled)
        return apply_refuse(apply, ERR_NOTFOUND, "The cart was canceled. Begin a new one.");
    err = take_input(apply, &apply->command->checkout, new);
    if (!err)
        err = take_cart(apply, cart, new);
    if (!err)
        err = link_cart(apply, cart, new);
    return err ? err : settle(apply, view, new);
}

int apply_checkout_create(struct apply *apply)
{
    const struct checkout_input *input = &apply->command->checkout;
    struct basket_view view;
    struct checkout checkout;
    int err = cart_view(apply, &view);
    if (err)
        return err;
    if (id_is_zero(input->id))
        return apply_refuse(apply, ERR_INVALID, "A checkout needs an id.");
    err = checkout_find(apply, input->id, &checkout);
    if (err != ERR_NOTFOUND)
        return err ? err : checkout_show(apply, &checkout);
    /* An id of long ago, whose checkout is removed by now: its order is there still. */
    struct order order;
    err = order_load(apply->db, apply->arena, input->id, &order);
    if (err != ERR_NOTFOUND)
        return err ? err
                   : apply_refuse(apply, ERR_STATE,
                                  "The checkout is completed; its order was placed.");

    checkout =
        (struct checkout){.id = input->id, .created_ms = apply->now, .selected_destination = -1};
    if (id_is_zero(input->cart_id)) {
        err = take_input(apply, input, &checkout);
        return err ? err : settle(apply, &view, &checkout);
    }
    struct cart cart;
    err = cart_find(apply, input->cart_id, &cart);
    if (err == ERR_NOTFOUND)
        return apply_refuse(apply, err, "There is no such cart. It may have expired.");
    return err ? err : convert(apply, &view, &cart, &checkout);
}

/* ---- CHECKOUT_UPDATE, CHECKOUT_CANCEL ---- */

static int refuse_missing_checkout(struct apply *apply)
{
    return apply_refuse(apply, ERR_NOTFOUND, "There is no such checkout. It may have expired.");
}

int apply_show_checkout(struct apply *apply, struct id id)
{
    struct checkout checkout;
    int err = checkout_find(apply, id, &checkout);
    if (err == ERR_NOTFOUND)
        return refuse_missing_checkout(apply);
    return err ? err : checkout_show(apply, &checkout);
}

/* Loads the checkout ID for a change that only an open one takes. */
static int load_open(struct apply *apply, struct id id, struct checkout *checkout)
{
    int err = checkout_find(apply, id, checkout);
    if (err == ERR_NOTFOUND)
        return refuse_missing_checkout(apply);
    if (err)
        return err;
    switch (checkout->status) {
    case CHECKOUT_PAYING:
        return checkout_refuse(apply, checkout, ERR_STATE,
                               "The checkout is being paid for; it cannot be changed now.");
    case CHECKOUT_COMPLETED:
        return checkout_refuse(apply, checkout, ERR_STATE,
                               "The checkout is completed; its order was placed.");
    case CHECKOUT_CANCELED:
        return checkout_refuse(apply, checkout, ERR_STATE,
                               "The checkout was canceled. Begin a new one.");
    case CHECKOUT_INCOMPLETE:
    case CHECKOUT_ESCALATION:
    case CHECKOUT_READY:
        return ERR_OK;
    }
    return ERR_DAMAGED;
}

int apply_checkout_update(struct apply *apply)
{
    const struct checkout_input *input = &apply->command->checkout;
    struct basket_view view;
    struct checkout checkout;
    int err = cart_view(apply, &view);
    if (!err)
        err = load_open(apply, input->id, &checkout);
    if (!err)
        err = take_input(apply, input, &checkout);
    if (err)
        return err;
    int64_t old_expires_ms = checkout.expires_ms;
    err = decide_anew(apply, &view, &checkout);
    if (!err && input->has_basket && !id_is_zero(checkout.cart_id))
        err = cart_follow(apply, &checkout);
    return err ? err : checkout_store(apply, &checkout, old_expires_ms);
}

int apply_checkout_cancel(struct apply *apply)
{
    struct checkout checkout;
    int err = load_open(apply, apply->command->id, &checkout);
    if (err)
        return err;
    checkout.status = CHECKOUT_CANCELED;
    checkout.basket.message_count = 0;
    return checkout_store(apply, &checkout, checkout.expires_ms);
}
