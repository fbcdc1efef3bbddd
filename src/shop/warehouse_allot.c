/* Allotting: which warehouse ships what of an order; and the counts of that. */
#include "base/check.h"
#include "shop/order_events.h"
#include "shop/order_move.h"
#include "shop/warehouse.h"
#include "shop/warehouse_choose.h"

/* ---- Choosing ---- */

/* What of an order is to be shipped, and where it might be. */
struct allotting {
    const struct warehouse *warehouses[SHOP_WAREHOUSES_MAX]; /* those that are open, by position */
    unsigned warehouse_count;
    const struct line *lines[SHOP_LINES_MAX];
    uint32_t quantity[SHOP_LINES_MAX];
    unsigned line_count;
    struct item *items[SHOP_LINES_MAX];
    unsigned item_of[SHOP_LINES_MAX], item_count;
};

static int add_line(struct apply *apply, struct allotting *allotting, const struct line *line,
                    uint32_t quantity)
{
    struct item *item = items_by_id(apply->items, line->variant_id);
    if (!item)
        return apply_failed(apply);
    unsigned at = 0;
    while (at < allotting->item_count && allotting->items[at] != item)
        at++;
    if (at == allotting->item_count)
        allotting->items[allotting->item_count++] = item;
    allotting->item_of[allotting->line_count] = at;
    allotting->quantity[allotting->line_count] = quantity;
    allotting->lines[allotting->line_count++] = line;
    return 0;
}

static int collect_open(struct apply *apply, struct allotting *allotting)
{
    struct warehouse *list;
    unsigned count;
    int err = warehouse_load(apply, &list, &count);
    for (unsigned i = 0; !err && i < count; i++)
        if (!list[i].closed)
            allotting->warehouses[allotting->warehouse_count++] = &list[i];
    return err;
}

static int collect(struct apply *apply, const struct order *order, struct allotting *allotting)
{
    int err = collect_open(apply, allotting);
    if (allotting->warehouse_count == 0)
        return err;
    CHECK(order->basket.line_count <= SHOP_LINES_MAX);
    for (unsigned i = 0; !err && i < order->basket.line_count; i++)
        if (order->basket.lines[i].needs_shipping)
            err = add_line(apply, allotting, &order->basket.lines[i],
                           order->basket.lines[i].quantity);
    return err;
}

/* What the warehouses had of ITEM before SOLD of it was sold; FREE: [warehouse × STRIDE]. */
static int read_free(struct apply *apply, const struct allotting *allotting,
                     const struct warehouse *main, const struct item *item, int64_t sold,
                     int64_t *free, unsigned stride)
{
    struct stmt *row =
        db_stmt(apply->db, "SELECT warehouse, free FROM warehouse_stock WHERE variant_id = ?");
    stmt_bind_u64(row, 1, item->variant_id);
    int64_t others = 0;
    while (stmt_next(row) == 0) {
        others += stmt_i64(row, 1);
        for (unsigned w = 0; w < allotting->warehouse_count; w++)
            if (str_eq(allotting->warehouses[w]->id, stmt_str(row, 0)))
                free[(uint64_t)w * stride] = stmt_i64(row, 1);
    }
    if (allotting->warehouses[0] == main)
        free[0] = item->stock.available + item->stock.held + sold - others;
    return db_failure(apply->db)->err;
}

/* TAKE: [warehouse × lines]. */
static int choose(struct apply *apply, const struct allotting *allotting, uint32_t *take)
{
    bool counted[SHOP_LINES_MAX];
    int64_t sold[SHOP_LINES_MAX] = {0};
    struct warehouse *list;
    unsigned count, items = allotting->item_count;
    int64_t *free = ARENA_ARRAY(apply->arena, int64_t, (size_t)allotting->warehouse_count * items);
    if (!free)
        return ERR_NOMEM;
    int err = warehouse_load(apply, &list, &count);
    for (unsigned i = 0; i < allotting->line_count; i++)
        sold[allotting->item_of[i]] += allotting->quantity[i];
    for (unsigned i = 0; !err && i < items; i++) {
        counted[i] = allotting->items[i]->tracked;
        if (counted[i])
            err = read_free(apply, allotting, &list[0], allotting->items[i], sold[i], &free[i],
                            items);
    }
    if (err)
        return err;
    warehouse_choose(&(struct warehouse_choice){
        .warehouses = allotting->warehouse_count,
        .items = items,
        .lines = allotting->line_count,
        .free = free,
        .counted = counted,
        .item = allotting->item_of,
        .quantity = allotting->quantity,
        .take = take,
    });
    return 0;
}

/* ---- Writing ---- */

static int store(struct apply *apply, const struct order *order, const struct allotment *allotment,
                 uint64_t variant_id)
{
    struct stmt *row = db_stmt(apply->db, "INSERT INTO allotment (number, warehouse, line_id,"
                                          " variant_id, quantity) VALUES (?, ?, ?, ?, ?)");
    stmt_bind_u64(row, 1, order->number);
    stmt_bind_str(row, 2, allotment->warehouse);
    stmt_bind_u64(row, 3, allotment->line_id);
    stmt_bind_u64(row, 4, variant_id);
    stmt_bind_u64(row, 5, allotment->quantity);
    if (stmt_run(row))
        return apply_failed(apply);
    return warehouse_add_free(apply, allotment->warehouse, variant_id,
                              -(int64_t)allotment->quantity);
}

/* By the warehouse's id and line, as they are read again. */
static void insert_sorted(struct order *order, struct allotment allotment)
{
    unsigned at = order->allotment_count++;
    for (; at > 0; at--) {
        const struct allotment *before = &order->allotments[at - 1];
        int difference = str_compare(before->warehouse, allotment.warehouse);
        if (difference < 0 || (difference == 0 && before->line_id < allotment.line_id))
            break;
        order->allotments[at] = *before;
    }
    order->allotments[at] = allotment;
}

static int store_all(struct apply *apply, struct order *order, const struct allotting *allotting,
                     const uint32_t *take)
{
    unsigned lines = allotting->line_count, count = 0;
    for (unsigned i = 0; i < allotting->warehouse_count * lines; i++)
        count += take[i] > 0;
    order->allotments = ARENA_ARRAY(apply->arena, struct allotment, count);
    if (!order->allotments)
        return ERR_NOMEM;
    int err = 0;
    for (unsigned w = 0; w < allotting->warehouse_count; w++) {
        struct str warehouse = arena_str(apply->arena, allotting->warehouses[w]->id);
        if (!warehouse.at)
            return ERR_NOMEM;
        for (unsigned i = 0; !err && i < lines; i++) {
            struct allotment allotment = {
                .warehouse = warehouse,
                .line_id = allotting->lines[i]->line_id,
                .quantity = take[(uint64_t)w * lines + i],
            };
            if (allotment.quantity == 0)
                continue;
            insert_sorted(order, allotment);
            err = store(apply, order, &allotment, allotting->lines[i]->variant_id);
        }
    }
    return err;
}

/* Of each of its lines, what each of its warehouses ships. */
static int share_out(struct apply *apply, const struct allotting *allotting, uint32_t **take)
{
    unsigned lines = allotting->line_count;
    *take = ARENA_ARRAY(apply->arena, uint32_t, (size_t)allotting->warehouse_count * lines);
    if (!*take)
        return ERR_NOMEM;
    if (allotting->warehouse_count > 1)
        return choose(apply, allotting, *take);
    memcpy(*take, allotting->quantity, lines * sizeof **take);
    return 0;
}

int warehouse_allot(struct apply *apply, struct order *order)
{
    uint32_t *take;
    struct allotting *allotting = ARENA_NEW(apply->arena, struct allotting);
    if (!allotting)
        return ERR_NOMEM;
    int err = collect(apply, order, allotting);
    if (err || allotting->line_count == 0)
        return err;
    err = share_out(apply, allotting, &take);
    return err ? err : store_all(apply, order, allotting, take);
}

/* ---- Again ---- */

static int collect_again(struct apply *apply, struct str keeper, struct allotting *allotting)
{
    struct warehouse *list;
    unsigned count;
    int err = collect_open(apply, allotting);
    if (!err && allotting->warehouse_count == 0)
        err = warehouse_load(apply, &list, &count);
    if (!err && allotting->warehouse_count == 0) {
        allotting->warehouses[0] = warehouse_find(list, count, keeper);
        allotting->warehouse_count = allotting->warehouses[0] != NULL;
    }
    return err ? err : allotting->warehouse_count ? 0 : ERR_DAMAGED;
}

/* What the warehouse number W gets. */
static int hand_over(struct apply *apply, struct order *order, const struct allotting *allotting,
                     const uint32_t *take, unsigned w)
{
    struct order_quantity lines[SHOP_LINES_MAX];
    unsigned count = 0, all = allotting->line_count;
    for (unsigned i = 0; i < all; i++)
        if (take[(uint64_t)w * all + i] > 0)
            lines[count++] =
                (struct order_quantity){allotting->lines[i]->line_id, take[(uint64_t)w * all + i]};
    struct str warehouse = arena_str(apply->arena, allotting->warehouses[w]->id);
    if (!warehouse.at)
        return ERR_NOMEM;
    return count ? order_allotted(apply, order, warehouse, lines, count) : 0;
}

int warehouse_allot_again(struct apply *apply, struct order *order,
                          const struct order_quantity *lines, unsigned count, struct str keeper)
{
    uint32_t *take;
    struct allotting *allotting = ARENA_NEW(apply->arena, struct allotting);
    if (!allotting)
        return ERR_NOMEM;
    int err = collect_again(apply, keeper, allotting);
    for (unsigned i = 0; i < count && !err; i++)
        err = add_line(apply, allotting, order_line(order, lines[i].line_id), lines[i].quantity);
    if (!err)
        err = share_out(apply, allotting, &take);
    for (unsigned w = 0; w < allotting->warehouse_count && !err; w++)
        err = hand_over(apply, order, allotting, take, w);
    return err;
}

int warehouse_is_elsewhere(struct apply *apply, struct str warehouse, const struct line *line,
                           uint32_t quantity, bool *elsewhere)
{
    struct warehouse *list;
    unsigned count;
    int64_t free = 0;
    struct item *item = items_by_id(apply->items, line->variant_id);
    int err = item ? warehouse_load(apply, &list, &count) : apply_failed(apply);
    *elsewhere = false;
    for (unsigned i = 0; !err && i < count; i++) {
        struct warehouse_count has = {0};
        if (list[i].closed || str_eq(list[i].id, warehouse))
            continue;
        err = warehouse_count_of(apply->db, list[i].id, i == 0, item->variant_id,
                                 item->stock.available + item->stock.held, &has);
        free += has.free > 0 ? has.free : 0;
        *elsewhere = !item->tracked || free >= (int64_t)quantity;
    }
    return err;
}

/* ---- Counts ---- */

int warehouse_read_allotments(struct db *db, struct arena *arena, struct order *order)
{
    struct stmt *row = db_stmt(db, "SELECT count(*) FROM allotment WHERE number = ?");
    stmt_bind_u64(row, 1, order->number);
    uint64_t rows = stmt_only_u64(row, 0);
    order->allotment_count = 0;
    order->allotments = ARENA_ARRAY(arena, struct allotment, rows);
    if (!order->allotments)
        return ERR_NOMEM;
    row = db_stmt(db, "SELECT warehouse, line_id, quantity, shipped, canceled FROM allotment"
                      " WHERE number = ? ORDER BY warehouse, line_id");
    stmt_bind_u64(row, 1, order->number);
    int err = 0;
    while (order->allotment_count < rows && stmt_more(row, &err)) {
        struct allotment *allotment = &order->allotments[order->allotment_count++];
        *allotment = (struct allotment){.warehouse = arena_str(arena, stmt_str(row, 0)),
                                        .line_id = (uint32_t)stmt_u64(row, 1),
                                        .quantity = (uint32_t)stmt_u64(row, 2),
                                        .shipped = (uint32_t)stmt_u64(row, 3),
                                        .canceled = (uint32_t)stmt_u64(row, 4)};
        if (!allotment->warehouse.at)
            err = ERR_NOMEM;
        if (err)
            break;
    }
    stmt_done(row);
    return err;
}

uint32_t warehouse_open(const struct order *order, struct str warehouse, uint32_t line_id)
{
    uint32_t open = 0;
    for (unsigned i = 0; i < order->allotment_count; i++) {
        const struct allotment *one = &order->allotments[i];
        if (one->line_id == line_id && (warehouse.len == 0 || str_eq(one->warehouse, warehouse)))
            open += one->quantity - one->shipped - one->canceled;
    }
    return open;
}

static uint64_t variant_of(const struct order *order, uint32_t line_id)
{
    for (unsigned i = 0; i < order->basket.line_count; i++)
        if (order->basket.lines[i].line_id == line_id)
            return order->basket.lines[i].variant_id;
    return 0;
}

#define OF_ALLOTMENT " WHERE number = ?1 AND warehouse = ?2 AND line_id = ?3"

/* SQL, a literal, adds QUANTITY to a column OF_ALLOTMENT. */
static int count_up(struct apply *apply, const char *sql, const struct order *order,
                    struct str warehouse, uint32_t line_id, uint32_t quantity)
{
    struct stmt *row = db_stmt(apply->db, sql);
    stmt_bind_u64(row, 1, order->number);
    stmt_bind_str(row, 2, warehouse);
    stmt_bind_u64(row, 3, line_id);
    stmt_bind_u64(row, 4, quantity);
    return stmt_run(row) ? apply_failed(apply) : 0;
}

int warehouse_ship(struct apply *apply, const struct order *order, struct str warehouse,
                   uint32_t line_id, uint32_t quantity)
{
    return count_up(apply, "UPDATE allotment SET shipped = shipped + ?4" OF_ALLOTMENT, order,
                    warehouse, line_id, quantity);
}

int warehouse_allot_more(struct apply *apply, const struct order *order, struct str warehouse,
                         uint32_t line_id, uint32_t quantity)
{
    struct stmt *row =
        db_stmt(apply->db, "INSERT INTO allotment (number, warehouse, line_id, variant_id,"
                           " quantity) VALUES (?1, ?2, ?3, ?4, ?5)"
                           " ON CONFLICT (number, warehouse, line_id)"
                           " DO UPDATE SET quantity = quantity + ?5");
    stmt_bind_u64(row, 1, order->number);
    stmt_bind_str(row, 2, warehouse);
    stmt_bind_u64(row, 3, line_id);
    stmt_bind_u64(row, 4, variant_of(order, line_id));
    stmt_bind_u64(row, 5, quantity);
    if (stmt_run(row))
        return apply_failed(apply);
    return warehouse_add_free(apply, warehouse, variant_of(order, line_id), -(int64_t)quantity);
}

int warehouse_cancel(struct apply *apply, const struct order *order, struct str warehouse,
                     uint32_t line_id, uint32_t quantity)
{
    int err = count_up(apply, "UPDATE allotment SET canceled = canceled + ?4" OF_ALLOTMENT, order,
                       warehouse, line_id, quantity);
    return err ? err : warehouse_add_free(apply, warehouse, variant_of(order, line_id), quantity);
}

int warehouse_give_back(struct apply *apply, const struct order *order, struct str warehouse,
                        uint32_t line_id, uint32_t quantity)
{
    if (warehouse.len == 0)
        return 0; /* the main one has what no other has */
    return warehouse_add_free(apply, warehouse, variant_of(order, line_id), quantity);
}
