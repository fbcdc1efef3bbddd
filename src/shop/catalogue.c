#include "shop/apply.h"
#include "shop/product.h"
#include "shop/stock.h"

int product_put(struct apply *apply, struct product *product)
{
    int err = product_check(apply, product);
    if (!err)
        err = product_write(apply, product);
    if (!err)
        apply_changed_catalogue(apply);
    return err;
}

int apply_product_put(struct apply *apply)
{
    struct product product = apply->command->product;
    int err = product_put(apply, &product);
    if (err)
        return err;
    apply->result->kind = RESULT_NUMBER;
    apply->result->number = product.id;
    return 0;
}

int apply_product_retire(struct apply *apply)
{
    struct str handle = apply->command->key;
    struct stmt *row = db_stmt(apply->db, "SELECT id, category_id, listed, retired FROM product"
                                          " WHERE handle = ?");
    stmt_bind_str(row, 1, handle);
    if (stmt_next(row))
        return apply_refuse(apply, ERR_NOTFOUND, "there is no product with the handle \"%.*s\"",
                            STR_FMT(str_sub(handle, 0, SHOP_KEY_MAX)));
    uint64_t id = stmt_u64(row, 0), category_id = stmt_u64(row, 1);
    bool listed = stmt_bool(row, 2), retired = stmt_bool(row, 3);
    stmt_done(row);
    if (retired)
        return 0;
    row = db_stmt(apply->db, "UPDATE product SET retired = 1, listed = 0, updated_ms = ?2,"
                             " changed_index = ?3 WHERE id = ?1");
    stmt_bind_u64(row, 1, id);
    stmt_bind_i64(row, 2, apply->now);
    stmt_bind_u64(row, 3, apply->index);
    stmt_run(row);
    if (listed)
        product_count_listed(apply, category_id, -1);
    apply_changed_product(apply, id, handle);
    apply_changed_catalogue(apply);
    return 0;
}

/* The item that a command names, or NULL with the refusal made. */
static struct item *named(struct apply *apply, struct str key)
{
    struct item *item = items_find(apply->items, key);
    if (!item)
        apply_refuse(apply, ERR_NOTFOUND,
                     "there is no item \"%.*s\"; use a variant's key or its SKU",
                     STR_FMT(str_sub(key, 0, SHOP_KEY_MAX)));
    return item;
}

/* The rows of ITEM's product were changed. */
static void product_changed(struct apply *apply, const struct item *item)
{
    stock_write_back(apply->shop, apply->index);
    struct stmt *row = db_stmt(apply->db, "UPDATE product SET updated_ms = ?2, changed_index = ?3"
                                          " WHERE id = ?1");
    stmt_bind_u64(row, 1, item->product_id);
    stmt_bind_i64(row, 2, apply->now);
    stmt_bind_u64(row, 3, apply->index);
    stmt_run(row);
    shop_count(apply->shop, COUNTER_VARIANTS, product_refresh(apply->db, item->product_id));
    apply_changed_product(apply, item->product_id, item->handle);
    apply_changed_catalogue(apply);
}

static int64_t variants_left(struct apply *apply, const struct item *item)
{
    struct stmt *row = db_stmt(apply->db, "SELECT count(*), coalesce(sum(id = ?2), 0) FROM variant"
                                          " WHERE product_id = ?1 AND retired = 0");
    stmt_bind_u64(row, 1, item->product_id);
    stmt_bind_u64(row, 2, item->variant_id);
    int64_t left = stmt_next(row) ? 0 : stmt_i64(row, 0) - stmt_i64(row, 1);
    stmt_done(row);
    return left;
}

int apply_variant_retire(struct apply *apply)
{
    struct item *item = named(apply, apply->command->key);
    if (!item)
        return apply->result->err;
    if (variants_left(apply, item) == 0)
        return apply_refuse(apply, ERR_STATE,
                            "\"%.*s\" is the last variant of its product; retire the product",
                            STR_FMT(item->key));
    struct stmt *row = db_stmt(apply->db, "UPDATE variant SET retired = 1 WHERE id = ?");
    stmt_bind_u64(row, 1, item->variant_id);
    stmt_run(row);
    product_changed(apply, item);
    return 0;
}

int apply_price_set(struct apply *apply)
{
    int64_t price = apply->command->item.value, compare_at = apply->command->item.compare_at;
    struct item *item = named(apply, apply->command->item.key);
    if (!item)
        return apply->result->err;
    if (price < 0 || price > SHOP_MONEY_MAX || compare_at < -1 || compare_at > SHOP_MONEY_MAX)
        return apply_refuse(apply, ERR_INVALID,
                            "a price of %lld is not possible; give minor units from 0 to %lld",
                            (long long)price, SHOP_MONEY_MAX);
    struct stmt *row = db_stmt(apply->db, "UPDATE variant SET price = ?2, compare_at ="
                                          " CASE WHEN ?3 < 0 THEN compare_at ELSE ?3 END"
                                          " WHERE id = ?1");
    stmt_bind_u64(row, 1, item->variant_id);
    stmt_bind_i64(row, 2, price);
    stmt_bind_i64(row, 3, compare_at);
    stmt_run(row);
    product_changed(apply, item);
    return 0;
}
