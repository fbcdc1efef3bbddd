#include "web/call.h"
#include "web/choice.h"
#include "web/page.h"
#include "web/pages.h"
#include "web/rich.h"

enum { DESCRIPTION_BYTES = 160, LONG_LIST = 12 };

static void show_value(const struct product *product, struct value *list, int chosen, unsigned axis,
                       struct str text)
{
    struct value *map = value_add_map(list);
    value_text(map, "text", text);
    value_bool(map, "chosen", str_eq(product->variants[chosen].options[axis], text));
    value_bool(map, "out", !choice_sells_with(product, chosen, axis, text));
}

/* The different values of option AXIS, in the order in which the variants bring them. */
static unsigned show_values(const struct product *product, struct value *list, int chosen,
                            unsigned axis)
{
    unsigned count = 0;
    for (unsigned i = 0; i < product->variant_count; i++) {
        struct str text = product->variants[i].options[axis];
        bool known = false;
        for (unsigned j = 0; j < i && !known; j++)
            known = str_eq(product->variants[j].options[axis], text);
        if (known)
            continue;
        show_value(product, list, chosen, axis, text);
        count++;
    }
    return count;
}

static void show_options(struct page *page, const struct product *product, int chosen)
{
    struct value *list = value_list(page->root, "options");
    for (unsigned axis = 0; axis < product->option_count; axis++) {
        struct value *map = value_add_map(list);
        value_text(map, "name", product->option_names[axis]);
        value_int(map, "number", axis + 1);
        unsigned count = show_values(product, value_list(map, "values"), chosen, axis);
        value_bool(map, "long", count > LONG_LIST);
    }
}

/* The chosen variant's picture first, then the others in their order. */
static void show_pictures(struct page *page, const struct product *product, int chosen)
{
    int first = product->variants[chosen].picture;
    if (first < 0 || (unsigned)first >= product->picture_count)
        first = 0;
    struct value *list = value_list(page->root, "pictures");
    for (unsigned i = 0; i < product->picture_count; i++) {
        unsigned at = i == 0 ? (unsigned)first : i <= (unsigned)first ? i - 1 : i;
        struct value *map = value_add_map(list);
        value_text(map, "url", product->pictures[at].url);
        value_text(map, "alt",
                   product->pictures[at].alt.len ? product->pictures[at].alt : product->title);
        value_int(map, "number", i + 1);
    }
    value_bool(page->root, "several_pictures", product->picture_count > 1);
}

static void show_stock(struct value *root, const struct variant *variant)
{
    value_bool(root, "sells", variant_sells(variant));
    if (!variant_sells(variant))
        value_text(root, "stock", STR("Sold out"));
    else if (variant->tracked && variant->available <= 0)
        value_text(root, "stock", STR("Ships later: we make it for you"));
    else if (variant->tracked && variant->available <= STOCK_LOW)
        value_printf(root, "stock", "Only %d left", (int)variant->available);
    else
        value_text(root, "stock", STR("In stock"));
    value_bool(root, "low",
               variant->tracked && variant->available > 0 && variant->available <= STOCK_LOW);
}

static void show_variant(struct page *page, const struct product *product, int chosen)
{
    const struct variant *variant = &product->variants[chosen];
    value_text(page->root, "item", variant->key);
    value_text(page->root, "sku", variant->sku);
    page_money(page, page->root, "price", variant->price);
    if (variant->compare_at > variant->price)
        page_money(page, page->root, "compare_at", variant->compare_at);
    show_stock(page->root, variant);
    show_options(page, product, chosen);
    show_pictures(page, product, chosen);
}

static struct str cleaned(struct exchange *x, struct str html)
{
    struct buf out;
    buf_init(&out, SHOP_HTML_MAX * 8);
    rich_clean(&out, html);
    struct str copy = arena_str(&x->arena, buf_text(&out));
    buf_close(&out);
    return copy;
}

static struct str words(struct exchange *x, struct str html)
{
    struct buf out;
    buf_init(&out, DESCRIPTION_BYTES + 16);
    rich_words(&out, html, DESCRIPTION_BYTES);
    struct str copy = arena_str(&x->arena, buf_text(&out));
    buf_close(&out);
    return copy;
}

static void show_product(struct page *page, const struct product *product)
{
    struct exchange *x = page->x;
    struct str about =
        product->seo_description.len ? product->seo_description : words(x, product->html);
    page_title(page, product->seo_title.len ? product->seo_title : product->title, about);
    struct value *map = value_map(page->root, "product");
    value_text(map, "handle", product->handle);
    value_text(map, "title", product->title);
    value_text(map, "vendor", product->vendor);
    value_text(map, "category", product->category);
    value_text(map, "html", cleaned(x, product->html));
    value_text(page->root, "category_slug", product->category_slug);
    bool any = false;
    for (unsigned i = 0; i < product->variant_count && !any; i++)
        any = variant_sells(&product->variants[i]);
    value_bool(page->root, "any_sells", any);
}

/* The variant that the query asks for: by key, or (without scripts) by options. */
static int asked_for(struct exchange *x, const struct product *product)
{
    int chosen = -1;
    struct str key = exchange_query(x, STR("variant"));
    if (key.at)
        chosen = choice_by_key(product, key);
    static const char *const names[] = {"option1", "option2", "option3"};
    struct str options[SHOP_OPTIONS_MAX];
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++)
        options[i] = exchange_query(x, str_of(names[i]));
    if (chosen < 0 && options[0].at)
        chosen = choice_by_options(product, options);
    return chosen;
}

/* Only the plain address and those of existing variants are kept, so that made-up queries
 * do not fill the cache. */
static bool is_variant_query(const struct exchange *x)
{
    return str_starts(x->query, STR("variant=")) && str_find_byte(x->query, '&') < 0;
}

static bool answer_cached_variant(struct exchange *x)
{
    struct http_page *ready = is_variant_query(x) ? call_page_kept(x, x->target, NULL) : NULL;
    if (!ready)
        return false;
    exchange_page(x, ready);
    http_page_drop(ready);
    return true;
}

enum app_verdict page_product(struct exchange *x)
{
    if (answer_cached_variant(x))
        return APP_DONE;
    struct page page;
    int err = page_begin(x, &page, "product");
    if (err)
        return call_fail_err(x, err);
    struct product product;
    err = reader_product(page.reader, &x->arena, call_param(x, 0), false, &product);
    if (!err && !product.variant_count)
        err = ERR_NOTFOUND;
    if (err) {
        page_abandon(&page);
        return call_fail_err(x, err);
    }
    cache_tag_product(&page.tags, product.id);
    show_product(&page, &product);
    page_canonical(&page, x->path);
    int chosen = x->query.len ? asked_for(x, &product) : -1;
    show_variant(&page, &product, chosen >= 0 ? chosen : choice_default(&product));
    value_bool(page.root, "sold_out_choice", exchange_query(x, STR("out")).at != NULL);
    value_bool(page.root, "no_such",
               x->query.len && chosen < 0 && exchange_query(x, STR("option1")).at);
    if (!x->query.len)
        return page_keep(&page, x->path);
    if (chosen >= 0 && is_variant_query(x))
        return page_keep(&page, x->target);
    return page_reply(&page, 200);
}
