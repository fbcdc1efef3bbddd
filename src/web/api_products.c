#include "web/api.h"

enum { PAGE_DEFAULT = 20, PAGE_MAX = 100, NOTE_MAX = 255 };

/* The handle or key in the path; false: refused and answered. */
static bool name_of(struct exchange *x, struct str *name)
{
    *name = call_param_text(x, 0);
    if (name->len && name->len <= SHOP_KEY_MAX)
        return true;
    api_refuse(x, 422, "invalid", STR("the name in the address is not one"), STR(""));
    return false;
}

/* ---- Products ---- */

/* A page of products in the order of their handles. */
enum app_verdict api_products(struct exchange *x)
{
    uint64_t limit;
    struct str after = exchange_query(x, STR("after"));
    struct json json;
    if (!api_number(x, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit))
        return APP_DONE;
    int err = reader_begin(call_reader(x), NULL);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *list = json_put_list(&json, json.root, "products");
    for (uint64_t i = 0; i < limit && !err; i++) {
        struct product product;
        err = reader_next_product(call_reader(x), &x->arena, after, &product);
        if (err)
            break;
        api_put_product(&json, json_add_object(&json, list), &product);
        after = product.handle;
    }
    reader_end(call_reader(x));
    if (err && err != ERR_NOTFOUND)
        return api_failed(x, err, STR(""));
    if (!err)
        json_put_text(&json, json.root, "next", after);
    return api_send(x, &json);
}

enum app_verdict api_product_get(struct exchange *x)
{
    struct str handle;
    struct product product;
    struct json json;
    if (!name_of(x, &handle))
        return APP_DONE;
    int err = reader_product(call_reader(x), &x->arena, handle, true, &product);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    api_put_product(&json, json.root, &product);
    return api_send(x, &json);
}

enum app_verdict api_product_put(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_PRODUCT_PUT};
    struct str handle;
    if (!name_of(x, &handle) || !api_body(x, &in, &body))
        return APP_DONE;
    api_read_product(&in, &body, &command.product);
    struct json_spot inner = json_member(&body, "handle");
    struct str given = json_text(&in, &inner, SHOP_KEY_MAX);
    if (given.at && !str_eq(given, handle))
        json_wrong(&in, &inner, "is another one than in the address");
    if (api_malformed(x, &in))
        return APP_DONE;
    command.product.handle = handle;
    return api_submit(x, &command);
}

enum app_verdict api_product_retire(struct exchange *x)
{
    struct command command = {.type = COMMAND_PRODUCT_RETIRE};
    return name_of(x, &command.key) ? api_submit(x, &command) : APP_DONE;
}

/* ---- Variants ---- */

enum app_verdict api_variant_get(struct exchange *x)
{
    struct str key;
    struct product product;
    struct json json;
    int at = -1;
    if (!name_of(x, &key))
        return APP_DONE;
    int err = reader_product_by_item(call_reader(x), &x->arena, key, &product, &at);
    if (!err && at < 0)
        err = product.variant_count == 1 ? 0 : ERR_NOTFOUND;
    if (err)
        return api_failed(x, err, STR(""));
    const struct variant *variant = &product.variants[at < 0 ? 0 : at];
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "key", variant->key);
    json_put_text(&json, json.root, "sku", variant->sku);
    json_put_text(&json, json.root, "product", product.handle);
    json_put_int(&json, json.root, "price", variant->price);
    json_put_int(&json, json.root, "compare_at", variant->compare_at);
    json_put_bool(&json, json.root, "tracked", variant->tracked);
    json_put_int(&json, json.root, "available", variant->available);
    json_put_int(&json, json.root, "held", variant->held);
    json_put_int(&json, json.root, "sold", variant->sold);
    return api_send(x, &json);
}

enum app_verdict api_variant_retire(struct exchange *x)
{
    struct command command = {.type = COMMAND_VARIANT_RETIRE};
    return name_of(x, &command.key) ? api_submit(x, &command) : APP_DONE;
}

/* A delivery that is reported again under its Idempotency-Key has arrived once. */
static bool take_key(struct exchange *x, const struct json_spot *body, struct command *command)
{
    struct str key = str_trim(x->known[HTTP_FIELD_IDEMPOTENCY_KEY]);
    if (!x->known[HTTP_FIELD_IDEMPOTENCY_KEY].at)
        return true;
    if (!key.len || key.len > SHOP_KEY_MAX) {
        api_failed(x, ERR_INVALID, STR("An Idempotency-Key has 1 to 255 characters."));
        return false;
    }
    struct str scope =
        arena_printf(&x->arena, "operator %s\n%.*s", call_of(x)->route->pattern, STR_FMT(key));
    command->idempotency = IDEMPOTENCY_FULL;
    json_hash(scope, NULL, command->idempotency_key);
    json_hash(x->path, body->value, command->idempotency_body);
    return true;
}

/* Reads the whole number KEY and a note, and submits. */
static enum app_verdict change_item(struct exchange *x, enum command_type type, const char *key,
                                    int64_t min, int64_t max)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = type};
    if (!name_of(x, &command.item.key) || !api_body(x, &in, &body))
        return APP_DONE;
    struct json_spot value = json_member(&body, key);
    json_require(&in, &value);
    command.item.value = json_integer(&in, &value, min, max, 0);
    command.item.compare_at = json_integer_of(&in, &body, "compare_at", 0, SHOP_MONEY_MAX, -1);
    command.item.note = json_text_of(&in, &body, "note", NOTE_MAX);
    if (api_malformed(x, &in) || !take_key(x, &body, &command))
        return APP_DONE;
    return api_submit(x, &command);
}

enum app_verdict api_variant_price(struct exchange *x)
{
    return change_item(x, COMMAND_PRICE_SET, "price", 0, SHOP_MONEY_MAX);
}

enum app_verdict api_stock_receive(struct exchange *x)
{
    return change_item(x, COMMAND_STOCK_RECEIVE, "quantity", 1, 1000000000);
}

enum app_verdict api_stock_adjust(struct exchange *x)
{
    return change_item(x, COMMAND_STOCK_ADJUST, "difference", -1000000000, 1000000000);
}
