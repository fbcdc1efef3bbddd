#include "base/json_text.h"
#include "outside/outbox_warehouse.h"
#include "outside/warehouse_book.h"

#include <inttypes.h>
#include <stdio.h>
#include <yyjson.h>

enum { ANSWER_LINES = 1000 };

/* An order that was sold is never refused for its length: our warehouse takes all that the shop
 * takes. Its notes come back as texts of the shop, so that they may not be longer, either. */
_Static_assert((int)BOOK_TEXT_MAX == SHOP_TEXT_MAX, "a text of the shop fits the warehouse");
_Static_assert(4 * (int)BOOK_TEXT_MAX >= SHOP_OPTIONS_MAX * (SHOP_TEXT_MAX + 3), "its options fit");
_Static_assert((int)BOOK_KEY_MAX >= SHOP_KEY_MAX, "a key of the shop fits the warehouse");
_Static_assert((int)BOOK_LINES_MAX >= SHOP_LINES_MAX, "an order of the shop fits the warehouse");
_Static_assert((int)BOOK_QUANTITY_MAX >= SHOP_QUANTITY_MAX,
               "a line of the shop fits the warehouse");

/* ---- Writing ---- */

static void put_text(struct buf *out, const char *key, struct str value)
{
    buf_printf(out, ",\"%s\":", key);
    json_str_put(value, out);
}

/* As people and the bank write ids: with dashes (RFC 9562). */
static void put_uuid(struct buf *out, struct id id)
{
    char hex[ID_TEXT];
    id_text(id, hex);
    buf_printf(out, "\"%.8s-%.4s-%.4s-%.4s-%.12s\"", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void put_head(struct buf *out, const struct outbox_row *row)
{
    char effect[ID_TEXT];
    buf_printf(out, "{\"effect\":\"%s\",\"order\":", id_text(row->effect, effect));
    put_uuid(out, row->order);
}

static const struct line *line_of(const struct order *order, uint32_t line_id)
{
    for (unsigned i = 0; i < order->basket.line_count; i++)
        if (order->basket.lines[i].line_id == line_id)
            return &order->basket.lines[i];
    return NULL;
}

static void put_lines(struct buf *out, const struct outbox_row *row, const struct order *order)
{
    buf_puts(out, ",\"lines\":[");
    for (unsigned i = 0; i < row->line_count; i++) {
        const struct line *line = order != NULL ? line_of(order, row->lines[i].line_id) : NULL;
        buf_printf(out, "%s{\"line\":%" PRIu32, i > 0 ? "," : "", row->lines[i].line_id);
        if (line != NULL) {
            put_text(out, "item", line->item_key);
            put_text(out, "sku", line->sku);
            put_text(out, "title", line->title);
            put_text(out, "options", line->option_text);
        }
        buf_printf(out, ",\"quantity\":%" PRIu32 "}", row->lines[i].quantity);
    }
    buf_byte(out, ']');
}

static struct str either(struct str first, struct str second)
{
    return first.len > 0 ? first : second;
}

static void put_destination(struct buf *out, const struct order *order)
{
    const struct address *to = &order->destination;
    const struct buyer *buyer = &order->basket.buyer;
    buf_puts(out, ",\"destination\":{\"first_name\":");
    json_str_put(either(to->first_name, buyer->first_name), out);
    put_text(out, "last_name", either(to->last_name, buyer->last_name));
    put_text(out, "phone", either(to->phone, buyer->phone));
    put_text(out, "street", to->street);
    put_text(out, "extended", to->extended);
    put_text(out, "locality", to->locality);
    put_text(out, "region", to->region);
    put_text(out, "postal_code", to->postal_code);
    put_text(out, "country", to->country);
    buf_byte(out, '}');
}

static void put_order(struct buf *out, const struct outbox_row *row, const struct order *order)
{
    put_head(out, row);
    buf_printf(out, ",\"number\":%" PRIu64 ",\"placed_ms\":%" PRId64 ",\"log_index\":%" PRIu64,
               order->number, order->placed_ms, row->log_index);
    put_lines(out, row, order);
    put_destination(out, order);
    put_text(out, "service", order->rate.level);
    put_text(out, "email", order->basket.buyer.email);
    buf_byte(out, '}');
}

static void put_cancel(struct buf *out, const struct outbox_row *row, const struct order *order)
{
    struct str reason = STR("");
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].number == row->event)
            reason = order->events[i].text;
    put_head(out, row);
    put_lines(out, row, NULL);
    put_text(out, "reason", reason);
    buf_byte(out, '}');
}

void outbox_warehouse_put(struct buf *out, const struct outbox_row *row, const struct order *order)
{
    if (row->kind == OUTBOX_SHIP)
        put_order(out, row, order);
    else
        put_cancel(out, row, order);
}

/* ---- What it answers ---- */

/* All rows from FIRST on. */
static void tell_all(struct outbox_send *first, const struct outbox_said *said)
{
    while (first != NULL) {
        struct outbox_send *next = first->next; /* FIRST is the outbox's again once done */
        first->done(first, said);
        first = next;
    }
}

static struct str text_of(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    return str_make(yyjson_get_str(value), yyjson_get_len(value) * yyjson_is_str(value));
}

static yyjson_val *result_of(yyjson_val *results, struct id effect)
{
    size_t index, count;
    yyjson_val *result;
    yyjson_arr_foreach(results, index, count, result)
    {
        struct id id;
        if (id_parse(text_of(result, "effect"), &id) == 0 && id_eq(id, effect))
            return result;
    }
    return NULL;
}

static unsigned read_lines(yyjson_val *list, struct order_quantity lines[static ANSWER_LINES])
{
    size_t index, count;
    yyjson_val *at;
    unsigned read = 0;
    yyjson_arr_foreach(list, index, count, at)
    {
        uint64_t line = yyjson_get_uint(yyjson_obj_get(at, "line"));
        uint64_t canceled = yyjson_get_uint(yyjson_obj_get(at, "canceled"));
        if (read < ANSWER_LINES && line > 0 && line <= UINT32_MAX && canceled <= UINT32_MAX)
            lines[read++] = (struct order_quantity){(uint32_t)line, (uint32_t)canceled};
    }
    return read;
}

static void tell_result(struct outbox_send *send, yyjson_val *result)
{
    struct order_quantity lines[ANSWER_LINES];
    struct outbox_said said = {.lines = lines, .text = text_of(result, "text")};
    struct str outcome = text_of(result, "outcome");
    bool cancel = send->row->kind == OUTBOX_CANCEL;
    if (cancel && str_eq(outcome, STR("answered"))) {
        said.sent = OUTBOX_SENT;
        said.line_count = read_lines(yyjson_obj_get(result, "lines"), lines);
    } else if (!cancel && str_eq(outcome, STR("taken"))) {
        said.sent = OUTBOX_SENT;
    } else if (str_eq(outcome, STR("refused"))) {
        said.sent = OUTBOX_SENT_NEVER;
    } else {
        said.sent = OUTBOX_SENT_LATER;
        said.text = result == NULL ? STR("the warehouse's answer says nothing of it")
                                   : STR("the warehouse's answer is not understood");
    }
    send->done(send, &said);
}

static void tell_results(struct outbox_send *first, yyjson_val *results)
{
    while (first != NULL) {
        struct outbox_send *next = first->next;
        tell_result(first, result_of(results, first->row->effect));
        first = next;
    }
}

/* Not taken. 400 and its like are about what was sent: one of the batch may be at fault, so that
 * each goes by itself the next time; everything else is about the receiver. */
static void tell_refusal(struct outbox_send *first, const struct outbox_warehouse_answer *answer,
                         yyjson_val *root)
{
    char why[200];
    struct str error = text_of(root, "error"), text = text_of(root, "text");
    struct outbox_said said = {.sent = OUTBOX_SENT_AWAY};
    snprintf(why, sizeof why, "it answers %d%s%.*s%s%.*s", answer->status, error.len > 0 ? " " : "",
             STR_FMT(error), text.len > 0 ? ": " : "", STR_FMT(text));
    said.text = str_of(why);
    if (answer->status == 409 && str_eq(error, STR("fence_too_old"))) {
        struct str fence = text_of(root, "fence");
        snprintf(why, sizeof why, "its fence is %.*s", STR_FMT(fence));
        said.text = str_of(why);
        said.sent = OUTBOX_SENT_OLD;
    } else if (first->row != NULL &&
               (answer->status == 400 || answer->status == 413 || answer->status == 422)) {
        said.sent = OUTBOX_SENT_LATER;
    }
    if (answer->retry_after_s > 0 && answer->retry_after_s < UINT32_MAX / 1000)
        said.wait_ms = (uint32_t)answer->retry_after_s * 1000;
    tell_all(first, &said);
}

void outbox_warehouse_tell(struct outbox_send *first, const struct outbox_warehouse_answer *answer)
{
    bool good = answer->err == 0 && answer->status >= 200 && answer->status < 300;
    if (answer->err != 0) {
        tell_all(first, &(struct outbox_said){.sent = OUTBOX_SENT_AWAY, .text = answer->why});
        return;
    }
    if (good && first->row == NULL) {
        tell_all(first, &(struct outbox_said){.sent = OUTBOX_SENT});
        return;
    }
    yyjson_doc *doc = yyjson_read(answer->body.at, answer->body.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *results = yyjson_obj_get(root, "results");
    if (!good)
        tell_refusal(first, answer, root);
    else if (!yyjson_is_arr(results))
        tell_all(first, &(struct outbox_said){.sent = OUTBOX_SENT_AWAY,
                                              .text = STR("its answer is no list of results")});
    else
        tell_results(first, results);
    yyjson_doc_free(doc);
}
