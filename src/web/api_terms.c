#include "web/api.h"

/* Settings, discounts, shipping and tax rates: what the shop decides by. */

enum { ITEMS_MAX = 32 };

/* The name in the path, parameter INDEX. */
static struct str name_at(struct exchange *x, unsigned index, struct json_in *in,
                          const struct json_spot *body)
{
    struct str name = call_param_text(x, index);
    if (!name.len || name.len > SHOP_KEY_MAX)
        json_wrong(in, body, "cannot be kept: the name in the address is not one");
    return name;
}

/* ---- Settings ---- */

enum app_verdict api_settings_get(struct exchange *x)
{
    struct shop_settings settings;
    struct json json;
    int err = reader_settings(call_reader(x), &x->arena, &settings);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "name", settings.name);
    json_put_text(&json, json.root, "currency", settings.currency);
    json_put_text(&json, json.root, "country", settings.country);
    json_put_int(&json, json.root, "hold_ms", settings.hold_ms);
    json_put_int(&json, json.root, "checkout_ttl_ms", settings.checkout_ttl_ms);
    json_put_int(&json, json.root, "cart_ttl_ms", settings.cart_ttl_ms);
    json_put_text(&json, json.root, "terms_url", settings.terms_url);
    json_put_text(&json, json.root, "privacy_url", settings.privacy_url);
    json_put_text(&json, json.root, "refund_url", settings.refund_url);
    json_put_bool(&json, json.root, "capture_at_once", settings.capture_at_once);
    json_put_bool(&json, json.root, "mail", settings.mail);
    return api_send(x, &json);
}

/* What is not named stays. */
static void read_text(struct json_in *in, const struct json_spot *body, const char *key,
                      struct str *text)
{
    struct json_spot spot = json_member(body, key);
    if (json_has(&spot))
        *text = json_text(in, &spot, SHOP_TEXT_MAX);
}

enum app_verdict api_settings_put(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_SETTINGS_PUT};
    struct shop_settings *settings = &command.settings;
    if (!api_body(x, &in, &body))
        return APP_DONE;
    int err = reader_settings(call_reader(x), &x->arena, settings);
    if (err)
        return api_failed(x, err, STR(""));
    read_text(&in, &body, "name", &settings->name);
    read_text(&in, &body, "currency", &settings->currency);
    read_text(&in, &body, "country", &settings->country);
    read_text(&in, &body, "terms_url", &settings->terms_url);
    read_text(&in, &body, "privacy_url", &settings->privacy_url);
    read_text(&in, &body, "refund_url", &settings->refund_url);
    settings->hold_ms = json_integer_of(&in, &body, "hold_ms", 0, INT64_MAX / 2, settings->hold_ms);
    settings->checkout_ttl_ms =
        json_integer_of(&in, &body, "checkout_ttl_ms", 0, INT64_MAX / 2, settings->checkout_ttl_ms);
    settings->cart_ttl_ms =
        json_integer_of(&in, &body, "cart_ttl_ms", 0, INT64_MAX / 2, settings->cart_ttl_ms);
    settings->capture_at_once =
        json_flag_of(&in, &body, "capture_at_once", settings->capture_at_once);
    settings->mail = json_flag_of(&in, &body, "mail", settings->mail);
    if (api_malformed(x, &in))
        return APP_DONE;
    return api_submit(x, &command);
}

/* ---- Discounts ---- */

static const char *const discount_types[] = {"percent", "fixed", "free_shipping"};

static void put_discount(struct json *json, yyjson_mut_val *object, const struct discount *discount)
{
    json_put_text(json, object, "key", discount->key);
    json_put_text(json, object, "code", discount->code);
    json_put_text(json, object, "type", str_of(discount_types[discount->type]));
    json_put_int(json, object, "value", discount->value);
    json_put_int(json, object, "min_subtotal", discount->min_subtotal);
    yyjson_mut_val *items = json_put_list(json, object, "items");
    for (unsigned i = 0; i < discount->item_count; i++)
        json_add_text(json, items, discount->item_keys[i]);
    json_put_text(json, object, "title", discount->title);
    json_put_int(json, object, "starts_ms", discount->starts_ms);
    json_put_int(json, object, "ends_ms", discount->ends_ms);
    json_put_bool(json, object, "enabled", discount->enabled);
}

enum app_verdict api_discounts(struct exchange *x)
{
    struct discount *list;
    unsigned count;
    struct json json;
    int err = reader_discounts(call_reader(x), &x->arena, &list, &count);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *array = json_put_list(&json, json.root, "discounts");
    for (unsigned i = 0; i < count; i++)
        put_discount(&json, json_add_object(&json, array), &list[i]);
    return api_send(x, &json);
}

static void read_discount(struct json_in *in, const struct json_spot *body,
                          struct discount *discount)
{
    struct json_spot type = json_member(body, "type");
    json_require(in, &type);
    struct str name = json_text(in, &type, SHOP_KEY_MAX);
    bool known = !name.at;
    for (unsigned i = 0; i < 3 && name.at; i++)
        if (str_eq(name, str_of(discount_types[i]))) {
            discount->type = (enum discount_type)i;
            known = true;
        }
    if (!known)
        json_wrong(in, &type, "must be percent, fixed or free_shipping");
    discount->code = json_text_of(in, body, "code", SHOP_KEY_MAX);
    discount->value = json_integer_of(in, body, "value", 0, SHOP_MONEY_MAX, 0);
    discount->min_subtotal = json_integer_of(in, body, "min_subtotal", 0, SHOP_MONEY_MAX, 0);
    discount->title = json_text_of(in, body, "title", SHOP_TEXT_MAX);
    discount->starts_ms = json_integer_of(in, body, "starts_ms", 0, INT64_MAX / 2, 0);
    discount->ends_ms = json_integer_of(in, body, "ends_ms", 0, INT64_MAX / 2, 0);
    discount->enabled = json_flag_of(in, body, "enabled", true);
    struct json_spot items = json_member(body, "items");
    discount->item_count = json_count(in, &items, ITEMS_MAX);
    for (unsigned i = 0; i < discount->item_count; i++) {
        struct json_spot one = json_element(&items, i);
        json_require(in, &one);
        discount->item_keys[i] = json_text(in, &one, SHOP_KEY_MAX);
    }
}

/* Keys of codes are in upper case, as codes are looked up without regard to case. */
static struct str key_of(struct exchange *x, struct str name)
{
    struct str key = arena_str(&x->arena, name);
    for (size_t i = 0; key.at && i < key.len; i++)
        if (key.at[i] >= 'a' && key.at[i] <= 'z')
            ((char *)(uintptr_t)key.at)[i] = (char)(key.at[i] - 'a' + 'A');
    return key;
}

enum app_verdict api_discount_put(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_DISCOUNT_PUT};
    if (!api_body(x, &in, &body))
        return APP_DONE;
    struct str name = name_at(x, 0, &in, &body);
    read_discount(&in, &body, &command.discount);
    if (api_malformed(x, &in))
        return APP_DONE;
    command.discount.key = command.discount.code.len ? key_of(x, name) : name;
    return api_submit(x, &command);
}

/* ---- Shipping rates ---- */

enum app_verdict api_rates(struct exchange *x)
{
    struct shipping_rate *list;
    unsigned count;
    struct json json;
    int err = reader_shipping_rates(call_reader(x), &x->arena, &list, &count);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *array = json_put_list(&json, json.root, "shipping_rates");
    for (unsigned i = 0; i < count; i++) {
        yyjson_mut_val *object = json_add_object(&json, array);
        json_put_text(&json, object, "key", list[i].key);
        json_put_text(&json, object, "country", list[i].country);
        json_put_text(&json, object, "region", list[i].region);
        json_put_text(&json, object, "level", list[i].level);
        json_put_text(&json, object, "title", list[i].title);
        json_put_text(&json, object, "description", list[i].description);
        json_put_int(&json, object, "price", list[i].price);
        json_put_bool(&json, object, "enabled", list[i].enabled);
    }
    return api_send(x, &json);
}

enum app_verdict api_rate_put(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_SHIPPING_RATE_PUT};
    struct shipping_rate *rate = &command.rate;
    if (!api_body(x, &in, &body))
        return APP_DONE;
    rate->key = name_at(x, 0, &in, &body);
    rate->country = json_need_text(&in, &body, "country", SHOP_KEY_MAX);
    rate->region = json_text_of(&in, &body, "region", SHOP_KEY_MAX);
    rate->level = json_need_text(&in, &body, "level", SHOP_KEY_MAX);
    rate->title = json_need_text(&in, &body, "title", SHOP_TEXT_MAX);
    rate->description = json_text_of(&in, &body, "description", SHOP_TEXT_MAX);
    struct json_spot price = json_member(&body, "price");
    json_require(&in, &price);
    rate->price = json_integer(&in, &price, 0, SHOP_MONEY_MAX, 0);
    rate->enabled = json_flag_of(&in, &body, "enabled", true);
    if (api_malformed(x, &in))
        return APP_DONE;
    return api_submit(x, &command);
}

/* ---- Tax rates ---- */

enum app_verdict api_taxes(struct exchange *x)
{
    struct tax_rate *list;
    unsigned count;
    struct json json;
    int err = reader_tax_rates(call_reader(x), &x->arena, &list, &count);
    if (err)
        return api_failed(x, err, STR(""));
    json_begin(&json, &x->arena);
    yyjson_mut_val *array = json_put_list(&json, json.root, "tax_rates");
    for (unsigned i = 0; i < count; i++) {
        yyjson_mut_val *object = json_add_object(&json, array);
        json_put_text(&json, object, "country", list[i].country);
        json_put_text(&json, object, "region", list[i].region);
        json_put_int(&json, object, "ppm", list[i].ppm);
        json_put_bool(&json, object, "included", list[i].included);
        json_put_bool(&json, object, "on_shipping", list[i].on_shipping);
        json_put_text(&json, object, "title", list[i].title);
    }
    return api_send(x, &json);
}

/* /tax-rates/{country} and /tax-rates/{country}/{region} */
enum app_verdict api_tax_put(struct exchange *x)
{
    struct json_in in;
    struct json_spot body;
    struct command command = {.type = COMMAND_TAX_RATE_PUT};
    struct tax_rate *tax = &command.tax;
    if (!api_body(x, &in, &body))
        return APP_DONE;
    tax->country = name_at(x, 0, &in, &body);
    if (call_param(x, 1).len)
        tax->region = name_at(x, 1, &in, &body);
    struct json_spot ppm = json_member(&body, "ppm");
    json_require(&in, &ppm);
    tax->ppm = json_integer(&in, &ppm, 0, 10000000, 0);
    tax->included = json_flag_of(&in, &body, "included", false);
    tax->on_shipping = json_flag_of(&in, &body, "on_shipping", false);
    tax->title = json_need_text(&in, &body, "title", SHOP_TEXT_MAX);
    if (api_malformed(x, &in))
        return APP_DONE;
    return api_submit(x, &command);
}
