#include "shop/warehouse_clear.h"

#include "shop/order.h"
#include "shop/order_change.h"
#include "shop/order_events.h"
#include "shop/order_move.h"
#include "shop/outbox.h"
#include "shop/stock.h"
#include "shop/warehouse.h"

enum {
    ORDERS_MOST = 50,    /* in one step: each is read whole */
    NUMBERS_MOST = 1000, /* of orders that a step passes over */
    /* Of an order's events: a move is two, and one for each warehouse that gets something. */
    EVENTS_OF_MOVE = 3 + SHOP_WAREHOUSES_MAX,
};

/* ---- Beginning ---- */

static bool is_other_open(const struct warehouse *list, unsigned count, struct str id)
{
    for (unsigned i = 0; i < count; i++)
        if (!list[i].closed && !str_eq(list[i].id, id))
            return true;
    return false;
}

/* What no other has would be where nobody is. */
static int check_main(struct apply *apply, const struct warehouse *list, unsigned count,
                      const struct warehouse *put)
{
    const struct warehouse *main = put;
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(list[i].id, put->id))
            continue;
        if (list[i].position < main->position ||
            (list[i].position == main->position && str_compare(list[i].id, main->id) < 0))
            main = &list[i];
    }
    if (!main->gone)
        return ERR_OK;
    return apply_refuse(apply, ERR_STATE,
                        "warehouse \"%.*s\" is gone and would be the main one; first give one that "
                        "is there a lower position",
                        STR_FMT(main->id));
}

static int check_gone(struct apply *apply, const struct warehouse *list, unsigned count,
                      const struct warehouse *known, const struct warehouse *put)
{
    if (known && known->gone && !put->gone)
        return apply_refuse(apply, ERR_STATE,
                            "warehouse \"%.*s\" is gone for good; put a new one under another id",
                            STR_FMT(put->id));
    if (!put->gone || (known && known->gone))
        return check_main(apply, list, count, put);
    if (!known)
        return apply_refuse(apply, ERR_NOTFOUND, "there is no warehouse \"%.*s\"",
                            STR_FMT(put->id));
    if (str_eq(list[0].id, put->id))
        return apply_refuse(apply, ERR_STATE,
                            "\"%.*s\" is the main warehouse, which has what no other has; first "
                            "give another one a lower position",
                            STR_FMT(put->id));
    if (!is_other_open(list, count, put->id))
        return apply_refuse(apply, ERR_STATE,
                            "no other warehouse is open that could ship what \"%.*s\" has to",
                            STR_FMT(put->id));
    return check_main(apply, list, count, put);
}

/* The order before the first of which WAREHOUSE has something to ship. */
static int find_start(struct apply *apply, struct str warehouse, uint64_t *start)
{
    struct stmt *row = db_stmt(apply->db, "SELECT coalesce(min(number), 1) - 1 FROM allotment"
                                          " WHERE warehouse = ? AND shipped + canceled < quantity");
    stmt_bind_str(row, 1, warehouse);
    *start = stmt_only_u64(row, 0);
    return db_failure(apply->db)->err ? apply_failed(apply) : ERR_OK;
}

int warehouse_clear_decide(struct apply *apply, const struct warehouse *list, unsigned count,
                           const struct warehouse *known, struct warehouse *put)
{
    int err = check_gone(apply, list, count, known, put);
    if (err)
        return err;
    put->closed |= put->gone;
    put->clearing = known && known->clearing && put->closed;
    put->cleared = put->clearing ? known->cleared : 0;
    bool newly = known && ((put->closed && !known->closed) || (put->gone && !known->gone));
    if (!newly)
        return ERR_OK;
    put->clearing = true;
    return find_start(apply, put->id, &put->cleared);
}

/* ---- One that is gone: what was to be told to it ---- */

/* The rows of its lane, first of all: so that no question to it is left open. */
static unsigned read_lane(struct apply *apply, struct str warehouse, uint64_t seqs[ORDERS_MOST])
{
    unsigned count = 0;
    struct stmt *row = db_stmt(apply->db, "SELECT seq FROM outbox WHERE lane = 'warehouse/' || ?1"
                                          " ORDER BY seq LIMIT ?2");
    stmt_bind_str(row, 1, warehouse);
    stmt_bind_i64(row, 2, ORDERS_MOST);
    while (count < ORDERS_MOST && stmt_next(row) == 0)
        seqs[count++] = stmt_u64(row, 0);
    stmt_done(row);
    return count;
}

static int answer_for(struct apply *apply, const struct warehouse *gone, uint64_t seq)
{
    struct outbox_row row;
    struct order order;
    int err = outbox_take(apply, seq, &row);
    if (err || row.kind != OUTBOX_CANCEL)
        return err;
    err = order_load(apply->db, apply->arena, row.order, &order);
    if (err)
        return err == ERR_NOTFOUND ? ERR_DAMAGED : err;
    if (order.events[row.event - 1].type == ORDER_EVENT_RECALLED)
        return order_recall_answered(apply, &order, row.event, row.lines, row.line_count);
    struct str text = arena_printf(apply->arena, "warehouse %.*s is gone", STR_FMT(gone->id));
    return text.at
               ? order_cancel_answered(apply, &order, row.event, row.lines, row.line_count, text)
               : ERR_NOMEM;
}

/* ---- Orders ---- */

/* Of those after CLEARING's `cleared`; *LAST: all up to that one are looked at then. */
static int read_orders(struct apply *apply, const struct warehouse *clearing,
                       uint64_t numbers[ORDERS_MOST], unsigned *count, uint64_t *last)
{
    uint64_t end = shop_counter(apply->shop, COUNTER_ORDER);
    *last = clearing->cleared + NUMBERS_MOST < end ? clearing->cleared + NUMBERS_MOST : end;
    /* The plus keeps it to the order's own rows, however many are open there. */
    struct stmt *row = db_stmt(apply->db, "SELECT DISTINCT number FROM allotment WHERE number > ?1"
                                          " AND number <= ?2 AND +warehouse = ?3"
                                          " AND shipped + canceled < quantity"
                                          " ORDER BY number LIMIT ?4");
    stmt_bind_u64(row, 1, clearing->cleared);
    stmt_bind_u64(row, 2, *last);
    stmt_bind_str(row, 3, clearing->id);
    stmt_bind_i64(row, 4, ORDERS_MOST);
    for (*count = 0; *count < ORDERS_MOST && stmt_next(row) == 0;)
        numbers[(*count)++] = stmt_u64(row, 0);
    stmt_done(row);
    if (*count == ORDERS_MOST)
        *last = numbers[ORDERS_MOST - 1];
    return db_failure(apply->db)->err ? apply_failed(apply) : ERR_OK;
}

static int clear_order(struct apply *apply, const struct warehouse *clearing, uint64_t number)
{
    struct order order;
    bool asked;
    int err = order_load_number(apply->db, apply->arena, number, &order);
    if (err)
        return err == ERR_NOTFOUND ? ERR_DAMAGED : err;
    if (order.event_count + EVENTS_OF_MOVE > ORDER_EVENTS_MAX)
        return ERR_OK; /* it was moved too often: its warehouse may still ship it */
    return clearing->gone ? order_move(apply, &order, clearing->id)
                          : order_recall(apply, &order, clearing->id, &asked);
}

/* ---- Goods ---- */

/* What is still free at GONE is nobody's any more. *LEFT: there may be more. */
static int count_away(struct apply *apply, const struct warehouse *gone, bool *left)
{
    uint64_t variants[ORDERS_MOST];
    int64_t free[ORDERS_MOST];
    unsigned count = 0;
    struct stmt *row = db_stmt(apply->db, "SELECT variant_id, free FROM warehouse_stock WHERE"
                                          " warehouse = ?1 AND free <> 0 LIMIT ?2");
    struct str note = arena_printf(apply->arena, "warehouse/%.*s is gone", STR_FMT(gone->id));
    stmt_bind_str(row, 1, gone->id);
    stmt_bind_i64(row, 2, ORDERS_MOST);
    while (count < ORDERS_MOST && stmt_next(row) == 0) {
        variants[count] = stmt_u64(row, 0);
        free[count++] = stmt_i64(row, 1);
    }
    stmt_done(row);
    int err = note.at ? ERR_OK : ERR_NOMEM;
    for (unsigned i = 0; i < count && !err; i++) {
        struct item *item = items_by_id(apply->items, variants[i]);
        err = item ? stock_adjust(apply, item, -free[i], note) : apply_failed(apply);
        if (!err)
            err = warehouse_add_free(apply, gone->id, variants[i], -free[i]);
    }
    *left = count == ORDERS_MOST;
    return err;
}

/* ---- One step ---- */

static int clear_lane(struct apply *apply, const struct warehouse *gone, unsigned *count)
{
    uint64_t seqs[ORDERS_MOST];
    int err = ERR_OK;
    *count = read_lane(apply, gone->id, seqs);
    for (unsigned i = 0; i < *count && !err; i++)
        err = answer_for(apply, gone, seqs[i]);
    return err;
}

static int clear_orders(struct apply *apply, struct warehouse *clearing, bool *left)
{
    uint64_t numbers[ORDERS_MOST], last;
    unsigned count;
    int err = read_orders(apply, clearing, numbers, &count, &last);
    for (unsigned i = 0; i < count && !err; i++)
        err = clear_order(apply, clearing, numbers[i]);
    clearing->cleared = last;
    *left = last < shop_counter(apply->shop, COUNTER_ORDER);
    return err;
}

static int step(struct apply *apply, struct warehouse *clearing)
{
    unsigned rows = 0;
    bool left = true;
    int err = clearing->gone ? clear_lane(apply, clearing, &rows) : ERR_OK;
    if (!err && rows == 0)
        err = clear_orders(apply, clearing, &left);
    if (!err && !left && clearing->gone)
        err = count_away(apply, clearing, &left);
    clearing->clearing = left;
    return err ? err : warehouse_store(apply, clearing);
}

int warehouse_clear(struct apply *apply, uint64_t limit, uint64_t *done)
{
    struct warehouse *list, clearing;
    unsigned count;
    int err = warehouse_load(apply, &list, &count);
    for (unsigned i = 0; i < count && !err; i++) {
        if (!list[i].clearing || (list[i].gone && !is_other_open(list, count, list[i].id)))
            continue;
        clearing = list[i];
        clearing.id = arena_str(apply->arena, clearing.id);
        clearing.name = arena_str(apply->arena, clearing.name);
        clearing.url = arena_str(apply->arena, clearing.url);
        clearing.pin = arena_str(apply->arena, clearing.pin);
        if (!clearing.id.at || !clearing.name.at || !clearing.url.at || !clearing.pin.at)
            return ERR_NOMEM;
        *done = limit;
        return step(apply, &clearing);
    }
    return err;
}
