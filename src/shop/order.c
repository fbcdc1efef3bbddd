#include "shop/order.h"

#include "shop/order_events.h"
#include "shop/record.h"
#include "shop/registry.h"
#include "shop/warehouse.h"

static struct order order_of(const struct apply *apply, const struct terms *terms,
                             const struct checkout *checkout)
{
    struct order order = {
        .id = checkout->id,
        .number = checkout->order_number,
        .placed_ms = apply->now,
        .placed_index = apply->index,
        .currency = terms->settings.currency,
        .basket = checkout->basket,
        .needs_shipping = checkout->needs_shipping,
        .payment = checkout->payment,
        .platform = checkout->platform,
    };
    /* Without a total there is nothing to pay, and no bank was asked. */
    if (basket_total(&order.basket, TOTAL_TOTAL) > 0)
        order.payment_key = checkout_payment_key(checkout);
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
    int err = registry_shop_epoch(apply->db, &order.epoch);
    if (!err)
        err = order_begin(apply->arena, &order);
    if (err)
        return db_failure(apply->db)->err ? apply_failed(apply) : err;
    buf_clear(apply->scratch);
    record_put_order(apply->scratch, &order);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct stmt *stmt = db_stmt(apply->db, "INSERT INTO orders (number, id, status, placed_ms,"
                                           " total, email, record, payment)"
                                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    stmt_bind_u64(stmt, 1, order.number);
    stmt_bind_id(stmt, 2, order.id);
    stmt_bind_i64(stmt, 3, order.status);
    stmt_bind_i64(stmt, 4, order.placed_ms);
    stmt_bind_i64(stmt, 5, basket_total(&order.basket, TOTAL_TOTAL));
    stmt_bind_str(stmt, 6, order.basket.buyer.email);
    stmt_bind_blob(stmt, 7, buf_text(apply->scratch));
    stmt_bind_i64(stmt, 8, order.payment_state);
    err = stmt_run(stmt);
    for (unsigned i = 0; i < order.basket.line_count && !err; i++)
        err = store_line(apply, order.number, &order.basket.lines[i]);
    return err ? apply_failed(apply) : order_was_placed(apply, &order);
}

/* ---- Reading ---- */

static int read_event(struct stmt *row, struct arena *arena, const struct order *order,
                      unsigned number, struct order_event *event)
{
    struct str record = arena_str(arena, stmt_blob(row, 4));
    int err = record.at ? record_read_event(record, arena, event) : ERR_NOMEM;
    uint64_t type = stmt_u64(row, 1);
    if (!err && (stmt_u64(row, 0) != number || type >= ORDER_EVENT_COUNT))
        err = ERR_DAMAGED;
    event->number = number;
    event->type = (enum order_event_type)type;
    event->time_ms = stmt_i64(row, 2);
    event->log_index = stmt_u64(row, 3);
    event->id = order_effect_id(order->id, event->epoch, event->number, 0);
    return err;
}

/* All of them, into EVENTS from the second on; *READ of them with PLACED. */
static int read_all_events(struct db *db, struct arena *arena, const struct order *order,
                           struct order_event *events, uint64_t count, unsigned *read)
{
    struct stmt *row = db_stmt(db, "SELECT event, type, time_ms, log_index, record FROM order_event"
                                   " WHERE number = ? ORDER BY event");
    stmt_bind_u64(row, 1, order->number);
    int err = stmt_next(row);
    for (*read = 1; !err && *read <= count; err = stmt_next(row)) {
        err = read_event(row, arena, order, *read + 1, &events[*read]);
        if (err) {
            stmt_done(row);
            return err;
        }
        ++*read;
    }
    stmt_done(row);
    return err == ERR_NOTFOUND ? ERR_OK : err;
}

/* Those up to number LAST are counted. The rows of allotments have what was added to them later
 * already. */
static int read_events(struct db *db, struct arena *arena, uint32_t last, struct order *order)
{
    struct stmt *row = db_stmt(db, "SELECT count(*) FROM order_event WHERE number = ?");
    stmt_bind_u64(row, 1, order->number);
    uint64_t count = stmt_only_u64(row, 0);
    if (count == 0)
        return db_failure(db)->err;
    unsigned read = 0;
    struct order_event *events = ARENA_ARRAY(arena, struct order_event, count + 1);
    if (!events)
        return ERR_NOMEM;
    events[0] = order->events[0];
    order->events = events;
    int err = read_all_events(db, arena, order, events, count, &read);
    for (unsigned i = 0; i < order->allotment_count && !err; i++)
        order->allotments[i].quantity -= order_allotted_later(events, read, &order->allotments[i]);
    while (!err && order->event_count < read && order->event_count < last)
        order_fold(order, &events[order->event_count++]);
    return err;
}

/* The row of STMT, which has been bound, as an order, as it was after its event LAST. */
static int read_row(struct stmt *stmt, struct db *db, struct arena *arena, uint32_t last,
                    struct order *order)
{
    int err = stmt_next(stmt);
    if (err)
        return err;
    struct str record = arena_str(arena, stmt_blob(stmt, 0));
    stmt_done(stmt);
    err = record.at ? record_read_order(record, arena, order) : ERR_NOMEM;
    if (!err)
        err = warehouse_read_allotments(db, arena, order);
    /* They are counted by the events. */
    for (unsigned i = 0; i < order->allotment_count && !err; i++)
        order->allotments[i].shipped = order->allotments[i].canceled = 0;
    return err ? err : read_events(db, arena, last, order);
}

int order_load_at(struct db *db, struct arena *arena, struct id id, uint32_t event,
                  struct order *order)
{
    struct stmt *stmt = db_stmt(db, "SELECT record FROM orders WHERE id = ?");
    stmt_bind_id(stmt, 1, id);
    return read_row(stmt, db, arena, event, order);
}

int order_load(struct db *db, struct arena *arena, struct id id, struct order *order)
{
    return order_load_at(db, arena, id, UINT32_MAX, order);
}

int order_load_number(struct db *db, struct arena *arena, uint64_t number, struct order *order)
{
    struct stmt *stmt = db_stmt(db, "SELECT record FROM orders WHERE number = ?");
    stmt_bind_u64(stmt, 1, number);
    return read_row(stmt, db, arena, UINT32_MAX, order);
}

int order_show(struct apply *apply, const struct order *order)
{
    apply->result->kind = RESULT_ORDER;
    apply->result->order = *order;
    return ERR_OK;
}
