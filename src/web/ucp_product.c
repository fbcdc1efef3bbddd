#include "web/choice.h"
#include "web/rich.h"
#include "web/ucp.h"

enum { WORDS_MAX = 2000 };

static void put_price(struct ucp_view *view, yyjson_mut_val *object, const char *key,
                      int64_t amount)
{
    yyjson_mut_val *price = json_put_object(&view->json, object, key);
    json_put_int(&view->json, price, "amount", amount);
    json_put_text(&view->json, price, "currency", view->settings.currency);
}

static void put_picture(struct ucp_view *view, yyjson_mut_val *media, const struct picture *picture)
{
    yyjson_mut_val *one = json_add_object(&view->json, media);
    json_put_text(&view->json, one, "type", STR("image"));
    json_put_text(&view->json, one, "url", ucp_url(view, picture->url));
    json_put_some(&view->json, one, "alt_text", picture->alt);
}

/* ---- Variants ---- */

static struct str option_text(struct arena *arena, const struct product *product,
                              const struct variant *variant)
{
    struct str text = product->option_count ? variant->options[0] : product->title;
    for (unsigned i = 1; i < product->option_count; i++)
        text = arena_printf(arena, "%.*s / %.*s", STR_FMT(text), STR_FMT(variant->options[i]));
    return text;
}

static void put_availability(struct json *json, yyjson_mut_val *object,
                             const struct variant *variant)
{
    bool sells = variant_sells(variant);
    bool later = sells && variant->tracked && variant->available <= 0;
    yyjson_mut_val *availability = json_put_object(json, object, "availability");
    json_put_bool(json, availability, "available", sells);
    json_put_text(json, availability, "status",
                  later   ? STR("backorder")
                  : sells ? STR("in_stock")
                          : STR("out_of_stock"));
}

static void put_variant_options(struct json *json, yyjson_mut_val *object,
                                const struct product *product, const struct variant *variant)
{
    if (!product->option_count)
        return;
    yyjson_mut_val *list = json_put_list(json, object, "options");
    for (unsigned i = 0; i < product->option_count; i++) {
        yyjson_mut_val *option = json_add_object(json, list);
        json_put_text(json, option, "name", product->option_names[i]);
        json_put_text(json, option, "label", variant->options[i]);
    }
}

yyjson_mut_val *ucp_add_variant(struct ucp_view *view, yyjson_mut_val *variants,
                                const struct product *product, const struct variant *variant)
{
    struct json *json = &view->json;
    yyjson_mut_val *object = json_add_object(json, variants);
    struct str text = option_text(json->arena, product, variant);
    json_put_text(json, object, "id", variant->key);
    json_put_some(json, object, "sku", variant->sku);
    if (variant->barcode.len) {
        yyjson_mut_val *one = json_add_object(json, json_put_list(json, object, "barcodes"));
        json_put_text(json, one, "type", STR("GTIN"));
        json_put_text(json, one, "value", variant->barcode);
    }
    json_put_text(json, object, "title", text);
    json_put_text(json, json_put_object(json, object, "description"), "plain", text);
    json_put_text(json, object, "url",
                  ARENA_JOIN(json->arena, view->base, STR("/product/"), product->handle));
    put_price(view, object, "price", variant->price);
    if (variant->compare_at > variant->price)
        put_price(view, object, "list_price", variant->compare_at);
    put_availability(json, object, variant);
    put_variant_options(json, object, product, variant);
    if (variant->picture >= 0 && (unsigned)variant->picture < product->picture_count)
        put_picture(view, json_put_list(json, object, "media"),
                    &product->pictures[variant->picture]);
    return object;
}

/* ---- Options ---- */

/* Whether VARIANT has VALUE on AXIS and all of SELECTED on the others. */
static bool fits(const struct product *product, const struct variant *variant, unsigned axis,
                 struct str value, const struct str *selected)
{
    for (unsigned i = 0; i < product->option_count; i++) {
        struct str wanted = i == axis ? value : selected[i];
        if (wanted.at && !str_eq(wanted, variant->options[i]))
            return false;
    }
    return true;
}

static void put_signals(struct json *json, yyjson_mut_val *object, const struct product *product,
                        unsigned axis, struct str value, const struct str *selected)
{
    bool exists = false, available = false;
    for (unsigned i = 0; i < product->variant_count; i++) {
        const struct variant *variant = &product->variants[i];
        if (!fits(product, variant, axis, value, selected))
            continue;
        exists = true;
        available |= variant_sells(variant);
    }
    json_put_bool(json, object, "available", available);
    json_put_bool(json, object, "exists", exists);
}

static bool is_first_with(const struct product *product, unsigned axis, unsigned index)
{
    for (unsigned i = 0; i < index; i++)
        if (str_eq(product->variants[i].options[axis], product->variants[index].options[axis]))
            return false;
    return true;
}

void ucp_put_options(struct json *json, yyjson_mut_val *object, const struct product *product,
                     const struct str *selected)
{
    if (!product->option_count)
        return;
    yyjson_mut_val *list = json_put_list(json, object, "options");
    for (unsigned axis = 0; axis < product->option_count; axis++) {
        yyjson_mut_val *option = json_add_object(json, list);
        json_put_text(json, option, "name", product->option_names[axis]);
        yyjson_mut_val *values = json_put_list(json, option, "values");
        for (unsigned i = 0; i < product->variant_count; i++) {
            if (!is_first_with(product, axis, i))
                continue;
            struct str value = product->variants[i].options[axis];
            yyjson_mut_val *one = json_add_object(json, values);
            json_put_text(json, one, "label", value);
            if (selected)
                put_signals(json, one, product, axis, value, selected);
        }
    }
}

/* ---- Products ---- */

static void put_description(struct json *json, yyjson_mut_val *object,
                            const struct product *product)
{
    yyjson_mut_val *description = json_put_object(json, object, "description");
    struct buf text;
    buf_init(&text, SHOP_HTML_MAX * 2);
    rich_words(&text, product->html, WORDS_MAX);
    struct str plain = arena_str(json->arena, buf_text(&text));
    json_put_text(json, description, "plain", plain.len ? plain : product->title);
    buf_clear(&text);
    rich_clean(&text, product->html);
    if (!text.failed)
        json_put_some(json, description, "html", arena_str(json->arena, buf_text(&text)));
    buf_close(&text);
}

static void put_range(struct ucp_view *view, yyjson_mut_val *object, const struct product *product)
{
    int64_t min = INT64_MAX, max = 0;
    for (unsigned i = 0; i < product->variant_count; i++) {
        int64_t price = product->variants[i].price;
        min = price < min ? price : min;
        max = price > max ? price : max;
    }
    yyjson_mut_val *range = json_put_object(&view->json, object, "price_range");
    put_price(view, range, "min", product->variant_count ? min : 0);
    put_price(view, range, "max", max);
}

void ucp_put_product(struct ucp_view *view, yyjson_mut_val *object, const struct product *product)
{
    struct json *json = &view->json;
    json_put_text(json, object, "id", product->handle);
    json_put_text(json, object, "handle", product->handle);
    json_put_text(json, object, "title", product->title);
    put_description(json, object, product);
    json_put_text(json, object, "url",
                  ARENA_JOIN(json->arena, view->base, STR("/product/"), product->handle));
    if (product->category.len) {
        yyjson_mut_val *one = json_add_object(json, json_put_list(json, object, "categories"));
        json_put_text(json, one, "value", product->category);
        json_put_text(json, one, "taxonomy", STR("merchant"));
    }
    put_range(view, object, product);
    if (product->picture_count) {
        yyjson_mut_val *media = json_put_list(json, object, "media");
        for (unsigned i = 0; i < product->picture_count; i++)
            put_picture(view, media, &product->pictures[i]);
    }
    if (product->tag_count) {
        yyjson_mut_val *tags = json_put_list(json, object, "tags");
        for (unsigned i = 0; i < product->tag_count; i++)
            json_add_text(json, tags, product->tags[i]);
    }
    if (product->vendor.len)
        json_put_text(json, json_put_object(json, object, "metadata"), "vendor", product->vendor);
}
