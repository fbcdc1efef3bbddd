#include "shop/order_move.h"

#include "shop/order_changing.h"
#include "shop/order_events.h"
#include "shop/warehouse.h"

/* ---- Giving ---- */

/* By the warehouse's id and line, as they are read. */
static bool comes_before(const struct allotment *one, struct str warehouse, uint32_t line_id)
{
    int difference = str_compare(one->warehouse, warehouse);
    return difference < 0 || (difference == 0 && one->line_id < line_id);
}

/* WAREHOUSE has a place for LINE_ID among ORDER's allotments; of none yet it has 0 units. */
static int make_room(struct apply *apply, struct order *order, struct str warehouse,
                     uint32_t line_id)
{
    if (order_allotment(order, warehouse, line_id))
        return ERR_OK;
    struct allotment *more =
        ARENA_ARRAY(apply->arena, struct allotment, order->allotment_count + 1);
    if (!more)
        return ERR_NOMEM;
    unsigned at = 0;
    while (at < order->allotment_count &&
           comes_before(&order->allotments[at], warehouse, line_id)) {
        more[at] = order->allotments[at];
        at++;
    }
    more[at] = (struct allotment){.warehouse = warehouse, .line_id = line_id};
    memcpy(more + at + 1, order->allotments + at, (order->allotment_count - at) * sizeof more[0]);
    order->allotments = more;
    order->allotment_count++;
    return ERR_OK;
}

int order_allotted(struct apply *apply, struct order *order, struct str warehouse,
                   const struct order_quantity *lines, unsigned count)
{
    struct picked picked = {.count = 0};
    struct order_quantity given[SHOP_LINES_MAX];
    int err = ERR_OK;
    for (unsigned i = 0; i < count && !err; i++) {
        picked_add(&picked, lines[i].line_id, lines[i].quantity);
        err = make_room(apply, order, warehouse, lines[i].line_id);
    }
    struct order_event event = {
        .type = ORDER_EVENT_ALLOTTED, .actor = STR("shop"), .parcel = {.warehouse = warehouse}};
    if (!err)
        err = picked_keep(apply, &picked, &event);
    if (!err)
        err = order_happened(apply, order, &event);
    if (err)
        return err;
    for (unsigned i = 0; i < count; i++)
        given[i] = (struct order_quantity){
            lines[i].line_id, order_allotment(order, warehouse, lines[i].line_id)->quantity};
    struct outbox_row row = {
        .kind = OUTBOX_SHIP, .event = event.number, .lines = given, .line_count = count};
    return outbox_put_warehouse(apply, order, warehouse, &row);
}

/* ---- Giving up ---- */

/* Which of LINES, that WAREHOUSE gives up, OTHERS have; it keeps the REST, unless it is gone. They
 * had all of it when it was asked, but other orders may have been given to them since. */
static int split(struct apply *apply, const struct order *order, struct str warehouse,
                 const struct picked *lines, struct picked *others, struct picked *rest)
{
    struct warehouse *list;
    unsigned count;
    int err = warehouse_load(apply, &list, &count);
    const struct warehouse *from = err ? NULL : warehouse_find(list, count, warehouse);
    for (unsigned i = 0; i < lines->count && !err; i++) {
        struct order_quantity one = lines->lines[i];
        bool elsewhere = !from || from->gone;
        if (!elsewhere)
            err = warehouse_is_elsewhere(apply, warehouse, order_line(order, one.line_id),
                                         one.quantity, &elsewhere);
        picked_add(elsewhere ? others : rest, one.line_id, one.quantity);
    }
    return err;
}

/* LINES are WAREHOUSE's no more, by its answer to the event OF, and others' from now on. */
static int pass_on(struct apply *apply, struct order *order, struct str warehouse,
                   const struct picked *lines, uint32_t of)
{
    struct picked others = {.count = 0}, rest = {.count = 0};
    struct order_event event = {.type = ORDER_EVENT_GIVEN_UP,
                                .actor = of ? ARENA_JOIN(apply->arena, STR("warehouse/"), warehouse)
                                            : STR("shop"),
                                .parcel = {.warehouse = warehouse},
                                .of = of};
    int err = event.actor.at ? picked_keep(apply, lines, &event) : ERR_NOMEM;
    if (!err)
        err = split(apply, order, warehouse, lines, &others, &rest);
    if (!err)
        err = order_happened(apply, order, &event);
    if (!err && others.count > 0)
        err = warehouse_allot_again(apply, order, others.lines, others.count, warehouse);
    if (!err && rest.count > 0)
        err = order_allotted(apply, order, warehouse, rest.lines, rest.count);
    return err;
}

static uint32_t given_of(const struct order_quantity *given, unsigned count, uint32_t line_id)
{
    for (unsigned i = 0; i < count; i++)
        if (given[i].line_id == line_id)
            return given[i].quantity;
    return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

int order_recall_answered(struct apply *apply, struct order *order, uint32_t asked,
                          const struct order_quantity *given, unsigned count)
{
    const struct order_event question = order->events[asked - 1];
    struct str warehouse = question.parcel.warehouse;
    struct picked gone = {.count = 0}, kept = {.count = 0};
    for (unsigned i = 0; i < question.line_count; i++) {
        struct order_quantity line = question.lines[i];
        uint32_t units = least(given_of(given, count, line.line_id), line.quantity);
        units = least(units, warehouse_open(order, warehouse, line.line_id));
        picked_add(&gone, line.line_id, units);
        picked_add(&kept, line.line_id, line.quantity - units);
    }
    int err = gone.count > 0 ? pass_on(apply, order, warehouse, &gone, asked) : ERR_OK;
    if (err || kept.count == 0)
        return err;
    struct order_event event = {.type = ORDER_EVENT_KEPT,
                                .actor = ARENA_JOIN(apply->arena, STR("warehouse/"), warehouse),
                                .parcel = {.warehouse = warehouse},
                                .of = asked};
    err = event.actor.at ? picked_keep(apply, &kept, &event) : ERR_NOMEM;
    return err ? err : order_happened(apply, order, &event);
}

/* ---- Asking ---- */

/* What WAREHOUSE has of ORDER and others have, too. */
static int pick_recall(struct apply *apply, const struct order *order, struct str warehouse,
                       struct picked *picked)
{
    int err = ERR_OK;
    for (unsigned i = 0; i < order->allotment_count && !err; i++) {
        const struct allotment *one = &order->allotments[i];
        const struct line *line = order_line(order, one->line_id);
        bool elsewhere = false;
        if (!line || changing_unasked(one) == 0 || !str_eq(one->warehouse, warehouse))
            continue;
        err = warehouse_is_elsewhere(apply, warehouse, line, changing_unasked(one), &elsewhere);
        if (elsewhere)
            picked_add(picked, one->line_id, changing_unasked(one));
    }
    return err;
}

int order_recall(struct apply *apply, struct order *order, struct str warehouse, bool *asked)
{
    struct picked picked = {.count = 0};
    int err = pick_recall(apply, order, warehouse, &picked);
    *asked = !err && picked.count > 0;
    if (!*asked)
        return err;
    struct order_event event = {.type = ORDER_EVENT_RECALLED,
                                .actor = STR("shop"),
                                .parcel = {.warehouse = warehouse},
                                .text = STR("another warehouse ships it")};
    return changing_ask(apply, order, &picked, &event);
}

int order_move(struct apply *apply, struct order *order, struct str warehouse)
{
    struct picked picked = {.count = 0};
    for (unsigned i = 0; i < order->allotment_count; i++) {
        const struct allotment *one = &order->allotments[i];
        if (str_eq(one->warehouse, warehouse))
            picked_add(&picked, one->line_id, changing_unasked(one));
    }
    return picked.count > 0 ? pass_on(apply, order, warehouse, &picked, 0) : ERR_OK;
}
