#include "outside/warehouse_inner.h"

#include <inttypes.h>

/* ---- Reading ---- */

static void read_place(struct warehouse_json *in, yyjson_val *from, struct book_order *order)
{
    yyjson_val *place = yyjson_obj_get(from, "destination");
    for (unsigned i = 0; i < PLACE_COUNT; i++)
        order->place[i] =
            warehouse_json_text(in, place, "destination", book_place_names[i], BOOK_TEXT_MAX);
}

static void read_order_line(struct warehouse_json *in, yyjson_val *from, const char *where,
                            struct book_line *line)
{
    line->line =
        (uint32_t)warehouse_json_int(in, from, where, "line", 1, UINT32_MAX, WAREHOUSE_NEEDED);
    line->quantity = (uint32_t)warehouse_json_int(in, from, where, "quantity", 1, BOOK_QUANTITY_MAX,
                                                  WAREHOUSE_NEEDED);
    line->item = warehouse_json_text(in, from, where, "item", BOOK_TEXT_MAX);
    line->sku = warehouse_json_text(in, from, where, "sku", BOOK_TEXT_MAX);
    line->title = warehouse_json_text(in, from, where, "title", 4 * BOOK_TEXT_MAX);
    line->options = warehouse_json_text(in, from, where, "options", 4 * BOOK_TEXT_MAX);
    if (!line->item.len)
        line->item = line->sku;
    if (!line->item.len)
        warehouse_json_wrong(in, "%s.item is missing", where);
}

static void read_order_lines(struct warehouse_json *in, yyjson_val *from, struct book_order *order)
{
    yyjson_val *list = warehouse_json_list(in, from, "", "lines", BOOK_LINES_MAX), *at;
    size_t index, count;
    if (!yyjson_arr_size(list)) {
        warehouse_json_wrong(in, "it has no lines");
        return;
    }
    order->lines = ARENA_ARRAY(in->arena, struct book_line, yyjson_arr_size(list));
    if (!order->lines) {
        warehouse_json_wrong(in, "there is no memory for its lines");
        return;
    }
    yyjson_arr_foreach(list, index, count, at)
    {
        char where[32];
        snprintf(where, sizeof where, "lines[%zu]", index);
        read_order_line(in, at, where, &order->lines[order->line_count++]);
    }
}

/* What is wrong with one order is that order's result; the others are taken. */
static void read_order(struct arena *arena, yyjson_val *from, struct book_order *order)
{
    struct warehouse_json in = {.arena = arena, .root = from};
    order->order = warehouse_json_id(&in, from, "", "order", true);
    order->number = (uint64_t)warehouse_json_int(&in, from, "", "number", 0, INT64_MAX, 0);
    order->placed_ms = warehouse_json_int(&in, from, "", "placed_ms", 0, INT64_MAX, 0);
    order->log_index = (uint64_t)warehouse_json_int(&in, from, "", "log_index", 0, INT64_MAX, 0);
    order->service = warehouse_json_text(&in, from, "", "service", BOOK_TEXT_MAX);
    order->email = warehouse_json_text(&in, from, "", "email", BOOK_TEXT_MAX);
    read_place(&in, from, order);
    read_order_lines(&in, from, order);
    order->wrong = in.wrong;
}

static void read_cancel(struct arena *arena, yyjson_val *from, struct book_cancel *cancel)
{
    struct warehouse_json in = {.arena = arena, .root = from};
    yyjson_val *list = warehouse_json_list(&in, from, "", "lines", BOOK_LINES_MAX), *at;
    size_t index, count;
    cancel->order = warehouse_json_id(&in, from, "", "order", true);
    cancel->reason = warehouse_json_text(&in, from, "", "reason", 4 * BOOK_TEXT_MAX);
    cancel->lines = ARENA_ARRAY(arena, struct book_quantity, yyjson_arr_size(list));
    if (!cancel->lines)
        warehouse_json_wrong(&in, "there is no memory for its lines");
    yyjson_arr_foreach(list, index, count, at)
    {
        char where[32];
        if (in.wrong.at)
            break;
        snprintf(where, sizeof where, "lines[%zu]", index);
        cancel->lines[cancel->line_count++] = (struct book_quantity){
            (uint32_t)warehouse_json_int(&in, at, where, "line", 1, UINT32_MAX, WAREHOUSE_NEEDED),
            (uint32_t)warehouse_json_int(&in, at, where, "quantity", 1, BOOK_QUANTITY_MAX,
                                         WAREHOUSE_NEEDED)};
    }
    cancel->wrong = in.wrong;
}

/* ---- One delivery of the shop ---- */

struct delivery {
    struct warehouse_change change;
    struct dock_call *call;
    struct book_sender sender;
    struct book_order *orders;   /* or */
    struct book_cancel *cancels; /* or none of both: the fence alone */
    size_t count;
    enum book_welcome welcome;
    char ours[FENCE_TEXT_SIZE];
    struct buf out;
};

static int take_delivery(struct book *book, void *argument)
{
    struct delivery *delivery = argument;
    struct buf *out = &delivery->out;
    buf_clear(out);
    int err = warehouse_book_welcome(book, &delivery->sender, &delivery->welcome, delivery->ours);
    if (err || delivery->welcome != WELCOME_TAKEN)
        return err; /* what was refused is kept */
    buf_puts(out, "{\"results\":[");
    for (size_t i = 0; !err && i < delivery->count; i++) {
        buf_puts(out, i ? "," : "");
        err = delivery->orders
                  ? warehouse_book_take(book, &delivery->orders[i], &delivery->sender.fence, out)
                  : warehouse_book_cancel(book, &delivery->cancels[i], out);
    }
    buf_puts(out, "]}");
    return err;
}

static void refuse(struct delivery *delivery)
{
    struct dock_call *call = delivery->call;
    const struct log *log = call->server->config.log;
    char theirs[FENCE_TEXT_SIZE];
    struct buf out;
    fence_write(&delivery->sender.fence, theirs);
    if (delivery->welcome == WELCOME_OTHER_SHOP) {
        log_line(log, LOG_WARN, "warehouse", "%s of %.*s refused: it is of another shop, %s",
                 delivery->sender.what, STR_FMT(delivery->sender.peer), theirs);
        dock_error(call, 403, "other_shop", "this warehouse serves another shop");
        return;
    }
    log_line(log, LOG_WARN, "warehouse",
             "%s of %.*s refused: its fence %s is older than ours, %s: a deposed primary",
             delivery->sender.what, STR_FMT(delivery->sender.peer), theirs, delivery->ours);
    buf_init(&out, 256);
    buf_printf(&out, "{\"error\":\"fence_too_old\",\"fence\":\"%s\"}", delivery->ours);
    dock_json(call, 409, &out);
}

static void take(struct delivery *delivery)
{
    struct dock_call *call = delivery->call;
    struct crash_plan *crash = call->server->config.crash;
    delivery->change = (struct warehouse_change){.run = take_delivery, .argument = delivery};
    buf_init(&delivery->out, CALL_MEMORY);
    crash_here(crash, CRASH_warehouse_before);
    int err = warehouse_change_do(call->server->writer, &delivery->change);
    crash_here(crash, CRASH_warehouse_after);
    if (err)
        dock_error(call, dock_status(err) == 409 ? 500 : dock_status(err), "failed",
                   delivery->change.failure.text);
    else if (delivery->welcome != WELCOME_TAKEN)
        refuse(delivery);
    else if (delivery->count || delivery->orders || delivery->cancels)
        dock_json(call, 200, &delivery->out);
    else
        exchange_reply(call->x, 204, STR_NONE, STR(""));
    buf_close(&delivery->out);
    if (delivery->orders)
        warehouse_keeper_wake(call->server->keeper);
}

/* False: answered already. */
static bool read_sender(struct dock_call *call, const char *what, struct delivery *delivery)
{
    struct fence *fence = &delivery->sender.fence;
    *delivery = (struct delivery){.call = call, .sender = {.peer = call->x->peer, .what = what}};
    struct str text = exchange_header(call->x, STR("Stoa-Fence"));
    if (text.at && fence_parse(text, fence) == 0 && fence->epoch <= INT64_MAX &&
        fence->term <= INT64_MAX && !id_is_zero(fence->shop))
        return true;
    dock_error(call, 400, "fence_missing",
               "the header Stoa-Fence must say <shop> <epoch>.<term>, and does not");
    return false;
}

/* The list KEY of the body, of items with effects. NULL: answered already. */
static yyjson_val *read_list(struct dock_call *call, const char *key)
{
    struct warehouse_json *in = &call->json;
    warehouse_json_read(in, &call->x->arena, call->x->body);
    yyjson_val *list = warehouse_json_list(in, in->root, "", key, BOOK_ORDERS_MAX), *at;
    size_t index, count;
    if (!list)
        warehouse_json_wrong(in, "%s is missing", key);
    yyjson_arr_foreach(list, index, count, at)
    {
        char where[32];
        snprintf(where, sizeof where, "%s[%zu]", key, index);
        warehouse_json_id(in, at, where, "effect", true);
    }
    if (!in->wrong.at)
        return list;
    dock_error(call, 400, "invalid", in->wrong.at);
    return NULL;
}

void dock_take_orders(struct dock_call *call)
{
    struct delivery delivery;
    yyjson_val *list, *at;
    size_t index, count;
    if (!read_sender(call, "orders", &delivery) || !(list = read_list(call, "orders")))
        return;
    delivery.count = yyjson_arr_size(list);
    delivery.orders = ARENA_ARRAY(&call->x->arena, struct book_order, delivery.count);
    if (!delivery.orders) {
        dock_error(call, 503, "busy", "there is no memory for these orders");
        return;
    }
    yyjson_arr_foreach(list, index, count, at)
    {
        delivery.orders[index].effect = warehouse_json_id(&call->json, at, "", "effect", true);
        read_order(&call->x->arena, at, &delivery.orders[index]);
    }
    take(&delivery);
}

void dock_take_cancels(struct dock_call *call)
{
    struct delivery delivery;
    yyjson_val *list, *at;
    size_t index, count;
    if (!read_sender(call, "cancels", &delivery) || !(list = read_list(call, "cancels")))
        return;
    delivery.count = yyjson_arr_size(list);
    delivery.cancels = ARENA_ARRAY(&call->x->arena, struct book_cancel, delivery.count);
    if (!delivery.cancels) {
        dock_error(call, 503, "busy", "there is no memory for these cancels");
        return;
    }
    yyjson_arr_foreach(list, index, count, at)
    {
        delivery.cancels[index].effect = warehouse_json_id(&call->json, at, "", "effect", true);
        read_cancel(&call->x->arena, at, &delivery.cancels[index]);
    }
    take(&delivery);
}

void dock_take_fence(struct dock_call *call)
{
    struct delivery delivery;
    if (read_sender(call, "fence", &delivery))
        take(&delivery);
}
