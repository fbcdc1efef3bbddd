#include "outside/warehouse_token.h"
#include "web/api.h"

/* Warehouses, by the operator's hand: which there are, where they are, their tokens, and what lies
 * in each. What they report themselves: api_reports.c. */

enum { URL_MAX = 500, POSITION_STEP = 10 /* so that others fit between */ };

static struct str epoch_of(struct exchange *x, const struct warehouse *warehouse)
{
    char text[ID_TEXT];
    if (id_is_zero(warehouse->epoch))
        return STR("");
    return arena_str(&x->arena, str_of(id_text(warehouse->epoch, text)));
}

static void put_warehouse(struct exchange *x, struct json *json, yyjson_mut_val *object,
                          const struct warehouse *warehouse, bool is_main)
{
    char token[WAREHOUSE_TOKEN_TEXT];
    warehouse_token(call_web(x)->settings.secret, warehouse->id, warehouse->token, token);
    json_put_text(json, object, "id", warehouse->id);
    json_put_text(json, object, "name", warehouse->name);
    json_put_text(json, object, "url", warehouse->url);
    json_put_some(json, object, "pin", warehouse->pin);
    json_put_int(json, object, "position", warehouse->position);
    json_put_bool(json, object, "main", is_main);
    json_put_bool(json, object, "closed", warehouse->closed);
    json_put_bool(json, object, "gone", warehouse->gone);
    json_put_bool(json, object, "clearing", warehouse->clearing);
    json_put_some(json, object, "epoch", epoch_of(x, warehouse));
    json_put_int(json, object, "reported", (int64_t)warehouse->reported);
    json_put_text(json, object, "token", arena_str(&x->arena, str_of(token)));
}

enum app_verdict api_warehouses(struct exchange *x)
{
    struct warehouse *list;
    unsigned count;
    struct json json;
    int err = reader_warehouses(call_reader(x), &x->arena, &list, &count);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *array = json_put_list(&json, json.root, "warehouses");
    for (unsigned i = 0; i < count; i++)
        put_warehouse(x, &json, json_add_object(&json, array), &list[i], i == 0);
    return api_send(x, &json);
}

/* ---- Changing one ---- */

/* The one in the path as it is; COMMAND's is a new one, behind the others, when there is none yet.
 * *FOUND says which. */
static int find(struct exchange *x, struct command *command, bool *found)
{
    struct str id = call_param(x, 0);
    struct warehouse *list, *put = &command->warehouse;
    unsigned count;
    uint32_t last = 0;
    int err = reader_warehouses(call_reader(x), &x->arena, &list, &count);
    *found = false;
    *put = (struct warehouse){.id = id, .name = id, .url = STR(""), .pin = STR("")};
    for (unsigned i = 0; !err && i < count; i++) {
        last = list[i].position > last ? list[i].position : last;
        if (!str_eq(list[i].id, id))
            continue;
        *found = true;
        *put = list[i];
        put->epoch = (struct id){{0}};
    }
    if (!*found)
        put->position = last < UINT32_MAX - POSITION_STEP ? last + POSITION_STEP : UINT32_MAX;
    return err;
}

static void read_text(struct json_in *in, const struct json_spot *body, const char *key, size_t max,
                      struct str *text)
{
    struct json_spot spot = json_member(body, key);
    if (json_has(&spot))
        *text = json_text(in, &spot, max);
}

/* What is not named stays. */
enum app_verdict api_warehouse_put(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_WAREHOUSE_PUT};
    struct warehouse *put = &command.warehouse;
    bool found;
    if (!api_body(x, &in, &body))
        return APP_DONE;
    int err = find(x, &command, &found);
    if (err)
        return api_failed(x, err, STR(""));
    read_text(&in, &body, "name", SHOP_KEY_MAX, &put->name);
    read_text(&in, &body, "url", URL_MAX, &put->url);
    read_text(&in, &body, "pin", SHOP_KEY_MAX, &put->pin);
    put->position = (uint32_t)json_integer_of(&in, &body, "position", 0, UINT32_MAX, put->position);
    put->closed = json_flag_of(&in, &body, "closed", put->closed);
    put->gone = json_flag_of(&in, &body, "gone", put->gone);
    bool renew = json_flag_of(&in, &body, "renew_token", false);
    put->token += renew && put->token < UINT32_MAX;
    struct json_spot epoch = json_member(&body, "epoch");
    struct str text = json_text(&in, &epoch, SHOP_KEY_MAX);
    if (text.at && id_parse(text, &put->epoch))
        json_wrong(&in, &epoch, "must be 32 hexadecimal digits, as the warehouse shows them");
    while (put->url.len > 0 && put->url.at[put->url.len - 1] == '/')
        put->url.len--;
    if (api_malformed(x, &in))
        return APP_DONE;
    if (renew && !found)
        return api_failed(x, ERR_NOTFOUND, STR("There is no such warehouse."));
    return api_submit(x, &command);
}

/* It gets nothing new from then on, and what it has not packed goes to others. Its goods are still
 * there, and its orders name it, so that it is never forgotten. */
enum app_verdict api_warehouse_close(struct exchange *x)
{
    struct command command = {.type = COMMAND_WAREHOUSE_PUT};
    bool found;
    int err = find(x, &command, &found);
    if (!err && !found)
        err = ERR_NOTFOUND;
    if (err)
        return api_failed(x, err, STR(""));
    command.warehouse.closed = true;
    return api_submit(x, &command);
}

/* ---- What lies where ---- */

enum app_verdict api_variant_warehouses(struct exchange *x)
{
    struct warehouse_stock *list;
    unsigned count;
    struct json json;
    int err =
        reader_warehouse_stock(call_reader(x), &x->arena, call_param_text(x, 0), &list, &count);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *array = json_put_list(&json, json.root, "warehouses");
    for (unsigned i = 0; i < count; i++) {
        yyjson_mut_val *one = json_add_object(&json, array);
        json_put_text(&json, one, "warehouse", list[i].warehouse);
        json_put_int(&json, one, "free", list[i].free);
        json_put_int(&json, one, "allotted", list[i].allotted);
        json_put_int(&json, one, "on_hand", list[i].free + list[i].allotted);
    }
    return api_send(x, &json);
}
