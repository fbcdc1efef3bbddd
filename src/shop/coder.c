#include "shop/coder.h"

#include "shop/record.h"

/* Far above what the shop accepts (it refuses with a sentence), low enough that a record
 * cannot make its reader allocate much. */
enum { ELEMENTS_MAX = 1000 };

struct coder coder_writing(struct buf *out)
{
    return (struct coder){.out = out};
}

struct coder coder_reading(struct arena *arena, struct str record)
{
    return (struct coder){.in = wire_of(record), .arena = arena};
}

int coder_end(const struct coder *coder)
{
    if (coder->nomem)
        return ERR_NOMEM;
    return coder->in.bad || wire_left(&coder->in) > 0 ? ERR_INVALID : 0;
}

void code_u64(struct coder *coder, uint64_t *value)
{
    if (coder->out)
        wire_put_u64(coder->out, *value);
    else
        *value = wire_u64(&coder->in);
}

void code_u32(struct coder *coder, uint32_t *value)
{
    if (coder->out)
        wire_put_u64(coder->out, *value);
    else
        *value = (uint32_t)wire_u64_max(&coder->in, UINT32_MAX);
}

void code_i64(struct coder *coder, int64_t *value)
{
    if (coder->out)
        wire_put_i64(coder->out, *value);
    else
        *value = wire_i64(&coder->in);
}

void code_bool(struct coder *coder, bool *value)
{
    if (coder->out)
        wire_put_bool(coder->out, *value);
    else
        *value = wire_bool(&coder->in);
}

void code_str(struct coder *coder, struct str *value)
{
    if (coder->out)
        wire_put_str(coder->out, *value);
    else
        *value = wire_str(&coder->in);
}

void code_id(struct coder *coder, struct id *value)
{
    code_raw(coder, value->bytes, sizeof value->bytes);
}

void code_raw(struct coder *coder, void *bytes, size_t len)
{
    if (coder->out)
        wire_put_raw(coder->out, bytes, len);
    else
        wire_raw(&coder->in, bytes, len);
}

void code_count(struct coder *coder, unsigned *value, unsigned max)
{
    if (coder->out)
        wire_put_u64(coder->out, *value);
    else
        *value = (unsigned)wire_u64_max(&coder->in, max);
}

bool code_array(struct coder *coder, void **array, unsigned *count, unsigned max, size_t size)
{
    code_count(coder, count, max);
    if (coder->out || *count == 0)
        return *count > 0;
    /* Each element takes at least one byte. */
    if (*count > wire_left(&coder->in)) {
        coder->in.bad = true;
        *count = 0;
        return false;
    }
    *array = arena_zero(coder->arena, size * *count);
    if (!*array) {
        coder->nomem = coder->in.bad = true;
        *count = 0;
    }
    return *count > 0;
}

static void code_strs(struct coder *coder, struct str *strs, unsigned *count, unsigned max)
{
    code_count(coder, count, max);
    for (unsigned i = 0; i < *count; i++)
        code_str(coder, &strs[i]);
}

static void code_enum(struct coder *coder, unsigned *value, unsigned last)
{
    code_count(coder, value, last);
}

/* ---- Catalogue ---- */

enum {
    FLAG_TRACKED = 1,
    FLAG_SELL_WHEN_OUT = 2,
    FLAG_TAXABLE = 4,
    FLAG_NEEDS_SHIPPING = 8,
    FLAG_SET_STOCK = 16,
    FLAGS_ALL = 31
};

static void code_variant_flags(struct coder *coder, struct variant *variant)
{
    unsigned flags = (variant->tracked ? FLAG_TRACKED : 0u) |
                     (variant->sell_when_out ? FLAG_SELL_WHEN_OUT : 0u) |
                     (variant->taxable ? FLAG_TAXABLE : 0u) |
                     (variant->needs_shipping ? FLAG_NEEDS_SHIPPING : 0u) |
                     (variant->set_stock ? FLAG_SET_STOCK : 0u);
    code_count(coder, &flags, FLAGS_ALL);
    variant->tracked = flags & FLAG_TRACKED;
    variant->sell_when_out = flags & FLAG_SELL_WHEN_OUT;
    variant->taxable = flags & FLAG_TAXABLE;
    variant->needs_shipping = flags & FLAG_NEEDS_SHIPPING;
    variant->set_stock = flags & FLAG_SET_STOCK;
}

static void code_variant(struct coder *coder, struct variant *variant)
{
    code_str(coder, &variant->key);
    code_str(coder, &variant->sku);
    code_str(coder, &variant->barcode);
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++)
        code_str(coder, &variant->options[i]);
    code_i64(coder, &variant->price);
    code_i64(coder, &variant->compare_at);
    code_i64(coder, &variant->grams);
    code_variant_flags(coder, variant);
    int64_t picture = variant->picture;
    code_i64(coder, &picture);
    if (picture < -1 || picture > ELEMENTS_MAX) {
        coder->in.bad = true;
        picture = -1;
    }
    variant->picture = (int32_t)picture;
    code_i64(coder, &variant->available);
}

void code_product(struct coder *coder, struct product *product)
{
    code_str(coder, &product->handle);
    code_str(coder, &product->title);
    code_str(coder, &product->html);
    code_str(coder, &product->vendor);
    code_str(coder, &product->category);
    code_str(coder, &product->seo_title);
    code_str(coder, &product->seo_description);
    code_strs(coder, product->tags, &product->tag_count, SHOP_TAGS_MAX);
    code_strs(coder, product->option_names, &product->option_count, SHOP_OPTIONS_MAX);
    code_bool(coder, &product->published);
    void *array = product->pictures;
    if (code_array(coder, &array, &product->picture_count, ELEMENTS_MAX, sizeof(struct picture)))
        product->pictures = array;
    for (unsigned i = 0; i < product->picture_count; i++) {
        code_str(coder, &product->pictures[i].url);
        code_str(coder, &product->pictures[i].alt);
    }
    array = product->variants;
    if (code_array(coder, &array, &product->variant_count, ELEMENTS_MAX, sizeof(struct variant)))
        product->variants = array;
    for (unsigned i = 0; i < product->variant_count; i++)
        code_variant(coder, &product->variants[i]);
}

/* ---- Terms ---- */

void code_settings(struct coder *coder, struct shop_settings *settings)
{
    code_str(coder, &settings->name);
    code_str(coder, &settings->currency);
    code_str(coder, &settings->country);
    code_i64(coder, &settings->hold_ms);
    code_i64(coder, &settings->checkout_ttl_ms);
    code_i64(coder, &settings->cart_ttl_ms);
    code_str(coder, &settings->terms_url);
    code_str(coder, &settings->privacy_url);
    code_str(coder, &settings->refund_url);
}

void code_settings_row(struct coder *coder, struct shop_settings *settings)
{
    code_settings(coder, settings);
    if (coder->out ? settings->capture_at_once || settings->mail : wire_left(&coder->in) > 0) {
        code_bool(coder, &settings->capture_at_once);
        code_bool(coder, &settings->mail);
    }
}

void code_discount(struct coder *coder, struct discount *discount)
{
    code_str(coder, &discount->key);
    code_str(coder, &discount->code);
    unsigned type = discount->type;
    code_enum(coder, &type, DISCOUNT_FREE_SHIPPING);
    discount->type = (enum discount_type)type;
    code_i64(coder, &discount->value);
    code_i64(coder, &discount->min_subtotal);
    code_strs(coder, discount->item_keys, &discount->item_count,
              sizeof discount->item_keys / sizeof discount->item_keys[0]);
    code_str(coder, &discount->title);
    code_i64(coder, &discount->starts_ms);
    code_i64(coder, &discount->ends_ms);
    code_bool(coder, &discount->enabled);
}

void code_shipping_rate(struct coder *coder, struct shipping_rate *rate)
{
    code_str(coder, &rate->key);
    code_str(coder, &rate->country);
    code_str(coder, &rate->region);
    code_str(coder, &rate->level);
    code_str(coder, &rate->title);
    code_str(coder, &rate->description);
    code_i64(coder, &rate->price);
    code_bool(coder, &rate->enabled);
}

void code_tax_rate(struct coder *coder, struct tax_rate *rate)
{
    code_str(coder, &rate->country);
    code_str(coder, &rate->region);
    code_i64(coder, &rate->ppm);
    code_bool(coder, &rate->included);
    code_bool(coder, &rate->on_shipping);
    code_str(coder, &rate->title);
}

/* ---- What a face sets ---- */

void code_address(struct coder *coder, struct address *address)
{
    if (coder->out)
        record_put_address(coder->out, address);
    else
        record_get_address(&coder->in, address);
}

void code_payment(struct coder *coder, struct payment *payment)
{
    if (coder->out)
        record_put_payment(coder->out, payment);
    else
        record_get_payment(&coder->in, payment);
}

static void code_buyer(struct coder *coder, struct buyer *buyer)
{
    if (coder->out)
        record_put_buyer(coder->out, buyer);
    else
        record_get_buyer(&coder->in, buyer);
}

void code_basket_input(struct coder *coder, struct basket_input *basket)
{
    void *array = basket->lines;
    if (code_array(coder, &array, &basket->line_count, ELEMENTS_MAX, sizeof(struct command_line)))
        basket->lines = array;
    for (unsigned i = 0; i < basket->line_count; i++) {
        code_str(coder, &basket->lines[i].item_key);
        code_u32(coder, &basket->lines[i].quantity);
        code_u32(coder, &basket->lines[i].line_id);
    }
    code_buyer(coder, &basket->buyer);
    code_str(coder, &basket->context_country);
    code_str(coder, &basket->context_region);
    code_str(coder, &basket->context_postal_code);
    code_strs(coder, basket->codes, &basket->code_count, SHOP_CODES_MAX);
}

/* ---- Orders after the sale ---- */

void code_quantities(struct coder *coder, struct order_quantity **lines, unsigned *count)
{
    code_array(coder, (void **)lines, count, SHOP_LINES_MAX, sizeof **lines);
    for (unsigned i = 0; i < *count; i++) {
        code_u32(coder, &(*lines)[i].line_id);
        code_u32(coder, &(*lines)[i].quantity);
    }
}

void code_warehouse(struct coder *coder, struct warehouse *warehouse)
{
    code_str(coder, &warehouse->id);
    code_str(coder, &warehouse->name);
    code_str(coder, &warehouse->url);
    code_str(coder, &warehouse->pin);
    code_u32(coder, &warehouse->position);
    code_bool(coder, &warehouse->closed);
    code_u32(coder, &warehouse->token);
    code_bool(coder, &warehouse->gone);
    code_bool(coder, &warehouse->clearing);
    code_u64(coder, &warehouse->cleared);
    code_id(coder, &warehouse->epoch);
}
