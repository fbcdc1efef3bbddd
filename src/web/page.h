/* Page: one HTML page from a template, with what all pages have in common.
 *
 * A handler begins a page (which begins a consistent view of the database), fills
 * page.root, and ends with page_reply or page_keep. All memory is the exchange's.
 *
 *     struct page page;
 *     if (page_begin(x, &page, "product"))
 *         return call_fail_err(x, ERR_IO);
 *     value_text(page.root, "title", product.title);
 *     return page_keep(&page, key, &tags);
 *
 * Thread: the one that runs the exchange.
 */
#ifndef STOA_WEB_PAGE_H
#define STOA_WEB_PAGE_H

#include "engine/app.h"
#include "http/template.h"
#include "shop/read.h"
#include "web/cache.h"

struct page {
    struct exchange *x;
    struct reader *reader;
    const char *template;
    struct value *root;
    struct shop_settings settings;
    struct cache_tags tags; /* with the index of the view */
};

/* Errors are reader_begin's and reader_settings'. Sets shop, currency, year, assets. */
int page_begin(struct exchange *x, struct page *page, const char *template);

/* Ends a page that was begun and will not be shown (its view of the database). */
void page_abandon(struct page *page);

/* Sets "title" (the window's: with the shop's name) and "description". */
void page_title(struct page *page, struct str title, struct str description);

/* Tells search engines that this page's one address is PATH, where the shop knows its own. */
void page_canonical(struct page *page, struct str path);

/* Renders and answers with STATUS; for one shopper's eyes: Cache-Control private, no-store. */
enum app_verdict page_reply(struct page *page, int status);

/* Renders, answers and keeps the answer in the cache under KEY with page->tags. Only for
 * pages that are the same for everybody. */
enum app_verdict page_keep(struct page *page, struct str key);

/* Money in the shop's currency under KEY. */
void page_money(struct page *page, struct value *map, const char *key, int64_t amount);

/* Appends a product's card to LIST; for the template partial "card". Tags it. EAGER: its
 * picture is seen at once (not loaded lazily). */
void page_card(struct page *page, struct value *list, const struct product_card *card, bool eager);

/* Lines, totals, codes and messages of BASKET into MAP, for cart, checkout and order. */
void page_basket(struct page *page, struct value *map, const struct basket *basket);

#endif
