#include "base/clock.h"
#include "web/call.h"
#include "web/page.h"
#include "web/pages.h"

enum { HERO = 3, SHELF = 8, CATEGORIES_SHOWN = 12 };

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

/* Products shown so far: nothing is shown twice. */
struct shown {
    uint64_t ids[HERO + 2 * SHELF];
    unsigned count;
};

static bool is_shown(const struct shown *shown, uint64_t id)
{
    for (unsigned i = 0; i < shown->count; i++)
        if (shown->ids[i] == id)
            return true;
    return false;
}

/* Up to ROOM products that were not shown yet, as list KEY. The HERO is seen at once and is
 * all picture: nothing without one. */
static int add_shelf(struct page *page, const char *key, bool hero, struct search search,
                     unsigned room, struct shown *shown)
{
    struct search_page found = {0};
    search.limit = hero ? SHELF : room + shown->count;
    int err = reader_search(page->reader, &page->x->arena, &search, &found);
    struct value *list = value_list(page->root, key);
    for (unsigned i = 0; !err && i < found.count && room > 0; i++) {
        if (is_shown(shown, found.cards[i].id) || (hero && !found.cards[i].picture.url.len))
            continue;
        shown->ids[shown->count++] = found.cards[i].id;
        page_card(page, list, &found.cards[i], hero);
        room--;
    }
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
    page_canonical(&page, x->path);
    const struct search best = {.order = SEARCH_BEST_SELLING}, new = {.order = SEARCH_NEWEST};
    struct search hero = best;
    hero.only_available = true;
    struct shown shown = {.count = 0};
    err = add_shelf(&page, "hero", true, hero, HERO, &shown);
    if (!err)
        err = add_categories(&page);
    if (!err)
        err = add_shelf(&page, "new", false, new, SHELF, &shown);
    if (!err)
        err = add_shelf(&page, "best", false, best, SHELF, &shown);
    if (err) {
        page_abandon(&page);
        return call_fail_err(x, err);
    }
    return page_keep(&page, x->path);
}
