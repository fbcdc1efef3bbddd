#include "web/api.h"

/* ---- Writing ---- */

static void put_texts(struct json *json, yyjson_mut_val *object, const char *key,
                      const struct str *texts, unsigned count)
{
    yyjson_mut_val *list = json_put_list(json, object, key);
    for (unsigned i = 0; i < count; i++)
        json_add_text(json, list, texts[i]);
}

static void put_variant(struct json *json, yyjson_mut_val *list, const struct product *product,
                        const struct variant *variant)
{
    yyjson_mut_val *object = json_add_object(json, list);
    json_put_text(json, object, "key", variant->key);
    json_put_text(json, object, "sku", variant->sku);
    json_put_text(json, object, "barcode", variant->barcode);
    put_texts(json, object, "options", variant->options, product->option_count);
    json_put_int(json, object, "price", variant->price);
    json_put_int(json, object, "compare_at", variant->compare_at);
    json_put_int(json, object, "grams", variant->grams);
    json_put_bool(json, object, "tracked", variant->tracked);
    json_put_bool(json, object, "sell_when_out", variant->sell_when_out);
    json_put_bool(json, object, "taxable", variant->taxable);
    json_put_bool(json, object, "needs_shipping", variant->needs_shipping);
    json_put_int(json, object, "picture", variant->picture);
    json_put_int(json, object, "available", variant->available);
    json_put_int(json, object, "held", variant->held);
    json_put_int(json, object, "sold", variant->sold);
}

void api_put_product(struct json *json, yyjson_mut_val *object, const struct product *product)
{
    json_put_int(json, object, "id", (int64_t)product->id);
    json_put_text(json, object, "handle", product->handle);
    json_put_text(json, object, "title", product->title);
    json_put_text(json, object, "html", product->html);
    json_put_text(json, object, "vendor", product->vendor);
    json_put_text(json, object, "category", product->category);
    json_put_text(json, object, "seo_title", product->seo_title);
    json_put_text(json, object, "seo_description", product->seo_description);
    put_texts(json, object, "tags", product->tags, product->tag_count);
    put_texts(json, object, "options", product->option_names, product->option_count);
    json_put_bool(json, object, "published", product->published);
    json_put_bool(json, object, "retired", product->retired);
    yyjson_mut_val *pictures = json_put_list(json, object, "pictures");
    for (unsigned i = 0; i < product->picture_count; i++) {
        yyjson_mut_val *picture = json_add_object(json, pictures);
        json_put_text(json, picture, "url", product->pictures[i].url);
        json_put_text(json, picture, "alt", product->pictures[i].alt);
    }
    yyjson_mut_val *variants = json_put_list(json, object, "variants");
    for (unsigned i = 0; i < product->variant_count; i++)
        put_variant(json, variants, product, &product->variants[i]);
}

/* ---- Reading ---- */

static unsigned read_texts(struct json_in *in, const struct json_spot *object, const char *key,
                           struct str *texts, unsigned max, size_t longest)
{
    struct json_spot list = json_member(object, key);
    unsigned count = json_count(in, &list, max);
    for (unsigned i = 0; i < count; i++) {
        struct json_spot one = json_element(&list, i);
        json_require(in, &one);
        texts[i] = json_text(in, &one, longest);
    }
    return count;
}

static void read_pictures(struct json_in *in, const struct json_spot *body, struct product *product)
{
    struct json_spot list = json_member(body, "pictures");
    product->picture_count = json_count(in, &list, SHOP_PICTURES_MAX);
    if (!product->picture_count)
        return;
    product->pictures = ARENA_ARRAY(in->arena, struct picture, product->picture_count);
    if (!product->pictures) {
        json_wrong(in, &list, "is too much");
        return;
    }
    for (unsigned i = 0; i < product->picture_count; i++) {
        struct json_spot one = json_element(&list, i);
        json_require(in, &one);
        json_is_object(in, &one);
        product->pictures[i].url = json_need_text(in, &one, "url", SHOP_TEXT_MAX);
        product->pictures[i].alt = json_text_of(in, &one, "alt", SHOP_TEXT_MAX);
    }
}

static void read_variant(struct json_in *in, const struct json_spot *spot,
                         const struct product *product, struct variant *variant)
{
    variant->key = json_text_of(in, spot, "key", SHOP_KEY_MAX);
    variant->sku = json_text_of(in, spot, "sku", SHOP_KEY_MAX);
    variant->barcode = json_text_of(in, spot, "barcode", SHOP_KEY_MAX);
    struct json_spot options = json_member(spot, "options");
    unsigned count =
        read_texts(in, spot, "options", variant->options, SHOP_OPTIONS_MAX, SHOP_KEY_MAX);
    if (count != product->option_count)
        json_wrong(in, json_has(&options) ? &options : spot,
                   "has %u option values; the product has %u options", count,
                   product->option_count);
    struct json_spot price = json_member(spot, "price");
    json_require(in, &price);
    variant->price = json_integer(in, &price, 0, SHOP_MONEY_MAX, 0);
    variant->compare_at = json_integer_of(in, spot, "compare_at", 0, SHOP_MONEY_MAX, 0);
    variant->grams = json_integer_of(in, spot, "grams", 0, 1000000000, 0);
    variant->tracked = json_flag_of(in, spot, "tracked", true);
    variant->sell_when_out = json_flag_of(in, spot, "sell_when_out", false);
    variant->taxable = json_flag_of(in, spot, "taxable", true);
    variant->needs_shipping = json_flag_of(in, spot, "needs_shipping", true);
    variant->picture =
        (int32_t)json_integer_of(in, spot, "picture", -1, (int64_t)product->picture_count - 1, -1);
    struct json_spot available = json_member(spot, "available");
    variant->set_stock = json_has(&available);
    variant->available = json_integer(in, &available, -1000000000, 1000000000, 0);
}

static void read_variants(struct json_in *in, const struct json_spot *body, struct product *product)
{
    struct json_spot list = json_member(body, "variants");
    json_require(in, &list);
    product->variant_count = json_count(in, &list, SHOP_VARIANTS_MAX);
    if (!json_bad(in) && !product->variant_count)
        json_wrong(in, &list, "is empty; a product has at least one variant");
    if (!product->variant_count)
        return;
    product->variants = ARENA_ARRAY(in->arena, struct variant, product->variant_count);
    if (!product->variants) {
        json_wrong(in, &list, "is too much");
        return;
    }
    for (unsigned i = 0; i < product->variant_count; i++) {
        struct json_spot one = json_element(&list, i);
        json_require(in, &one);
        json_is_object(in, &one);
        read_variant(in, &one, product, &product->variants[i]);
    }
}

void api_read_product(struct json_in *in, const struct json_spot *body, struct product *product)
{
    *product = (struct product){0};
    product->title = json_need_text(in, body, "title", SHOP_TEXT_MAX);
    product->html = json_text_of(in, body, "html", SHOP_HTML_MAX);
    product->vendor = json_text_of(in, body, "vendor", SHOP_TEXT_MAX);
    product->category = json_text_of(in, body, "category", SHOP_TEXT_MAX);
    product->seo_title = json_text_of(in, body, "seo_title", SHOP_TEXT_MAX);
    product->seo_description = json_text_of(in, body, "seo_description", SHOP_TEXT_MAX);
    product->published = json_flag_of(in, body, "published", true);
    product->tag_count = read_texts(in, body, "tags", product->tags, SHOP_TAGS_MAX, SHOP_KEY_MAX);
    product->option_count =
        read_texts(in, body, "options", product->option_names, SHOP_OPTIONS_MAX, SHOP_KEY_MAX);
    read_pictures(in, body, product);
    read_variants(in, body, product);
}
