#include "base/err.h"
#include "web/call.h"
#include "web/choice.h"
#include "web/json.h"
#include "web/pages.h"

/* Exact stock is the merchant's own business: what is said is whether it sells, and how
 * many are left when they are few. */
static void put_variant(struct json *json, yyjson_mut_val *list, const struct product *product,
                        const struct variant *variant)
{
    yyjson_mut_val *item = json_add_object(json, list);
    bool sells = variant_sells(variant), counted = variant->tracked;
    json_put_text(json, item, "id", variant->key);
    json_put_some(json, item, "sku", variant->sku);
    yyjson_mut_val *options = json_put_list(json, item, "options");
    for (unsigned i = 0; i < product->option_count; i++)
        json_add_text(json, options, variant->options[i]);
    json_put_int(json, item, "price", variant->price);
    if (variant->compare_at > variant->price)
        json_put_int(json, item, "compare_at", variant->compare_at);
    json_put_bool(json, item, "available", sells);
    if (counted && variant->available > 0 && variant->available <= STOCK_LOW)
        json_put_int(json, item, "left", variant->available);
    if (counted && sells && variant->available <= 0)
        json_put_bool(json, item, "later", true);
    if (variant->picture >= 0)
        json_put_int(json, item, "picture", variant->picture);
}

static struct str product_text(struct arena *arena, const struct product *product,
                               struct str currency)
{
    struct json json;
    json_begin(&json, arena);
    json_put_text(&json, json.root, "handle", product->handle);
    json_put_text(&json, json.root, "title", product->title);
    json_put_some(&json, json.root, "vendor", product->vendor);
    json_put_some(&json, json.root, "category", product->category);
    json_put_text(&json, json.root, "currency", currency);
    yyjson_mut_val *names = json_put_list(&json, json.root, "options");
    for (unsigned i = 0; i < product->option_count; i++)
        json_add_text(&json, names, product->option_names[i]);
    yyjson_mut_val *pictures = json_put_list(&json, json.root, "pictures");
    for (unsigned i = 0; i < product->picture_count; i++)
        json_add_text(&json, pictures, product->pictures[i].url);
    yyjson_mut_val *variants = json_put_list(&json, json.root, "variants");
    for (unsigned i = 0; i < product->variant_count; i++)
        put_variant(&json, variants, product, &product->variants[i]);
    return json_end(&json);
}

static enum app_verdict reply_kept(struct exchange *x, struct str json,
                                   const struct cache_tags *tags)
{
    struct http_page *page = NULL;
    if (json.at)
        page = call_page_new(x, false, STR("application/json"), STR("no-cache"), json);
    if (!page)
        return call_fail_err(x, ERR_NOMEM);
    if (!x->query.len)
        cache_put(call_web(x)->settings.cache, x->path, page, tags);
    call_tell_tags(x, tags);
    exchange_page(x, page);
    http_page_drop(page);
    return APP_DONE;
}

enum app_verdict page_product_json(struct exchange *x)
{
    struct reader *reader = call_reader(x);
    struct cache_tags tags = {0};
    struct shop_settings settings;
    struct product product;
    int err = reader_begin(reader, &tags.index);
    if (err)
        return call_fail_err(x, err);
    err = reader_settings(reader, &x->arena, &settings);
    if (!err)
        err = reader_product(reader, &x->arena, call_param(x, 0), false, &product);
    reader_end(reader);
    if (err)
        return call_fail_err(x, err);
    cache_tag_product(&tags, product.id);
    return reply_kept(x, product_text(&x->arena, &product, settings.currency), &tags);
}
