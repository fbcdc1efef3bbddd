#include "shop/stock.h"

#include "base/check.h"
#include "shop/product.h"

enum { COUNT_MAX = 1000000000 /* units of one variant, either way */ };

/* ---- Counts in memory ---- */

static void touch(struct apply *apply, struct item *item)
{
    struct stock *stock = &item->stock;
    CHECK(stock->available + stock->held + stock->sold == stock->received + stock->adjusted);
    CHECK(stock->held >= 0 && stock->sold >= 0);
    stock->changed_index = apply->index;
    if (item->stock_changed)
        return;
    item->stock_changed = true;
    item->next_changed = apply->items->changed;
    apply->items->changed = item;
}

void stock_hold(struct apply *apply, struct item *item, int64_t quantity)
{
    CHECK(quantity > 0 && item_has(item, quantity));
    item->stock.available -= quantity;
    item->stock.held += quantity;
    touch(apply, item);
}

void stock_unhold(struct apply *apply, struct item *item, int64_t quantity)
{
    item->stock.held -= quantity;
    item->stock.available += quantity;
    touch(apply, item);
}

void stock_sell(struct apply *apply, struct item *item, int64_t quantity)
{
    item->stock.held -= quantity;
    item->stock.sold += quantity;
    touch(apply, item);
}

void stock_unsell(struct apply *apply, struct item *item, int64_t quantity)
{
    item->stock.sold -= quantity;
    item->stock.available += quantity;
    touch(apply, item);
}

/* ---- Writing back ---- */

/* Units sold with two significant bits (1, 2, 3, 4, 6, 8, 12, …): best-selling lists need a
 * rough order, not a count, and a column with an index must not change with each sale. */
int64_t stock_popularity(int64_t sold)
{
    int64_t unit = 1;
    while (sold / unit >= 4)
        unit *= 2;
    return sold / unit * unit;
}

static void write_row(struct db *db, const struct item *item)
{
    struct stmt *row = db_stmt(db, "UPDATE stock SET available = ?2, held = ?3, sold = ?4,"
                                   " received = ?5, adjusted = ?6, changed_index = ?7"
                                   " WHERE variant_id = ?1");
    stmt_bind_u64(row, 1, item->variant_id);
    stmt_bind_i64(row, 2, item->stock.available);
    stmt_bind_i64(row, 3, item->stock.held);
    stmt_bind_i64(row, 4, item->stock.sold);
    stmt_bind_i64(row, 5, item->stock.received);
    stmt_bind_i64(row, 6, item->stock.adjusted);
    stmt_bind_u64(row, 7, item->stock.changed_index);
    stmt_run(row);
}

/* In the order of variant ids, so that rows close by are written together and each server
 * writes in the same order. A merge sort of a list: no memory, no deep recursion. */
static struct item *sorted(struct item *list)
{
    if (!list || !list->next_changed)
        return list;
    struct item *slow = list, *fast = list->next_changed;
    while (fast && (fast = fast->next_changed)) {
        slow = slow->next_changed;
        fast = fast->next_changed;
    }
    struct item *second = sorted(slow->next_changed);
    slow->next_changed = NULL;
    struct item *first = sorted(list), *head = NULL, **last = &head;
    while (first && second) {
        struct item **least = first->variant_id < second->variant_id ? &first : &second;
        *last = *least;
        last = &(*least)->next_changed;
        *least = (*least)->next_changed;
    }
    *last = first ? first : second;
    return head;
}

/* What lists show of its product; only now and then, as most sales change neither. */
static void tell_product(struct shop *shop, struct item *item, uint64_t index)
{
    bool in_stock = item_has(item, 1);
    if (in_stock != item->was_in_stock ||
        stock_popularity(item->stock.sold) != stock_popularity(item->was_sold))
        product_refresh(shop_db(shop), item->product_id);
    if (in_stock != item->was_in_stock)
        shop_note_lists(shop, index);
    shop_count(shop, COUNTER_HELD, item->stock.held - item->was_held);
    shop_count(shop, COUNTER_SOLD, item->stock.sold - item->was_sold);
    item->was_in_stock = in_stock;
    item->was_held = item->stock.held;
    item->was_sold = item->stock.sold;
    item->stock_changed = false;
    shop_note_product(shop, item->product_id, item->handle, index);
}

int stock_write_back(struct shop *shop, uint64_t index)
{
    struct items *items = shop_items(shop);
    struct item *changed = sorted(items->changed);
    items->changed = NULL;
    for (struct item *item = changed; item; item = item->next_changed)
        write_row(items->db, item);
    for (struct item *item = changed; item; item = item->next_changed)
        tell_product(shop, item, index);
    return db_failure(items->db)->err;
}

/* ---- Goods arrive, counts are corrected ---- */

void stock_keep_move(struct apply *apply, uint64_t variant_id, int64_t received, int64_t adjusted,
                     struct str note)
{
    struct stmt *row =
        db_stmt(apply->db, "INSERT INTO stock_move (id, variant_id, received, adjusted, note,"
                           " log_index, time_ms) VALUES (?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_u64(row, 1, apply_next_number(apply, COUNTER_MOVE));
    stmt_bind_u64(row, 2, variant_id);
    stmt_bind_i64(row, 3, received);
    stmt_bind_i64(row, 4, adjusted);
    stmt_bind_str(row, 5, note);
    stmt_bind_u64(row, 6, apply->index);
    stmt_bind_i64(row, 7, apply->now);
    stmt_run(row);
}

int stock_receive(struct apply *apply, struct item *item, int64_t quantity, struct str note)
{
    item->stock.available += quantity;
    item->stock.received += quantity;
    touch(apply, item);
    stock_keep_move(apply, item->variant_id, quantity, 0, note);
    return 0;
}

int stock_adjust(struct apply *apply, struct item *item, int64_t difference, struct str note)
{
    item->stock.available += difference;
    item->stock.adjusted += difference;
    touch(apply, item);
    stock_keep_move(apply, item->variant_id, 0, difference, note);
    return 0;
}

/* ---- Commands ---- */

static bool note_is_fine(struct str note)
{
    return note.len <= SHOP_TEXT_MAX && str_is_utf8(note);
}

static bool in_range(int64_t value)
{
    return value >= -COUNT_MAX && value <= COUNT_MAX;
}

/* The item of the command, or NULL with the refusal in *ERR. */
static struct item *find(struct apply *apply, int *err)
{
    struct str key = apply->command->item.key;
    struct item *item = items_find(apply->items, key);
    *err = 0;
    if (!item)
        *err = apply_refuse(apply, ERR_NOTFOUND,
                            "there is no item \"%.*s\"; use a variant's key or its SKU",
                            STR_FMT(str_sub(key, 0, SHOP_KEY_MAX)));
    else if (!note_is_fine(apply->command->item.note))
        *err = apply_refuse(apply, ERR_INVALID, "the note is longer than %d bytes or not UTF-8",
                            SHOP_TEXT_MAX);
    return *err ? NULL : item;
}

int apply_stock_receive(struct apply *apply)
{
    int err;
    int64_t quantity = apply->command->item.value;
    struct item *item = find(apply, &err);
    if (!item)
        return err;
    if (quantity <= 0 || quantity > COUNT_MAX || !in_range(item->stock.available + quantity))
        return apply_refuse(apply, ERR_INVALID,
                            "%lld units cannot arrive; give a number from 1, such that at most %d "
                            "are on hand",
                            (long long)quantity, COUNT_MAX);
    return stock_receive(apply, item, quantity, apply->command->item.note);
}

int apply_stock_adjust(struct apply *apply)
{
    int err;
    int64_t difference = apply->command->item.value;
    struct item *item = find(apply, &err);
    if (!item)
        return err;
    if (difference == 0 || !in_range(difference) || !in_range(item->stock.available + difference))
        return apply_refuse(apply, ERR_INVALID,
                            "a count cannot be corrected by %lld; give a difference other than 0, "
                            "such that at most %d are on hand",
                            (long long)difference, COUNT_MAX);
    if (difference < 0 && item->tracked && !item->sell_when_out &&
        item->stock.available + difference < 0)
        return apply_refuse(apply, ERR_SHORT,
                            "only %lld of \"%.*s\" are available; take away at most as many",
                            (long long)item->stock.available, STR_FMT(item->key));
    return stock_adjust(apply, item, difference, apply->command->item.note);
}
