/* Reading carts, checkouts and orders (shop/read.h). */
#include "shop/cart.h"
#include "shop/checkout.h"
#include "shop/order.h"
#include "shop/reader.h"

static int read_cart(struct reader *reader, struct arena *arena, struct id id, struct cart *cart)
{
    struct basket_view view = {arena, &reader->items, reader_terms(reader),
                               reader_applied_time(reader)};
    if (!view.terms)
        return db_failure(reader->db)->err;
    int err = cart_load(reader->db, arena, id, view.now_ms, cart);
    if (!err && cart->canceled)
        return ERR_NOTFOUND;
    return err ? err : cart_price(&view, cart);
}

int reader_cart(struct reader *reader, struct arena *arena, struct id id, struct cart *cart)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, read_cart(reader, arena, id, cart));
}

int reader_checkout(struct reader *reader, struct arena *arena, struct id id,
                    struct checkout *checkout)
{
    int err = reader_enter(reader);
    if (err)
        return err;
    err = checkout_load(reader->db, arena, id, reader_applied_time(reader), checkout);
    return reader_leave(reader, err);
}

int reader_order(struct reader *reader, struct arena *arena, struct id id, struct order *order)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, order_load(reader->db, arena, id, order));
}

int reader_order_at(struct reader *reader, struct arena *arena, struct id id, uint32_t event,
                    struct order *order)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, order_load_at(reader->db, arena, id, event, order));
}

int reader_order_by_number(struct reader *reader, struct arena *arena, uint64_t number,
                           struct order *order)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, order_load_number(reader->db, arena, number, order));
}

static int read_next(struct reader *reader, struct arena *arena, struct id after,
                     struct order *order)
{
    struct stmt *stmt = db_stmt(reader->db, "SELECT number FROM orders WHERE id > ?"
                                            " ORDER BY id LIMIT 1");
    stmt_bind_blob(stmt, 1, str_make(after.bytes, sizeof after.bytes));
    uint64_t number = stmt_only_u64(stmt, 0);
    return number ? order_load_number(reader->db, arena, number, order) : ERR_NOTFOUND;
}

int reader_next_order(struct reader *reader, struct arena *arena, struct id after,
                      struct order *order)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, read_next(reader, arena, after, order));
}

/* Their numbers. */
static struct stmt *every_order(struct db *db)
{
    return db_stmt(db, "SELECT number FROM orders WHERE number < ?1 ORDER BY number DESC LIMIT ?2");
}

/* A RETRIED asks for all that failed before it, so that what failed since the last one is stuck. */
static struct stmt *stuck_orders(struct db *db)
{
    struct stmt *stmt =
        db_stmt(db, "SELECT number FROM orders o WHERE number < ?1 AND (payment = ?3 OR"
                    " EXISTS (SELECT 1 FROM order_event f WHERE f.number = o.number AND f.type = ?4"
                    " AND NOT EXISTS (SELECT 1 FROM order_event r WHERE r.number = f.number"
                    " AND r.event > f.event AND r.type = ?5))) ORDER BY number DESC LIMIT ?2");
    stmt_bind_i64(stmt, 3, PAYMENT_FAILED);
    stmt_bind_i64(stmt, 4, ORDER_EVENT_REFUND_FAILED);
    stmt_bind_i64(stmt, 5, ORDER_EVENT_RETRIED);
    return stmt;
}

static int read_orders(struct reader *reader, struct arena *arena, struct stmt *stmt,
                       uint64_t before, unsigned limit, struct order *list, unsigned *count)
{
    stmt_bind_u64(stmt, 1, before == 0 || before > INT64_MAX ? INT64_MAX : before);
    stmt_bind_u64(stmt, 2, limit);
    int err = stmt_next(stmt);
    for (; !err; err = stmt_next(stmt)) {
        err = order_load_number(reader->db, arena, stmt_u64(stmt, 0), &list[*count]);
        if (err) {
            stmt_done(stmt);
            return err == ERR_NOTFOUND ? ERR_DAMAGED : err;
        }
        (*count)++;
    }
    return err == ERR_NOTFOUND ? ERR_OK : err;
}

static int find_orders(struct reader *reader, struct arena *arena,
                       struct stmt *(*which)(struct db *db), uint64_t before, unsigned limit,
                       struct order **orders, unsigned *count)
{
    enum { MOST = 100 };
    limit = limit < MOST ? limit : MOST;
    *count = 0;
    *orders = ARENA_ARRAY(arena, struct order, limit + 1);
    if (!*orders)
        return ERR_NOMEM;
    int err = reader_enter(reader);
    if (err)
        return err;
    return reader_leave(
        reader, read_orders(reader, arena, which(reader->db), before, limit, *orders, count));
}

int reader_orders(struct reader *reader, struct arena *arena, uint64_t before, unsigned limit,
                  struct order **orders, unsigned *count)
{
    return find_orders(reader, arena, every_order, before, limit, orders, count);
}

int reader_stuck_orders(struct reader *reader, struct arena *arena, uint64_t before, unsigned limit,
                        struct order **orders, unsigned *count)
{
    return find_orders(reader, arena, stuck_orders, before, limit, orders, count);
}
