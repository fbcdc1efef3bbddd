#include "shop/cart.h"

#include "shop/record.h"

/* The ends of carts are rounded up to it, so that most changes leave the index on them alone. */
enum { EXPIRY_STEP_MS = 3600 * 1000 };

int cart_view(struct apply *apply, struct basket_view *view)
{
    *view = (struct basket_view){apply->arena, apply->items, apply_terms(apply), apply->now};
    return view->terms ? ERR_OK : apply_failed(apply);
}

/* ---- Rows ---- */

/* RECORD: a copy in ARENA, as the cart lives as long as the command. */
static int read_cart(struct str record, struct arena *arena, int64_t now_ms, struct cart *cart)
{
    int err = record.at ? record_read_cart(record, arena, cart) : ERR_NOMEM;
    if (!err && cart->expires_ms <= now_ms)
        return ERR_NOTFOUND;
    return err;
}

int cart_load(struct db *db, struct arena *arena, struct id id, int64_t now_ms, struct cart *cart)
{
    struct stmt *stmt = db_stmt(db, "SELECT record FROM cart WHERE id = ?");
    stmt_bind_id(stmt, 1, id);
    int err = stmt_next(stmt);
    if (err)
        return err;
    struct str record = arena_str(arena, stmt_blob(stmt, 0));
    stmt_done(stmt);
    return read_cart(record, arena, now_ms, cart);
}

int cart_find(struct apply *apply, struct id id, struct cart *cart)
{
    struct str record = row_cache_find(shop_carts(apply->shop), id);
    if (record.len == 0)
        return cart_load(apply->db, apply->arena, id, apply->now, cart);
    return read_cart(arena_str(apply->arena, record), apply->arena, apply->now, cart);
}

/* An update that names a column writes its index anew, even for the same value. */
static struct stmt *store_statement(struct db *db, bool exists, bool expiry_moved)
{
    if (!exists)
        return db_stmt(db, "INSERT OR REPLACE INTO cart (id, record, expires_ms)"
                           " VALUES (?1, ?2, ?3)");
    if (!expiry_moved)
        return db_stmt(db, "UPDATE cart SET record = ?2 WHERE id = ?1");
    return db_stmt(db, "UPDATE cart SET record = ?2, expires_ms = ?3 WHERE id = ?1");
}

int cart_write_row(struct db *db, const struct row *row)
{
    struct stmt *stmt = store_statement(db, !row->fresh, row->moved);
    stmt_bind_id(stmt, 1, row->id);
    stmt_bind_blob(stmt, 2, row->record);
    if (row->fresh || row->moved)
        stmt_bind_i64(stmt, 3, row->expires_ms);
    return stmt_run(stmt);
}

int cart_store(struct apply *apply, const struct cart *cart, bool exists, int64_t old_expires_ms)
{
    buf_clear(apply->scratch);
    record_put_cart(apply->scratch, cart, RECORD_BRIEF);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct row row = {.id = cart->id,
                      .record = buf_text(apply->scratch),
                      .expires_ms = cart->expires_ms,
                      .fresh = !exists,
                      .moved = cart->expires_ms != old_expires_ms};
    return row_cache_put(shop_carts(apply->shop), &row) ? apply_failed(apply) : ERR_OK;
}

/* ---- Pricing ---- */

int cart_price(const struct basket_view *view, struct cart *cart)
{
    struct basket *basket = &cart->basket;
    int err = basket_resolve(view, false, basket);
    if (err)
        return err;
    struct basket_place place = {
        .country = basket->context_country.len > 0 ? basket->context_country
                                                   : view->terms->settings.country,
        .region = basket->context_region,
    };
    return basket_price(view, &place, basket);
}

/* ---- Commands ---- */

/* One change to one cart: open_cart, then the change, then close_cart. */
struct change {
    struct basket_view view;
    struct cart cart;
    bool exists; /* its row is there */
    bool live;   /* it may be changed: there, not canceled, not past its time */
};

/* Finds the cart ID, or prepares a new one under that id. */
static int open_cart(struct apply *apply, struct id id, struct change *change)
{
    change->exists = change->live = false; /* the cart follows; it is long */
    int err = cart_view(apply, &change->view);
    if (err)
        return err;
    if (id_is_zero(id))
        return apply_refuse(apply, ERR_INVALID, "A cart needs an id.");
    err = cart_find(apply, id, &change->cart);
    if (err && err != ERR_NOTFOUND)
        return err;
    change->exists = !err;
    change->live = !err && !change->cart.canceled;
    if (change->live)
        return ERR_OK;
    /* A cart that was bought or canceled begins anew; its versions go on. */
    uint64_t version = change->exists ? change->cart.version : 0;
    change->cart = (struct cart){.id = id, .version = version, .created_ms = apply->now};
    return ERR_OK;
}

static int close_cart(struct apply *apply, struct change *change)
{
    struct cart *cart = &change->cart;
    int64_t expires = apply->now + change->view.terms->settings.cart_ttl_ms;
    int64_t old_expires_ms = cart->expires_ms;
    cart->expires_ms = (expires / EXPIRY_STEP_MS + 1) * EXPIRY_STEP_MS;
    cart->updated_ms = apply->now;
    cart->version++;
    if (apply->command->home.count)
        cart->home = apply->command->home;
    /* Its row says which items, not what they cost. */
    int err = apply->unwanted ? basket_identify(&change->view, &cart->basket)
                              : cart_price(&change->view, cart);
    if (!err)
        err = cart_store(apply, cart, change->exists, old_expires_ms);
    if (err)
        return err;
    apply->result->kind = RESULT_CART;
    if (!apply->unwanted)
        apply->result->cart = *cart;
    return ERR_OK;
}

static int refuse_missing_cart(struct apply *apply)
{
    return apply_refuse(apply, ERR_NOTFOUND,
                        "There is no such cart. It may have expired; begin a new one.");
}

int apply_cart_put(struct apply *apply)
{
    const struct command *command = apply->command;
    struct change change;
    int err = open_cart(apply, command->cart_put.id, &change);
    if (err)
        return err;
    if (!change.live && command->cart_put.must_exist)
        return refuse_missing_cart(apply);
    struct str why;
    err = basket_take(apply->arena, &command->cart_put.basket, &change.cart.basket, &why);
    if (err == ERR_INVALID)
        return apply_refuse(apply, err, "The cart cannot be changed so: %.*s.", STR_FMT(why));
    return err ? err : close_cart(apply, &change);
}

/* The item that CART_ADD and CART_SET are about; NULL with the refusal in *ERR. */
static struct item *asked_item(struct apply *apply, int *err)
{
    struct str key = str_clip_utf8(apply->command->cart_item.item_key, SHOP_KEY_MAX);
    struct item *item = items_find(apply->items, key);
    if (!item && db_failure(apply->db)->err)
        *err = apply_failed(apply);
    else if (!item)
        *err = apply_refuse(apply, ERR_NOTFOUND, "There is no item \"%.*s\".", STR_FMT(key));
    return item;
}

int apply_cart_add(struct apply *apply)
{
    const struct command *command = apply->command;
    struct change change;
    int err = open_cart(apply, command->cart_item.id, &change);
    if (err)
        return err;
    struct item *item = asked_item(apply, &err);
    if (!item)
        return err;
    if (!item->for_sale)
        return apply_refuse(apply, ERR_STATE, "\"%.*s\" is no longer sold.", STR_FMT(item->title));
    uint32_t quantity = command->cart_item.quantity;
    struct line *line = basket_line_of(&change.cart.basket, item->variant_id);
    uint32_t before = line ? line->quantity : 0;
    if (quantity == 0 || quantity > SHOP_QUANTITY_MAX || before + quantity > SHOP_QUANTITY_MAX)
        return apply_refuse(apply, ERR_INVALID,
                            "A cart takes 1 to %d of one item; %u are in it, %u were to be added.",
                            SHOP_QUANTITY_MAX, before, quantity);
    if (!line)
        line = basket_add_line(apply->arena, &change.cart.basket, item, &err);
    if (err == ERR_FULL)
        return apply_refuse(apply, err, "A cart holds %d different items; this one is full.",
                            SHOP_LINES_MAX);
    if (!line)
        return err;
    line->quantity = before + quantity;
    return close_cart(apply, &change);
}

/* Leaves QUANTITY of the item in its first line and takes its other lines out. */
static int set_quantity(struct apply *apply, struct basket *basket, const struct item *item,
                        uint32_t quantity)
{
    struct line *line = basket_line_of(basket, item->variant_id);
    int err = ERR_OK;
    if (!line && quantity > 0)
        line = basket_add_line(apply->arena, basket, item, &err);
    if (err == ERR_FULL)
        return apply_refuse(apply, err, "A cart holds %d different items; this one is full.",
                            SHOP_LINES_MAX);
    if (err)
        return err;
    unsigned kept = 0;
    for (unsigned i = 0; i < basket->line_count; i++) {
        bool of_item = basket->lines[i].variant_id == item->variant_id;
        if (of_item && (quantity == 0 || &basket->lines[i] != line))
            continue;
        if (of_item)
            basket->lines[i].quantity = quantity;
        if (kept != i)
            basket->lines[kept] = basket->lines[i];
        kept++;
    }
    basket->line_count = kept;
    return ERR_OK;
}

/* Takes a line out that was never found in the catalogue; false: there is none such. */
static bool drop_unknown_line(struct basket *basket, struct str item_key)
{
    for (unsigned i = 0; i < basket->line_count; i++) {
        if (basket->lines[i].variant_id != 0 || !str_eq(basket->lines[i].item_key, item_key))
            continue;
        basket_remove_line(basket, &basket->lines[i]);
        return true;
    }
    return false;
}

int apply_cart_set(struct apply *apply)
{
    const struct command *command = apply->command;
    uint32_t quantity = command->cart_item.quantity;
    struct change change;
    int err = open_cart(apply, command->cart_item.id, &change);
    if (err)
        return err;
    if (!change.live)
        return refuse_missing_cart(apply);
    if (quantity > SHOP_QUANTITY_MAX)
        return apply_refuse(apply, ERR_INVALID, "A cart takes up to %d of one item.",
                            SHOP_QUANTITY_MAX);
    if (quantity == 0 && drop_unknown_line(&change.cart.basket, command->cart_item.item_key))
        return close_cart(apply, &change);
    struct item *item = asked_item(apply, &err);
    if (!item)
        return err;
    err = set_quantity(apply, &change.cart.basket, item, quantity);
    return err ? err : close_cart(apply, &change);
}

int apply_cart_cancel(struct apply *apply)
{
    struct change change;
    int err = open_cart(apply, apply->command->id, &change);
    if (err)
        return err;
    if (!change.live)
        return refuse_missing_cart(apply);
    change.cart.canceled = true;
    return close_cart(apply, &change);
}

int cart_follow(struct apply *apply, struct checkout *checkout)
{
    struct cart cart;
    int err = cart_find(apply, checkout->cart_id, &cart);
    if (err == ERR_NOTFOUND)
        return ERR_OK;
    if (err || cart.canceled || !id_eq(cart.checkout_id, checkout->id))
        return err;
    /* Changed since, in another tab: what came into it stays, and the next way to the checkout
     * takes it along. */
    if (cart.version != checkout->cart_version)
        return ERR_OK;
    struct buyer buyer = cart.basket.buyer;
    err = basket_copy(apply->arena, &checkout->basket, &cart.basket);
    if (err)
        return err;
    cart.basket.buyer = buyer;
    cart.version++;
    cart.updated_ms = apply->now;
    checkout->cart_version = cart.version;
    return cart_store(apply, &cart, true, cart.expires_ms);
}

int apply_show_cart(struct apply *apply, struct id id)
{
    struct basket_view view;
    struct cart cart;
    int err = cart_view(apply, &view);
    if (!err)
        err = cart_find(apply, id, &cart);
    if (err == ERR_NOTFOUND)
        return refuse_missing_cart(apply);
    if (!err)
        err = cart_price(&view, &cart);
    if (err)
        return err;
    apply->result->kind = RESULT_CART;
    apply->result->cart = cart;
    return ERR_OK;
}

int cart_take_out_bought(struct apply *apply, struct id cart_id, const struct basket *bought)
{
    struct cart cart;
    int err = cart_find(apply, cart_id, &cart);
    if (err == ERR_NOTFOUND)
        return ERR_OK;
    if (err)
        return err;
    for (unsigned i = 0; i < bought->line_count; i++) {
        struct line *line = basket_line_of(&cart.basket, bought->lines[i].variant_id);
        if (!line)
            continue;
        if (line->quantity > bought->lines[i].quantity)
            line->quantity -= bought->lines[i].quantity;
        else
            basket_remove_line(&cart.basket, line);
    }
    /* What was put in while the rest was being paid for stays, for another checkout. */
    if (cart.basket.line_count == 0)
        cart.canceled = true;
    else
        cart.checkout_id = (struct id){{0}};
    cart.version++;
    cart.updated_ms = apply->now;
    return cart_store(apply, &cart, true, cart.expires_ms);
}
