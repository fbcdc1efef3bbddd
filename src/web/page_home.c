#include "base/clock.h"
#include "web/call.h"
#include "web/page.h"
#include "web/pages.h"

enum { SHELF = 8, CATEGORIES_SHOWN = 12 };

/* A ranking may change by any sale; it is rendered anew after this at the latest. */
static const uint64_t ranking_ns = 30 * SEC_NS;

static int add_categories(struct page *page)
{
    struct category *categories;
    unsigned count = 0;
    int err = reader_categories(page->reader, &page->x->arena, &categories, &count);
    struct value *list = value_list(page->root, "categories");
    for (unsigned i = 0; !err && i < count && i < CATEGORIES_SHOWN; i++) {
        struct value *map = value_add_map(list);
        value_text(map, "name", categories[i].name);
        value_text(map, "slug", categories[i].slug);
        value_text(map, "picture", categories[i].picture.url);
        value_int(map, "products", (int64_t)categories[i].products);
        value_bool(map, "one", categories[i].products == 1);
    }
    return err;
}

/* One shelf of products; the first few of the page's first shelf are seen at once. */
static int add_shelf(struct page *page, const char *key, enum search_order order)
{
    struct search search = {.order = order, .limit = SHELF};
    struct search_page found = {0};
    int err = reader_search(page->reader, &page->x->arena, &search, &found);
    struct value *list = value_list(page->root, key);
    for (unsigned i = 0; !err && i < found.count; i++)
        page_card(page, list, &found.cards[i], false);
    return err;
}

/* The hero shows what sells best. */
static int add_hero(struct page *page)
{
    struct search search = {.order = SEARCH_BEST_SELLING, .limit = 3, .only_available = true};
    struct search_page found = {0};
    int err = reader_search(page->reader, &page->x->arena, &search, &found);
    struct value *list = value_list(page->root, "hero");
    for (unsigned i = 0; !err && i < found.count; i++)
        page_card(page, list, &found.cards[i], true);
    return err;
}

enum app_verdict page_home(struct exchange *x)
{
    struct page page;
    int err = page_begin(x, &page, "home");
    if (err)
        return call_fail_err(x, err);
    page.tags.catalogue = true;
    page.tags.until_ns = clock_mono_ns() + ranking_ns;
    page_title(&page, STR(""), STR(""));
    err = add_hero(&page);
    if (!err)
        err = add_categories(&page);
    if (!err)
        err = add_shelf(&page, "new", SEARCH_NEWEST);
    if (!err)
        err = add_shelf(&page, "best", SEARCH_BEST_SELLING);
    if (err) {
        page_abandon(&page);
        return call_fail_err(x, err);
    }
    return page_keep(&page, x->path);
}
