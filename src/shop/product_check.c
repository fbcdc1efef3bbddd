#include "base/hash.h"
#include "shop/product.h"
#include "shop/slug.h"

#include <stdarg.h>
#include <stdio.h>

enum { GRAMS_MAX = 1000000000, COUNT_MAX = 1000000000 };

static int refuse(struct apply *apply, const struct product *product, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Refuses the product with a sentence that names it. */
static int refuse(struct apply *apply, const struct product *product, const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct str name = product->handle.len ? product->handle : product->title;
    return apply_refuse(apply, ERR_INVALID, "product \"%.*s\": %s", STR_FMT(str_sub(name, 0, 100)),
                        text);
}

/* ---- Texts ---- */

static bool has_control(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

static int check_text(struct apply *apply, const struct product *product, const char *what,
                      struct str text, size_t max)
{
    if (text.len > max)
        return refuse(apply, product, "its %s is %zu bytes long; at most %zu are possible", what,
                      text.len, max);
    if (!str_is_utf8(text) || has_control(text))
        return refuse(apply, product, "its %s has control characters or is not UTF-8", what);
    return 0;
}

static bool is_handle(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return s.len > 0 && s.len <= SHOP_KEY_MAX;
}

static bool is_key(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == 0 || !strchr("-_.~", c)))
            return false;
    }
    return s.len > 0 && s.len <= SHOP_KEY_MAX;
}

static int check_texts(struct apply *apply, const struct product *product)
{
    const struct {
        const char *what;
        struct str text;
    } texts[] = {
        {"title", product->title},
        {"vendor", product->vendor},
        {"category", product->category},
        {"search title", product->seo_title},
        {"search description", product->seo_description},
    };
    int err = 0;
    for (size_t i = 0; !err && i < sizeof texts / sizeof texts[0]; i++)
        err = check_text(apply, product, texts[i].what, texts[i].text, SHOP_TEXT_MAX);
    for (unsigned i = 0; !err && i < product->tag_count; i++)
        err = check_text(apply, product, "tag", product->tags[i], SHOP_KEY_MAX);
    if (err)
        return err;
    if (product->title.len == 0)
        return refuse(apply, product, "it has no title");
    if (product->html.len > SHOP_HTML_MAX || !str_is_utf8(product->html))
        return refuse(apply, product, "its description is longer than %d bytes or not UTF-8",
                      SHOP_HTML_MAX);
    return 0;
}

/* An address that browsers and platforms can follow: no scheme but the web's, nothing relative. */
static bool is_picture_url(struct str url)
{
    return str_starts(url, STR("/")) || str_starts(url, STR("https://")) ||
           str_starts(url, STR("http://"));
}

static int check_pictures(struct apply *apply, const struct product *product)
{
    if (product->picture_count > SHOP_PICTURES_MAX)
        return refuse(apply, product, "it has %u pictures; at most %d are possible",
                      product->picture_count, SHOP_PICTURES_MAX);
    int err = 0;
    for (unsigned i = 0; !err && i < product->picture_count; i++) {
        const struct picture *picture = &product->pictures[i];
        err = check_text(apply, product, "picture's address", picture->url, 2 * SHOP_TEXT_MAX);
        if (!err)
            err = check_text(apply, product, "picture's text", picture->alt, SHOP_TEXT_MAX);
        if (!err && picture->url.len == 0)
            return refuse(apply, product, "picture %u has no address", i + 1);
        if (!err && !is_picture_url(picture->url))
            return refuse(apply, product,
                          "picture %u's address begins neither with https:// nor with /", i + 1);
    }
    return err;
}

/* ---- Options and variants ---- */

static int check_options(struct apply *apply, const struct product *product)
{
    int err = 0;
    for (unsigned i = 0; !err && i < product->option_count; i++) {
        struct str name = product->option_names[i];
        err = check_text(apply, product, "option name", name, SHOP_KEY_MAX);
        if (!err && name.len == 0)
            return refuse(apply, product, "option %u has no name", i + 1);
        for (unsigned j = 0; !err && j < i; j++)
            if (str_eq_nocase(name, product->option_names[j]))
                return refuse(apply, product, "two options are called \"%.*s\"", STR_FMT(name));
    }
    if (err)
        return err;
    if (product->variant_count == 0)
        return refuse(apply, product, "it has no variant; one without options is the least");
    if (product->variant_count > SHOP_VARIANTS_MAX)
        return refuse(apply, product, "it has %u variants; at most %d are possible",
                      product->variant_count, SHOP_VARIANTS_MAX);
    if (product->option_count == 0 && product->variant_count > 1)
        return refuse(apply, product, "it has %u variants and no option to tell them apart",
                      product->variant_count);
    return 0;
}

static bool same_options(const struct variant *a, const struct variant *b)
{
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++)
        if (!str_eq(a->options[i], b->options[i]))
            return false;
    return true;
}

static int check_amounts(struct apply *apply, const struct product *product,
                         const struct variant *variant)
{
    if (variant->price < 0 || variant->price > SHOP_MONEY_MAX || variant->compare_at < 0 ||
        variant->compare_at > SHOP_MONEY_MAX)
        return refuse(apply, product, "a price is below 0 or above %lld", SHOP_MONEY_MAX);
    if (variant->grams < 0 || variant->grams > GRAMS_MAX)
        return refuse(apply, product, "a weight of %lld g is not possible",
                      (long long)variant->grams);
    if (variant->set_stock && (variant->available < -COUNT_MAX || variant->available > COUNT_MAX))
        return refuse(apply, product, "a stock of %lld is not possible",
                      (long long)variant->available);
    if (variant->picture < -1 || variant->picture >= (int)product->picture_count)
        return refuse(apply, product, "a variant shows picture %d, there are %u",
                      variant->picture + 1, product->picture_count);
    return 0;
}

static int check_values(struct apply *apply, const struct product *product, unsigned at)
{
    const struct variant *variant = &product->variants[at];
    int err = 0;
    for (unsigned i = 0; !err && i < SHOP_OPTIONS_MAX; i++) {
        struct str value = variant->options[i];
        err = check_text(apply, product, "option value", value, SHOP_KEY_MAX);
        if (!err && i < product->option_count && value.len == 0)
            return refuse(apply, product, "variant %u has no value for option \"%.*s\"", at + 1,
                          STR_FMT(product->option_names[i]));
        if (!err && i >= product->option_count && value.len > 0)
            return refuse(apply, product, "variant %u has a value for option %u, which has no name",
                          at + 1, i + 1);
    }
    return err;
}

static int check_variant(struct apply *apply, const struct product *product, unsigned at)
{
    const struct variant *variant = &product->variants[at];
    int err = check_amounts(apply, product, variant);
    if (!err)
        err = check_text(apply, product, "SKU", variant->sku, SHOP_KEY_MAX);
    if (!err)
        err = check_text(apply, product, "barcode", variant->barcode, SHOP_KEY_MAX);
    if (!err)
        err = check_values(apply, product, at);
    for (unsigned i = 0; !err && i < at; i++)
        if (same_options(variant, &product->variants[i]))
            return refuse(apply, product, "variants %u and %u have the same options", i + 1,
                          at + 1);
    return err;
}

/* ---- Keys ---- */

static bool key_is_used(const struct product *product, unsigned before, struct str key)
{
    for (unsigned i = 0; i < before; i++)
        if (str_eq(product->variants[i].key, key))
            return true;
    return false;
}

/* The handle, as far as it has room in a key. What is cut off leaves its hash, as the next
 * product's handle may begin alike. */
static struct str key_stem(struct apply *apply, struct str handle)
{
    enum { STEM_MAX = 120, HASH_DIGITS = 17 };
    if (handle.len <= STEM_MAX)
        return handle;
    uint64_t hash = hash_fast((struct hash_key){0x73746f61, 0x6b6579}, handle);
    return arena_printf(apply->arena, "%.*s-%016llx",
                        STR_FMT(str_sub(handle, 0, STEM_MAX - HASH_DIGITS)),
                        (unsigned long long)hash);
}

/* "handle~blue-large"; values that look alike as slugs are told apart by a number. */
static struct str make_key(struct apply *apply, const struct product *product, unsigned at)
{
    const struct variant *variant = &product->variants[at];
    if (product->option_count == 0)
        return product->handle;
    struct str joined = arena_printf(apply->arena, "%.*s %.*s %.*s", STR_FMT(variant->options[0]),
                                     STR_FMT(variant->options[1]), STR_FMT(variant->options[2]));
    struct str slug = slug_make(apply->arena, joined);
    struct str stem = key_stem(apply, product->handle);
    /* Candidates are made on the stack: many look-alikes must not use up the memory. */
    char key[SHOP_KEY_MAX + 32];
    int len = snprintf(key, sizeof key, "%.*s~%.*s", STR_FMT(stem), STR_FMT(str_sub(slug, 0, 120)));
    /* Also none that was given to a later variant. */
    for (unsigned n = 2; key_is_used(product, product->variant_count, str_of(key)); n++)
        snprintf(key + len, sizeof key - (size_t)len, "-%u", n);
    return arena_str(apply->arena, str_of(key));
}

static int check_keys(struct apply *apply, struct product *product)
{
    for (unsigned i = 0; i < product->variant_count; i++) {
        struct variant *variant = &product->variants[i];
        if (variant->key.len == 0)
            variant->key = make_key(apply, product, i);
        if (!variant->key.at)
            return db_fail_memory(apply->db);
        if (!is_key(variant->key))
            return refuse(apply, product,
                          "the key \"%.*s\" may have only letters, digits, \"-\", \"_\", \".\" and "
                          "\"~\", at most %d",
                          STR_FMT(str_sub(variant->key, 0, 60)), SHOP_KEY_MAX);
        if (key_is_used(product, i, variant->key))
            return refuse(apply, product, "two variants have the key \"%.*s\"",
                          STR_FMT(variant->key));
    }
    return 0;
}

struct str product_handle(struct arena *arena, struct str title)
{
    return str_sub(slug_make(arena, title), 0, 100);
}

int product_check(struct apply *apply, struct product *product)
{
    int err = check_texts(apply, product);
    if (!err && product->handle.len == 0)
        product->handle = product_handle(apply->arena, product->title);
    if (!err && !is_handle(product->handle))
        err = refuse(apply, product,
                     "its handle may have only a-z, 0-9, \"-\" and \"_\", at most %d of them",
                     SHOP_KEY_MAX);
    if (!err)
        err = check_options(apply, product);
    if (!err)
        err = check_pictures(apply, product);
    for (unsigned i = 0; !err && i < product->variant_count; i++)
        err = check_variant(apply, product, i);
    return err ? err : check_keys(apply, product);
}
