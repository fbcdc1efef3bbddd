/* Events as they happen: written in the transaction of their cause, with all that follows. */
#include "shop/order_events.h"

#include "shop/outbox.h"
#include "shop/record.h"
#include "shop/registry.h"
#include "shop/warehouse.h"

/* ---- Rows ---- */

static int append(struct apply *apply, struct order *order, struct order_event *event)
{
    struct order_event *events =
        ARENA_ARRAY(apply->arena, struct order_event, order->event_count + 1);
    if (!events)
        return ERR_NOMEM;
    int err = registry_shop_epoch(apply->db, &event->epoch);
    if (err)
        return err;
    event->number = order->event_count + 1;
    event->time_ms = apply->now;
    event->log_index = apply->index;
    event->id = order_effect_id(order->id, event->epoch, event->number, 0);
    memcpy(events, order->events, order->event_count * sizeof *events);
    events[order->event_count++] = *event;
    order->events = events;
    order_fold(order, event);
    return ERR_OK;
}

static int store_event(struct apply *apply, const struct order *order,
                       const struct order_event *event)
{
    buf_clear(apply->scratch);
    record_put_event(apply->scratch, event);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct stmt *stmt = db_stmt(apply->db, "INSERT INTO order_event (number, event, type, time_ms,"
                                           " log_index, record) VALUES (?, ?, ?, ?, ?, ?)");
    stmt_bind_u64(stmt, 1, order->number);
    stmt_bind_u64(stmt, 2, event->number);
    stmt_bind_i64(stmt, 3, event->type);
    stmt_bind_i64(stmt, 4, event->time_ms);
    stmt_bind_u64(stmt, 5, event->log_index);
    stmt_bind_blob(stmt, 6, buf_text(apply->scratch));
    return stmt_run(stmt);
}

static int store_line(struct apply *apply, const struct order *order, const struct line *line)
{
    struct stmt *stmt = db_stmt(apply->db, "UPDATE order_line SET shipped = ?3, canceled = ?4,"
                                           " returned = ?5 WHERE number = ?1 AND line_id = ?2");
    stmt_bind_u64(stmt, 1, order->number);
    stmt_bind_u64(stmt, 2, line->line_id);
    stmt_bind_u64(stmt, 3, line->fulfilled);
    stmt_bind_u64(stmt, 4, line->canceled);
    stmt_bind_u64(stmt, 5, line->returned);
    return stmt_run(stmt);
}

static int store_parcel(struct apply *apply, const struct order *order,
                        const struct order_event *event)
{
    struct stmt *stmt = db_stmt(apply->db, "INSERT INTO parcel (id, number, warehouse, event)"
                                           " VALUES (?, ?, ?, ?)");
    stmt_bind_id(stmt, 1, event->parcel.id);
    stmt_bind_u64(stmt, 2, order->number);
    stmt_bind_str(stmt, 3, event->parcel.warehouse);
    stmt_bind_u64(stmt, 4, event->number);
    return stmt_run(stmt);
}

/* Lines go from one warehouse to another: the shopper's are what they were. */
static int store_moved(struct apply *apply, const struct order *order,
                       const struct order_event *event)
{
    int (*move)(struct apply *, const struct order *, struct str, uint32_t, uint32_t) =
        event->type == ORDER_EVENT_GIVEN_UP ? warehouse_cancel : warehouse_allot_more;
    int err = ERR_OK;
    for (unsigned i = 0; i < event->line_count && !err; i++)
        err = move(apply, order, event->parcel.warehouse, event->lines[i].line_id,
                   event->lines[i].quantity);
    return err;
}

/* The rows of the lines that EVENT is about, and of what its warehouse has of them. */
static int store_goods(struct apply *apply, const struct order *order,
                       const struct order_event *event)
{
    bool shipped = event->type == ORDER_EVENT_SHIPPED,
         canceled = event->type == ORDER_EVENT_CANCELED;
    if (event->type == ORDER_EVENT_GIVEN_UP || event->type == ORDER_EVENT_ALLOTTED)
        return store_moved(apply, order, event);
    if (!shipped && !canceled && event->type != ORDER_EVENT_RETURNED)
        return ERR_OK;
    int err = shipped ? store_parcel(apply, order, event) : ERR_OK;
    struct str warehouse = event->parcel.warehouse;
    for (unsigned i = 0; i < event->line_count && !err; i++) {
        uint32_t line_id = event->lines[i].line_id, quantity = event->lines[i].quantity;
        err = store_line(apply, order, order_line(order, line_id));
        if (!err && shipped && warehouse.len > 0)
            err = warehouse_ship(apply, order, warehouse, line_id, quantity);
        if (!err && canceled && warehouse.len > 0)
            err = warehouse_cancel(apply, order, warehouse, line_id, quantity);
    }
    return err;
}

static int store_order(struct apply *apply, const struct order *order)
{
    struct stmt *stmt =
        db_stmt(apply->db, "UPDATE orders SET status = ?2, payment = ?3, captured = ?4,"
                           " refunding = ?5, refunded = ?6 WHERE number = ?1");
    stmt_bind_u64(stmt, 1, order->number);
    stmt_bind_i64(stmt, 2, order->status);
    stmt_bind_i64(stmt, 3, order->payment_state);
    stmt_bind_i64(stmt, 4, order->captured);
    stmt_bind_i64(stmt, 5, order->refunding);
    stmt_bind_i64(stmt, 6, order->refunded);
    return stmt_run(stmt);
}

/* ---- Who is told ---- */

/* Platform and shopper, of the last event. */
static int tell(struct apply *apply, const struct order *order, const struct terms *terms)
{
    uint32_t event = order->event_count;
    int err = ERR_OK;
    if (!order_event_is_told(order->events[event - 1].type))
        return err;
    if (order->platform.len > 0)
        err =
            outbox_put(apply, order, &(struct outbox_row){.kind = OUTBOX_WEBHOOK, .event = event});
    if (!err && terms->settings.mail && order->basket.buyer.email.len > 0)
        err = outbox_put(apply, order, &(struct outbox_row){.kind = OUTBOX_MAIL, .event = event});
    return err;
}

/* ---- Happening ---- */

/* EVENT itself: what follows is the caller's. */
static int happen(struct apply *apply, struct order *order, struct order_event *event)
{
    int err = append(apply, order, event);
    if (err)
        return db_failure(apply->db)->err ? apply_failed(apply) : err;
    if (store_event(apply, order, event))
        return apply_failed(apply);
    err = store_goods(apply, order, event);
    if (err)
        return db_failure(apply->db)->err ? apply_failed(apply) : err;
    return ERR_OK;
}

static int begin_money(struct apply *apply, struct order *order, const struct order_money *money)
{
    static const struct {
        enum order_event_type event;
        enum outbox_kind row;
    } begun[] = {
        [MONEY_CAPTURE] = {ORDER_EVENT_CAPTURE_BEGUN, OUTBOX_CAPTURE},
        [MONEY_CANCEL] = {ORDER_EVENT_PAYMENT_CANCEL_BEGUN, OUTBOX_PAYMENT_CANCEL},
        [MONEY_REFUND] = {ORDER_EVENT_REFUND_BEGUN, OUTBOX_REFUND},
    };
    struct order_event event = {
        .type = begun[money->what].event, .actor = STR("shop"), .amount = money->amount};
    int err = happen(apply, order, &event);
    if (err)
        return err;
    struct outbox_row row = {
        .kind = begun[money->what].row, .event = event.number, .amount = money->amount};
    return outbox_put(apply, order, &row);
}

int order_move_money(struct apply *apply, struct order *order, bool lapsing)
{
    const struct terms *terms = apply_terms(apply);
    if (!terms)
        return apply_failed(apply);
    struct order_money money = order_money_next(order, terms->settings.capture_at_once, lapsing);
    int err = money.what == MONEY_NOTHING ? ERR_OK : begin_money(apply, order, &money);
    if (!err && order->event_count > 1 && store_order(apply, order))
        return apply_failed(apply);
    return err;
}

int order_happened(struct apply *apply, struct order *order, struct order_event *event)
{
    const struct terms *terms = apply_terms(apply);
    if (!terms)
        return apply_failed(apply);
    int err = happen(apply, order, event);
    if (!err)
        err = tell(apply, order, terms);
    /* What a person has asked for again does not wait for a parcel. */
    return err ? err : order_move_money(apply, order, event->type == ORDER_EVENT_RETRIED);
}

/* ---- The first event ---- */

static int send_to_warehouse(struct apply *apply, const struct order *order, unsigned first,
                             unsigned end)
{
    struct order_quantity lines[SHOP_LINES_MAX];
    struct outbox_row row = {.kind = OUTBOX_SHIP, .event = 1, .lines = lines};
    for (unsigned i = first; i < end; i++)
        lines[row.line_count++] =
            (struct order_quantity){order->allotments[i].line_id, order->allotments[i].quantity};
    return outbox_put_warehouse(apply, order, order->allotments[first].warehouse, &row);
}

static int send_to_warehouses(struct apply *apply, const struct order *order)
{
    int err = ERR_OK;
    for (unsigned first = 0, end; first < order->allotment_count && !err; first = end) {
        end = order_allotments_end(order, first);
        err = send_to_warehouse(apply, order, first, end);
    }
    return err;
}

int order_was_placed(struct apply *apply, struct order *order)
{
    const struct terms *terms = apply_terms(apply);
    if (!terms)
        return apply_failed(apply);
    struct warehouse *warehouses;
    unsigned count;
    int err = warehouse_load(apply, &warehouses, &count);
    if (!err && count > 0)
        err = warehouse_allot(apply, order);
    if (!err)
        err = send_to_warehouses(apply, order);
    if (!err)
        err = tell(apply, order, terms);
    return err ? err : order_move_money(apply, order, false);
}
