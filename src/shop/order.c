#include "shop/order.h"

#include "shop/record.h"

static struct order order_of(const struct apply *apply, const struct terms *terms,
                             const struct checkout *checkout)
{
    struct order order = {
        .id = checkout->id,
        .number = checkout->order_number,
        .status = ORDER_PLACED,
        .placed_ms = apply->now,
        .currency = terms->settings.currency,
        .basket = checkout->basket,
        .needs_shipping = checkout->needs_shipping,
        .payment = checkout->payment,
    };
    if (checkout->needs_shipping && checkout->selected_destination >= 0)
        order.destination = checkout->destinations[checkout->selected_destination];
    for (unsigned i = 0; i < checkout->rate_count; i++)
        if (checkout->needs_shipping && str_eq(checkout->rates[i].key, checkout->selected_rate))
            order.rate = checkout->rates[i];
    return order;
}

static int store_line(struct apply *apply, uint64_t number, const struct line *line)
{
    struct stmt *stmt = db_stmt(apply->db, "INSERT INTO order_line (number, line_id, variant_id,"
                                           " item_key, quantity, unit_price, discount)"
                                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    stmt_bind_u64(stmt, 1, number);
    stmt_bind_u64(stmt, 2, line->line_id);
    stmt_bind_u64(stmt, 3, line->variant_id);
    stmt_bind_str(stmt, 4, line->item_key);
    stmt_bind_u64(stmt, 5, line->quantity);
    stmt_bind_i64(stmt, 6, line->unit_price);
    stmt_bind_i64(stmt, 7, line->discount);
    return stmt_run(stmt);
}

int order_place(struct apply *apply, const struct terms *terms, struct checkout *checkout)
{
    checkout->order_number = apply_next_number(apply, COUNTER_ORDER);
    struct order order = order_of(apply, terms, checkout);
    buf_clear(apply->scratch);
    record_put_order(apply->scratch, &order);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct stmt *stmt = db_stmt(apply->db, "INSERT INTO orders (number, id, status, placed_ms,"
                                           " total, email, record)"
                                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    stmt_bind_u64(stmt, 1, order.number);
    stmt_bind_id(stmt, 2, order.id);
    stmt_bind_i64(stmt, 3, order.status);
    stmt_bind_i64(stmt, 4, order.placed_ms);
    stmt_bind_i64(stmt, 5, basket_total(&order.basket, TOTAL_TOTAL));
    stmt_bind_str(stmt, 6, order.basket.buyer.email);
    stmt_bind_blob(stmt, 7, buf_text(apply->scratch));
    int err = stmt_run(stmt);
    for (unsigned i = 0; i < order.basket.line_count && !err; i++)
        err = store_line(apply, order.number, &order.basket.lines[i]);
    return err ? apply_failed(apply) : ERR_OK;
}

/* The row of STMT, which has been bound, as an order. */
static int read_row(struct stmt *stmt, struct arena *arena, struct order *order)
{
    int err = stmt_next(stmt);
    if (err)
        return err;
    struct str record = arena_str(arena, stmt_blob(stmt, 0));
    stmt_done(stmt);
    return record.at ? record_read_order(record, arena, order) : ERR_NOMEM;
}

int order_load(struct db *db, struct arena *arena, struct id id, struct order *order)
{
    struct stmt *stmt = db_stmt(db, "SELECT record FROM orders WHERE id = ?");
    stmt_bind_id(stmt, 1, id);
    return read_row(stmt, arena, order);
}

int order_load_number(struct db *db, struct arena *arena, uint64_t number, struct order *order)
{
    struct stmt *stmt = db_stmt(db, "SELECT record FROM orders WHERE number = ?");
    stmt_bind_u64(stmt, 1, number);
    return read_row(stmt, arena, order);
}
