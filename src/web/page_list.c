#include "base/clock.h"
#include "shop/money.h"
#include "web/call.h"
#include "web/json.h"
#include "web/page.h"
#include "web/pages.h"
#include "web/price.h"

enum { PER_PAGE = 24, SEEN_AT_ONCE = 4, SUGGESTIONS = 6, CATEGORIES_SHOWN = 40 };

static const struct {
    const char *name, *text;
    enum search_order order;
} orders[] = {
    {"best-selling", "Best selling", SEARCH_BEST_SELLING},
    {"relevance", "Best match", SEARCH_RELEVANCE},
    {"newest", "Newest", SEARCH_NEWEST},
    {"price-up", "Price, low to high", SEARCH_PRICE_UP},
    {"price-down", "Price, high to low", SEARCH_PRICE_DOWN},
    {"title", "Name", SEARCH_TITLE},
};
enum { ORDERS = sizeof orders / sizeof *orders };

/* What the address asks for. */
struct wish {
    struct search search;
    struct str words, low, high; /* as typed */
    unsigned order;              /* row of orders */
    bool bad_price;
};

static int64_t read_price(struct wish *wish, struct str text, struct str currency)
{
    int64_t amount = 0;
    if (!text.len)
        return 0;
    if (money_read(str_trim(text), money_digits(currency), &amount) || amount < 0) {
        wish->bad_price = true;
        return 0;
    }
    return amount;
}

static unsigned order_row(struct str name, unsigned otherwise)
{
    for (unsigned i = 0; i < ORDERS; i++)
        if (str_eq(name, str_of(orders[i].name)))
            return i;
    return otherwise;
}

/* Text of the query: never a missing one, and never what cannot be shown. */
static struct str query_text(struct exchange *x, struct str name)
{
    struct str text = exchange_query(x, name);
    return text.at && text.len <= SHOP_TEXT_MAX && str_is_utf8(text) ? str_trim(text) : STR("");
}

static void read_wish(struct page *page, struct wish *wish)
{
    struct exchange *x = page->x;
    memset(wish, 0, sizeof *wish);
    wish->words = query_text(x, STR("q"));
    wish->low = query_text(x, STR("min"));
    wish->high = query_text(x, STR("max"));
    wish->order = order_row(query_text(x, STR("sort")), wish->words.len ? 1 : 0);
    wish->search = (struct search){
        .text = wish->words,
        .vendor = query_text(x, STR("vendor")),
        .tag = query_text(x, STR("tag")),
        .price_min = read_price(wish, wish->low, page->settings.currency),
        .price_max = read_price(wish, wish->high, page->settings.currency),
        .only_available = query_text(x, STR("available")).len > 0,
        .order = orders[wish->order].order,
        .limit = PER_PAGE,
        .cursor = query_text(x, STR("after")),
    };
}

static void show_orders(struct value *root, const struct wish *wish)
{
    struct value *list = value_list(root, "orders");
    for (unsigned i = 0; i < ORDERS; i++) {
        if (orders[i].order == SEARCH_RELEVANCE && !wish->words.len)
            continue;
        struct value *map = value_add_map(list);
        value_text(map, "name", str_of(orders[i].name));
        value_text(map, "text", str_of(orders[i].text));
        value_bool(map, "chosen", i == wish->order);
    }
}

static void show_wish(struct page *page, const struct wish *wish)
{
    value_text(page->root, "q", wish->words);
    value_text(page->root, "min", wish->low);
    value_text(page->root, "max", wish->high);
    value_text(page->root, "vendor", wish->search.vendor);
    value_text(page->root, "tag", wish->search.tag);
    value_text(page->root, "sort", str_of(orders[wish->order].name));
    value_bool(page->root, "available", wish->search.only_available);
    value_bool(page->root, "bad_price", wish->bad_price);
    value_bool(page->root, "filtered",
               wish->low.len || wish->high.len || wish->search.only_available ||
                   wish->search.vendor.len || wish->search.tag.len);
    value_bool(page->root, "later_page", wish->search.cursor.len > 0);
    show_orders(page->root, wish);
}

static int show_found(struct page *page, const struct wish *wish)
{
    struct search_page found = {0};
    int err = reader_search(page->reader, &page->x->arena, &wish->search, &found);
    if (err)
        return err;
    struct value *list = value_list(page->root, "products");
    for (unsigned i = 0; i < found.count; i++)
        page_card(page, list, &found.cards[i], i < SEEN_AT_ONCE);
    bool many = found.total > 10000;
    value_printf(page->root, "total", "%s%llu", many ? "more than " : "",
                 (unsigned long long)(many ? 10000 : found.total));
    value_bool(page->root, "one", found.total == 1);
    value_bool(page->root, "none", found.total == 0);
    value_text(page->root, "after", found.next);
    return 0;
}

/* All categories, CHOSEN marked; *NAME is the chosen one's, at == NULL when there is none. */
static int show_categories(struct page *page, struct str chosen, struct str *name)
{
    struct category *categories;
    unsigned count = 0;
    *name = STR_NONE;
    int err = reader_categories(page->reader, &page->x->arena, &categories, &count);
    struct value *list = value_list(page->root, "categories");
    for (unsigned i = 0; !err && i < count; i++) {
        bool is_chosen = chosen.len && str_eq(categories[i].slug, chosen);
        if (is_chosen)
            *name = categories[i].name;
        if (i >= CATEGORIES_SHOWN && !is_chosen)
            continue;
        struct value *map = value_add_map(list);
        value_text(map, "name", categories[i].name);
        value_text(map, "slug", categories[i].slug);
        value_bool(map, "chosen", is_chosen);
    }
    return err;
}

/* A cursor that is none: the list from its beginning. */
static int show_list(struct page *page, struct wish *wish)
{
    int err = show_found(page, wish);
    if (err == ERR_INVALID && wish->search.cursor.len) {
        wish->search.cursor = STR("");
        err = show_found(page, wish);
    }
    show_wish(page, wish);
    return err;
}

enum app_verdict page_category(struct exchange *x)
{
    struct page page;
    int err = page_begin(x, &page, "list");
    if (err)
        return call_fail_err(x, err);
    struct str slug = call_param_text(x, 0), name;
    struct wish wish;
    read_wish(&page, &wish);
    wish.search.category = slug;
    err = show_categories(&page, slug, &name);
    if (!err && !name.at)
        err = ERR_NOTFOUND;
    if (!err)
        err = show_list(&page, &wish);
    if (err) {
        page_abandon(&page);
        return call_fail_err(x, err);
    }
    page_title(&page, name, STR(""));
    value_text(page.root, "heading", name);
    value_text(page.root, "slug", slug);
    page_canonical(&page, x->path);
    value_printf(page.root, "action", "/category/%.*s", STR_FMT(call_param(x, 0)));
    page.tags.catalogue = true;
    page.tags.until_ns = clock_mono_ns() + 30 * SEC_NS; /* it is ranked by sales */
    return x->query.len ? page_reply(&page, 200) : page_keep(&page, x->path);
}

enum app_verdict page_search(struct exchange *x)
{
    struct page page;
    int err = page_begin(x, &page, "list");
    if (err)
        return call_fail_err(x, err);
    struct wish wish;
    struct str name;
    read_wish(&page, &wish);
    err = show_categories(&page, STR(""), &name);
    if (!err)
        err = show_list(&page, &wish);
    if (err) {
        page_abandon(&page);
        return call_fail_err(x, err);
    }
    struct str heading = STR("All products");
    if (wish.words.len)
        heading = arena_printf(&x->arena, "Results for “%.*s”", STR_FMT(wish.words));
    page_title(&page, heading, STR(""));
    value_text(page.root, "heading", heading);
    value_text(page.root, "action", STR("/search"));
    value_bool(page.root, "searching", true);
    return page_reply(&page, 200);
}

static void put_suggestion(struct json *json, yyjson_mut_val *list, struct page *page,
                           const struct product_card *card)
{
    yyjson_mut_val *item = json_add_object(json, list);
    json_put_text(json, item, "title", card->title);
    json_put_text(json, item, "handle", card->handle);
    json_put_text(json, item, "picture", card->picture.url);
    json_put_text(json, item, "price",
                  price_text(&page->x->arena, card->price_min, page->settings.currency));
}

enum app_verdict page_suggest(struct exchange *x)
{
    struct page page;
    int err = page_begin(x, &page, "");
    if (err)
        return call_fail_err(x, err);
    struct search search = {
        .text = query_text(x, STR("q")), .limit = SUGGESTIONS, .order = SEARCH_RELEVANCE};
    struct search_page found = {0};
    if (search.text.len)
        err = reader_search(page.reader, &x->arena, &search, &found);
    page_abandon(&page);
    if (err)
        return call_fail_err(x, err);
    struct json json;
    json_begin(&json, &x->arena);
    yyjson_mut_val *list = json_put_list(&json, json.root, "products");
    for (unsigned i = 0; i < found.count; i++)
        put_suggestion(&json, list, &page, &found.cards[i]);
    return call_json(x, 200, json_end(&json));
}
