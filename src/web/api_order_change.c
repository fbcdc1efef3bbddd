#include "web/api.h"
#include "web/once.h"

/* What happens to an order after the sale, by the operator's hand: canceled, sent, arrived, came
 * back, refunded; and the bank asked again for what it could not do. Each answers with the order as
 * it is then. */

enum { PARCEL_TEXT_MAX = 200 };

static enum app_verdict changed(struct exchange *x, struct outcome *outcome)
{
    const struct result *result = &outcome->result;
    struct json json;
    if (api_went_wrong(x, outcome))
        return APP_DONE;
    json_begin(&json, &x->arena);
    if (result->kind == RESULT_ORDER)
        api_put_order(&json, json.root, &result->order);
    return api_send(x, &json);
}

/* "lines": [{"line": 1, "quantity": 2}, …]; without it, all that is left. An empty list is more
 * likely what a program filtered to nothing than all of them. */
static void read_lines(struct json_in *in, struct exchange *x, const struct json_spot *body,
                       struct order_change *change)
{
    struct json_spot lines = json_member(body, "lines");
    change->line_count = json_count(in, &lines, SHOP_LINES_MAX);
    if (!change->line_count) {
        if (json_has(&lines))
            json_wrong(in, &lines, "is empty: name the lines, or leave it out");
        return;
    }
    change->lines = ARENA_ARRAY(&x->arena, struct order_quantity, change->line_count);
    if (!change->lines) {
        change->line_count = 0;
        json_wrong(in, &lines, "is more than there is memory for now");
        return;
    }
    for (unsigned i = 0; i < change->line_count; i++) {
        struct json_spot one = json_element(&lines, i);
        struct json_spot line = json_member(&one, "line");
        json_require(in, &line);
        change->lines[i].line_id = (uint32_t)json_integer(in, &line, 1, UINT32_MAX, 1);
        change->lines[i].quantity =
            (uint32_t)json_integer_of(in, &one, "quantity", 1, SHOP_QUANTITY_MAX, 1);
    }
}

/* A parcel's id is the sender's, or one that a repeat of this request gives again. */
static void read_parcel(struct json_in *in, struct exchange *x, const struct json_spot *body,
                        struct parcel *parcel)
{
    struct json_spot spot = json_member(body, "parcel");
    struct str id = json_text(in, &spot, SHOP_KEY_MAX);
    if (!id.at)
        parcel->id = once_id(x, STR("parcel"));
    else if (id_parse(id, &parcel->id))
        json_wrong(in, &spot, "must be a UUID");
    parcel->carrier = json_text_of(in, body, "carrier", PARCEL_TEXT_MAX);
    parcel->tracking = json_text_of(in, body, "tracking", PARCEL_TEXT_MAX);
    parcel->tracking_url = json_text_of(in, body, "tracking_url", SHOP_TEXT_MAX);
}

/* Reads the body and finds the order; true: answered already. */
static bool begin(struct exchange *x, struct command *command, struct json_in *in,
                  struct json_spot *body)
{
    if (!api_body(x, in, body))
        return true;
    struct order *order = ARENA_NEW(&x->arena, struct order);
    int err = order ? api_find_order(x, order) : ERR_NOMEM;
    if (err) {
        api_failed(x, err, STR(""));
        return true;
    }
    command->order.id = order->id;
    command->order.actor = STR("operator");
    command->order.text = json_text_of(in, body, "reason", SHOP_TEXT_MAX);
    return false;
}

static enum app_verdict submit_change(struct exchange *x, struct json_in *in,
                                      const struct command *command)
{
    return api_malformed(x, in) ? APP_DONE : submit_command(x, command, changed);
}

enum app_verdict api_order_cancel(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_ORDER_CANCEL};
    if (begin(x, &command, &in, &body))
        return APP_DONE;
    read_lines(&in, x, &body, &command.order);
    return submit_change(x, &in, &command);
}

enum app_verdict api_order_ship(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_ORDER_SHIP};
    if (begin(x, &command, &in, &body))
        return APP_DONE;
    read_lines(&in, x, &body, &command.order);
    read_parcel(&in, x, &body, &command.order.parcel);
    return submit_change(x, &in, &command);
}

enum app_verdict api_order_deliver(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_ORDER_DELIVER};
    if (begin(x, &command, &in, &body))
        return APP_DONE;
    struct json_spot parcel = json_member(&body, "parcel");
    json_require(&in, &parcel);
    read_parcel(&in, x, &body, &command.order.parcel);
    return submit_change(x, &in, &command);
}

enum app_verdict api_order_return(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_ORDER_RETURN};
    if (begin(x, &command, &in, &body))
        return APP_DONE;
    struct json_spot lines = json_member(&body, "lines");
    json_require(&in, &lines);
    read_lines(&in, x, &body, &command.order);
    command.order.restock = json_flag_of(&in, &body, "restock", false);
    command.order.amount = json_integer_of(&in, &body, "amount", 0, SHOP_MONEY_MAX, -1);
    return submit_change(x, &in, &command);
}

enum app_verdict api_order_refund(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_ORDER_REFUND};
    if (begin(x, &command, &in, &body))
        return APP_DONE;
    struct json_spot amount = json_member(&body, "amount");
    json_require(&in, &amount);
    command.order.amount = json_integer(&in, &amount, 1, SHOP_MONEY_MAX, 0);
    return submit_change(x, &in, &command);
}

enum app_verdict api_order_retry(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_ORDER_RETRY};
    if (begin(x, &command, &in, &body))
        return APP_DONE;
    return submit_change(x, &in, &command);
}
